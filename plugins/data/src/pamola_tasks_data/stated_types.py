"""Types that columns must have, applied and checked; which ones is said in `data_types` (`column_types`).

A value that does not fit is refused, counted and never shown. Values of other types than text keep what they say;
texts are read as they are stated to be written.
"""

from __future__ import annotations

import decimal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import DataError
from pamola_tasks_data import notation
from pamola_tasks_data.arrow import TEXT_DTYPE, is_text, one_array
from pamola_tasks_data.column_types import ColumnType
from pamola_tasks_data.csv_writing import as_text

DTYPES = {
    "text": TEXT_DTYPE,
    "integer": "Int64",
    "number": "float64",
    "decimal": "object",
    "boolean": "boolean",
    "date": "datetime64[us]",
    "datetime": "datetime64[us]",
    "category": "category",
}
_TEXT = pa.large_string()
_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")
_SHORT_INTEGER = r"^-?0*[0-9]{1,18}$"
_INTEGER = r"^[+-]?[0-9]+(?:\.0*)?$"
_WIDEST = 20  # characters of a whole number of 64 bits
_DAY = 86_400_000_000  # microseconds
_SURE = 15  # significant digits that a double holds, whichever they are
_TOO_WIDE = "beyond whole numbers of 64 bits: state decimal, or text"


def dtype_of(kind: str, zoned: bool | None, seen: str) -> str:
    """The dtype of a column of a stated type: times are in UTC where they are `zoned`, or in the zone seen."""
    if kind == "datetime" and seen.startswith("datetime64[") and "," in seen:
        return f"datetime64[us,{seen.partition(',')[2]}"
    return "datetime64[us, UTC]" if zoned else DTYPES[kind]


class Misfits(Exception):
    """Values that are not of the type stated for their column: which, and what is said of them."""

    def __init__(self, which: Any, words: str) -> None:
        self.which, self.words = which, words


def apply_types(
    frame: pd.DataFrame,
    types: Mapping[str, ColumnType],
    zones: dict[str, bool | None],
    before: int = 0,
    loose: Collection[str] = (),
) -> pd.DataFrame:
    """The frame, the next piece of a table, with these columns converted.

    Args:
        frame: The frame, which is changed.
        types: What its columns are to be.
        zones: Whether the times of a column say an offset from UTC, as far as is known; noted here for other pieces.
        before: How many rows the pieces before had.
        loose: Columns that are left as they are where a value does not fit.

    Raises:
        DataError: Values do not fit; it says how many, and the row of the first.
    """
    problems = []
    for column, stated in types.items():
        if column not in frame.columns:
            continue
        try:
            if stated.kind in ("date", "datetime"):
                frame[column], zones[column] = _to_datetime(frame[column], stated, zones.get(column))
            else:
                frame[column] = _CONVERT[stated.kind](frame[column], stated)
        except Misfits as misfits:
            if column in loose:
                continue
            count = int(pc.sum(misfits.which).as_py())
            values = "1 value is" if count == 1 else f"{count} values are"
            row = before + int(pc.index(misfits.which, pa.scalar(True)).as_py()) + 1
            problems.append(
                f"column {column!r}: {values} {misfits.words}, of {len(frame)} rows, the first in row {row}"
                f" (data_types: {stated.type})"
            )
    if problems:
        raise DataError("; ".join(problems))
    return frame


def values_as(
    texts: Sequence[str], stated: ColumnType | None, dtype: str, options: Mapping[str, Any], zoned: bool | None
) -> list[Any]:
    """Texts as values of a column; None where they do not fit its type.

    Args:
        texts: As cells of its file have them.
        stated: Its type, where `data_types` states one.
        dtype: What it is read as, where none is stated.
        options: How its dataset is written.
        zoned: Whether its times say an offset from UTC, where that is known.
    """
    kinds = [name for start, names in _KINDS_OF.items() if dtype.lower().startswith(start) for name in names]
    found = pd.Series([None] * len(texts), dtype=object)
    for kind in [stated] if stated is not None else [ColumnType(type=name).completed(options) for name in kinds]:
        made: Any = None
        left = pd.Series(list(texts), dtype=TEXT_DTYPE).where(found.isna())
        while made is None:
            try:
                timed = kind.kind in ("date", "datetime")
                made = _to_datetime(left, kind, zoned)[0] if timed else _CONVERT[kind.kind](left, kind)
            except Misfits as misfits:
                left = left.mask(pd.Series(misfits.which.to_pylist(), dtype="boolean").fillna(False).astype(bool))
        found = found.where(made.isna(), made.astype(object))
    return [None if pd.isna(value) else value for value in found]


def lost_by(texts: Any, kind: str) -> bool:
    """Whether a type of numbers does not hold all that these texts say, which are numbers as programs write them."""
    try:
        _CONVERT[kind](pd.Series(texts.to_pylist(), dtype=TEXT_DTYPE), ColumnType(type=kind))
    except Misfits:
        return True
    return False


_KINDS_OF = {"int": ["integer"], "float": ["number"], "bool": ["boolean"], "datetime64": ["date", "datetime"]}


