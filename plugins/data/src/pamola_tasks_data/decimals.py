"""How the decimal numbers of a column of text are written: whether doubles hold them, and keep different texts apart.

Two texts such as `250.0` and `250.00`, or `1` and `1.0`, are one number but may be two codes. Where all cells have as
many decimals, or are written as short as they can be, that cannot happen, which is seen in parts of a column, too. Only
where it might, are its distinct texts compared with their numbers (`merges_texts`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# A double holds 17 significant decimal digits; every whole number of up to 15 digits is exact.
_DOUBLE_DIGITS = 17
EXACT_DIGITS = 15
_TINY = 1e-4
_NORMAL = sys.float_info.min  # smaller ones have fewer digits
# Exponents as programs write them: `1e-05`, `2.5E+20`, `1.0E10`. `12E-4`, `1E10` and `1E-7` are codes as likely.
_NUMBER = (
    r"^-?(?:inf|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+"
    r"|[0-9](?:\.[0-9]+)?e[+-][0-9]+|[0-9]\.[0-9]+E[+-][0-9]+|[0-9]E[+-][0-9]{2,}|[0-9]\.[0-9]+[eE][0-9]+)$"
)
_PRINTED = r"^-?[0-9](?:\.[0-9]+)?e[+-](?:[0-9]{2}|[1-9][0-9]{2})$"  # by `%e` of C and its heirs
_EXPONENT, _LED = 1 << 20, 1 << 16  # where the layout of numbers with an exponent begins, and of those like `.5`
_PIECE = 1 << 12  # cells
_DISTINCT = 1 << 22  # texts that are compared; a column of more, of which some might be one number, stays text


@attrs.frozen
class Decimals:
    """What the spellings of the numbers in a part of a column have in common."""

    layout: int | None  #: decimals that all have, behind a point or an exponent; None where it differs
    pointless: bool = False  #: a number has no point
    padded: bool = False  #: a number has a point and ends in zero
    deep: bool = False  #: so does one with two decimals or more
    exponents: bool = False  #: a number has an exponent, as Python writes it
    tiny: bool = False  #: a number without an exponent would have one in Python
    odd: bool = False  #: a number is written in another way, or longer than it needs to be

    def merged(self, other: Decimals) -> Decimals:
        """What holds for both parts."""
        either = {
            name: getattr(self, name) or getattr(other, name)
            for name in ("pointless", "padded", "deep", "exponents", "tiny", "odd")
        }
        return Decimals(self.layout if self.layout == other.layout else None, **either)

    @property
    def may_merge(self) -> bool:
        """Whether two different texts may be the same number."""
        if self.layout is not None:
            return False
        return self.odd or (self.padded and (self.deep or self.pointless)) or (self.exponents and self.tiny)


WHOLE = Decimals(0, pointless=True)


def decimals_of(text: Any, numbers: Any, *, plain: bool, longest: int) -> Decimals | None:
    """How cells are written that Arrow takes for these floats; None where doubles do not hold what the texts say.

    None begins with a zero before another digit. `plain` cells have digits, a point and a minus sign only; `longest` is
    the length of the longest.
    """
    if plain and longest <= EXACT_DIGITS:
        return _plain(text, numbers)
    marked = None if plain else _marked(text)
    if marked is not None and not pc.all(pc.match_substring_regex(text.filter(marked), _NUMBER)).as_py():
        return None
    long = longer_than_needed(text, numbers)
    if long is None:
        return None
    found = Decimals(None, odd=True) if long else None
    if marked is not None:
        found = _with(found, _of_exponents(text.filter(marked)))
        without = pc.invert(marked)
        text, numbers = text.filter(without), numbers.filter(without)
    if text.null_count < len(text):
        found = _with(found, _plain(text, numbers))
    return found


def _marked(text: Any) -> Any:
    """Cells that have a letter in them, or a plus sign."""
    found = []
    for chunk in _chunks(text):
        _, offsets_buffer, data_buffer = chunk.buffers()
        offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        marks = np.frombuffer(data_buffer or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
        places = np.flatnonzero((marks >= ord("A")) | (marks == ord("+")))
        cells = np.zeros(len(chunk), bool)
        cells[np.searchsorted(offsets, offsets[0] + places, "right") - 1] = True
        found.append(pa.array(cells))
    return pa.chunked_array(found, pa.bool_()) if isinstance(text, pa.ChunkedArray) else found[0]


def _with(one: Decimals | None, other: Decimals) -> Decimals:
    return other if one is None else one.merged(other)


def longer_than_needed(text: Any, numbers: Any) -> bool | None:
    """Whether a text has more digits than the number needs; None where a double does not hold what it says."""
    ends = text.filter(pc.or_(pc.less(pc.abs(numbers), _NORMAL), pc.is_inf(numbers)))
    ends = ends.filter(pc.match_substring_regex(ends, "^[^eE]*[1-9]"))
    if any(repr(float(cell)) != cell for cell in ends.to_pylist()):
        return None  # too small or too large
    long = pc.greater(pc.binary_length(text), EXACT_DIGITS)
    text, numbers = text.filter(long), numbers.filter(long)
    # Texts that are the shortest of their numbers have no digit too many; those of whole numbers are seldom that long.
    cells = zip(_pieces(text), _pieces(numbers), strict=True)
    others = [each.filter(pc.not_equal(pc.cast(part, pa.large_string()), each)) for each, part in cells]
    text = pa.chunked_array(others, pa.large_string())
    if not len(text):
        return False
    mantissa = pc.replace_substring_regex(text, r"[eE].*$", "")
    pointless = mantissa.filter(pc.invert(pc.match_substring(mantissa, ".")))
    if pc.any(pc.greater(pc.utf8_length(pc.utf8_ltrim(pointless, "-")), EXACT_DIGITS)).as_py():
        return None
    digits = pc.replace_substring_regex(pc.replace_substring(mantissa, ".", ""), r"^-?0*", "")
    many = pc.greater(pc.binary_length(digits), EXACT_DIGITS)
    text, digits = text.filter(many), digits.filter(many)
    if not len(text):
        return False
    if pc.max(pc.binary_length(digits)).as_py() > _DOUBLE_DIGITS:
        return None
    longer = False
    for cell, said in zip(text.to_pylist(), digits.to_pylist(), strict=True):
        number = float(cell)
        if f"{abs(number):.{len(said) - 1}e}".partition("e")[0].replace(".", "") != said:
            return None
        longer = longer or repr(number) != cell
    return longer


def _of_exponents(text: Any) -> Decimals:
    if pc.all(pc.match_substring_regex(text, _PRINTED)).as_py():
        mantissa = pc.replace_substring_regex(text, r"^-|e.*$", "")
        lengths = pc.min_max(pc.binary_length(mantissa)).as_py()
        if lengths["min"] == lengths["max"]:
            pythons = all(repr(float(cell)) == cell for cell in text.to_pylist())
            return Decimals(_EXPONENT + lengths["min"], exponents=True, odd=not pythons)
    return Decimals(None, exponents=True, odd=any(repr(float(cell)) != cell for cell in text.to_pylist()))


def _plain(text: Any, numbers: Any) -> Decimals:
    """How plain cells of these numbers are written."""
    found: Decimals | None = None
    for chunk in _chunks(text):
        if chunk.null_count < len(chunk):
            found = _with(found, _plain_chunk(chunk))
    tiny = any(map(_is_tiny, _chunks(numbers)))
    return attrs.evolve(found or WHOLE, tiny=tiny)


def _chunks(cells: Any) -> Any:
    return cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]


def _pieces(cells: Any) -> Iterator[Any]:
    """Cells some thousand at a time, which stay in the cache of a processor."""
    return (cells.slice(place, _PIECE) for place in range(0, len(cells), _PIECE))


def _is_tiny(numbers: Any) -> bool:
    """Whether Python writes one of the numbers with an exponent, as it does below 0.0001."""
    sizes = np.abs(numbers.to_numpy(zero_copy_only=False))
    return bool(((sizes < _TINY) & (sizes > 0)).any())


def _plain_chunk(chunk: Any) -> Decimals:
    _, offsets_buffer, data_buffer = chunk.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    marks = np.frombuffer(data_buffer, dtype=np.uint8)
    starts, ends = offsets[:-1], offsets[1:]
    if chunk.null_count:
        filled = ends > starts
        starts, ends = starts[filled], ends[filled]
    last = marks[ends - 1]
    zero = last == ord("0")
    first = marks[starts[0] : ends[0]]
    decimals = len(first) - 1 - int(point[0]) if len(point := np.flatnonzero(first == ord("."))) else 0
    shortest = int((ends - starts).min())
    if 0 < decimals < shortest and (marks[ends - 1 - decimals] == ord(".")).all():
        layout: int | None = decimals
        led = shortest <= decimals + 2 and bool((marks[_unsigned(marks, starts)] == ord(".")).any())
        if led:  # `.5`: also `0.5`?
            starts = _unsigned(marks, starts)
            layout = None if ((marks[starts] == ord("0")) & (marks[starts + 1] == ord("."))).any() else decimals + _LED
        padded = bool(zero.any())
        return Decimals(layout, padded=padded, deep=padded and decimals > 1, odd=led)
    points = int(np.count_nonzero(marks[starts[0] : ends[-1]] == ord(".")))
    if not points:
        return WHOLE
    odd = bool((marks[_unsigned(marks, starts)] == ord(".")).any() or (last == ord(".")).any())
    if points < len(ends):
        cells = chunk.drop_null().filter(pa.array(zero))
        padded = bool(pc.any(pc.match_substring(cells, ".")).as_py())
        return Decimals(None, pointless=True, padded=padded, deep=padded, odd=odd)
    deep = bool((marks[ends[zero] - 2] != ord(".")).any())
    return Decimals(None, padded=bool(zero.any()), deep=deep, odd=odd)


def _unsigned(marks: Any, starts: Any) -> Any:
    return starts + (marks[starts] == ord("-"))


def merges_texts(parts: Iterable[Any]) -> bool:
    """Whether two different texts of a column of decimal numbers, which comes in parts, are the same number."""
    waiting: list[Any] = []
    distinct, size = pa.array([], pa.large_string()), 0
    for part in parts:
        waiting.append(pc.unique(part).drop_null())
        size += len(waiting[-1])
        if size > len(distinct) + _DISTINCT // 8:
            distinct, waiting, size = _joined(distinct, waiting), [], 0
            if len(distinct) > _DISTINCT or _merged(distinct):
                return True
    return _merged(_joined(distinct, waiting))


def _joined(distinct: Any, parts: list[Any]) -> Any:
    return pc.unique(pa.chunked_array([distinct, *parts], pa.large_string()))


def _merged(distinct: Any) -> bool:
    bits = pc.cast(distinct, pa.float64()).view(pa.int64())
    return bool(len(distinct) > _DISTINCT or pc.count_distinct(bits).as_py() < len(distinct))
