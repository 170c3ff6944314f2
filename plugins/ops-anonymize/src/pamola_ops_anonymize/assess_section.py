"""The section of a report that has the assessments of a run, as the command shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pamola_tasks.protocols import ReportSection

from .assess_words import (
    by_role,
    costs,
    lost_where,
    not_measured,
    proposal,
    questions,
    risks,
    sentence_of,
    short_reason,
)

if TYPE_CHECKING:
    from pamola_tasks.record import RunRecord

_MARKS = re.compile(r"([\\`*_\[\]<>|#~&])")


def sections(record: RunRecord) -> list[ReportSection]:
    """What the steps of AssessOperation found, as one section; none where there is no such step."""
    found = [step.metrics for step in record.steps if step.operation == "AssessOperation" and "columns" in step.metrics]
    text = "\n".join(line for told in found for line in _lines(told))
    return [ReportSection(title="May this table go out?", key="assessment", text=text)] if found else []


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"**{_plain(sentence_of(told))}**"
    yield ""
    columns = [
        (each["column"], each["taken_for"], each["role"], short_reason(each)) for each in by_role(told["columns"])
    ]
    yield from _table(("column", "read as", "role", "why"), columns)
    yield from _bullets(risks(told))
    headers, rows = costs(told)
    if rows:
        yield from (_plain(lost_where(told)), "")
        yield from _table(headers, rows)
    yield from _bullets(not_measured(told))
    if told.get("choice"):
        yield from (f"**{_plain(proposal(told['choice']))}**", "")
        yield from _bullets(told["choice"]["why"])
    yield from _bullets(questions(told))


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    yield from (f"| {' | '.join(map(_plain, row))} |" for row in rows)
    yield ""


def _bullets(texts: Iterable[str]) -> Iterator[str]:
    yield from (f"- {_plain(text)}" for text in texts)
    yield ""


def _plain(text: str) -> str:
    """Literal text in Markdown, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
