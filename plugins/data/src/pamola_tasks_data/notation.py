"""How people write numbers and dates, and texts in that form as values: whole columns at once, exactly or not at all.

Every function gives null where a text does not fit, so that what it gives has as many nulls more as there are misfits.
Digits are looked at before anything is made of them: `31.02.2024`, a year of two digits and `today` do not fit.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks_data.directives import has_offset, iso_patterns, pattern_of

_LARGE = pa.large_string()
NAIVE, UTC = pa.timestamp("us"), pa.timestamp("us", "UTC")
# Marks that look alike: a blank is also one that no line breaks at, an apostrophe also a typographic one.
_ALIKE = (" \u00a0\u202f\u2009", "'\u2019")
_AS_WRITTEN = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")
# What Arrow reads the same way, and faster.
_USUAL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?)?$"
_MONTHS = "january february march april may june july august september october november december".split()


@attrs.frozen(kw_only=True)
class Notation:
    """How the values of a dataset or a column are written.

    Attributes:
        decimal: The mark before the fraction of a number.
        thousands: The mark between groups of three digits; empty where there is none.
        date_format: How dates are written, in directives of strptime (`%d.%m.%Y`); empty for ISO 8601.
        datetime_format: The same for dates with a time.
        iso_dates: Whether dates and times are written as tasks write them.
        trim: Whether blanks around texts do not count.
    """

    decimal: str = "."
    thousands: str = ""
    date_format: str = ""
    datetime_format: str = ""
    iso_dates: bool = False
    trim: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Notation:
        """What options of a reader say of it."""
        stated = {field.name: options.get(field.name) for field in attrs.fields(cls)}
        return cls(**{name: value for name, value in stated.items() if value is not None})

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of dates and times that are stated."""
        stated = tuple(filter(None, (self.date_format, self.datetime_format)))
        return (*stated, *_AS_WRITTEN) if self.iso_dates else stated

    @property
    def marks(self) -> bool:
        """Whether numbers are written in another way than programs write them."""
        return self.decimal != "." or bool(self.thousands)

    def numbers(self, text: Any) -> Any:
        """Texts of numbers as programs write them (`1.234,5` as `1234.5`)."""
        return numbers(text, self.decimal, self.thousands)


# ---------------------------------------------------------------- numbers


def numbers(text: Any, decimal: str = ".", thousands: str = "") -> Any:
    """Texts of decimal numbers, with digits in groups of three or none, as programs write them.

    No group follows a leading zero: `0.234` has a fraction, never a point between thousands.
    Where both marks are the same, it is that of thousands, and the numbers are whole.
    """
    mark, group = "(?:x^)" if decimal == thousands else re.escape(decimal), _any_of(thousands)
    whole = rf"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+|[0-9]+" if thousands else "[0-9]+"
    pattern = rf"^[+-]?(?:(?:{whole})(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?$"
    text = pc.if_else(pc.match_substring_regex(text, pattern), text, None)
    if thousands:
        text = pc.replace_substring_regex(text, group, "")
    text = text if decimal == "." else pc.replace_substring(text, decimal, ".")
    signed = pc.any(pc.match_substring(text, "+")).as_py()
    return pc.replace_substring_regex(text, r"^\+", "") if signed else text


def _any_of(mark: str) -> str:
    alike = next((marks for marks in _ALIKE if mark and mark in marks), mark)
    return f"[{re.escape(alike)}]" if alike else ""


def trimmed(text: Any, missing: Sequence[str] = ()) -> Any:
    """Texts without blanks at their ends; null where one had some, and means "no value" without them."""
    plain = pc.utf8_trim_whitespace(text)
    if not missing:
        return plain
    changed = pc.not_equal(pc.binary_length(plain), pc.binary_length(text))
    return pc.if_else(pc.and_(changed, pc.is_in(plain, pa.array(missing, _LARGE))), None, plain)


# ---------------------------------------------------------------- dates


def by_format(text: Any, format: str) -> Any:
    """Texts of dates or times in this format, to the microsecond; in UTC where the format has `%z`."""
    zoned = has_offset(format)
    return _distinctly(text, lambda distinct: _made(distinct, pattern_of(format))[0].cast(UTC if zoned else NAIVE))


def by_formats(text: Any, formats: Sequence[str]) -> Any:
    """The same for the first of several formats that all texts fit; None where they fit none."""
    for format in formats:
        made = by_format(text, format)
        if made.null_count == text.null_count:
            return made
    return None


def times(text: Any, format: str) -> tuple[Any, Any]:
    """Texts of dates or times in a format, or in ISO 8601 where it is empty: see `iso`."""
    if not format:
        return iso(text)
    made = by_format(text, format)
    return made.cast(NAIVE), pc.if_else(pc.is_valid(made), has_offset(format), None)


def iso(text: Any) -> tuple[Any, Any]:
    """Texts of dates or times in one of the complete forms of ISO 8601: calendar, week and ordinal dates, basic or
    extended, alone or with hours and minutes at least; a blank in place of the `T` is read, too.

    Returns:
        Times to the microsecond, in UTC where they say an offset; and for each whether it does.
    """
    if pc.all(pc.match_substring_regex(text, _USUAL)).as_py() and not pc.any(pc.starts_with(text, "0000")).as_py():
        with contextlib.suppress(pa.ArrowInvalid):  # days and times that do not exist
            made = pc.cast(one_chunk(text), NAIVE)
            return made, pc.if_else(pc.is_valid(made), False, None)
    found = pa.nulls(len(text), pa.int64())
    zoned = pa.nulls(len(text), pa.bool_())
    text = one_chunk(text)
    for pattern in iso_patterns():
        left = pc.and_(pc.is_valid(text), pc.is_null(found))
        if not pc.any(left).as_py():
            break
        times, offsets = _made(pc.if_else(left, text, None), pattern)
        found, zoned = pc.coalesce(found, times.cast(pa.int64())), pc.coalesce(zoned, offsets)
    return found.cast(NAIVE), zoned


