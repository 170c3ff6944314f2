"""The report as one HTML file: no script, nothing from the network, for screen (light and dark) and paper.

Every piece is a `Markup` pattern, and markupsafe escapes each text that is filled into one; charts and prose escape
their own. A template engine would escape as well, but took a sixth of the time of a run of one short step.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from pamola_tasks_reports import document
from pamola_tasks_reports.formatting import printable

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart

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
<title>%(title)s – report</title>
<style>
%(style)s</style>
</head>
<body>
<header class="%(tone)s">
<p class="subtitle">%(subtitle)s</p>
<h1>%(title)s</h1>
<p class="outcome">%(status)s %(sentence)s</p>
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
    pieces, top = _Html(), document.top_of(report)
    style = (pkgutil.get_data("pamola_tasks_reports", "report.css") or b"").decode()
    page = Markup(_PAGE) % {
        "policy": Markup(_POLICY),
        "style": Markup(style),
        "title": _visible(top.title),
        "tone": top.tone,
        "subtitle": _visible(top.subtitle),
        "status": pieces.badge(top.status, top.tone),
        "sentence": _visible(top.sentence),
        "figures": _pairs(top.figures, "figures"),
        "sections": _joined(document.sections_of(report, pieces)),
        "footer": _visible(top.footer),
    }
    return page.encode("utf-8", "backslashreplace")


def _filled(pattern: str, *parts: object) -> Markup:
    """A piece of the page: markup of ours, with texts escaped and what is not printed shown as its escape."""
    return Markup(pattern) % tuple(map(_visible, parts))


def _visible(item: object) -> object:
    return printable(item) if isinstance(item, str) and not isinstance(item, Markup) else item


def _joined(pieces: Iterable[str]) -> Markup:
    return Markup("").join(pieces)


def _pairs(pairs: Iterable[tuple[str, str]], kind: str) -> Markup:
    shown = _joined(_filled("<div><dt>%s</dt><dd>%s</dd></div>", *pair) for pair in pairs)
    return _filled('<dl class="%s">%s</dl>', kind, shown)


class _Html:
    """See `Pieces`."""

    def badge(self, text: str, tone: str) -> Markup:
        return _filled('<span class="badge %s">%s</span>', tone, text)

    def code(self, text: str, full: str = "") -> Markup:
        breakable = escape(printable(text)).replace("/", Markup("/<wbr>"))
        title = _filled(' title="%s"', full) if full else ""
        return _filled("<code%s>%s</code>", title, breakable) if text else Markup("")

    def share(self, text: str, share: float) -> Markup:
        percent = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
        return _filled('%s<span class="share"><span style="width:%s"></span></span>', text, percent)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> Markup:
        return _pairs(pairs, "facts")

    def table(
        self, headers: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[int] = (), caption: str = ""
    ) -> Markup:
        def row(tag: str, cells: Sequence[str]) -> Markup:
            plain, aligned = f"<{tag}>%s</{tag}>", f'<{tag} class="right">%s</{tag}>'
            shown = (_filled(aligned if index in right else plain, cell) for index, cell in enumerate(cells))
            return _filled("<tr>%s</tr>", _joined(shown))

        right = frozenset(right)
        title = _filled("<caption>%s</caption>\n", caption) if caption else ""
        body = _joined(row("td", cells) + "\n" for cells in rows)
        pattern = '<div class="wide"><table>\n%s<thead>%s</thead>\n<tbody>\n%s</tbody>\n</table></div>\n'
        return _filled(pattern, title, row("th", headers), body)

    def bullets(self, items: Iterable[str], tone: str = "quiet") -> Markup:
        shown = _joined(_filled("<li>%s</li>", _inline(item)) for item in items)
        return _filled('<ul class="%s">%s</ul>', tone, shown)

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
            self.table(headers, rows, range(1, len(headers))),
        )

    def section(self, title: str, pieces: Iterable[str], level: int = 2, minor: bool = False) -> Markup:
        pattern = '<section class="level%s%s">\n<h%s>%s</h%s>\n%s</section>\n'
        shown = _joined(piece + "\n" for piece in pieces)
        return _filled(pattern, level, " minor" if minor else "", level, title, level, shown)


def _inline(text: str) -> Markup:
    """A message: `code` and **bold** are shown as such, everything else as it is written."""
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(printable(text))))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", shown))
