"""What JSON text may hold and a table cannot: keys twice in one object, half a character, more digits than a float."""

from __future__ import annotations

import decimal
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import DataError
from pamola_tasks_data.decimals import longer_than_needed

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.S)
_KEY_END = re.compile(rb'"[ \t\r\n]*:')  # and where a text begins or goes on with a colon
_PIECE = 1 << 16  # bytes that stay in the cache of a processor
_MAYBE_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character beyond the first 65,536: RFC 8259, section 8.2


def check_keys(block: bytes, number: int) -> None:
    """Refuse objects that have a key twice: of the values, all but the last would be lost."""
    for place, line in enumerate(block.split(b"\n"), number):
        try:
            json.loads(line.strip() or b"0", object_pairs_hook=unique)
        except DataError as problem:
            raise DataError(f"line {place:,}: {problem}") from None


def has_keys(records: Sequence[Mapping[str, Any]], text: bytes) -> bool:
    """Whether records have as many keys, with those of what is in them, as this text: none was lost."""
    colons = _colons(text)
    if colons == sum(map(len, records)):
        return True
    keys = sum(map(_keys, records))
    return keys in (colons, len(_KEY_END.findall(text)))


def _colons(text: bytes) -> int:
    """How many colons follow a quote or a blank, as each does that follows a key, and some in texts may."""
    marks = np.frombuffer(text, np.uint8)
    found = 0
    for place in range(0, len(marks), _PIECE):
        piece = marks[place : place + _PIECE + 1]
        found += int(np.count_nonzero((piece[1:] == ord(":")) & (piece[:-1] <= ord('"'))))
    return found


def _keys(value: Any) -> int:
    """How many keys it has, with those of what is in it."""
    if isinstance(value, dict):
        return len(value) + sum(map(_keys, value.values()))
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these keys and values; DataError if a key is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise DataError(f"an object has the key {repeated!r} more than once: name each value differently")
    return found


def half_of_a_character(text: str) -> int | None:
    """Where JSON text has an escape of one half of a character without the other."""
    if "\\" not in text or _MAYBE_HALF.search(text) is None:
        return None
    first: int | None = None  # half, behind which the second has to follow
    for escape in _ESCAPE.finditer(text):
        code = int(escape[1] or "0", 16)
        if 0xDC00 <= code < 0xE000 and first is not None and first + 6 == escape.start():
            first = None
        elif first is not None:
            return first
        elif 0xD800 <= code < 0xDC00:
            first = escape.start()
        elif 0xDC00 <= code < 0xE000:
            return escape.start()
    return first


def cut_column(record: Mapping[str, Any]) -> str | None:
    """The key of a record that has half of a character in it or its value."""
    for name, value in record.items():
        try:
            json.dumps({name: value}, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return name
    return None


def cut_text(record: Mapping[str, Any]) -> str:
    """What is said of such a record."""
    name = (cut_column(record) or "?").encode(errors="replace").decode()
    return (
        f"column {name!r}: a text has an escape for half of a character (\\ud800 to \\udfff), as where a text was cut"
        " off within one: remove the escape"
    )


# ---------------------------------------------------------------- digits of numbers

_DOUBLE = 17  # decimal digits that tell all doubles apart
_BEHIND = 32  # bytes behind a piece in which a number may go on
_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_OF_NUMBERS, _BEFORE, _AFTER = (
    np.isin(np.arange(256), list(marks)) for marks in (b"0123456789.eE+-", b":,[ \t\r\n", b",]} \t\r\n")
)


def exact(text: str) -> Any:
    """A JSON number with a fraction or an exponent: a float, where that is what it says, else a `Decimal` or text."""
    number = float(text)
    if repr(number) == text:
        return number
    try:
        said = decimal.Decimal(text)
    except decimal.InvalidOperation:  # an exponent beyond all
        return text
    digits = len(said.as_tuple().digits)
    same = decimal.Decimal(repr(number)) == said
    if not same and digits <= _DOUBLE and abs(number) < float("inf"):
        same = decimal.Decimal(f"{number:.{digits - 1}e}") == said
    return number if same else said


def floats_hold(text: bytes) -> bool:
    """Whether floats hold all numbers of JSON text, seen in bulk; False also where that is not certain."""
    if not _may_be_long(text):
        return True
    marks = np.frombuffer(b" " + text + b" ", np.uint8)
    edges = np.flatnonzero(np.diff(_OF_NUMBERS[marks])) + 1
    starts, ends = edges[::2], edges[1::2]
    there = (ends - starts > 4) & _BEFORE[marks[starts - 1]] & _AFTER[marks[ends]]
    starts, ends = starts[there], ends[there]
    inside = np.zeros(len(marks), np.int8)
    inside[starts], inside[ends] = 1, -1
    offsets = np.append(0, np.cumsum(ends - starts))
    buffers = [pa.py_buffer(part) for part in (offsets, marks[np.cumsum(inside, dtype=np.int8).astype(bool)])]
    numbers = pa.LargeStringArray.from_buffers(len(starts), *buffers)
    numbers = numbers.filter(
        pc.and_(pc.match_substring_regex(numbers, _NUMBER), pc.match_substring_regex(numbers, "[.eE]"))
    )
    try:
        return longer_than_needed(numbers, pc.cast(numbers, pa.float64())) is not None
    except pa.ArrowInvalid:
        return False


def _may_be_long(text: bytes) -> bool:
    """Whether there are 17 digits and points in a row, or an exponent of three digits."""
    marks = np.frombuffer(text, np.uint8)
    for place in range(0, len(marks), _PIECE):
        piece = marks[place : place + _PIECE + _BEHIND]
        digit = piece - np.uint8(ord(".")) <= ord("9") - ord(".")
        two = digit[:-1] & digit[1:]
        four = two[:-2] & two[2:]
        eight = four[:-4] & four[4:]
        sixteen = eight[:-8] & eight[8:]
        if (sixteen[:-1] & digit[16:]).any():
            return True
        exponent = digit[:-1] & (piece[1:] | 32 == ord("e"))
        if exponent.any():
            three = two[:-1] & two[1:]
            places = np.flatnonzero(exponent[:-4])
            signed = np.isin(piece[places + 2], (ord("+"), ord("-")))
            if three[np.minimum(places + 2 + signed, len(three) - 1)].any():
                return True
    return False
