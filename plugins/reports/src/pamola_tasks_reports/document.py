"""The report as people read it: which sections it has, in which order, and what stands in them.

Markdown and HTML are made from the same document, so both say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pamola_tasks_reports.blocks import (
    Badge,
    Block,
    Bullets,
    Callout,
    Cell,
    Code,
    Document,
    Facts,
    Paragraph,
    Section,
    Share,
    Table,
    Text,
    Verbatim,
)
from pamola_tasks_reports.fact_blocks import charts_of, facts_of
from pamola_tasks_reports.formatting import count, duration, moment, size, value

_GOOD = frozenset({"success", "completed", "loaded"})
_ODD = frozenset({"warning", "partial_success", "blocked", "interrupted", "aborted"})
_BAD = frozenset({"error", "failed", "incompatible"})
_DEFAULT = "default"


def document_of(report: Mapping[str, Any]) -> Document:
    """The document of a JSON report. What is missing in the report is missing in the document."""
    task, run = _map(report, "task"), _map(report, "run")
    status = str(report.get("status", "unknown"))
    identity = [str(task.get("id", "")), str(task.get("type", ""))]
    if task.get("version"):
        identity.append(f"version {task['version']}")
    return Document(
        title=str(task.get("description") or task.get("id", "")),
        subtitle=" · ".join(part for part in identity if part),
        status=Badge(status, tone_of(status)),
        sentence=_sentence(report),
        figures=list(_figures(report)),
        sections=[section for section in _sections(report) if section.blocks],
        footer=f"Run {run.get('id', '')}, started {moment(run.get('started'))}. Whole hashes stand in the JSON report.",
    )


def tone_of(status: str) -> str:
    """The colour of a status."""
    for tone, words in (("good", _GOOD), ("odd", _ODD), ("bad", _BAD)):
        if status in words:
            return tone
    return "quiet"


# ---------------------------------------------------------------- the top


def _sentence(report: Mapping[str, Any]) -> str:
    run, steps = _map(report, "run"), _steps(report)
    took = duration(run.get("seconds"))
    skipped = sum(step.get("status") == "skipped" for step in steps)
    failed = [str(step.get("step")) for step in steps if step.get("status") == "error"]
    if report.get("success"):
        text = f"{count(len(steps), 'step')} done in {took}" if steps else f"Done in {took}"
        if skipped:
            text += f"; {skipped} of them had been finished by an earlier run"
        return f"{text}."
    if report.get("status") == "running":
        return f"Running for {took}."
    if report.get("status") == "interrupted":
        return f"Interrupted after {took}; the same command continues it."
    return f"Failed after {took}" + (f", in step {', '.join(failed)}." if failed else ".")


def _figures(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    run, steps = _map(report, "run"), _steps(report)
    yield from _claims(steps)
    yield "Duration", duration(run.get("seconds"))
    done = sum(step.get("status") in ("success", "warning", "partial_success", "skipped") for step in steps)
    yield "Steps done", f"{done} of {len(steps)}"
    yield "Outputs", str(len(_list(report, "outputs")))
    yield "Warnings", str(len(_list(report, "warnings")))
    if run.get("peak_memory_bytes"):
        yield "Peak memory", size(run["peak_memory_bytes"])


def _claims(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What was measured of each thing that a step claimed: metrics `<name>_claimed`, `_measured` and `_before`."""
    claims = []
    for step in steps:
        metrics = _map(step, "metrics")
        names = [key.removesuffix("_claimed") for key in metrics if key.endswith("_claimed")]
        claims += [(step, name) for name in names if metrics.get(f"{name}_measured") is not None]
    for step, name in claims:
        metrics = _map(step, "metrics")
        before = metrics.get(f"{name}_before")
        told = [f"asked {value(metrics[f'{name}_claimed'])}"] + ([] if before is None else [f"before {value(before)}"])
        place = f" in {step.get('step')}" if sum(other == name for _, other in claims) > 1 else ""
        yield f"{name}{place} ({', '.join(told)})", value(metrics[f"{name}_measured"])


# ---------------------------------------------------------------- the sections


