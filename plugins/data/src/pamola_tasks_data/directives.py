"""Formats of dates in directives of strptime, and marks of numbers: what can be stated of texts. Imports no library."""

from __future__ import annotations

import re
from functools import cache

_PARTS = {
    "Y": "[0-9]{4}",
    "m": "[0-9]{1,2}",
    "d": "[0-9]{1,2}",
    "j": "[0-9]{1,3}",
    "H": "[0-9]{1,2}",
    "I": "[0-9]{1,2}",
    "M": "[0-9]{2}",
    "S": "[0-9]{2}",
    "f": "[0-9]+",
    "p": "[AaPp][Mm]",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]{3,9}",
    "z": "[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?",
}
_FIXED = {"m": "[0-9]{2}", "d": "[0-9]{2}", "j": "[0-9]{3}", "H": "[0-9]{2}", "I": "[0-9]{2}"}  # beside other digits
_SHORT = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}
_LISTED = ", ".join(f"%{letter}" for letter in [*_PARTS, *_SHORT])
_TIMES = "HIMSfpz"
_AS_WORDS = (("yyyy|jjjj", "%Y"), ("dd|tt", "%d"), ("mm", "%m"))


def format_problem(format: str, *, time: bool) -> str:
    """What is wrong with a format of dates, or with `time` of dates and times; empty where it can be used."""
    letters = [letter for letter, _ in _split(format) if letter]
    if not letters:
        meant = format
        for words, directive in _AS_WORDS:
            meant = re.sub(words, directive, meant, flags=re.IGNORECASE)
        hint = f"did you mean {meant!r}?" if "%" in meant else "write '%d.%m.%Y' or the like"
        return f"{format!r} has no directive: {hint}"
    if "y" in letters:
        return "%y does not say the century: only years of four digits (%Y) are read"
    if unknown := [letter for letter in letters if letter not in _PARTS]:
        return f"unknown directive %{unknown[0]}: use {_LISTED}"
    if twice := [letter for letter in letters if letters.count(letter) > 1]:
        return f"%{twice[0]} is there twice"
    if "Y" not in letters or not ("j" in letters or ("d" in letters and set(letters) & set("mbB"))):
        return f"{format!r} leaves open which day it is: it needs %Y, %m and %d"
    if ("I" in letters) != ("p" in letters):
        return "%I and %p belong together: a day has 24 hours (%H)"
    timed = [letter for letter in letters if letter in _TIMES]
    if timed and not time:
        return f"%{timed[0]} is part of a time, which a date has not: that is a datetime"
    if time and not {"H", "I"} & set(letters):
        return f"{format!r} has no hour (%H): that is a date"
    return ""


def has_offset(format: str) -> bool:
    """Whether values of this format say their offset from UTC."""
    return any(letter == "z" for letter, _ in _split(format))


@cache
def pattern_of(format: str) -> str:
    """The regular expression of texts in this format, with groups named by its directives."""
    parts, found = _split(format), "^"
    for place, (letter, literal) in enumerate(parts):
        if not letter:
            found += re.escape(literal)
            continue
        beside = [parts[near][0] for near in (place - 1, place + 1) if 0 <= near < len(parts)]
        digits = any(near and near not in "bBpz" for near in beside)
        found += f"(?P<{letter}>{(_FIXED if digits else _PARTS).get(letter, _PARTS[letter])})"
    return found + "$"


@cache
def iso_patterns() -> tuple[str, ...]:
    """Those of the complete forms of ISO 8601, with a blank in place of the `T` too: extended ones first."""
    found = []
    for dash, colon in (("-", ":"), ("", "")):
        time = (
            rf"(?:[Tt ](?P<H>[0-9]{{2}}){colon}(?P<M>[0-9]{{2}})(?:{colon}(?P<S>[0-9]{{2}})(?:[.,](?P<f>[0-9]+))?)?"
            rf"(?P<z>{_PARTS['z']})?)?$"
        )
        calendar, week = f"(?P<m>[0-9]{{2}}){dash}(?P<d>[0-9]{{2}})", f"W(?P<V>[0-9]{{2}}){dash}(?P<u>[1-7])"
        days = (calendar, week, "(?P<j>[0-9]{3})")
        found += [f"^(?P<Y>[0-9]{{4}}){dash}{day}{time}" for day in days]
    return tuple(found)


@cache
def _split(format: str) -> list[tuple[str, str]]:
    """The directives of a format, by their letter, and the texts between them."""
    found: list[tuple[str, str]] = []
    for letter, literal in re.findall(r"%(.?)|([^%]+)", format, re.DOTALL):
        if letter in _SHORT:
            found += _split(_SHORT[letter])
        else:
            found.append(("", "%") if letter == "%" else (letter, literal))
    return found


# ---------------------------------------------------------------- numbers


def mark_problem(mark: str) -> str:
    """What is wrong with a mark in numbers; empty where it can be one."""
    if len(mark) > 1:
        return f"{mark!r} is more than one character"
    return f"{mark!r} cannot be a mark in numbers" if mark and (mark.isalnum() or mark in '+-"\r\n') else ""


def marks_problem(decimal: str, thousands: str) -> str:
    """What is wrong with two marks together."""
    return f"{decimal!r} is the mark of decimals, too: state another one" if decimal and decimal == thousands else ""
