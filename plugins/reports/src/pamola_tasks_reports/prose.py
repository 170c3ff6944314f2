"""Text that plugins write in Markdown (CommonMark with tables): whole in HTML and in Markdown, and without any HTML.

Links lead to the web or to mail, and pictures are links: a report loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from pamola_tasks_reports.formatting import printable

_LINK = re.compile(r"(?:https?://|mailto:)", re.I)
_HTML = re.compile(r"<(?=[A-Za-z/!?])(?!(?:https?://|mailto:))", re.I)
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")


@cache
def _parser(html: bool = False) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": html, "xhtmlOut": False}).enable("table").disable("image")
    parser.validateLink = lambda url: _LINK.match(url) is not None  # type: ignore[method-assign]
    return parser


def rendered(text: str) -> str:
    """The text as HTML; its headings are below those of sections."""
    parser = _parser()
    tokens = parser.parse(_visible(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        elif token.type in ("th_open", "td_open"):
            right = token.attrs.pop("style", "") == "text-align:right"
            token.attrs |= {"class": "right"} if right else {}
        elif token.type == "fence":
            token.info = ""
        for inner in token.children or ():
            if inner.type == "softbreak":
                inner.type, inner.content = "text", " "
    html: str = parser.renderer.render(tokens, parser.options, {})
    html = re.sub(r"<table>(.*?</table>)", r'<div class="wide"><table>\1</div>', html, flags=re.S)
    return html.replace(">\n<", "><") + "\n"


def verbatim(text: str) -> Iterator[str]:
    """The lines of the text as they are written, but HTML shown as text, and the last block of code closed."""
    shown = _visible(text).rstrip("\n")
    html = bool(_HTML.search(shown)) and _has_html(_parser(html=True).parse(shown))
    fence = ""
    for line in shown.split("\n"):
        yield _HTML.sub("&lt;", line) if html and not fence else line
        found = _FENCE.match(line)
        if not fence and found:
            fence = found[1]
        elif fence and found and found[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
    if fence:
        yield fence


def _has_html(tokens: Sequence[Token]) -> bool:
    return any(token.type.startswith("html") or _has_html(token.children or ()) for token in tokens)


def _visible(text: str) -> str:
    return "\n".join(map(printable, text.expandtabs(4).splitlines()))
