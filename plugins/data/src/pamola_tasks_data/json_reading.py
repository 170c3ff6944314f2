"""Reading JSON: an array of objects, or one object a line. Values keep their type; texts like dates stay text.

Arrow's own reader of JSON is not used: it takes texts for times, and some damaged files end the process. Lines are
decoded by msgspec where it is there (the extra `json`), and by the standard library where it is not, or refuses a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import DataError
from pamola_tasks_data.dataset import check_columns
from pamola_tasks_data.python_values import Part, cut, dtypes_of, frame_of, kinds_asked, kinds_of

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 1 << 22
_MARK = b"\xef\xbb\xbf"  # of the order of bytes, which UTF-8 does not need
_decode = json.JSONDecoder().raw_decode

try:
    from msgspec import DecodeError
    from msgspec.json import Decoder
except ImportError:
    _quick = None
else:
    _quick = Decoder().decode


def read_array(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """An array of objects."""
    try:
        records = json.loads(file.read())
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise DataError(f"it is not JSON: {_place(problem)}") from None
    except RecursionError:
        raise DataError("it is nested too deeply to be a table") from None
    if not isinstance(records, list):
        raise DataError("a dataset in JSON is an array of objects, one a row")
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(f"record {number} is not an object: every row of a JSON dataset must be one")
    part, seen = _part(records, columns)
    check_columns(columns or (), list(seen))
    return frame_of([part], kinds_of([part], columns or ()))


def read_lines(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """One object a line; blank lines are left out."""
    parts = list(_parts(file, columns))
    return frame_of(parts, kinds_asked(options, columns) or kinds_of(parts, columns or ()))


def chunks(
    file: IO[bytes], size: int, columns: Sequence[str] | None, options: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """The table in pieces of `size` rows, each column of one type throughout, in constant memory.

    The file is read twice, once to learn columns and types, unless `dtypes` lists them.
    """
    kinds = kinds_asked(options, columns)
    if kinds is None:
        kinds = kinds_of(_parts(file, columns), columns or ())
    yield from cut(_parts(file, columns), size, kinds)


def schema(file: IO[bytes], options: Mapping[str, Any]) -> dict[str, str]:
    """Columns and the dtypes that they are read as; every row is looked at, in constant memory."""
    columns = options.get("columns")
    return dtypes_of(kinds_of(_parts(file, columns), columns or ()))


def _parts(file: IO[bytes], columns: Sequence[str] | None) -> Iterator[Part]:
    """The file some thousand rows at a time, with the columns asked for."""
    seen: dict[str, Any] = {}
    for number, block in _blocks(file):
        part, names = _part(list(_records(block, number)), columns)
        seen.update(names)
        yield part
    check_columns(columns or (), list(seen))


def _blocks(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Whole lines, and the number of the first of them."""
    file.seek(0)
    number, waiting = 1, [file.read(_BLOCK).removeprefix(_MARK)]
    while data := file.read(_BLOCK):
        end = data.rfind(b"\n") + 1
        if end:
            block = b"".join([*waiting, data[:end]])
            yield number, block
            number += block.count(b"\n")
            waiting = []
        waiting.append(data[end:])
    yield number, b"".join(waiting)


def _records(block: bytes, number: int) -> Iterator[dict[str, Any]]:
    """The objects in some lines, of which the first has this number."""
    for place, line in enumerate(block.split(b"\n"), number):
        if not line.strip(b" \t\r"):
            continue
        record = _quickly(line)
        if record is None:
            record = _decoded(line, place)
        if not isinstance(record, dict):
            raise DataError(f"line {place} is not an object: every row of a JSON Lines dataset must be one")
        yield record


def _quickly(line: bytes) -> Any:
    """What a line holds; None where only the standard library can tell, or say what is wrong."""
    if _quick is None:
        return None
    try:
        return _quick(line)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _decoded(line: bytes, place: int) -> Any:
    try:
        text = line.decode().strip(" \t\r")
        record, end = _decode(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise DataError(f"line {place} is not JSON") from None
    except RecursionError:
        raise DataError(f"line {place} is nested too deeply to be a row") from None
    if end != len(text):
        raise DataError(f"line {place} is not JSON")
    return record


def _part(records: list[dict[str, Any]], columns: Sequence[str] | None) -> tuple[Part, Mapping[str, Any]]:
    """Objects as a part of a table; and all names in them, as keys."""
    seen: dict[str, Any] = {}
    for record in records:
        seen.update(record)
    names = [name for name in (seen if columns is None else columns) if name in seen]
    return Part.of(len(records), {name: _values(records, name) for name in names}), seen


def _values(records: list[dict[str, Any]], name: str) -> list[Any]:
    try:
        return list(map(itemgetter(name), records))
    except KeyError:
        return [record.get(name) for record in records]


def _place(problem: json.JSONDecodeError | UnicodeDecodeError) -> str:
    if isinstance(problem, json.JSONDecodeError):
        return f"line {problem.lineno}, column {problem.colno}"
    return f"byte {problem.start} is not UTF-8"
