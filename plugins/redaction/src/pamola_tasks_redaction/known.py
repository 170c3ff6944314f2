"""Finds known secrets in texts, in whatever way they were written: as they are, encoded, or with characters escaped.

Encodings (base64, base32, hexadecimal digits …) are searched for as texts, wherever in a longer text they were encoded.
Escapes (`%2F`, `&#39;`, `\\u00e4` …) and lists of bytes (`70:71`, `0x70, 0x71`, `112, 113`) can be mixed and nested:
they are decoded, and the secret is searched for in what comes out.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator

SHORT = 8  # a secret of fewer characters may be a part of a word by chance
_NESTED = 3  # so deep are escapes decoded that were escaped again
_NO_BLANKS = "\u2e80"  # the scripts behind it have none between words: Chinese, Japanese and Korean
_ESCAPE = re.compile(r"(?:\\(?:[abfnrtv0]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})|%[0-9a-fA-F]{2}|\[[0-9;]{1,5}m)\Z")
_ESCAPED = re.compile(
    r"%u[0-9a-fA-F]{4}|%[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\}|\\U[0-9a-fA-F]{8}|\\x[0-9a-fA-F]{2}|\\[0-7]{3}"
    r"|\\[\\/\"'nrtbfav0&<>$ ]|&\#[0-9]{1,7};|&\#[xX][0-9a-fA-F]{1,6};|&[a-zA-Z]{2,8};|'\"'\"'|''|\"\"|=[0-9A-F]{2}"
)
_SIGNS = "%\\&=\"'"  # one of which every escape has
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}
_DIGITS = re.compile(r"[0-9a-fA-F]{2}(?:[\s:,;_.\\-]{0,3}(?:0?[xX])?[0-9a-fA-F]{2}){3,}")
_HEX_OF_BYTE = re.compile(r"(?:0?[xX])?([0-9a-fA-F])([0-9a-fA-F])")
_NUMBERS = re.compile(r"\d{1,3}(?:[,;\s]\s?\d{1,3}){3,}")

Spans = list[tuple[int, int]]


class Known:
    """Secrets that are known by their values.

    Those of fewer than eight characters are found where they are whole words, others anywhere and, where they are more
    than letters, in any case.
    """

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._exact: re.Pattern[str] | None = None
        self._folded: re.Pattern[str] | None = None
        self._words: re.Pattern[str] | None = None
        self._stale = False

    def add(self, value: str) -> None:
        """Find this one from now on."""
        if value not in self._values:
            self._values.add(value)
            self._stale = True

    def spans(self, text: str) -> Spans:
        """The places of secrets in a text, in order, each once."""
        if not self._values:
            return []
        if self._stale:
            self._prepare()
        found = sorted({*self._plain(text), *self._in_digits(text), *self._in_numbers(text), *self._escaped(text)})
        merged: Spans = []
        for start, end in found:
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return merged

    def _prepare(self) -> None:
        self._stale = False
        exact: set[str] = set()
        folded: set[str] = set()
        words: set[str] = set()
        for value in list(self._values):
            as_is, any_case = _forms(value)
            if len(value) < SHORT:
                words |= {form for form in as_is if len(form) < SHORT}
                as_is = {form for form in as_is if len(form) >= SHORT}
            exact |= as_is
            folded |= any_case
        self._exact, self._folded, self._words = _pattern(exact), _pattern(folded), _pattern(words)

    def _plain(self, text: str) -> Iterator[tuple[int, int]]:
        for pattern, searched in ((self._exact, text), (self._folded, _lower(text))):
            if pattern is not None:
                yield from (found.span() for found in pattern.finditer(searched))
        if self._words is not None:
            yield from (found.span() for found in self._words.finditer(text) if _is_word(found))

    def _escaped(self, text: str, depth: int = 1) -> Iterator[tuple[int, int]]:
        """Where they stand with characters escaped."""
        units = list(_ESCAPED.finditer(text)) if any(sign in text for sign in _SIGNS) else ()
        if not units:
            return
        shown, places, end = [], [], 0
        for unit in units:
            decoded = _decoded(unit[0])
            shown += [text[end : unit.start()], decoded]
            places += [*range(end, unit.start()), *[unit.start()] * len(decoded)]
            end = unit.end()
        shown.append(text[end:])
        places += [*range(end, len(text)), len(text)]
        plain = "".join(shown)
        inner = [*self._plain(plain), *(self._escaped(plain, depth + 1) if depth < _NESTED else ())]
        yield from ((places[start], places[stop]) for start, stop in inner)

    def _in_digits(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they stand as hexadecimal digits with something between the bytes."""
        for run in _DIGITS.finditer(text):
            if run[0].isalnum():
                continue
            places = [place for byte in _HEX_OF_BYTE.finditer(run[0]) for place in (byte.start(1), byte.start(2))]
            digits = "".join(run[0][place] for place in places).lower()
            if self._folded is not None:
                for found in self._folded.finditer(digits):
                    yield run.start() + places[found.start()], run.start() + places[found.end() - 1] + 1

    def _in_numbers(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they stand as a list of the numbers of bytes or characters."""
        for run in _NUMBERS.finditer(text):
            numbers = list(re.finditer(r"\d+", run[0]))
            for start, end in self._plain("".join(chr(int(number[0])) for number in numbers)):
                yield run.start() + numbers[start].start(), run.start() + numbers[end - 1].end()


def _forms(value: str) -> tuple[set[str], set[str]]:
    """The encodings of a secret: those that are read as they are, and those that are read in any case."""
    try:
        raw = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = value.encode("utf-8", "surrogatepass")
    wide = value.encode("utf-16-le", "surrogatepass")
    exact = {value, raw.decode("latin-1"), json.dumps(value)[1:-1]}
    exact |= {text.replace(" ", "+") for text in exact}  # in the forms of web pages
    exact |= {base64.b85encode(raw).decode("ascii"), base64.a85encode(raw).decode("ascii")}
    exact |= set(_within(raw, 3, 6, base64.b64encode, base64.urlsafe_b64encode))
    exact |= set(_within(wide, 3, 6, base64.b64encode))
    folded = {raw.hex(), wide.hex(), *_within(raw, 5, 5, base64.b32encode, base64.b32hexencode)}
    if len(value) >= SHORT:
        exact.add(value[::-1])
        folded |= set() if value.isalpha() else {value, value[::-1]}
    return {form for form in exact if len(form) >= 4}, {form for form in map(_lower, folded) if len(form) >= SHORT}


def _within(raw: bytes, group: int, bits: int, *encoders: object) -> Iterator[str]:
    """What of these bytes is seen where a longer text was encoded, wherever in it they stand; and the whole encoding.

    Args:
        raw: The bytes.
        group: So many bytes are encoded together.
        bits: So many bits become a character.
        encoders: Encode bytes.
    """
    for encode in encoders:
        whole = encode(raw).decode("ascii")  # type: ignore[operator]
        yield from {whole, whole.rstrip("=")}
        for offset in range(group):
            first, last = -(-offset * 8 // bits), (offset + len(raw)) * 8 // bits
            core = encode(bytes(offset) + raw).decode("ascii")[first:last]  # type: ignore[operator]
            if len(core) >= SHORT:
                yield core


def _lower(text: str) -> str:
    """The text in lower case, as long as it was."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _pattern(forms: Iterable[str]) -> re.Pattern[str] | None:
    """Any of them, the longest first; by their first character, so that most places are passed by at once."""
    by_first: dict[str, list[str]] = {}
    for form in sorted(forms, key=len, reverse=True):
        by_first.setdefault(form[0], []).append(re.escape(form[1:]))
    pieces = [f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in by_first.items()]
    return re.compile("|".join(pieces)) if pieces else None


def _is_word(found: re.Match[str]) -> bool:
    """Whether a short secret stands as a word of its own, not as a part of a longer word or number."""
    text, word, start, end = found.string, found[0], found.start(), found.end()
    before, after = text[max(0, start - 7) : start], text[end : end + 2]
    begins = _in_a_word(word[0]) and _in_a_word(before[-1:]) and not _ESCAPE.search(before)
    ends = _in_a_word(word[-1]) and _in_a_word(after[:1])
    if not (begins or ends) and word.isdecimal():  # 2026 in 2026-11-29, 4711 in 0.4711
        begins = before[-1:] in ("-", ".") and before[-2:-1].isdecimal()
        ends = after[:1] in ("-", ".") and after[1:].isdecimal()
    return not (begins or ends)


def _in_a_word(character: str) -> bool:
    """Whether words have this character in them; a set of all characters would take milliseconds to compile."""
    return (character.isalnum() or character == "_") and character < _NO_BLANKS


def _decoded(unit: str) -> str:
    """The character that an escape stands for; of one byte of several, the byte as a character."""
    if unit[0] == "&":
        return html.unescape(unit)
    if unit in ("''", '""', "'\"'\"'"):
        return unit[0]
    digits = re.sub(r"[^0-9a-fA-F]", "", unit[1:])
    if unit[0] in "%=" or unit[1] in "xuU":
        number = int(digits, 16)
    elif len(unit) == 4:
        number = int(digits, 8)
    else:
        return _LETTERS.get(unit[1], unit[1])
    return chr(number) if number < 0x110000 else unit
