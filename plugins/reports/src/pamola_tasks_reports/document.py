"""The report as people read it: which sections it has, their order, and their content.

Markdown and HTML are made from the same sections, so both say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks_reports.formatting import count, duration, is_number, moment, size, value
from pamola_tasks_reports.formatting import named as in_words
from pamola_tasks_reports.front import KEYS, TONES, claims, front
from pamola_tasks_reports.glossary import KEY as GLOSSARY
from pamola_tasks_reports.glossary import Glossary
from pamola_tasks_reports.lineage import Lineage, column_rows
from pamola_tasks_reports.machine import machine_room
from pamola_tasks_reports.parts import COLUMN_LINEAGE, Row, items, named, part, rows, steps
from pamola_tasks_reports.pieces import charts_of, facts_of, status_of, table_of, tone_of

if TYPE_CHECKING:
    from pamola_tasks_reports.pieces import Pieces

_DONE = ("success", "warning", "partial_success", "skipped")
_NOTHING = 0.0005  # seconds outside of steps that are not worth a line
_OUTSIDE = "start, checks of inputs, publishing, records"


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
    run: str = ""
    verdict: tuple[str, str, str] | None = None  #: word, tone and sentence
    reasons: Sequence[str] = ()


def top_of(report: Row) -> Top:
    """What a JSON report begins and ends with."""
    task, run, verdict = part(report, "task"), part(report, "run"), part(report, "verdict")
    status = str(report.get("status", "unknown"))
    version = f"version {task['version']}" if task.get("version") else ""
    word = str(verdict.get("verdict") or "")
    tone = TONES.get(word, "quiet")
    succeeded = tone_of(status) == "good"
    return Top(
        title=str(task.get("description") or task.get("id", "")),
        subtitle=" · ".join(filter(None, [str(task.get("id", "")), str(task.get("type", "")), version])),
        verdict=(word, tone, str(verdict.get("sentence") or "")) if word else None,
        reasons=[str(text) for text in items(verdict, "reasons")],
        status=status,
        tone=tone if succeeded and word in TONES else tone_of(status),
        sentence=_sentence(report),
        figures=list(_figures(report)),
        footer=f"Run {run.get('id', '')}, started {moment(run.get('started'))}.",
        run=str(run.get("id") or ""),
    )


@attrs.frozen(kw_only=True)
class _Section:
    title: str
    pieces: Sequence[str]
    level: int = 2
    fold: str = ""  # `open` or `shut` if it can be folded


def sections_of(report: Row, page: Pieces) -> Iterator[str]:
    """The sections of a JSON report that have something in them, in the markup of the page, with contents and terms."""
    terms = Glossary(report, page.passed_over)
    groups = (_front(report, page), _sections(report, page))
    first, rest = ([section for section in group if section.pieces] for group in groups)
    shown = [(f"s{number}", section) for number, section in enumerate([*first, *rest], start=1)]
    texts = [
        terms.marked(page.section(section.title, section.pieces, section.level, anchor, section.fold), page.term)
        for anchor, section in shown
    ]
    if terms.used:
        explained = _Section(title="Glossary", pieces=[page.glossary(dict(sorted(terms.used.items())))])
        shown.append(("terms", explained))
        texts.append(page.section(explained.title, explained.pieces, explained.level, "terms", ""))
    machine = list(_machine(report, page))
    if machine:
        shown.append(("machine", _Section(title="Machine room", pieces=machine)))
        texts.append(page.section("Machine room", machine, 2, "machine", "shut"))
    yield from texts[: len(first)]
    yield page.contents((section.title, anchor) for anchor, section in shown[len(first) :] if section.level == 2)
    yield from texts[len(first) :]


# ---------------------------------------------------------------- the top


def _sentence(report: Row) -> str:
    done = steps(report)
    took = duration(part(report, "run").get("seconds"))
    skipped = sum(step.get("status") == "skipped" for step in done)
    at = {
        status: [str(s.get("step")) for s in done if s.get("status") == status] for status in ("error", "interrupted")
    }
    if report.get("success"):
        text = f"{count(len(done), 'step')} done in {took}" if done else f"Done in {took}"
        if skipped:
            text += f"; {skipped} of them had been finished by an earlier run"
        return f"{text}."
    if report.get("status") == "running":
        return f"Running for {took}."
    if report.get("status") == "interrupted":
        place = f", in step {', '.join(at['interrupted'])}" if at["interrupted"] else ""
        return f"Interrupted after {took}{place}; the same command continues it."
    return f"Failed after {took}" + (f", in step {', '.join(at['error'])}." if at["error"] else ".")


def _figures(report: Row) -> Iterator[tuple[str, str]]:
    claimed = [(step, claim) for step in steps(report) for claim in claims(part(step, "metrics"))]
    for step, (name, asked, before, measured) in claimed:
        told = [f"asked {value(asked)}"] + ([] if before is None else [f"before {value(before)}"])
        place = f" in {step.get('step')}" if sum(other == name for _, (other, *_) in claimed) > 1 else ""
        yield f"{in_words(name)}{place} ({', '.join(told)})", value(measured)
    done = sum(step.get("status") in _DONE for step in steps(report))
    yield "Steps done", f"{done} of {len(steps(report))}"
    yield "Outputs", str(len(items(report, "outputs")))
    yield "Warnings", str(len(items(report, "warnings")))


# ---------------------------------------------------------------- the sections


def _front(report: Row, page: Pieces) -> Iterator[_Section]:
    for title, pieces in first_sections(report, page):
        yield _Section(title=title, pieces=list(pieces))


def first_sections(report: Row, page: Pieces) -> Iterator[tuple[str, Iterable[str]]]:
    """Title and pieces of each section of the first page, what went wrong before all."""
    yield "What went wrong", _wrong(report, page)
    yield from front(report, page)


def _sections(report: Row, page: Pieces) -> Iterator[_Section]:
    yield _Section(title="Lineage", pieces=list(_lineage(report, page)))
    warnings = [str(text) for text in items(report, "warnings")]
    yield _Section(title="Warnings", pieces=[page.bullets(warnings, "odd")] if warnings else [])
    yield _Section(title="Left out or changed", pieces=list(_weakened(report, page)))
    yield _Section(title="Steps", pieces=list(_step_table(report, page)))
    entries = rows(report, "operations")
    released = {str(entry.get("step")) for entry in entries if "verdict" in part(entry, "metrics")}
    for entry in entries:
        fold = "open" if not released or str(entry.get("step")) in released else "shut"
        title = str(entry.get("step") or entry.get("name", ""))
        yield _Section(title=title, pieces=list(step_details(entry, page)), level=3, fold=fold)
    own = {key: item for key, item in part(report, "metrics").items() if key not in {e.get("step") for e in entries}}
    yield _Section(title="Figures of the task", pieces=list(facts_of(own, page)))
    for section in (each for key, each in named(report, "sections").items() if key != COLUMN_LINEAGE):
        yield _Section(title=str(section.get("title", "")), pieces=list(_added(section, page)))


def _lineage(report: Row, page: Pieces) -> Iterator[str]:
    lineage, columns = Lineage.of(report), list(column_rows(report))
    if lineage is not None:
        yield page.lineage(lineage)
    if columns:
        headers = {"Dataset": "dataset", "Column": "column", "Values of": "values", "Decided by": "decided"}
        shown = {header: lambda row, key=key: str(row[key]) for header, key in headers.items()}
        yield page.folded("Columns: what follows from which", table_of(page, columns, shown))


def _machine(report: Row, page: Pieces) -> Iterator[str]:
    for number, (title, pieces) in enumerate(machine_room(report, page), start=1):
        shown = list(pieces)
        if shown:
            yield page.section(title, shown, 3, f"m{number}", "")


def _wrong(report: Row, page: Pieces) -> Iterator[str]:
    errors = [error for error in rows(report, "errors") if error.get("type") != "interrupted"]  # the top says it
    main = report.get("error") if report.get("status") != "interrupted" else None
    shown = [main] if isinstance(main, Mapping) else []
    for error in [*shown, *(error for error in errors if not shown or error.get("message") != shown[0].get("message"))]:
        place = error.get("step") or error.get("operation")
        kind = str(error.get("exception_type") or error.get("type") or "error")
        yield page.callout(f"{kind} in {place}" if place else kind, str(error.get("message", "")))
    traces = dict.fromkeys(str(error["traceback"]) for error in errors if error.get("traceback"))
    yield from map(page.verbatim, traces)


def _weakened(report: Row, page: Pieces) -> Iterator[str]:
    texts = [str(text) for text in (*items(report, "overrides"), *items(report, "plan_changes"))]
    texts += [
        f"Observer {failure.get('plugin')} failed in {failure.get('hook')}: {failure.get('error')}"
        for failure in rows(report, "observer_failures")
    ]
    if texts:
        yield page.bullets(texts, "odd")


def _step_table(report: Row, page: Pieces) -> Iterator[str]:
    entries = rows(report, "operations")
    outside: Any = part(report, "run").get("seconds_outside_steps")
    if entries and is_number(outside) and outside > _NOTHING:
        entries = [*entries, {"name": "outside of steps", "seconds": outside, "reason": _OUTSIDE}]
    whole = sum(entry.get("seconds") or 0 for entry in entries) or 1.0

    def time(entry: Row) -> str:
        took = entry.get("seconds")
        return page.share(duration(took), took / whole) if took else ""

    def memory(entry: Row) -> str:
        taken: Any = entry.get("peak_memory_mb")
        whole = "" if entry.get("own_process") else " (whole process)"
        return f"{size(taken * 2**20)}{whole}" if is_number(taken) else ""

    def note(entry: Row) -> str:
        attempts, error = entry.get("attempts") or 0, entry.get("error") or {}
        ended = "did not finish" if entry.get("status") == "interrupted" else ""
        notes = [entry.get("reason"), ended, f"{attempts} attempts" if attempts > 1 else "", error.get("message")]
        return "; ".join(str(text) for text in notes if text)

    measured = {"Peak memory": memory} if any(map(memory, entries)) else {}
    yield from table_of(
        page,
        entries,
        {
            "Step": lambda entry: page.code(str(entry["step"])) if entry.get("step") else str(entry.get("name", "")),
            "Operation": lambda entry: str(entry.get("name" if entry.get("step") else "description", "")),
            "Status": lambda entry: status_of(entry, page),
            "Time": time,
            **measured,
            "Note": note,
        },
        right=[3, *[4 for _ in measured]],
    )


def step_details(entry: Row, page: Pieces) -> Iterator[str]:
    """The charts and figures of a step, but those that the first page has."""
    details = {key: item for key, item in (entry.get("details") or {}).items() if item is not None}
    metrics = {key: item for key, item in part(entry, "metrics").items() if key not in KEYS or is_number(item)}
    facts = {**metrics, **details}
    if entry.get("description") and (facts or entry.get("charts") or entry.get("withheld")):
        yield page.paragraph(str(entry["description"]))
    figures = list(facts_of(facts, page))
    if entry.get("charts"):
        yield from charts_of(entry["charts"], page)
        figures = [page.folded("All figures", figures)] if figures else []
    yield from figures
    if entry.get("withheld"):
        why = "withheld, because it may quote data; see `pamola-task report`"
        yield page.bullets([f"{', '.join(entry['withheld'])}: {why}"])


def _added(section: Row, page: Pieces) -> Iterator[str]:
    if section.get("text"):
        yield page.prose(str(section["text"]))
    facts = dict(part(section, "facts"))
    charts = facts.pop("charts", None)
    facts.pop(GLOSSARY, None)
    if charts:
        yield from charts_of(charts, page)
    yield from facts_of(facts, page)
