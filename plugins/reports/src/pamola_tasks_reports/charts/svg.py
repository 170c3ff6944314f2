"""Elements of SVG, and how wide a text comes out. What is drawn has classes; its colours are in the style sheet.

Coordinates are written with at most two digits after the point, so that a chart is the same bytes on every machine.
"""

from __future__ import annotations

import html
import unicodedata

from pamola_tasks_reports.formatting import printable

SIZE = 11.0
WIDTH = 340.0


def text_of(text: str) -> str:
    """Literal text, in content and in attributes; what is not printed is shown as its escape."""
    return html.escape(printable(text), quote=True)


def place(number: float) -> str:
    """A coordinate: `12`, `12.5`."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def image(width: float, height: float, title: str, description: str, content: str) -> str:
    """A whole picture. Title and description are what a screen reader says of it."""
    return (
        f'<svg role="img" viewBox="0 0 {place(width)} {place(height)}" width="{place(width)}" height="{place(height)}">'
        f"<title>{text_of(title)}</title><desc>{text_of(description)}</desc>{content}</svg>\n"
    )


def bar(kind: str, x: float, y: float, width: float, height: float, said: str = "", *, corner: float = 0.0) -> str:
    """A rectangle; `said` is shown where a pointer rests on it."""
    shape = f'<rect class="{kind}" x="{place(x)}" y="{place(y)}" width="{place(width)}" height="{place(height)}"'
    if corner:
        shape += f' rx="{place(corner)}"'
    return f"{shape}><title>{text_of(said)}</title></rect>" if said else f"{shape}/>"


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """A straight line."""
    return f'<line class="{kind}" x1="{place(x1)}" y1="{place(y1)}" x2="{place(x2)}" y2="{place(y2)}"/>'


def path(kind: str, commands: str) -> str:
    """A line through several places."""
    return f'<path class="{kind}" d="{commands}"/>'


def label(kind: str, x: float, y: float, text: str, *, room: float | None = None) -> str:
    """A text at a place, cut where it has no room; the whole of it is shown where a pointer rests on it."""
    shown = text if room is None else fitting(text, room)
    whole = f"<title>{text_of(text)}</title>" if shown != text else ""
    return f'<text class="{kind}" x="{place(x)}" y="{place(y)}">{text_of(shown)}{whole}</text>'


def width_of(text: str, size: float = SIZE) -> float:
    """About how wide a text comes out in a sans serif, rather more than less."""
    return size * sum(map(_em, text))


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in "iljtfrI.,:;'|!()[] -":
        return 0.36
    if character in "mwMW@%":
        return 0.92
    return 0.74 if character.isupper() else 0.63


def fitting(text: str, room: float, size: float = SIZE) -> str:
    """The text, cut at its end with `…` where it is wider than the room."""
    text = " ".join(text.split())
    if width_of(text, size) <= room:
        return text
    left = room - width_of("…", size)
    kept = 0
    for character in text:
        left -= size * _em(character)
        if left < 0:
            break
        kept += 1
    return text[:kept].rstrip() + "…"
