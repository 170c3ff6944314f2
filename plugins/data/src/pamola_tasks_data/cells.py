"""Cells of several values, and those of columns that have no one type, as text: one rule for all formats.

Text stays as it is. Anything else becomes canonical JSON (RFC 8785): keys sorted, no blanks, numbers as ECMAScript
writes them, but whole numbers with all their digits. Beyond JSON, dates and times are texts in ISO 8601, decimals are
numbers, and bytes are texts in base64 (RFC 4648). Values that are equal as JSON (`1` and `1.0`) have equal text.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping
from typing import Any

import pandas as pd
import pyarrow as pa

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import TEXT, TEXT_DTYPE, is_missing

_HALF = re.compile("[\ud800-\udfff]")
_FLOAT = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?")
# What `infer_dtype` calls columns of objects that go through every operation and format as they are.
_ONE_TYPE = {"string", "empty", "boolean", "floating", "decimal", "date", "datetime", "datetime64", "time"}
_TEXTS = {"string", "empty"}
_NUMBERS = {"integer", "mixed-integer-float"}
_MOST_ZEROS = 100  # that a decimal number is written with, rather than with an exponent
NESTED, BYTES = "objects or arrays, which were read as JSON", "bytes, which were read as base64"
LONG = "numbers that a float does not hold, which were read as text"
SEVERAL = "values of several types, which were read as text"


def text_of(value: Any) -> str | None:
    """A cell as text; None where it is missing."""
    if isinstance(value, str):
        return value
    if is_missing(value):
        return None
    made = json_of(value)
    return made if made[:1] != '"' else str(json.loads(made))


class _Mark(str):
    """A bracket, comma or name between values that are still to be written."""


def json_of(value: Any) -> str:
    """A value as canonical JSON, however deep it is."""
    made: list[str] = []
    left: list[Any] = [value]
    while left:
        each = left.pop()
        if isinstance(each, _Mark):
            made.append(each)
        elif isinstance(each, Mapping):
            named = [(key if isinstance(key, str) else _name(key), key) for key in each]
            named.sort(key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
            inside = [
                (_Mark(f"{',' if place else ''}{_scalar(name)}:"), each[key]) for place, (name, key) in enumerate(named)
            ]
            made.append("{")
            left.append(_Mark("}"))
            left += [item for mark, cell in reversed(inside) for item in (cell, mark)]
        elif isinstance(each, (list, tuple)):
            made.append("[")
            left.append(_Mark("]"))
            left += [
                item for place in range(len(each) - 1, -1, -1) for item in (each[place], _Mark("," if place else ""))
            ]
        elif isinstance(each, (set, frozenset)):
            made.append("[" + ",".join(sorted(map(json_of, each))) + "]")
        elif hasattr(each, "tolist") and not isinstance(each, memoryview):  # arrays and scalars of numpy
            left.append(each.tolist())
        else:
            made.append(_scalar(each))
    return "".join(made)


def _scalar(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT:
        return "null"
    if isinstance(value, str):
        return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            return "null"
        return format(value, "f") if abs(value.adjusted()) < _MOST_ZEROS else str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f'"{base64.b64encode(value).decode()}"'
    if isinstance(value, datetime.datetime):
        midnight = value.tzinfo is None and value.time() == datetime.time()
        return f'"{value.date().isoformat() if midnight else value.isoformat()}"'
    if isinstance(value, (datetime.date, datetime.time, pd.Timedelta)):
        return f'"{value.isoformat()}"'
    return _scalar(str(value))


def _name(key: Any) -> str:
    return text_of(key) or "null"


def _number(value: float) -> str:
    """As ECMAScript writes it: with an exponent only from 1e21 on, and below 1e-6."""
    if not math.isfinite(value):
        return "null" if value != value else f'"{value}"'
    if value == 0:
        return "0"
    found = _FLOAT.fullmatch(repr(value))
    assert found is not None
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", int(found[4] or 0)
    point = len(whole) + exponent
    digits = whole + fraction
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    if 0 < point <= 21:
        digits = digits.ljust(point, "0")
        return sign + digits[:point] + ("." + digits[point:] if digits[point:] else "")
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[0]}{'.' + digits[1:] if digits[1:] else ''}e{point - 1:+d}"


def texts(values: Iterable[Any]) -> Any:
    """Cells as an array of text."""
    try:
        return pa.array([text_of(value) for value in values], TEXT)
    except UnicodeEncodeError:
        raise DataError("a text has half of a character (a surrogate without its other half)") from None


def what_is_no_single_type(values: Iterable[Any]) -> str:
    """Why these cells are read as text, in words; empty where all of them are text, or missing."""
    types = {type(value) for value in values if not is_missing(value)} - {str}
    if not types:
        return ""
    if any(issubclass(each, (Mapping, list, tuple, set, frozenset)) for each in types):
        return NESTED
    if types <= {bytes, bytearray, memoryview}:
        return BYTES
    if decimal.Decimal in types and types <= {decimal.Decimal, float, int}:
        return LONG
    for kind, noun in ((datetime.time, "times of day"), (datetime.timedelta, "spans of time")):
        if types and all(issubclass(each, kind) for each in types):
            return f"{noun}, which were read as text"
    if types == {int} and not any(isinstance(value, str) for value in values):
        return "whole numbers of more than 64 bits, which were read as text"
    return SEVERAL


def tell(column: str, why: str, told: MutableMapping[str, Any], warn: Callable[[str], object]) -> None:
    """Say once that the cells of a column were read as text, and what decides otherwise."""
    known = told.setdefault("read as text", set())
    if why and column not in known:
        known.add(column)
        aim = "to read them as UTF-8" if why is BYTES else "if that is meant"
        warn(f"column {column!r} holds {why}: state {column}: text in data_types {aim}")


def flat(frame: pd.DataFrame, stated: Mapping[str, bool], found: Callable[[str, str], object]) -> pd.DataFrame:
    """The frame with text for cells that have no one type.

    Args:
        frame: May be changed.
        stated: Columns that are stated to be text (`True`), and those that are left as they are.
        found: Called with the name of each column that was made text, and what it held.
    """
    for name in frame.columns.unique():
        column = frame[name]
        if column.ndim > 1 or not pd.api.types.is_object_dtype(column):
            continue
        one_type = _TEXTS if stated.get(name) else _ONE_TYPE
        if not stated.get(name, True) or goes_together(column, one_type):
            continue
        found(str(name), what_is_no_single_type(column))
        frame[name] = pd.Series(texts(column).to_pandas().astype(TEXT_DTYPE).array, index=frame.index)
    return frame


def goes_together(column: pd.Series[Any], one_type: Collection[str]) -> bool:
    """Whether the objects of a column are of one of these types, which Arrow has and every operation takes."""
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found not in _NUMBERS or one_type is _TEXTS:
        return found in one_type
    try:
        pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, OverflowError):
        return False
    return True
