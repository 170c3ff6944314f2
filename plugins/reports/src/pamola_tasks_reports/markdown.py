"""The report as Markdown that reads well as plain text too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pamola_tasks_reports import document
from pamola_tasks_reports.formatting import printable

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart
    from pamola_tasks_reports.lineage import Lineage
    from pamola_tasks_reports.pieces import Pieces

_MEANT = re.compile(r"[\\*|<>]|(?<!\w)_|_(?!\w)|\](?=\()|&(?=#?\w+;)")
_LINE_START = re.compile(r"^(\s*)(#*|\d*)([-#+=.)])(?=\s|$)")

_PAGE = """\
# {title}

{verdict}**{status}** · {subtitle}

{sentence}

{figures}
{sections}---

{footer}
"""


def as_markdown(report: Mapping[str, Any]) -> bytes:
    """A JSON report as Markdown (GitHub's tables)."""
    return markdown_page(document.top_of(report), lambda pieces: document.sections_of(report, pieces))


def markdown_page(top: document.Top, sections: Callable[[Pieces], Iterable[str]]) -> bytes:
    """A page as Markdown."""
    pieces = _Markdown()
    verdict = [pieces.verdict(*top.verdict), pieces.bullets(top.reasons)] if top.verdict else []
    page = _PAGE.format(
        verdict="".join(f"{piece}\n\n" for piece in verdict if piece),
        title=_escaped(top.title),
        status=_escaped(top.status),
        subtitle=_escaped(top.subtitle),
        sentence=_escaped(top.sentence),
        figures="".join(f"- {_escaped(name)}: **{_escaped(figure)}**\n" for name, figure in top.figures),
        sections="".join(sections(pieces)),
        footer=_escaped(top.footer),
    )
    return page.encode("utf-8", "backslashreplace")


class _Marked(str):
    """Text that is Markdown already."""


class _Markdown:
    """See `Pieces`; a piece is its lines, without the end of the last one."""

    passed_over = r"(`)[^`\n]*\1"

    def verdict(self, word: str, tone: str, sentence: str) -> str:
        return f"**{_escaped(word)}**: {_escaped(sentence)}"

    def badge(self, text: str, tone: str) -> str:
        return text

    def code(self, text: str) -> str:
        text = _one_line(text)
        return _Marked(f"`{text}`") if text and "`" not in text and "|" not in text else text

    def codes(self, texts: Iterable[str]) -> str:
        return _Marked(", ".join(_escaped(self.code(text)) for text in texts))

    def file(self, path: str, sha256: str) -> str:
        return _Marked(" ".join(_escaped(self.code(text)) for text in (path, sha256) if text))

    def remark(self, text: str, more: str) -> str:
        return f"{text} ({more})" if more else text

    def blank(self) -> str:
        return _Marked("\\_" * 12)

    def share(self, text: str, share: float) -> str:
        return text

    def facts(self, pairs: Iterable[tuple[str, str]]) -> str:
        return "\n".join(f"- {_escaped(name)}: {_escaped(item)}" for name, item in pairs)

    def table(
        self, headers: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[int] = (), caption: str = ""
    ) -> str:
        right = frozenset(right)
        head, *cells = [[_escaped(cell) for cell in row] for row in (headers, *rows)]
        # A column is as wide as its cells, but one long note does not stretch all rows.
        widths = [min(max(3, *(len(row[i]) for row in (head, *cells))), 60) for i in range(len(head))]
        rule = ["-" * (width - 1) + (":" if i in right else "-") for i, width in enumerate(widths)]
        lines = [f"**{_escaped(caption)}**", ""] if caption else []
        for row in (head, rule, *cells):
            padded = (
                c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
            )
            lines.append(f"| {' | '.join(padded)} |")
        return "\n".join(lines)

    def bullets(self, items: Iterable[str], tone: str = "quiet") -> str:
        return "\n".join(f"- {_escaped(item)}" for item in items)

    def paragraph(self, text: str) -> str:
        return _escaped(text)

    def prose(self, markdown: str) -> str:
        from pamola_tasks_reports.prose import verbatim  # only where a plugin wrote some

        return "\n".join(verbatim(markdown))

    def callout(self, title: str, text: str) -> str:
        return "\n> ".join([f"> **{_escaped(title)}**\n>", *map(_escaped, text.splitlines() or [""])])

    def verbatim(self, text: str) -> str:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        return "\n".join([fence, *map(printable, text.splitlines()), fence])

    def charts(self, charts: Sequence[Chart]) -> str:
        from pamola_tasks_reports.charts.axes import numbers_of  # only where there are charts

        shown = []
        for chart in charts:
            headers, rows = numbers_of(chart)
            table = self.table(headers, rows, range(1, len(headers)), chart.title)
            shown += [_escaped(chart.note), table] if chart.note else [table]
        return "\n\n".join(shown)

    def lineage(self, lineage: Lineage) -> str:
        return self.bullets(lineage.sentences())

    def folded(self, title: str, pieces: Iterable[str]) -> str:
        return "\n\n".join([f"**{_escaped(title)}**", *pieces])

    def contents(self, places: Iterable[tuple[str, str]]) -> str:
        return ""

    def term(self, found: str, term: str, meaning: str) -> str:
        return found

    def glossary(self, terms: Mapping[str, str]) -> str:
        return self.facts(terms.items())

    def section(self, title: str, pieces: Iterable[str], level: int = 2, anchor: str = "", fold: str = "") -> str:
        return "\n\n".join([f"{'#' * level} {_escaped(title)}", *pieces]) + "\n\n"


def _escaped(text: str) -> str:
    """Text that stands for itself: no markup, no HTML, no line of its own, nothing that a terminal obeys."""
    if isinstance(text, _Marked):
        return text
    return _LINE_START.sub(r"\1\2\\\3", _MEANT.sub(r"\\\g<0>", _one_line(text)))


def _one_line(text: str) -> str:
    return printable(text).replace("\n", "⏎ ")