def _sections(report: Mapping[str, Any]) -> Iterator[Section]:
    warnings = [str(text) for text in _list(report, "warnings")]
    yield Section("What went wrong", list(_wrong(report)))
    yield Section("Warnings", [Bullets(warnings, "odd")] if warnings else [])
    yield Section("Left out or changed", list(_weakened(report)))
    yield Section("Steps", list(_step_table(report)))
    yield from _step_details(report)
    yield Section("Data", list(_data(report)))
    yield Section("Artifacts", list(_artifacts(report)))
    yield Section("Figures of the task", list(_metrics(report)))
    for section in _named(report, "sections").values():
        yield Section(str(section.get("title", "")), list(_added(section)))
    yield Section("Configuration", list(_configuration(report)), minor=True)
    yield Section("Run and environment", list(_environment(report)), minor=True)
    yield Section("Plugins", list(_plugins(report)), minor=True)


def _wrong(report: Mapping[str, Any]) -> Iterator[Block]:
    main = report.get("error")
    if isinstance(main, Mapping):
        yield _callout(main)
    for error in _rows(report, "errors"):
        if not isinstance(main, Mapping) or error.get("message") != main.get("message"):
            yield _callout(error)
    traces = [error["traceback"] for error in _rows(report, "errors") if error.get("traceback")]
    yield from (Verbatim(str(trace)) for trace in dict.fromkeys(traces))


def _callout(error: Mapping[str, Any]) -> Callout:
    place = error.get("step") or error.get("operation")
    kind = str(error.get("exception_type") or error.get("type") or "error")
    return Callout(f"{kind} in {place}" if place else kind, str(error.get("message", "")))


def _weakened(report: Mapping[str, Any]) -> Iterator[Block]:
    failures = [
        f"Observer {failure.get('plugin')} failed in {failure.get('hook')}: {failure.get('error')}"
        for failure in _rows(report, "observer_failures")
    ]
    texts = [str(text) for text in (*_list(report, "overrides"), *_list(report, "plan_changes"))] + failures
    if texts:
        yield Bullets(texts, "odd")


def _step_table(report: Mapping[str, Any]) -> Iterator[Block]:
    entries = _rows(report, "operations")
    whole = sum(entry.get("seconds") or 0 for entry in entries) or 1.0
    rows: list[Sequence[Cell]] = []
    for entry in entries:
        status, seconds = str(entry.get("status", "")), entry.get("seconds")
        error = entry.get("error") or {}
        attempts = entry.get("attempts") or 0
        notes = [
            str(entry.get("reason") or ""),
            f"{attempts} attempts" if attempts > 1 else "",
            str(error.get("message", "")),
        ]
        rows.append(
            [
                Code(str(entry.get("step") or entry.get("name", ""))),
                str(entry.get("name", "")) if entry.get("step") else str(entry.get("description", "")),
                Badge(status, tone_of(status)),
                Share(duration(seconds), seconds / whole) if seconds else duration(seconds),
                "; ".join(note for note in notes if note),
            ]
        )
    if rows:
        yield Table(["Step", "Operation", "Status", "Time", "Note"], rows, frozenset({3}))


def _step_details(report: Mapping[str, Any]) -> Iterator[Section]:
    for entry in _rows(report, "operations"):
        facts = {
            **(entry.get("metrics") or {}),
            **{k: v for k, v in (entry.get("details") or {}).items() if v is not None},
        }
        blocks: list[Block] = []
        if entry.get("description") and (facts or entry.get("charts") or entry.get("withheld")):
            blocks.append(Paragraph(str(entry["description"])))
        if entry.get("charts"):
            blocks += charts_of(entry["charts"])
        blocks += facts_of(facts)
        if entry.get("withheld"):
            blocks.append(
                Bullets(
                    [f"{', '.join(entry['withheld'])}: withheld, because it may quote data; see `pamola-task report`"]
                )
            )
        yield Section(str(entry.get("step") or entry.get("name", "")), blocks, level=3)


def _encryption(file: Mapping[str, Any]) -> str:
    """`encrypted (simple, key 1f2e…)`, as it was found on the disk."""
    if not file.get("encrypted"):
        return ""
    key = f"key {file['key_id']}" if file.get("key_id") else ""
    how = ", ".join(filter(None, [str(file.get("encryption_mode") or ""), key]))
    return f"encrypted ({how})" if how else "encrypted"


def _data(report: Mapping[str, Any]) -> Iterator[Block]:
    rows: list[Sequence[Cell]] = [
        [
            str(dataset.get("name", "")),
            ", ".join(filter(None, [kind.removesuffix("s"), _encryption(dataset)])),
            Code(str(dataset.get("path") or "in memory")),
            "" if dataset.get("rows") is None else f"{dataset['rows']:,}",
            "" if dataset.get("columns") is None else str(len(dataset["columns"])),
            size(dataset.get("bytes")),
            _hash(dataset.get("sha256")),
        ]
        for kind in ("inputs", "outputs")
        for dataset in _rows(report, kind)
    ]
    if rows:
        yield Table(["Dataset", "Role", "File", "Rows", "Columns", "Size", "SHA-256"], rows, frozenset({3, 4, 5}))


