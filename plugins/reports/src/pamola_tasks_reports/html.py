"""The report as one HTML file: no script, nothing from the network, for screen (light and dark) and paper.

Every piece is a `Markup` pattern, and markupsafe escapes each text that is filled into one; charts and prose escape
their own. A template engine would escape as well, but took a sixth of the time of a run of one short step.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from pamola_tasks_reports import document
from pamola_tasks_reports.formatting import printable
from pamola_tasks_reports.pieces import tone_of

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart
    from pamola_tasks_reports.lineage import Lineage
    from pamola_tasks_reports.pieces import Pieces

_SHORT = 20  # characters of a name that is never broken
_LONG = 40  # characters of a fact that has a line of its own
_NARROW = 3  # columns, at most, of a table of numbers on a narrow screen
_SCROLLED = 7  # columns, which may be wider than the page
_MOST_CHARTS = 24  # shown side by side; more are folded away

# The browser is told to load nothing and to run nothing, whatever stands in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%(policy)s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%(title)s – %(kind)s</title>
<style>
%(style)s</style>
</head>
<body>
<header class="%(tone)s">
<p class="subtitle">%(subtitle)s</p>
<h1>%(title)s</h1>
%(verdict)s<p class="outcome">%(status)s %(sentence)s</p>
%(figures)s
</header>
<main>
%(sections)s</main>
<footer>%(footer)s</footer>
</body>
</html>
"""


def as_html(report: Mapping[str, Any]) -> bytes:
    """A JSON report as one HTML file."""
    return html_page(document.top_of(report), "report", lambda pieces: document.sections_of(report, pieces))


def html_page(top: document.Top, kind: str, sections: Callable[[Pieces], Iterable[str]]) -> bytes:
    """A page as one HTML file; `kind` says in its title what it is."""
    pieces = _Html()
    run = re.sub(r"[^0-9A-Za-z-]", "", top.run)  # at the foot of printed pages
    page = Markup(_PAGE) % {
        "policy": Markup(_POLICY),
        "style": Markup(style().replace("$RUN", run and f"Run {run}")),
        "title": _visible(top.title),
        "kind": kind,
        "tone": top.tone,
        "verdict": _joined([pieces.verdict(*top.verdict), pieces.bullets(top.reasons)]) if top.verdict else "",
        "subtitle": _visible(top.subtitle),
        "status": pieces.badge(top.status, tone_of(top.status)),
        "sentence": _visible(top.sentence),
        "figures": _pairs(top.figures, "figures"),
        "sections": _joined(sections(pieces)),
        "footer": _visible(top.footer),
    }
    return page.encode("utf-8", "backslashreplace")


def style() -> str:
    """The CSS of pages and their pieces."""
    return (pkgutil.get_data("pamola_tasks_reports", "report.css") or b"").decode()


def html_pieces() -> Pieces:
    """The markup of a page, for a piece that another page shows."""
    return _Html()


def _filled(pattern: str, *parts: object) -> Markup:
    """A piece of the page: markup of ours, with texts escaped and what is not printed shown as its escape."""
    return Markup(pattern) % tuple(map(_visible, parts))


def _visible(item: object) -> object:
    return printable(item) if isinstance(item, str) and not isinstance(item, Markup) else item


def _joined(pieces: Iterable[str]) -> Markup:
    return Markup("").join(pieces)


def _pairs(pairs: Iterable[tuple[str, str]], kind: str) -> Markup:
    shown = _joined(_filled("<div%s><dt>%s</dt><dd>%s</dd></div>", _long(pair[1]), *pair) for pair in pairs)
    return _filled('<dl class="%s">%s</dl>', kind, shown)


def _long(text: str) -> Markup:
    """Where a fact is long, a line is its own."""
    return Markup(' class="long"') if len(Markup(text).striptags()) > _LONG else Markup("")


