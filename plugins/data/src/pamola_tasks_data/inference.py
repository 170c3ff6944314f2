"""Which type a column of text has, such that nothing is lost: text becomes a number only if the number says it all.

`01234` is no number (its zero would be lost), nor is `+49…`, `1E10` (an identifier as likely), `nan`, or a number of
more digits than a double holds. `True` and `False`, spelled so, are booleans; dates stay text unless `data_types`
says otherwise. One cell that does not fit makes the whole column text.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

# A double holds 17 significant decimal digits; every whole number of up to 15 digits is exact.
_DOUBLE_DIGITS = 17
_EXACT_DIGITS = 15
_DECIMAL = r"^-?(?:inf|(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-][0-9]+)?|(?:[0-9]\.[0-9]+)[eE][0-9]+)$"
_SAMPLE = 1000
_OTHER_MARKS = tuple(bytes([mark]) for mark in b"eEnNiIxX+")  # what may stand in a number beside digits, - and .

TEXT = pa.large_string()  # what pandas keeps text as, so that it need not be copied
TEXT_DTYPE = str(pd.Series(["a"]).dtype)


class Kind(enum.Enum):
    """What a column of text holds."""

    EMPTY = "empty"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    LONG_INTEGER = "long integer"  # too long to be exact as a double
    FLOAT = "float"
    TEXT = "text"


@attrs.frozen
class Column:
    """What is known of a column: its kind, and whether values are missing."""

    kind: Kind
    missing: bool

    def merged(self, other: Column) -> Column:
        """What holds for a column of which these two are parts."""
        return Column(_merged(self.kind, other.kind), self.missing or other.missing)

    @property
    def dtype(self) -> str:
        """The pandas dtype, as text, that the column is read as."""
        if self.kind in (Kind.INTEGER, Kind.LONG_INTEGER):
            return "Int64" if self.missing else "int64"
        if self.kind is Kind.BOOLEAN:
            return "boolean" if self.missing else "bool"
        return "float64" if self.kind is Kind.FLOAT else TEXT_DTYPE

    @classmethod
    def of_dtype(cls, dtype: str) -> Column:
        """The other way: how text must be read to become of this dtype."""
        kinds = {
            "int64": Column(Kind.INTEGER, False),
            "Int64": Column(Kind.INTEGER, True),
            "bool": Column(Kind.BOOLEAN, False),
            "boolean": Column(Kind.BOOLEAN, True),
            "float64": Column(Kind.FLOAT, True),
        }
        return kinds.get(dtype, Column(Kind.TEXT, True))


def _merged(one: Kind, two: Kind) -> Kind:
    kinds = {one, two} - {Kind.EMPTY}
    if len(kinds) <= 1:
        return kinds.pop() if kinds else Kind.EMPTY
    if kinds == {Kind.INTEGER, Kind.LONG_INTEGER}:
        return Kind.LONG_INTEGER
    if kinds == {Kind.INTEGER, Kind.FLOAT}:
        return Kind.FLOAT
    return Kind.TEXT


def infer(text: Any) -> Column:
    """What a column of text holds.

    Args:
        text: An Arrow array of strings; null where a value is missing.
    """
    return recognized(text)[0]


def recognized(text: Any) -> tuple[Column, Any]:
    """What a column of text holds, and its values as that: numbers are tried by making them."""
    missing = text.null_count > 0
    if text.null_count == len(text):
        return Column(Kind.EMPTY, missing), text
    kind, values = _kind(text.slice(0, _SAMPLE))
    if kind is not Kind.TEXT:
        kind, values = _kind(text)
    return Column(kind, missing), text if kind is Kind.TEXT else values


def merge_all(parts: Iterable[list[Column]]) -> list[Column]:
    """What holds for columns that came in parts."""
    found: list[Column] = []
    for part in parts:
        found = [a.merged(b) for a, b in zip(found, part, strict=True)] if found else part
    return found


def typed(text: Any, column: Column) -> Any:
    """A column of text as an Arrow array of what it holds."""
    if column.kind in (Kind.INTEGER, Kind.LONG_INTEGER):
        return pc.cast(text, pa.int64())
    if column.kind is Kind.FLOAT:
        return pc.cast(text, pa.float64())
    if column.kind is Kind.BOOLEAN:
        return pc.equal(text, "True")
    return text


def _kind(text: Any) -> tuple[Kind, Any]:
    if text.null_count == len(text):
        return Kind.EMPTY, text
    try:
        whole = pc.cast(text, pa.int64())
    except pa.ArrowInvalid:
        if pc.all(pc.is_in(text, pa.array(["True", "False", None], TEXT))).as_py():
            return Kind.BOOLEAN, pc.equal(text, "True")
        return _decimal_or_text(text, _Shape(text))
    shape = _Shape(text)
    if shape.plain and not shape.minus_zero:
        return Kind.LONG_INTEGER if shape.longest > _EXACT_DIGITS else Kind.INTEGER, whole
    return _decimal_or_text(text, shape)


def _decimal_or_text(text: Any, shape: _Shape) -> tuple[Kind, Any]:
    try:
        numbers = pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return Kind.TEXT, text
    return (Kind.FLOAT, numbers) if _is_decimal(text, shape) else (Kind.TEXT, text)


def _is_decimal(text: Any, shape: _Shape) -> bool:
    """Whether all cells, which Arrow takes for floats, are decimal numbers that a double holds."""
    if not shape.plain and not pc.all(pc.match_substring_regex(text, _DECIMAL)).as_py():
        return False
    if shape.longest <= _EXACT_DIGITS:
        return True
    long = text.filter(pc.greater(pc.binary_length(text), _EXACT_DIGITS))
    pointless = long.filter(pc.invert(pc.match_substring(long, ".")))
    if len(pointless) and pc.any(pc.match_substring_regex(pointless, rf"^-?[0-9]{{{_EXACT_DIGITS + 1},}}$")).as_py():
        return False
    # A point, a sign and a zero before the point are no significant digits.
    spare = pc.add(1, pc.add(pc.starts_with(long, "-").cast(pa.int64()), pc.starts_with(long, "0").cast(pa.int64())))
    longer = long.filter(pc.greater(pc.subtract(pc.binary_length(long), spare), _DOUBLE_DIGITS))
    if not len(longer):
        return True
    mantissa = pc.replace_substring_regex(longer, r"[eE].*$", "")
    digits = pc.replace_substring_regex(pc.replace_substring(mantissa, ".", ""), r"^-?0*", "")
    return bool(pc.max(pc.binary_length(digits)).as_py() <= _DOUBLE_DIGITS)


class _Shape:
    """How the cells of a column that Arrow takes for numbers are written: looked at in bulk, not cell by cell.

    Attributes:
        plain: Digits with at most a point and a minus sign, and no zero before another digit.
        minus_zero: Some cell begins with `-0`.
        longest: The length of the longest cell.
    """

    def __init__(self, text: Any) -> None:
        self.plain = True
        self.minus_zero = False
        self.longest = pc.max(pc.binary_length(text)).as_py() or 0
        for chunk in text.chunks if isinstance(text, pa.ChunkedArray) else [text]:
            if len(chunk):
                self._look_at(chunk)

    def _look_at(self, chunk: Any) -> None:
        _, offsets_buffer, data_buffer = chunk.buffers()
        offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if data_buffer is None or offsets[0] == offsets[-1]:
            return
        begin, end = int(offsets[0]), int(offsets[-1])
        data = memoryview(data_buffer)[begin:end].tobytes()
        if any(mark in data for mark in _OTHER_MARKS):
            self.plain = False
        # Two more bytes, so that the second and third character of the last cell are always there to be looked at.
        marks = np.frombuffer(data + b"  ", dtype=np.uint8)
        sizes = np.diff(offsets)
        starts = (offsets[:-1] - begin)[sizes > 0]
        sizes = sizes[sizes > 0]
        minus = marks[starts] == ord("-")
        starts += minus
        zero = marks[starts] == ord("0")
        second = marks[starts + 1]
        led = zero & (sizes - minus > 1) & (second >= ord("0")) & (second <= ord("9"))
        self.plain = self.plain and not led.any()
        self.minus_zero = self.minus_zero or bool((zero & minus).any())
