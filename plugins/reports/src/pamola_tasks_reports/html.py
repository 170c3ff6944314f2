"""The report as one HTML file: no script, nothing from the network, for screen (light and dark) and paper.

Every piece is a `Markup` pattern, and markupsafe escapes each text that is filled into one; charts and prose escape
their own. A template engine would escape as well, but took a sixth of the time of a run of one short step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from markupsafe import Markup, escape

from pamola_tasks_reports.blocks import (
    Badge,
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
    Share,
    Table,
    Text,
    Verbatim,
)
from pamola_tasks_reports.document import document_of
from pamola_tasks_reports.formatting import printable

_MOST_CHARTS = 24  # shown side by side; more are folded away

# The browser is told to load nothing and to run nothing, whatever stands in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def as_html(report: Mapping[str, Any]) -> bytes:
    """A JSON report as one HTML file."""
    return _page(document_of(report)).encode("utf-8", "backslashreplace")


def _filled(pattern: str, *parts: object) -> Markup:
    """A piece of the page: markup of ours, with texts escaped and what is not printed shown as its escape."""
    return Markup(pattern) % tuple(map(_visible, parts))


def _visible(item: object) -> object:
    return printable(item) if isinstance(item, str) and not isinstance(item, Markup) else item


def _joined(pieces: Iterable[Markup]) -> Markup:
    return Markup("").join(pieces)


def _page(document: Document) -> Markup:
    style = resources.files("pamola_tasks_reports").joinpath("report.css").read_text("utf-8")
    return _filled(
        _PAGE,
        Markup(_POLICY),
        document.title,
        Markup(style),
        document.status.tone,
        document.subtitle,
        document.title,
        _cell(document.status),
        document.sentence,
        _pairs(document.figures, "figures"),
        _joined(map(_section, document.sections)),
        document.footer,
    )


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%s – report</title>
<style>
%s</style>
</head>
<body>
<header class="%s">
<p class="subtitle">%s</p>
<h1>%s</h1>
<p class="outcome">%s %s</p>
%s
</header>
<main>
%s</main>
<footer>%s</footer>
</body>
</html>
"""


def _section(section: Section) -> Markup:
    level, minor = section.level, Markup(" minor") if section.minor else ""
    shown = _joined(_SHOWN[type(block)](block) + "\n" for block in section.blocks)
    pattern = '<section class="level%s%s">\n<h%s>%s</h%s>\n%s</section>\n'
    return _filled(pattern, level, minor, level, section.title, level, shown)


# ---------------------------------------------------------------- cells, pairs, tables


def _cell(item: Cell) -> Markup:
    match item:
        case Badge():
            return _filled('<span class="badge %s">%s</span>', item.tone, item.text)
        case Share():
            percent = f"{100 * min(max(item.share, 0.0), 1.0):.1f}%"
            return _filled('%s<span class="share"><span style="width:%s"></span></span>', item.text, percent)
        case Code():
            full = _filled(' title="%s"', item.full) if item.full else ""
            return _filled("<code%s>%s</code>", full, _breakable(item.text)) if item.text else Markup("")
        case _:
            return _filled("%s", item)


def _breakable(path: str) -> Markup:
    return escape(printable(path)).replace("/", Markup("/<wbr>"))


def _pairs(pairs: Sequence[tuple[str, Cell]], kind: str) -> Markup:
    shown = _joined(_filled("<div><dt>%s</dt><dd>%s</dd></div>", name, _cell(item)) for name, item in pairs)
    return _filled('<dl class="%s">%s</dl>', kind, shown)


def _table(table: Table) -> Markup:
    caption = _filled("<caption>%s</caption>\n", table.caption) if table.caption else ""
    head = _row("th", table.headers, table.right)
    body = _joined(_row("td", row, table.right) + "\n" for row in table.rows)
    pattern = '<div class="wide"><table>\n%s<thead>%s</thead>\n<tbody>\n%s</tbody>\n</table></div>\n'
    return _filled(pattern, caption, head, body)


def _row(tag: str, cells: Sequence[Cell], right: frozenset[int]) -> Markup:
    plain, aligned = f"<{tag}>%s</{tag}>", f'<{tag} class="right">%s</{tag}>'
    shown = (_filled(aligned if index in right else plain, _cell(item)) for index, item in enumerate(cells))
    return _filled("<tr>%s</tr>", _joined(shown))


# ---------------------------------------------------------------- blocks


def _bullets(block: Bullets) -> Markup:
    items = _joined(_filled("<li>%s</li>", _inline(item)) for item in block.items)
    return _filled('<ul class="%s">%s</ul>', block.tone, items)


def _callout(block: Callout) -> Markup:
    lines = Markup("<br>").join(map(_inline, block.text.splitlines()))
    return _filled('<div class="callout %s"><h3>%s</h3><p>%s</p></div>', block.tone, block.title, lines)


def _charts(block: Charts) -> Markup:
    from pamola_tasks_reports.charts.page import gallery  # only where there are some

    shown, more = block.charts[:_MOST_CHARTS], block.charts[_MOST_CHARTS:]
    folded = "<details><summary>%s more charts</summary>\n%s</details>"
    return gallery(shown, _table) + (_filled(folded, len(more), gallery(more, _table)) if more else "")


def _inline(text: str) -> Markup:
    """A message: `code` and **bold** are shown as such, everything else as it is written."""
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(printable(text))))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", shown))


def _prose(block: Text) -> Markup:
    from pamola_tasks_reports.prose import rendered  # only where a plugin wrote some

    return Markup(rendered(block.markdown))


def _verbatim(block: Verbatim) -> Markup:
    return _filled("<details><summary>Where it was in the code</summary><pre>%s</pre></details>", block.text)


_SHOWN: Mapping[type[Block], Callable[[Any], Markup]] = {
    Facts: lambda block: _pairs(block.pairs, "facts"),
    Table: _table,
    Bullets: _bullets,
    Paragraph: lambda block: _filled("<p>%s</p>", _inline(block.text)),
    Text: _prose,
    Callout: _callout,
    Charts: _charts,
    Verbatim: _verbatim,
}
