"""Texts in the form in which they are searched, with the way back to the characters of the original.

Searched is the compatibility form of Unicode (NFKC, UAX #15), without invisible characters, with every digit, blank and
dash as the one of ASCII. So full-width digits, ligatures, non-breaking spaces and letters composed of several
characters are found like plain ones. A finding always covers whole characters of the original, their combining marks
and the invisible characters behind them included.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence

import attrs
import regex

_ODD = regex.compile(r"[^\P{Cf}]|\p{M}|[^\P{Pd}-]|[^\P{Zs} ]|[^\P{Nd}0-9]|[‘’ʼ]")
_QUOTES = dict.fromkeys("‘’ʼ", "'")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"})


@attrs.frozen(eq=False)
class MappedText:
    """A text made of another one.

    Attributes:
        text: The text.
        starts: For each of its characters where in the original it begins; None where all are at the same places.
        ends: For each of its characters where in the original it ends.
    """

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original the characters from `start` up to, not including, `end` are."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]

    def changed(self, change: Callable[[str], str]) -> MappedText:
        """The text with each of its characters changed, to none, one or several."""
        pieces = [(change(each), *self.span(place, place + 1)) for place, each in enumerate(self.text)]
        return _joined(pieces)


def _joined(pieces: Sequence[tuple[str, int, int]]) -> MappedText:
    return MappedText(
        "".join(piece for piece, _, _ in pieces),
        [start for piece, start, _ in pieces for _ in piece],
        [end for piece, _, end in pieces for _ in piece],
    )


def searchable(text: str) -> MappedText:
    """The form of a text that is searched."""
    if text.isascii() or (unicodedata.is_normalized("NFKC", text) and not _ODD.search(text)):
        return MappedText(text)
    return _joined([(_plain(text[start:end]), start, end) for start, end in _clusters(text)])


def folded(text: MappedText) -> MappedText:
    """A text without case and accents: what the words of names are compared by."""
    if text.text.isascii():
        return MappedText(text.text.lower(), text.starts, text.ends)
    return text.changed(fold)


def fold(character: str) -> str:
    """A character, or text, without case and accents."""
    decomposed = unicodedata.normalize("NFD", character.casefold())
    return "".join(each for each in decomposed if not unicodedata.combining(each)).translate(_LETTERS)


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Each character with the marks and invisible characters behind it."""
    start = 0
    for place in range(1, len(text)):
        if unicodedata.category(text[place]) not in ("Mn", "Mc", "Me", "Cf"):
            yield start, place
            start = place
    if text:
        yield start, len(text)


def _plain(cluster: str) -> str:
    visible = "".join(each for each in cluster if unicodedata.category(each) != "Cf")
    return "".join(map(_plain_character, unicodedata.normalize("NFKC", visible)))


def _plain_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return {"Zs": " ", "Pd": "-"}.get(category) or _QUOTES.get(character, character)