def _artifacts(report: Mapping[str, Any]) -> Iterator[Block]:
    rows: list[Sequence[Cell]] = [
        [
            Code(str(artifact.get("path", ""))),
            str(artifact.get("description", "")),
            ", ".join(filter(None, [artifact.get("group"), *(artifact.get("tags") or ()), _encryption(artifact)])),
            size(artifact.get("bytes")),
            _hash(artifact.get("sha256")),
        ]
        for artifact in _rows(report, "artifacts")
    ]
    if rows:
        yield Table(["File", "What it is", "Group, tags", "Size", "SHA-256"], rows, frozenset({3}))


def _metrics(report: Mapping[str, Any]) -> Iterator[Block]:
    steps = {entry.get("step") for entry in _rows(report, "operations")}
    own = {key: item for key, item in _map(report, "metrics").items() if key not in steps}
    yield from facts_of(own)


def _added(section: Mapping[str, Any]) -> Iterator[Block]:
    if section.get("text"):
        yield Text(str(section["text"]))
    facts = _map(section, "facts")
    if facts.get("charts"):
        yield from charts_of(facts["charts"])
    yield from facts_of({key: item for key, item in facts.items() if key != "charts"})


def _configuration(report: Mapping[str, Any]) -> Iterator[Block]:
    """What somebody set, with where; then the rest, which nobody did."""
    entries = _named(report, "configuration")
    rows: list[Sequence[Cell]] = [
        [Code(key), value(entry.get("value")), str(entry["layer"]), Code(str(entry.get("place", "")))]
        for key, entry in entries.items()
        if entry.get("layer", _DEFAULT) != _DEFAULT
    ]
    if rows:
        yield Table(["Key", "Value", "Set by", "Where"], rows)
    defaults = [(key, value(e.get("value"))) for key, e in entries.items() if e.get("layer", _DEFAULT) == _DEFAULT]
    if defaults:
        yield Paragraph("By default:")
        yield Facts(defaults)


def _environment(report: Mapping[str, Any]) -> Iterator[Block]:
    run, environment, encryption = _map(report, "run"), _map(report, "environment"), _map(report, "encryption")
    encrypted = (
        f"{encryption.get('mode') or 'yes'} {encryption.get('key_id', '')}" if encryption.get("enabled") else "no"
    )
    pairs: list[tuple[str, Any]] = [
        ("Run", run.get("id")),
        ("Status", run.get("status")),
        ("Started", moment(run.get("started"))),
        ("Finished", moment(run.get("finished"))),
        ("Continues run", run.get("resumed_from")),
        ("Seed", None if run.get("seed") is None else str(run["seed"])),
        ("Encrypted", encrypted.strip()),
        ("Host", run.get("host")),
        ("User", run.get("user")),
        ("Python", environment.get("python")),
        ("Platform", environment.get("platform")),
        ("CPUs", environment.get("cpu_count")),
        *_map(environment, "packages").items(),
    ]
    yield Facts([(name, value(item)) for name, item in pairs if item not in (None, "")])


def _plugins(report: Mapping[str, Any]) -> Iterator[Block]:
    rows: list[Sequence[Cell]] = [
        [
            Code(str(plugin.get("name", ""))),
            str(plugin.get("distribution", "")),
            str(plugin.get("version", "")),
            Badge(str(plugin.get("status", "")), tone_of(str(plugin.get("status", "")))),
            ", ".join(map(str, plugin.get("services") or ())) or str(plugin.get("reason") or ""),
        ]
        for plugin in _rows(report, "plugins")
    ]
    if rows:
        yield Table(["Plugin", "Distribution", "Version", "Status", "Answers"], rows)


# ---------------------------------------------------------------- looking into a report


def _steps(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in _rows(report, "operations") if entry.get("step")]


def _map(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = facts.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(facts: Mapping[str, Any], key: str) -> list[Any]:
    found = facts.get(key)
    return found if isinstance(found, list) else []


def _rows(facts: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [row for row in _list(facts, key) if isinstance(row, Mapping)]


def _named(facts: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    return {name: row for name, row in _map(facts, key).items() if isinstance(row, Mapping)}


def _hash(text: Any) -> Code:
    text = str(text or "")
    return Code(f"{text[:12]}…", text) if len(text) > 16 else Code(text)
