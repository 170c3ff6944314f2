"""Numbers in a text of any language, and whether figures of a report are all that it states."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

_NUMERAL = re.compile(r"\d+(?:[.,'’·\u00a0\u202f ]\d+)*")
_PERCENT = re.compile(r"\s*(?:%|٪|per ?cent|prozent|pour cent|por ?cento?|por ciento|per cento|procent|процент)", re.I)
_GROUPED = re.compile(r"\d{1,3}(?:(?P<sep>[.,'’\u00a0\u202f ])\d{3})(?:(?P=sep)\d{3})*")
_BLANK = re.compile("[ \u00a0\u202f]")
_WORD = re.compile(r"[^\W\d_]+")
_SMALLEST_WORD = 2  # the words for 0 and 1 mean other things, too


def unfounded(text: str, figures: Iterable[float], names: Iterable[str] = (), language: str = "en") -> list[str]:
    """The numbers that a text states without being figures, as they are written.

    A number is founded if it is a figure, or a figure with decimals, rounded to the digits that are written;
    a percentage if a hundredth of it is. Numbers in words are recognized as `num2words` writes them.

    Args:
        text: The text.
        figures: What may be stated.
        names: Names that may have digits in them, such as those of columns.
        language: Of the text, as `num2words` names it.
    """
    known = [float(figure) for figure in figures if math.isfinite(figure)]
    rest = text
    for name in sorted(filter(_has_digit, names), key=len, reverse=True):
        rest = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", rest)
    plain = "".join(_plain_digit(each) for each in rest)
    found = [each for each in rest if unicodedata.category(each) in ("No", "Nl")]  # ½, ², Ⅳ: none is in a report

    def founded(numeral: str, percent: bool) -> bool:
        return any(_is(value, digits, known, percent=percent) for value, digits in _readings(numeral))

    for match in _NUMERAL.finditer(plain):
        percent = _PERCENT.match(plain, match.end()) is not None
        if founded(match[0], percent):
            continue
        parts = _BLANK.split(match[0])  # what a blank divides may be one number, or several
        if len(parts) < 2 or not all(founded(part, percent and part is parts[-1]) for part in parts):
            found.append(match[0])
    words = number_words(language)
    for match in _WORD.finditer(_PERCENT.sub(" ", rest)):
        value = words.get(match[0].casefold())
        if value is not None and float(value) not in known:
            found.append(match[0])
    return list(dict.fromkeys(found))


def _has_digit(text: str) -> bool:
    return any(each.isdigit() for each in text)


def _plain_digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _readings(numeral: str) -> Iterator[tuple[float, int]]:
    """What a numeral may mean, and how many decimals it has: `1.234` is two numbers, one in each half of Europe."""
    digits = re.sub(r"\D", "", numeral)
    if numeral == digits or _GROUPED.fullmatch(numeral):
        yield float(digits), 0
    whole, separator, decimals = (*re.split(r"([.,·])(?=\d+$)", numeral), "", "")[:3]
    if separator and (whole.isdecimal() or (_GROUPED.fullmatch(whole) and separator not in whole)):
        yield float(f"{re.sub(r'[^0-9]', '', whole)}.{decimals}"), len(decimals)


def _is(value: float, decimals: int, figures: Iterable[float], *, percent: bool) -> bool:
    for figure in figures:
        size = abs(figure)
        for stated in (100 * size,) if percent and size <= 1 else (size,):
            if math.isclose(value, stated, rel_tol=1e-9):
                return True
            rounded = not stated.is_integer() and (decimals > 0 or stated >= 1)
            if rounded and abs(value - stated) <= 0.5 * 10.0**-decimals + 1e-12:
                return True
    return False


@lru_cache(maxsize=8)
def number_words(language: str) -> dict[str, int]:
    """The words for numbers in a language, where one word is one number."""
    from num2words import num2words

    found: dict[str, int] = {}
    for value in (*range(_SMALLEST_WORD, 101), *range(200, 1001, 100), 10**6, 10**9):
        word = str(num2words(value, lang=language)).casefold()
        for prefix in ("", "one ", "un ", "une ", "uno ", "ein ", "eine ", "eins "):
            if word.startswith(prefix) and _WORD.fullmatch(word[len(prefix) :]):
                found.setdefault(word[len(prefix) :], value)
    return found


def languages() -> list[str]:
    """The languages whose numbers are known."""
    import num2words

    return sorted(num2words.CONVERTER_CLASSES)