def _made(text: Any, pattern: str) -> tuple[Any, Any]:
    """Texts that this pattern, with groups named by directives, takes apart, as times in UTC, and whether they say an
    offset; null where they do not fit, or are no day or time that there is."""
    parts = pc.extract_regex(text, pattern)
    there = np.asarray(pc.is_valid(parts))
    names = [field.name for field in parts.type]

    def texts(name: str) -> Any:
        return pc.fill_null(pc.struct_field(parts, name), "")

    def number(name: str, fallback: int = 0) -> Any:
        if name not in names:
            return np.full(len(text), fallback, np.int64)
        digits = texts(name)
        return np.asarray(pc.cast(pc.if_else(pc.equal(digits, ""), str(fallback), digits), pa.int64()))

    year = number("Y")
    days, fits = _days(year, number, texts, names)
    hour, minute, second = number("H"), number("M"), number("S")
    if "I" in names:
        hour = number("I", 12)
        fits &= (hour >= 1) & (hour <= 12)
        hour = hour % 12 + 12 * np.asarray(pc.equal(pc.utf8_lower(texts("p")), "pm"))
    micro, exact = _micro(texts("f")) if "f" in names else (0, True)
    fits &= there & (year >= 1) & (hour <= 23) & (minute <= 59) & (second <= 59) & exact
    made = days.astype("M8[us]").astype(np.int64) + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro
    offset = np.zeros(len(text), bool)
    if "z" in names:
        minutes, offset, known = _offset(texts("z"))
        made = made - minutes * 60_000_000
        fits &= known & (made >= _FIRST) & (made <= _LAST)
    return pa.array(made, mask=~fits).cast(NAIVE), pa.array(offset, mask=~fits)


_FIRST, _LAST = (
    int(np.datetime64(text, "us").astype(np.int64)) for text in ("0001-01-01", "9999-12-31T23:59:59.999999")
)


def _days(year: Any, number: Callable[..., Any], texts: Callable[[str], Any], names: list[str]) -> tuple[Any, Any]:
    """Days of the calendar, and whether there are such days."""
    first = (year - 1970).astype("M8[Y]")
    if "V" in names:  # ISO 8601: the first week is that of 4 January, and begins on its Monday
        week, day = number("V"), number("u")
        fourth = first.astype("M8[D]") + 3
        monday = fourth - (fourth.astype(np.int64) + 3) % 7
        after = (first + 1).astype("M8[D]") + 3
        weeks = ((after - (after.astype(np.int64) + 3) % 7) - monday).astype(np.int64) // 7
        days = monday + (week - 1) * 7 + (day - 1)
        in_range = (days >= np.datetime64("0001-01-01")) & (days <= np.datetime64("9999-12-31"))
        return days, (week >= 1) & (week <= weeks) & in_range
    if "j" in names:
        day = number("j")
        days = first.astype("M8[D]") + (day - 1)
        return days, (day >= 1) & (days.astype("M8[Y]") == first)
    month, named = number("m"), next((name for name in "bB" if name in names), "")
    if named:
        known = pa.array([name[:3] for name in _MONTHS] if named == "b" else _MONTHS, _LARGE)
        month = np.asarray(pc.fill_null(pc.index_in(pc.utf8_lower(texts(named)).cast(_LARGE), known), -1)) + 1
    day = number("d")
    start = first.astype("M8[M]") + (month - 1)
    days = start.astype("M8[D]") + (day - 1)
    return days, (month >= 1) & (month <= 12) & (day >= 1) & (days.astype("M8[M]") == start)


def _micro(digits: Any) -> tuple[Any, Any]:
    """Fractions of a second in microseconds, and whether these say all of it."""
    padded = pc.utf8_slice_codeunits(_joined(digits, "000000"), 0, 6)
    rest = pc.utf8_slice_codeunits(digits, 6)
    return np.asarray(pc.cast(padded, pa.int64())), np.asarray(pc.invert(pc.match_substring_regex(rest, "[1-9]")))


def _offset(zone: Any) -> tuple[Any, Any, Any]:
    """Minutes east of UTC, whether a zone is said, and whether it can be one."""
    plain = pc.replace_substring(zone, ":", "")
    there = np.asarray(pc.not_equal(zone, ""))
    digits = pc.if_else(pc.less(pc.binary_length(plain), 3), "+0000", plain)  # none, or Z
    digits = pc.if_else(pc.equal(pc.binary_length(digits), 3), _joined(digits, "00"), digits)
    hours, minutes = (
        np.asarray(pc.cast(pc.utf8_slice_codeunits(digits, *ends), pa.int64())) for ends in ((1, 3), (3, 5))
    )
    sign = np.where(np.asarray(pc.starts_with(digits, "-")), -1, 1)
    return sign * (hours * 60 + minutes), there, (hours <= 23) & (minutes <= 59)


def _joined(text: Any, end: str) -> Any:
    return pc.binary_join_element_wise(text, pa.scalar(end, text.type), pa.scalar("", text.type))


def _distinctly(text: Any, parse: Callable[[Any], Any]) -> Any:
    """What `parse` makes of texts, made once a text: days repeat."""
    text = one_chunk(text)
    if len(text) < 1000 or len(text.slice(0, 1000).unique()) > 800:
        return parse(text)
    encoded = text.dictionary_encode()
    return parse(encoded.dictionary).take(encoded.indices)


def one_chunk(array: Any) -> Any:
    """An Arrow array in one chunk."""
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