class _Html:
    """See `Pieces`."""

    passed_over = r"<(code|pre|svg|a|summary|h[1-6])\b.*?</\1>|<[^>]*>"

    def __init__(self) -> None:
        self._terms: dict[str, str] = {}

    def verdict(self, word: str, tone: str, sentence: str) -> Markup:
        return _filled(
            '<p class="verdict %s"><strong>%s:</strong> %s</p>\n', tone, word.capitalize(), _inline(sentence)
        )

    def badge(self, text: str, tone: str) -> Markup:
        return _filled('<span class="badge %s">%s</span>', tone, text)

    def code(self, text: str) -> Markup:
        if len(text) <= _SHORT:
            return _filled('<code class="short">%s</code>', text) if text else Markup("")
        return _filled("<code>%s</code>", _breakable(text))

    def codes(self, texts: Iterable[str]) -> Markup:
        return Markup(", ").join(map(self.code, texts))

    def file(self, path: str, sha256: str) -> Markup:
        parts = Markup("<wbr>").join(printable(sha256[i : i + 16]) for i in range(0, len(sha256), 16))
        return self.code(path) + (_filled('<code class="hash">%s</code>', parts) if sha256 else "")

    def remark(self, text: str, more: str) -> Markup:
        return _filled('%s <span class="remark">%s</span>', text, more) if more else _filled("%s", text)

    def blank(self) -> Markup:
        return Markup('<span class="blank">&nbsp;</span>')

    def share(self, text: str, share: float) -> Markup:
        percent = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
        return _filled('%s<span class="share"><span style="width:%s"></span></span>', text, percent)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> Markup:
        return _pairs(pairs, "facts")

    def table(
        self,
        headers: Sequence[str],
        rows: Sequence[Sequence[str]],
        right: Iterable[int] = (),
        caption: str = "",
        scrolls: bool = False,
    ) -> Markup:
        right = frozenset(right)
        # Of a table of numbers, a narrow screen shows some columns; others have a line for each cell there.
        narrow = len(headers) <= _NARROW and right >= set(range(1, len(headers)))

        def row(cells: Sequence[str]) -> Markup:
            return _filled("<tr>%s</tr>\n", _joined(cell(*each) for each in enumerate(cells)))

        def cell(index: int, text: str) -> Markup:
            aligned = Markup(' class="right"') if index in right else ""
            said = "" if narrow or not headers[index] else _filled(' data-label="%s"', headers[index])
            return _filled("<td%s%s>%s</td>", aligned, said, text)

        def head(index: int, text: str) -> Markup:
            aligned = Markup(' class="right"') if index in right else ""
            return _filled('<th scope="col"%s>%s</th>', aligned, text) if text else Markup("<td></td>")

        title = _filled("<caption>%s</caption>\n", caption) if caption else ""
        focus = Markup(' tabindex="0"') if len(headers) >= _SCROLLED or scrolls else ""
        kind = "" if narrow else Markup(' class="stack"')
        pattern = '<div class="wide"%s><table%s>\n%s<thead><tr>%s</tr></thead>\n<tbody>\n%s</tbody>\n</table></div>\n'
        return _filled(
            pattern, focus, kind, title, _joined(head(*each) for each in enumerate(headers)), _joined(map(row, rows))
        )

    def bullets(self, items: Iterable[str], tone: str = "quiet") -> Markup:
        shown = _joined(_filled("<li>%s</li>", _inline(item)) for item in items)
        return _filled('<ul class="%s">%s</ul>', tone, shown) if shown else Markup("")

    def paragraph(self, text: str) -> Markup:
        return _filled("<p>%s</p>", _inline(text))

    def prose(self, markdown: str) -> Markup:
        from pamola_tasks_reports.prose import rendered  # only where a plugin wrote some

        return Markup(rendered(markdown))

    def callout(self, title: str, text: str) -> Markup:
        lines = Markup("<br>").join(map(_inline, text.splitlines()))
        return _filled('<div class="callout bad"><h3>%s</h3><p>%s</p></div>', title, lines)

    def verbatim(self, text: str) -> Markup:
        return _filled("<details><summary>Where it was in the code</summary><pre>%s</pre></details>", text)

    def charts(self, charts: Sequence[Chart]) -> Markup:
        gallery = '<div class="charts">\n%s</div>\n'
        figures = [self._figure(chart) for chart in charts]
        shown, more = (_filled(gallery, _joined(part)) for part in (figures[:_MOST_CHARTS], figures[_MOST_CHARTS:]))
        folded = "<details><summary>%s more charts</summary>\n%s</details>"
        return shown + (_filled(folded, len(figures) - _MOST_CHARTS, more) if len(figures) > _MOST_CHARTS else "")

    def _figure(self, chart: Chart) -> Markup:
        from pamola_tasks_reports.charts.axes import numbers_of
        from pamola_tasks_reports.charts.drawing import draw  # only where there are charts

        headers, rows = numbers_of(chart)
        return _filled(
            '<figure class="chart %s">\n<figcaption>%s</figcaption>\n<div class="drawn">%s</div>\n%s'
            "<details><summary>Numbers</summary>\n%s</details>\n</figure>\n",
            type(chart).__name__.lower(),
            chart.title,
            Markup(draw(chart)),
            _filled('<p class="note">%s</p>\n', chart.note) if chart.note else "",
            self.table(headers, rows, range(1, len(headers)), scrolls=True),
        )

    def lineage(self, lineage: Lineage) -> Markup:
        from pamola_tasks_reports.lineage import draw

        return _filled('<div class="lineage" tabindex="0">%s</div>', Markup(draw(lineage)))

    def folded(self, title: str, pieces: Iterable[str]) -> Markup:
        return _filled("<details><summary>%s</summary>\n%s</details>", title, _joined(pieces))

    def contents(self, places: Iterable[tuple[str, str]]) -> Markup:
        links = _joined(_filled('<li><a href="#%s">%s</a></li>', anchor, title) for title, anchor in places)
        return _filled('<nav aria-label="Contents"><ul>%s</ul></nav>\n', links)

    def term(self, found: str, term: str, meaning: str) -> Markup:
        anchor = self._terms.setdefault(term, f"g{len(self._terms) + 1}")
        return _filled('<a class="term" href="#%s" title="%s">%s</a>', anchor, meaning, Markup(found))

    def glossary(self, terms: Mapping[str, str]) -> Markup:
        pattern = '<div id="%s"><dt>%s</dt><dd>%s</dd></div>'
        shown = _joined(_filled(pattern, self._terms.get(term, ""), term, meaning) for term, meaning in terms.items())
        return _filled('<dl class="glossary">%s</dl>', shown)

    def section(self, title: str, pieces: Iterable[str], level: int = 2, anchor: str = "", fold: str = "") -> Markup:
        shown, heading = _joined(piece + "\n" for piece in pieces), _filled(f"<h{level}>%s</h{level}>", title)
        place = _filled(' id="%s"', anchor) if anchor else ""
        if not fold:
            return _filled('<section class="level%s"%s>\n%s\n%s</section>\n', level, place, heading, shown)
        pattern = '<details class="level%s"%s%s><summary>%s</summary>\n%s</details>\n'
        return _filled(pattern, level, place, Markup(" open") if fold == "open" else "", heading, shown)


def _breakable(text: str) -> Markup:
    """A path or name that may go on in the next line behind a separator, and nowhere else."""
    return Markup(re.sub(r"([/_.,=-])(?=[^\s])", r"\1<wbr>", str(escape(printable(text)))))


def _inline(text: str) -> Markup:
    """A message: `code` and **bold** are shown as such, everything else as it is written."""
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(printable(text))))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", shown))
