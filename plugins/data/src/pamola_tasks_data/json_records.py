"""JSON: an array of objects, or one object a line. Values keep their type; texts like dates stay text."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import plain, to_frame
from pamola_tasks_data.dataset import check_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_EXACT = (type(None), bool, int, float, str)


def read_array(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """An array of objects."""
    try:
        records = json.loads(file.read())
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise DataError(f"it is not JSON: {_place(problem)}") from None
    if not isinstance(records, list):
        raise DataError("a dataset in JSON is an array of objects, one a row")
    if columns is not None:
        check_columns(columns, list({name: None for record in records if isinstance(record, dict) for name in record}))
    return _frame(records, columns)


def read_lines(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """One object a line; blank lines are left out."""
    records = []
    seen: dict[str, None] = {}
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise DataError(f"line {number} is not JSON") from None
        if columns is not None and isinstance(record, dict):
            seen.update(dict.fromkeys(record))
            record = {name: record[name] for name in columns if name in record}
        records.append(record)
    if columns is not None:
        check_columns(columns, list(seen))
    return _frame(records, columns)


def write_array(frames: Iterable[pd.DataFrame], file: IO[bytes], options: Mapping[str, Any]) -> int:
    """An array of objects, one a line. Returns the number of rows."""
    rows = 0
    for line in _lines(frames):
        file.write(b"[\n" if rows == 0 else b",\n")
        file.write(line)
        rows += 1
    file.write(b"\n]\n" if rows else b"[]\n")
    return rows


def write_lines(frames: Iterable[pd.DataFrame], file: IO[bytes], options: Mapping[str, Any]) -> int:
    """One object a line. Returns the number of rows."""
    rows = 0
    for line in _lines(frames):
        file.write(line + b"\n")
        rows += 1
    return rows


def _frame(records: list[Any], columns: Sequence[str] | None) -> pd.DataFrame:
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(f"record {number} is no object: every row of a dataset in JSON is one")
    names = list(dict.fromkeys(name for record in records for name in record))
    if columns is not None:
        names = list(columns)
    frame = pd.DataFrame(index=pd.RangeIndex(len(records)))
    for name in names:
        frame[name] = column_of([record.get(name) for record in records])
    return frame


def column_of(values: list[Any]) -> pd.Series[Any]:
    """Values as a column of the one type that they have, or as they are where they have several."""
    if all(isinstance(value, _EXACT) for value in values):
        try:
            column = pa.array(values, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return pd.Series(values, dtype=object)
        kinds = {type(value) for value in values}
        if not (pa.types.is_floating(column.type) and int in kinds and _loses(values)) and not pa.types.is_null(
            column.type
        ):
            table = pa.table({"column": column})
            return to_frame(table, ["column"] if column.null_count else [])["column"]
    return pd.Series(values, dtype=object)


def _loses(values: list[Any]) -> bool:
    """Whether a whole number among these is too long for a double."""
    return any(type(value) is int and int(float(value)) != value for value in values)


def _lines(frames: Iterable[pd.DataFrame]) -> Iterator[bytes]:
    header: list[str] | None = None
    for given in frames:
        frame = plain(given)
        names = list(frame.columns)
        if header is not None and names != header:
            raise DataError("pieces of one dataset have different columns: they must be the same, in the same order")
        header = names
        columns = [[None if _missing(v) else v for v in frame[name].tolist()] for name in names]
        for row in zip(*columns, strict=True):
            record = dict(zip(names, row, strict=True))
            try:
                yield json.dumps(record, ensure_ascii=False, allow_nan=False, default=_as_json).encode()
            except (ValueError, TypeError):
                raise DataError("JSON has no way to write infinity, or a value of a type that is no JSON") from None
    if header is None:
        raise DataError("there is nothing to write: not even an empty frame was given")


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _as_json(value: Any) -> Any:
    """Values that JSON does not know, as what people would write."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, (bytes, bytearray)):
        raise TypeError("bytes are no JSON")
    return str(value)


def _place(problem: json.JSONDecodeError | UnicodeDecodeError) -> str:
    if isinstance(problem, json.JSONDecodeError):
        return f"line {problem.lineno}, column {problem.colno}"
    return f"byte {problem.start} is not UTF-8"