def _parts(series: pd.Series, stated: ColumnType) -> tuple[Any, Any]:
    """The texts among the values of a column, as they are stated to be written; and its other values, as in CSV."""
    try:
        array = one_array(pa.Array.from_pandas(series))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # values of several types; Arrow's message shows one
        texts = series.map(lambda value: isinstance(value, str)).astype(bool)
        text = pa.array(series.where(texts, None), _TEXT, from_pandas=True)
        others = pa.array(series.mask(texts, None).map(str, na_action="ignore"), _TEXT, from_pandas=True)
        return _said(text, stated), _said(others, stated)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_text(array.type):
        return _said(array.cast(_TEXT), stated), None
    others = pa.nulls(len(array), _TEXT) if pa.types.is_null(array.type) else as_text(array).cast(_TEXT)
    return pa.nulls(len(array), _TEXT), _said(others, stated)


def _said(text: Any, stated: ColumnType) -> Any:
    """Texts without blanks at their ends where these do not count, and null where they mean "no value"."""
    text = notation.trimmed(text) if stated.trim else text
    if not stated.missing:
        return text
    words = [*stated.missing, *(f"{word}.0" for word in stated.missing)]  # -9 is -9.0 in a column of floats
    return pc.if_else(pc.is_in(text, pa.array(words, _TEXT)), None, text)


def _all(text: Any, others: Any) -> Any:
    return text if others is None else pc.coalesce(text, others)


def _checked(values: Any, there: Any, words: str) -> Any:
    """The values, refused where one is null that was there."""
    if values.null_count > there.null_count:
        raise Misfits(pc.and_(pc.is_valid(there), pc.is_null(values)), words)
    return values


def _as_series(array: Any, like: pd.Series, dtype: Any = None) -> pd.Series:
    made = pd.Series(dtype.__from_arrow__(array)) if dtype is not None else pa.table({"c": array}).to_pandas()["c"]
    made.index = like.index
    return made


def _numbers(series: pd.Series, stated: ColumnType, noun: str) -> Any:
    """The values as texts of numbers, as programs write them."""
    text, others = _parts(series, stated)
    marked = (stated.decimal or ".", stated.thousands)
    plain = _checked(notation.numbers(text, *marked), text, f"not {noun}{_marks(*marked)}")
    if others is not None and others.null_count < len(others):
        plain = pc.coalesce(plain, _checked(notation.numbers(others), others, f"not {noun}"))
    return plain


def _marks(decimal: str, thousands: str) -> str:
    stated = [f"{mark!r} before the fraction" for mark in [decimal] if mark != "."]
    stated += [f"{mark!r} between thousands" for mark in [thousands] if mark]
    return f" with {' and '.join(stated)}" if stated else ""


def _to_integer(series: pd.Series, stated: ColumnType) -> pd.Series:
    digits = _numbers(series, stated, "whole numbers")
    if not pc.all(pc.match_substring_regex(digits, _SHORT_INTEGER)).as_py():
        whole = pc.if_else(pc.match_substring_regex(digits, _INTEGER), digits, None)
        digits = pc.replace_substring_regex(_checked(whole, digits, "not whole numbers"), r"\.0*$", "")
        digits = pc.replace_substring_regex(digits, r"^(-?)0+([0-9])", r"\1\2")
    try:
        made = pc.cast(digits, pa.int64())
    except pa.ArrowInvalid:
        fits = [text is None or (len(text) <= _WIDEST and -(2**63) <= int(text) < 2**63) for text in digits.to_pylist()]
        made = _checked(pc.if_else(pa.array(fits), digits, None), digits, _TOO_WIDE)
    return _as_series(made, series, pd.Int64Dtype())


def _to_number(series: pd.Series, stated: ColumnType) -> pd.Series:
    if pd.api.types.is_float_dtype(series.dtype) and not stated.missing:
        return series.astype("float64")
    plain = _numbers(series, stated, "numbers")
    made = pc.cast(plain, pa.float64())
    long = pc.fill_null(pc.greater(pc.binary_length(plain), _SURE), False)
    if pc.any(long).as_py():
        digits, kept = _digits(plain.filter(long)), _digits(made.filter(long).cast(_TEXT))
        same = pc.or_(pc.less_equal(pc.binary_length(digits), _SURE), pc.equal(digits, kept))
        exact = pc.replace_with_mask(pc.invert(long), long, same)
        words = "of more digits than a number keeps: state integer, decimal or text"
        _checked(pc.if_else(exact, plain, None), plain, words)
    odd = pc.or_(pc.less(pc.abs(made), sys.float_info.min), pc.invert(pc.is_finite(made)))
    if pc.any(odd).as_py():
        lost = pc.and_(odd, pc.match_substring_regex(plain, "^[^eE]*[1-9]"))
        lost = pc.and_(lost, pc.not_equal(made.cast(_TEXT), plain))
        _checked(pc.if_else(lost, None, made), plain, "beyond the numbers that a float holds: state decimal")
    return _as_series(made, series).astype("float64")


