"""The report as people read it: an order of sections made of facts, tables and text, without any markup yet.

Markdown and HTML are made from the same document, so both say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from pamola_tasks_reports.words import count, duration, flat, moment, size, value

_GOOD = frozenset({"success", "completed", "loaded"})
_ODD = frozenset({"warning", "partial_success", "blocked", "interrupted", "aborted"})
_BAD = frozenset({"error", "failed", "incompatible"})
_WIDEST = 9
_DEFAULT = "default"


@attrs.frozen
class Badge:
    """A word that has a colour: `tone` is `good`, `odd`, `bad` or `quiet`."""

    text: str
    tone: str


@attrs.frozen
class Code:
    """A path, hash or name, in fixed width; `full` is what `text` stands for where it was cut."""

    text: str
    full: str = ""


@attrs.frozen
class Share:
    """A number with its share (0 to 1) of a whole."""

    text: str
    share: float


Cell = str | Badge | Code | Share


@attrs.frozen
class Facts:
    """Names and values."""

    pairs: Sequence[tuple[str, Cell]]


@attrs.frozen
class Table:
    """Rows under headers; columns whose numbers are in `right` are aligned to the right."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    right: frozenset[int] = frozenset()
    caption: str = ""


@attrs.frozen
class Bullets:
    """Short texts."""

    items: Sequence[str]
    tone: str = "quiet"


@attrs.frozen
class Text:
    """Paragraphs and lists in simple Markdown."""

    markdown: str


@attrs.frozen
class Paragraph:
    """A sentence or two, without markup."""

    text: str


@attrs.frozen
class Verbatim:
    """Lines as they are: a traceback."""

    text: str


@attrs.frozen
class Callout:
    """What must be seen first: why the run failed."""

    title: str
    text: str
    tone: str = "bad"


Block = Facts | Table | Bullets | Paragraph | Text | Verbatim | Callout


@attrs.frozen
class Section:
    """A part of the report. `minor` parts are for those who look things up."""

    title: str
    blocks: Sequence[Block]
    level: int = 2
    minor: bool = False


@attrs.frozen
class Document:
    """A whole report.

    Attributes:
        figures: The few numbers that matter, for the top.
    """

    title: str
    subtitle: str
    status: Badge
    sentence: str
    figures: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    footer: str


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
    yield "Duration", duration(run.get("seconds"))
    done = sum(step.get("status") in ("success", "warning", "partial_success", "skipped") for step in steps)
    yield "Steps done", f"{done} of {len(steps)}"
    yield "Outputs", str(len(_list(report, "outputs")))
    yield "Warnings", str(len(_list(report, "warnings")))
    if run.get("peak_memory_bytes"):
        yield "Peak memory", size(run["peak_memory_bytes"])


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
        if entry.get("description") and (facts or entry.get("withheld")):
            blocks.append(Paragraph(str(entry["description"])))
        blocks += _facts(facts)
        if entry.get("withheld"):
            blocks.append(
                Bullets([f"{', '.join(entry['withheld'])}: not shown, because the run encrypts what may quote data"])
            )
        yield Section(str(entry.get("step") or entry.get("name", "")), blocks, level=3)


def _data(report: Mapping[str, Any]) -> Iterator[Block]:
    rows: list[Sequence[Cell]] = [
        [
            str(dataset.get("name", "")),
            kind.removesuffix("s") + (", encrypted" if dataset.get("encrypted") else ""),
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
            ", ".join(filter(None, [str(artifact.get("group") or ""), *map(str, artifact.get("tags") or ())])),
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
    yield from _facts(own)


def _added(section: Mapping[str, Any]) -> Iterator[Block]:
    if section.get("text"):
        yield Text(str(section["text"]))
    if section.get("facts"):
        yield from _facts(section["facts"])


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


# ---------------------------------------------------------------- facts of any shape


def _facts(facts: Mapping[str, Any]) -> Iterator[Block]:
    """Names and values; what is a table by its shape (rows of like facts, by name or in a list) becomes one."""
    single: dict[str, Any] = {}
    tables: list[Block] = []
    for key, item in facts.items():
        table = _as_table(str(key), item)
        if table is None:
            single[key] = item
        else:
            tables.append(table)
    if single:
        yield Facts([(name, value(item)) for name, item in flat(single)])
    yield from tables


def _as_table(name: str, item: Any) -> Table | None:
    if isinstance(item, Mapping):
        names, rows = [str(key) for key in item], list(item.values())
    elif isinstance(item, list):
        names, rows = [], item
    else:
        return None
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        return None
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not keys or len(keys) > _WIDEST:
        return None
    headers = ([""] if names else []) + [str(key).replace("_", " ") for key in keys]
    cells: list[list[Cell]] = [[value(row[key]) if key in row else "" for key in keys] for row in rows]
    if names:
        cells = [[name, *row] for name, row in zip(names, cells, strict=True)]
    first = len(headers) - len(keys)
    right = frozenset(first + i for i, key in enumerate(keys) if all(_is_number(row.get(key)) for row in rows))
    return Table(headers, cells, right, name.replace("_", " "))


def _is_number(item: Any) -> bool:
    return item is None or (isinstance(item, (int, float)) and not isinstance(item, bool))


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
