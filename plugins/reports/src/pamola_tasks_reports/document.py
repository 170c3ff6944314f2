"""The report as people read it: which sections it has, their order, and their content.

Markdown and HTML are made from the same sections, so both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks_reports.formatting import count, duration, moment, size, value
from pamola_tasks_reports.pieces import charts_of, facts_of

if TYPE_CHECKING:
    from pamola_tasks_reports.pieces import Pieces

_TONES = {
    **dict.fromkeys(("success", "completed", "loaded"), "good"),
    **dict.fromkeys(("warning", "partial_success", "blocked", "interrupted", "aborted"), "odd"),
    **dict.fromkeys(("error", "failed", "incompatible"), "bad"),
}
_DEFAULT = "default"

Row = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Top:
    """What a report begins and ends with; `figures` are the few numbers that matter."""

    title: str
    subtitle: str
    status: str
    tone: str
    sentence: str
    figures: Sequence[tuple[str, str]]
    footer: str


def top_of(report: Row) -> Top:
    """What a JSON report begins and ends with."""
    task, run = _map(report, "task"), _map(report, "run")
    status = str(report.get("status", "unknown"))
    version = f"version {task['version']}" if task.get("version") else ""
    return Top(
        title=str(task.get("description") or task.get("id", "")),
        subtitle=" · ".join(filter(None, [str(task.get("id", "")), str(task.get("type", "")), version])),
        status=status,
        tone=_tone(status),
        sentence=_sentence(report),
        figures=list(_figures(report)),
        footer=f"Run {run.get('id', '')}, started {moment(run.get('started'))}. The JSON report has the full hashes.",
    )


def sections_of(report: Row, page: Pieces) -> Iterator[str]:
    """The sections of a JSON report that have something in them, in the markup of the page."""
    for title, pieces, level in _sections(report, page):
        shown = list(pieces)
        if shown:
            yield page.section(title, shown, level or 2, minor=not level)


def _tone(status: str) -> str:
    return _TONES.get(status, "quiet")


# ---------------------------------------------------------------- the top


def _sentence(report: Row) -> str:
    steps = _steps(report)
    took = duration(_map(report, "run").get("seconds"))
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


def _figures(report: Row) -> Iterator[tuple[str, str]]:
    run, steps = _map(report, "run"), _steps(report)
    yield from _claims(steps)
    yield "Duration", duration(run.get("seconds"))
    done = sum(step.get("status") in ("success", "warning", "partial_success", "skipped") for step in steps)
    yield "Steps done", f"{done} of {len(steps)}"
    yield "Outputs", str(len(_list(report, "outputs")))
    yield "Warnings", str(len(_list(report, "warnings")))
    if run.get("peak_memory_bytes"):
        yield "Peak memory", size(run["peak_memory_bytes"])


def _claims(steps: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """What was measured of each thing that a step claimed: metrics `<name>_claimed`, `_measured` and `_before`."""
    claims = []
    for step in steps:
        metrics = _map(step, "metrics")
        names = [key.removesuffix("_claimed") for key in metrics if key.endswith("_claimed")]
        claims += [(step, metrics, name) for name in names if metrics.get(f"{name}_measured") is not None]
    for step, metrics, name in claims:
        before = metrics.get(f"{name}_before")
        told = [f"asked {value(metrics[f'{name}_claimed'])}"] + ([] if before is None else [f"before {value(before)}"])
        place = f" in {step.get('step')}" if sum(other == name for *_, other in claims) > 1 else ""
        yield f"{name}{place} ({', '.join(told)})", value(metrics[f"{name}_measured"])


# ---------------------------------------------------------------- the sections


def _sections(report: Row, page: Pieces) -> Iterator[tuple[str, Iterable[str], int]]:
    """Title, pieces and level of each section, 0 for those that are for looking things up."""
    warnings = [str(text) for text in _list(report, "warnings")]
    yield "What went wrong", _wrong(report, page), 2
    yield "Warnings", [page.bullets(warnings, "odd")] if warnings else [], 2
    yield "Left out or changed", _weakened(report, page), 2
    yield "Steps", _step_table(report, page), 2
    for entry in _rows(report, "operations"):
        yield str(entry.get("step") or entry.get("name", "")), _step_details(entry, page), 3
    yield "Data", _data(report, page), 2
    yield "Artifacts", _artifacts(report, page), 2
    steps = {entry.get("step") for entry in _rows(report, "operations")}
    own = {key: item for key, item in _map(report, "metrics").items() if key not in steps}
    yield "Figures of the task", facts_of(own, page), 2
    for section in _named(report, "sections").values():
        yield str(section.get("title", "")), _added(section, page), 2
    yield "Configuration", _configuration(report, page), 0
    yield "Run and environment", [_environment(report, page)], 0
    yield "Plugins", _plugins(report, page), 0


def _table(
    page: Pieces, rows: Iterable[Row], columns: Mapping[str, Callable[[Row], str]], right: Iterable[int] = ()
) -> Iterator[str]:
    """A table with a row for each entry, where there are any; `columns` say what is in each column."""
    cells = [[cell(row) for cell in columns.values()] for row in rows]
    if cells:
        yield page.table([*columns], cells, right)


def _wrong(report: Row, page: Pieces) -> Iterator[str]:
    main, errors = report.get("error"), _rows(report, "errors")
    shown = [main] if isinstance(main, Mapping) else []
    for error in [*shown, *(error for error in errors if not shown or error.get("message") != shown[0].get("message"))]:
        place = error.get("step") or error.get("operation")
        kind = str(error.get("exception_type") or error.get("type") or "error")
        yield page.callout(f"{kind} in {place}" if place else kind, str(error.get("message", "")))
    traces = dict.fromkeys(str(error["traceback"]) for error in errors if error.get("traceback"))
    yield from map(page.verbatim, traces)


def _weakened(report: Row, page: Pieces) -> Iterator[str]:
    texts = [str(text) for text in (*_list(report, "overrides"), *_list(report, "plan_changes"))]
    texts += [
        f"Observer {failure.get('plugin')} failed in {failure.get('hook')}: {failure.get('error')}"
        for failure in _rows(report, "observer_failures")
    ]
    if texts:
        yield page.bullets(texts, "odd")


def _step_table(report: Row, page: Pieces) -> Iterator[str]:
    entries = _rows(report, "operations")
    whole = sum(entry.get("seconds") or 0 for entry in entries) or 1.0

    def time(entry: Row) -> str:
        took = duration(entry.get("seconds"))
        return page.share(took, entry["seconds"] / whole) if entry.get("seconds") else took

    def note(entry: Row) -> str:
        attempts = entry.get("attempts") or 0
        error = entry.get("error") or {}
        notes = [entry.get("reason"), f"{attempts} attempts" if attempts > 1 else "", error.get("message")]
        return "; ".join(str(text) for text in notes if text)

    yield from _table(
        page,
        entries,
        {
            "Step": lambda entry: page.code(str(entry.get("step") or entry.get("name", ""))),
            "Operation": lambda entry: str(entry.get("name" if entry.get("step") else "description", "")),
            "Status": lambda entry: _status(entry, page),
            "Time": time,
            "Note": note,
        },
        right=[3],
    )


def _step_details(entry: Row, page: Pieces) -> Iterator[str]:
    details = {key: item for key, item in (entry.get("details") or {}).items() if item is not None}
    facts = {**(entry.get("metrics") or {}), **details}
    if entry.get("description") and (facts or entry.get("charts") or entry.get("withheld")):
        yield page.paragraph(str(entry["description"]))
    if entry.get("charts"):
        yield from charts_of(entry["charts"], page)
    yield from facts_of(facts, page)
    if entry.get("withheld"):
        why = "withheld, because it may quote data; see `pamola-task report`"
        yield page.bullets([f"{', '.join(entry['withheld'])}: {why}"])


def _data(report: Row, page: Pieces) -> Iterator[str]:
    columns: dict[str, Callable[[Row], str]] = {
        "Dataset": lambda dataset: str(dataset.get("name", "")),
        "Role": lambda dataset: ", ".join(filter(None, [dataset["role"], _encryption(dataset)])),
        "File": lambda dataset: page.code(str(dataset.get("path") or "in memory")),
        "Rows": lambda dataset: "" if dataset.get("rows") is None else f"{dataset['rows']:,}",
        "Columns": lambda dataset: "" if dataset.get("columns") is None else str(len(dataset["columns"])),
        "Size": lambda dataset: size(dataset.get("bytes")),
        "SHA-256": lambda dataset: _hash(dataset, page),
    }
    datasets = [{**row, "role": role} for role in ("input", "output") for row in _rows(report, f"{role}s")]
    yield from _table(page, datasets, columns, right=[3, 4, 5])
    folders = _map(_map(report, "run"), "folders")
    if folders:
        yield page.facts(
            [
                ("May be released", page.code(folders["released"])),
                ("Not to be released", page.code(folders["internal"])),
            ]
        )


def _artifacts(report: Row, page: Pieces) -> Iterator[str]:
    def group(artifact: Row) -> str:
        return ", ".join(filter(None, [artifact.get("group"), *(artifact.get("tags") or ()), _encryption(artifact)]))

    columns: dict[str, Callable[[Row], str]] = {
        "File": lambda artifact: page.code(str(artifact.get("path", ""))),
        "Description": lambda artifact: str(artifact.get("description", "")),
        "Group, tags": group,
        "Size": lambda artifact: size(artifact.get("bytes")),
        "SHA-256": lambda artifact: _hash(artifact, page),
    }
    return _table(page, _rows(report, "artifacts"), columns, right=[3])


def _encryption(file: Row) -> str:
    """`encrypted (simple, key 1f2e…)`, as it was found on the disk."""
    if not file.get("encrypted"):
        return ""
    key = f"key {file['key_id']}" if file.get("key_id") else ""
    how = ", ".join(filter(None, [str(file.get("encryption_mode") or ""), key]))
    return f"encrypted ({how})" if how else "encrypted"


def _hash(file: Row, page: Pieces) -> str:
    text = str(file.get("sha256") or "")
    return page.code(f"{text[:12]}…", text) if len(text) > 16 else page.code(text)


def _added(section: Row, page: Pieces) -> Iterator[str]:
    if section.get("text"):
        yield page.prose(str(section["text"]))
    facts = dict(_map(section, "facts"))
    charts = facts.pop("charts", None)
    if charts:
        yield from charts_of(charts, page)
    yield from facts_of(facts, page)


def _configuration(report: Row, page: Pieces) -> Iterator[str]:
    """What somebody set, with where; then the rest, which nobody did."""
    entries = [{"key": key, **entry} for key, entry in _named(report, "configuration").items()]
    columns: dict[str, Callable[[Row], str]] = {
        "Key": lambda entry: page.code(entry["key"]),
        "Value": lambda entry: value(entry.get("value")),
        "Set by": lambda entry: str(entry["layer"]),
        "Where": lambda entry: page.code(str(entry.get("place", ""))),
    }
    yield from _table(page, (entry for entry in entries if entry.get("layer", _DEFAULT) != _DEFAULT), columns)
    defaults = [(e["key"], value(e.get("value"))) for e in entries if e.get("layer", _DEFAULT) == _DEFAULT]
    if defaults:
        yield page.paragraph("By default:")
        yield page.facts(defaults)


def _environment(report: Row, page: Pieces) -> str:
    run, environment, encryption = _map(report, "run"), _map(report, "environment"), _map(report, "encryption")
    encrypted = f"{encryption.get('mode') or 'yes'} {encryption.get('key_id', '')}".strip()
    shown = {
        "Run": run.get("id"),
        "Status": run.get("status"),
        "Started": moment(run.get("started")),
        "Finished": moment(run.get("finished")),
        "Continues run": run.get("resumed_from"),
        "Seed": None if run.get("seed") is None else str(run["seed"]),
        "Encrypted": encrypted if encryption.get("enabled") else "no",
        "Host": run.get("host"),
        "User": run.get("user"),
        "Python": environment.get("python"),
        "Platform": environment.get("platform"),
        "CPUs": environment.get("cpu_count"),
        **_map(environment, "packages"),
    }
    return page.facts((name, value(item)) for name, item in shown.items() if item not in (None, ""))


def _plugins(report: Row, page: Pieces) -> Iterator[str]:
    columns: dict[str, Callable[[Row], str]] = {
        "Plugin": lambda plugin: page.code(str(plugin.get("name", ""))),
        "Distribution": lambda plugin: str(plugin.get("distribution", "")),
        "Version": lambda plugin: str(plugin.get("version", "")),
        "Status": lambda plugin: _status(plugin, page),
        "Answers": lambda plugin: ", ".join(map(str, plugin.get("services") or ())) or str(plugin.get("reason") or ""),
    }
    return _table(page, _rows(report, "plugins"), columns)


def _status(entry: Row, page: Pieces) -> str:
    status = str(entry.get("status", ""))
    return page.badge(status, _tone(status))


# ---------------------------------------------------------------- looking into a report


def _steps(report: Row) -> list[Row]:
    return [entry for entry in _rows(report, "operations") if entry.get("step")]


def _map(facts: Row, key: str) -> Row:
    found = facts.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(facts: Row, key: str) -> list[Any]:
    found = facts.get(key)
    return found if isinstance(found, list) else []


def _rows(facts: Row, key: str) -> list[Row]:
    return [row for row in _list(facts, key) if isinstance(row, Mapping)]


def _named(facts: Row, key: str) -> dict[str, Row]:
    return {name: row for name, row in _map(facts, key).items() if isinstance(row, Mapping)}