def _digits(plain: Any) -> Any:
    """The significant digits of texts of numbers, without zeros at their ends."""
    digits = pc.replace_substring_regex(plain, r"^-?0*\.?0*|[eE].*$", "")  # with at most a point
    return pc.replace_substring_regex(pc.replace_substring(digits, ".", ""), "0*$", "")


def _to_decimal(series: pd.Series, stated: ColumnType) -> pd.Series:
    if pd.api.types.is_float_dtype(series.dtype):
        raise Misfits(pa.array(series.notna()), "stored as floats, which hold no exact decimals: state number")
    plain = _numbers(series, stated, "decimal numbers")
    fixed = pc.if_else(pc.match_substring_regex(plain, "[eE]"), None, plain)
    digits = pc.replace_substring_regex(_checked(fixed, plain, "written with an exponent"), r"[.-]", "")
    short = pc.less_equal(pc.binary_length(digits), 38)
    _checked(pc.if_else(short, plain, None), plain, "longer than 38 digits: state text")
    made = [None if text is None else decimal.Decimal(text) for text in plain.to_pylist()]
    return pd.Series(made, index=series.index, dtype=object)


def _to_boolean(series: pd.Series, stated: ColumnType) -> pd.Series:
    text = _all(*_parts(series, stated))
    true, false = stated.true or _TRUE, stated.false or _FALSE
    words = pa.array([*(word.lower() for word in true), *(word.lower() for word in false)], _TEXT)
    place = pc.index_in(pc.utf8_lower(text), words)
    said = f"none of {', '.join(map(repr, (*true, *false)))}" if stated.true else "not true or false"
    return _as_series(_checked(pc.less(place, len(true)), text, said), series, pd.BooleanDtype())


def _to_datetime(series: pd.Series, stated: ColumnType, zoned: bool | None) -> tuple[pd.Series, bool | None]:
    """Times to the microsecond, in UTC where they say an offset; `zoned` says whether those of other pieces do."""
    alone = stated.kind == "date"
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        made = series.dt.as_unit("us")
        finer = pa.array(series.notna() & (made != series))
        if pc.any(finer).as_py():
            raise Misfits(finer, "given to the nanosecond, of which only microseconds would be kept")
        if alone:
            made = made.dt.tz_localize(None)
            _checked_days(pa.array(made), None, "not dates, but times")
        return made, zoned
    text, others = _parts(series, stated)
    if others is not None and not stated.format:
        numbers = pa.array(series.map(lambda value: isinstance(value, int | float) and value == value).astype(bool))
        if pc.any(numbers).as_py():
            raise Misfits(numbers, "given as numbers, not as dates")
    elif others is not None:
        digits = pc.if_else(pc.match_substring_regex(others, "^[0-9]+$"), others, None)
        text, others = pc.coalesce(text, digits), pc.if_else(pc.is_valid(digits), None, others)
    noun = f"not written as {stated.format}" if stated.format else "not ISO dates"
    noun += "" if stated.format or alone else " and times of at most six decimals and 59 seconds"
    made, offsets = notation.times(text, stated.format)
    _checked(made, text, noun)
    if others is not None:
        more, theirs = notation.times(others, "")
        made, offsets = pc.coalesce(made, _checked(more, others, noun)), pc.coalesce(offsets, theirs)
    if alone:
        _checked_days(made, offsets, noun)
    if offsets.null_count < len(offsets):
        zoned = pc.any(offsets).as_py() if zoned is None else zoned
        wrong = pc.fill_null(pc.not_equal(offsets, zoned), False)
        if pc.any(wrong).as_py():
            words = ("without", "one") if zoned else ("with", "none")
            raise Misfits(wrong, f"{words[0]} an offset from UTC, beside others that have {words[1]}")
    return _as_series(made.cast(notation.UTC if zoned else notation.NAIVE), series), zoned


def _checked_days(made: Any, offsets: Any, words: str) -> None:
    """Refuse times that are no days alone."""
    microseconds = pc.fill_null(made.cast(notation.NAIVE).cast(pa.int64()), 0)
    timed = pa.array(microseconds.to_numpy(zero_copy_only=False) % _DAY != 0)
    timed = timed if offsets is None else pc.or_(timed, offsets)
    if pc.any(timed).as_py():
        raise Misfits(pc.fill_null(timed, False), words)


def _to_category(series: pd.Series, stated: ColumnType) -> pd.Series:
    if not (stated.order or stated.missing or stated.trim):
        return series.astype("category")
    text = _all(*_parts(series, stated))
    if not stated.order:
        return _as_series(text, series).astype("category")
    known = pc.if_else(pc.is_in(text, pa.array(stated.order, _TEXT)), text, None)
    values = _as_series(_checked(known, text, f"none of {', '.join(map(repr, stated.order))}"), series)
    return values.astype(pd.CategoricalDtype(list(stated.order), ordered=True))


_CONVERT: Mapping[str, Callable[[pd.Series, ColumnType], pd.Series]] = {
    "text": lambda series, stated: _as_series(_all(*_parts(series, stated)), series),
    "integer": _to_integer,
    "number": _to_number,
    "decimal": _to_decimal,
    "boolean": _to_boolean,
    "category": _to_category,
}
