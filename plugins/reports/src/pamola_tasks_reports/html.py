"""The report as one HTML file: no script, nothing from the network, for screen (light and dark) and paper.

Every text goes through `_text`, here and in charts, which escapes it; nothing else puts text into the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from pamola_tasks_reports.blocks import (
    Badge,
    Block,
    Bullets,
    Callout,
    Cell,
    Charts,
    Document,
    Facts,
    Paragraph,
    Section,
    Share,
    Table,
    Text,
)
from pamola_tasks_reports.charts.drawing import draw
from pamola_tasks_reports.charts.form import Chart
from pamola_tasks_reports.charts.numbers import numbers_of
from pamola_tasks_reports.charts.svg import text_of as _text
from pamola_tasks_reports.document import document_of

_SHOWN_CHARTS = 24

# The browser is told to load nothing and to run nothing, whatever stands in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def as_html(report: Mapping[str, Any]) -> bytes:
    """A JSON report as one HTML file."""
    return _page(document_of(report)).encode("utf-8", "backslashreplace")


@cache
def _style() -> str:
    return resources.files("pamola_tasks_reports").joinpath("report.css").read_text("utf-8")


def _page(document: Document) -> str:
    figures = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(figure)}</dd></div>" for name, figure in document.figures)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(document.title)} – report</title>
<style>
{_style()}</style>
</head>
<body>
<header class="{document.status.tone}">
<p class="subtitle">{_text(document.subtitle)}</p>
<h1>{_text(document.title)}</h1>
<p class="outcome">{_cell(document.status)} {_text(document.sentence)}</p>
<dl class="figures">{figures}</dl>
</header>
<main>
{_sections(document.sections)}</main>
<footer>{_text(document.footer)}</footer>
</body>
</html>
"""


def _sections(sections: Iterable[Section]) -> str:
    return "".join(
        f'<section class="level{section.level}{" minor" if section.minor else ""}">\n'
        f"<h{section.level}>{_text(section.title)}</h{section.level}>\n"
        f"{''.join(map(_block, section.blocks))}</section>\n"
        for section in sections
    )


def _block(block: Block) -> str:
    match block:
        case Facts():
            pairs = "".join(f"<div><dt>{_text(name)}</dt><dd>{_cell(item)}</dd></div>" for name, item in block.pairs)
            return f'<dl class="facts">{pairs}</dl>\n'
        case Table():
            return _table(block)
        case Bullets():
            items = "".join(f"<li>{_inline(item)}</li>" for item in block.items)
            return f'<ul class="{block.tone}">{items}</ul>\n'
        case Paragraph():
            return f"<p>{_inline(block.text)}</p>\n"
        case Text():
            return _prose(block.markdown)
        case Callout():
            return f'<div class="callout {block.tone}"><h3>{_text(block.title)}</h3><p>{_lines(block.text)}</p></div>\n'
        case Charts():
            return _charts(block.charts)
    return f"<details><summary>Where it was in the code</summary><pre>{_text(block.text)}</pre></details>\n"


def _charts(charts: Sequence[Chart]) -> str:
    """The first charts side by side; many more are folded away, and are there when somebody opens them."""
    shown = f'<div class="charts">\n{"".join(map(_chart, charts[:_SHOWN_CHARTS]))}</div>\n'
    rest = charts[_SHOWN_CHARTS:]
    if not rest:
        return shown
    more = f'<div class="charts">\n{"".join(map(_chart, rest))}</div>\n'
    return f"{shown}<details><summary>{len(rest)} more charts</summary>\n{more}</details>\n"


def _chart(chart: Chart) -> str:
    headers, rows = numbers_of(chart)
    table = _table(Table(headers, rows, frozenset(range(1, len(headers)))))
    note = f'<p class="note">{_text(chart.note)}</p>\n' if chart.note else ""
    return (
        f'<figure class="chart {type(chart).__name__.lower()}">\n<figcaption>{_text(chart.title)}</figcaption>\n'
        f'<div class="drawn">{draw(chart)}</div>\n{note}<details><summary>Numbers</summary>\n{table}</details>\n'
        f"</figure>\n"
    )


def _table(table: Table) -> str:
    marks = [' class="right"' if i in table.right else "" for i in range(len(table.headers))]
    head = "".join(f"<th{marks[i]}>{_text(header)}</th>" for i, header in enumerate(table.headers))
    body = "".join(
        f"<tr>{''.join(f'<td{marks[i]}>{_cell(cell)}</td>' for i, cell in enumerate(row))}</tr>\n" for row in table.rows
    )
    caption = f"<caption>{_text(table.caption)}</caption>\n" if table.caption else ""
    return (
        f'<div class="wide"><table>\n{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n'
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return _text(cell)
    if isinstance(cell, Badge):
        return f'<span class="badge {cell.tone}">{_text(cell.text)}</span>'
    if isinstance(cell, Share):
        width = f"{100 * min(max(cell.share, 0.0), 1.0):.1f}%"
        return f'{_text(cell.text)}<span class="share"><span style="width:{width}"></span></span>'
    if not cell.text:
        return ""
    title = f' title="{_text(cell.full)}"' if cell.full else ""
    return f"<code{title}>{_breakable(cell.text)}</code>"


def _breakable(path: str) -> str:
    """A path that may be broken after its slashes."""
    return _text(path).replace("/", "/<wbr>")


def _prose(markdown: str) -> str:
    """Simple Markdown: paragraphs, lists, headings, **bold** and `code`; all else stands as it is written."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    return "".join(map(_prose_block, filter(None, blocks)))


def _prose_block(block: str) -> str:
    lines = [line.strip() for line in block.splitlines()]
    if lines and all(line.startswith(("- ", "* ")) for line in lines):
        return f"<ul>{''.join(f'<li>{_inline(line[2:])}</li>' for line in lines)}</ul>\n"
    if len(lines) == 1 and lines[0].startswith("#"):
        return f"<h4>{_inline(lines[0].lstrip('# '))}</h4>\n"
    return f"<p>{_inline(' '.join(lines))}</p>\n"


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)


def _lines(text: str) -> str:
    return "<br>".join(map(_inline, text.splitlines()))
