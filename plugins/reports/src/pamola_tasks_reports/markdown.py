"""The report as Markdown that reads well as plain text too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks_reports.blocks import (
    Block,
    Bullets,
    Callout,
    Cell,
    Charts,
    Code,
    Document,
    Facts,
    Paragraph,
    Section,
    Table,
    Text,
    Verbatim,
)
from pamola_tasks_reports.document import document_of
from pamola_tasks_reports.formatting import printable

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart

_MEANT = re.compile(r"[\\*|<>]|(?<!\w)_|_(?!\w)|\](?=\()|&(?=#?\w+;)")
_LINE_START = re.compile(r"^(\s*)(#*|\d*)([-#+=.)])(?=\s|$)")


def as_markdown(report: Mapping[str, Any]) -> bytes:
    """A JSON report as Markdown (GitHub's tables)."""
    return "\n".join(_lines(document_of(report))).encode("utf-8", "backslashreplace") + b"\n"


def _lines(document: Document) -> Iterator[str]:
    yield f"# {_text(document.title)}"
    yield ""
    yield f"**{_text(document.status.text)}** · {_text(document.subtitle)}"
    yield ""
    yield _text(document.sentence)
    yield ""
    yield from (f"- {_text(name)}: **{_text(figure)}**" for name, figure in document.figures)
    for section in document.sections:
        yield ""
        yield from _section(section)
    yield ""
    yield "---"
    yield ""
    yield _text(document.footer)


def _section(section: Section) -> Iterator[str]:
    yield f"{'#' * section.level} {_text(section.title)}"
    for block in section.blocks:
        yield ""
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Facts():
            yield from (f"- {_text(name)}: {_cell(item)}" for name, item in block.pairs)
        case Table():
            yield from _table(block)
        case Bullets():
            yield from (f"- {_text(item)}" for item in block.items)
        case Paragraph():
            yield _text(block.text)
        case Text():
            from pamola_tasks_reports.prose import verbatim  # only where a plugin wrote some

            yield from verbatim(block.markdown)
        case Callout():
            yield f"> **{_text(block.title)}**"
            yield ">"
            yield from (f"> {_text(line)}" for line in block.text.splitlines() or [""])
        case Verbatim():
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
            yield fence
            yield from map(printable, block.text.splitlines())
            yield fence
        case Charts():
            for number, chart in enumerate(block.charts):
                if number:
                    yield ""
                yield from _chart(chart)


def _chart(chart: Chart) -> Iterator[str]:
    """What a chart shows, as its numbers."""
    from pamola_tasks_reports.charts.numbers import numbers_of  # most reports have no chart

    if chart.note:
        yield _text(chart.note)
        yield ""
    headers, rows = numbers_of(chart)
    yield from _table(Table(headers, rows, frozenset(range(1, len(headers))), chart.title))


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield f"**{_text(table.caption)}**"
        yield ""
    rows = [[_text(header) for header in table.headers], *([_cell(cell) for cell in row] for row in table.rows)]
    # A column is as wide as its cells, but one long note does not stretch all rows.
    widths = [min(max(3, *(len(row[i]) for row in rows)), 60) for i in range(len(table.headers))]
    for number, row in enumerate(rows):
        yield "| " + " | ".join(_padded(cell, widths[i], i in table.right) for i, cell in enumerate(row)) + " |"
        if number == 0:
            yield (
                "| "
                + " | ".join("-" * (w - 1) + (":" if i in table.right else "-") for i, w in enumerate(widths))
                + " |"
            )


def _padded(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return _text(cell)
    if isinstance(cell, Code):
        return _code(cell.text)
    return _text(cell.text)


def _code(text: str) -> str:
    text = _one_line(text)
    if not text:
        return ""
    if "`" in text or "|" in text:
        return _text(text)
    return f"`{text}`"


def _text(text: str) -> str:
    """Text that stands for itself: no markup, no HTML, no line of its own, nothing that a terminal obeys."""
    return _LINE_START.sub(r"\1\2\\\3", _MEANT.sub(r"\\\g<0>", _one_line(text)))


def _one_line(text: str) -> str:
    return printable(text).replace("\n", "⏎ ")
