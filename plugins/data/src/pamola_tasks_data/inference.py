"""Which type a column of text has, such that nothing is lost: text becomes a number only if the number says it all.

`01234` is not a number (its zero would be lost), nor is `+49…`, `1E10` (an identifier as likely), `nan`, or a number of
more digits than a double holds. Where two different texts are one number, such as `250.0` and `250.00`, all stay text.
`True` and `False`, spelled so, are booleans; dates stay text unless `data_types` says otherwise. One cell that does not
fit makes the whole column text.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks_data.arrow import TEXT, TEXT_DTYPE, content
from pamola_tasks_data.decimals import EXACT_DIGITS, WHOLE, decimals_of
from pamola_tasks_data.directives import has_offset
from pamola_tasks_data.kinds import NOTHING, Kind
from pamola_tasks_data.notation import NAIVE, UTC, Notation, by_format, by_formats

_SAMPLE = 1000
_OTHER_MARKS = tuple(bytes([mark]) for mark in b"eEnNiIxX+")  # what may stand in a number beside digits, - and .

_PLAIN = Notation()
_NUMBERS = (pa.int64(), pa.float64())


AS_TEXT = Kind(None, True)


def recognized(text: Any, written: Notation = _PLAIN) -> tuple[Kind, Any]:
    """What a column of text, null where a value is missing, holds, and its values as that.

    Where it is stated how numbers and dates are written, a column has these if all its texts are written so. What is
    found holds for a part of a column, too: it may still have to be put together with others (see `Kind.of_all`).
    """
    if written.marks or written.formats:
        return _as_written(text, written)
    missing = text.null_count > 0
    if text.null_count == len(text):
        return Kind(NOTHING, missing), text
    kind, values = _kind(text.slice(0, _SAMPLE))
    if kind is not AS_TEXT and len(text) > _SAMPLE:
        # A column with fractions in its first cells is not tried as whole numbers, which takes as long as floats.
        kind, values = _decimal_or_text(text, _Shape(text)) if kind.type == pa.float64() else _kind(text)
    return attrs.evolve(kind, missing=missing), text if kind is AS_TEXT else values


def _as_written(text: Any, written: Notation) -> tuple[Kind, Any]:
    missing, sample = text.null_count > 0, text.slice(0, _SAMPLE)
    for format in written.formats if text.null_count < len(text) else ():
        if all(by_format(part, format).null_count == part.null_count for part in (sample, text)):
            made = by_format(text, format)
            return Kind(made.type, missing), made
    if not written.marks:
        return recognized(text)
    if all(written.numbers(part).null_count == part.null_count for part in (sample, text)):
        kind, values = recognized(written.numbers(text))
        return (kind, values) if kind.type in (*_NUMBERS, NOTHING) else (AS_TEXT, text)
    kind, values = recognized(text)
    return (AS_TEXT, text) if kind.type in _NUMBERS else (kind, values)


def typed(text: Any, kind: Kind, written: Notation = _PLAIN) -> Any:
    """A column of text as an Arrow array of what it holds."""
    if kind.type in _NUMBERS:
        return pc.cast(written.numbers(text) if written.marks else text, kind.type)
    if kind.type in (NAIVE, UTC):
        fitting = [format for format in written.formats if has_offset(format) == (kind.type == UTC)]
        return by_formats(text, fitting)
    return pc.equal(text, "True") if kind.type == pa.bool_() else text


def dtype_of(kind: Kind) -> str:
    """The pandas dtype, as text, that a column of text of this kind is read as."""
    dtypes = {pa.int64(): ("int64", "Int64"), pa.bool_(): ("bool", "boolean"), pa.float64(): ("float64", "float64")}
    dtypes |= {NAIVE: ("datetime64[us]",) * 2, UTC: ("datetime64[us, UTC]",) * 2}
    return dtypes.get(kind.type, (TEXT_DTYPE, TEXT_DTYPE))[kind.missing]


def _kind(text: Any) -> tuple[Kind, Any]:
    if text.null_count == len(text):
        return Kind(NOTHING, True), text
    try:
        whole = pc.cast(text, pa.int64())
    except pa.ArrowInvalid:
        if pc.all(pc.is_in(text, pa.array(["True", "False", None], TEXT))).as_py():
            return Kind(pa.bool_(), False), pc.equal(text, "True")
        return _decimal_or_text(text, _Shape(text))
    shape = _Shape(text)
    if shape.plain and not shape.led:
        wide = shape.longest > EXACT_DIGITS
        return Kind(pa.int64(), False, wide=wide, decimals=WHOLE, minus_zero=shape.minus_zero), whole
    return _decimal_or_text(text, shape)


def _decimal_or_text(text: Any, shape: _Shape) -> tuple[Kind, Any]:
    if shape.led:
        return AS_TEXT, text
    try:
        numbers = pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return AS_TEXT, text
    decimals = decimals_of(text, numbers, plain=shape.plain, longest=shape.longest)
    return (AS_TEXT, text) if decimals is None else (Kind(pa.float64(), False, decimals=decimals), numbers)


class _Shape:
    """How the cells of a column that Arrow takes for numbers are written: looked at in bulk, not cell by cell."""

    def __init__(self, text: Any) -> None:
        self.plain = True  # digits with at most a point and a minus sign
        self.led = False  # some cell begins with a zero before another digit
        self.minus_zero = False  # some cell begins with `-0`: a whole number, or one with a fraction
        self.longest = pc.max(pc.binary_length(text)).as_py() or 0
        for chunk in text.chunks if isinstance(text, pa.ChunkedArray) else [text]:
            if len(chunk):
                self._look_at(chunk)

    def _look_at(self, chunk: Any) -> None:
        _, offsets_buffer, data_buffer = chunk.buffers()
        offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if data_buffer is None or offsets[0] == offsets[-1]:
            return
        if any(mark in piece for piece in content(chunk) for mark in _OTHER_MARKS):
            self.plain = False
        marks = np.frombuffer(data_buffer, dtype=np.uint8)
        starts, ends = offsets[:-1], offsets[1:]
        if chunk.null_count or (starts == ends).any():
            filled = ends > starts
            starts, ends = starts[filled], ends[filled]
        minus = marks[starts] == ord("-")
        signed = bool(minus.any())
        starts = np.minimum(starts + minus, ends - 1) if signed else starts  # a cell may be no more than `-`
        zero = np.flatnonzero(marks[starts] == ord("0"))
        seconds = starts[zero] + 1
        second = marks[seconds[seconds < ends[zero]]]
        self.led = self.led or bool(((second >= ord("0")) & (second <= ord("9"))).any())
        self.minus_zero = self.minus_zero or bool(signed and minus[zero].any())
