"""JSON: an array of objects, or one object a line. Values keep their type; texts like dates stay text.

Arrow's own reader of JSON is not used: it takes texts for times, and some damaged files end the process. Lines are
decoded by msgspec where it is there (the extra `json`), and by the standard library where it is not, or refuses a line.
They are written by Arrow, column by column, which is several times as fast as one object after the other.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import HALF, in_minutes, is_missing, is_text, one_array, plain
from pamola_tasks_data.csv_writing import as_text, by_value, bytes_of
from pamola_tasks_data.dataset import check_columns
from pamola_tasks_data.expanding import CELL, check_expansion
from pamola_tasks_data.json_damage import (
    check_keys,
    cut_column,
    cut_text,
    exact,
    floats_hold,
    half_of_a_character,
    has_keys,
    unique,
)
from pamola_tasks_data.kinds import Part, cut, dtypes_of, kinds_of, read_parts

_ROWS = 1 << 16
_LARGE = pa.large_string()
_ESCAPED = bytes([*range(0x20), *b'"\\'])  # RFC 8259, section 7
_ESCAPED_PATTERN = r'["\\\x00-\x1f]'
_NOTHING, _QUOTE = pa.scalar("", _LARGE), pa.scalar('"', _LARGE)
_BLOCK = 1 << 22
_DIGITS = sys.get_int_max_str_digits()
_LONG_NUMBER = re.compile(rf'"(?:[^"\\]|\\.)*"|(?P<digits>[0-9]{{{_DIGITS + 1},}})')
_TOO_LONG = f"has a whole number of more than {_DIGITS:,} digits: write it as a text, in quotes"


def _plainly(line: bytes, parse_float: Callable[[str], Any] | None = None) -> Any:
    text = line.decode()
    record = json.loads(text, parse_float=parse_float)
    if isinstance(record, dict) and half_of_a_character(text) is not None:
        raise DataError(cut_text(record))
    return record


_exactly = partial(_plainly, parse_float=exact)

try:
    import msgspec

    _quickly: Callable[[bytes], Any] = msgspec.json.Decoder().decode
    _PROBLEMS: tuple[type[Exception], ...] = (msgspec.DecodeError, ValueError, RecursionError)
except ImportError:
    _quickly, _PROBLEMS = _plainly, ()


def read_array(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """An array of objects."""
    data = file.read()
    encoding = json.detect_encoding(data)
    try:
        text, size = data.decode(encoding), len(data)
        records = json.loads(text, parse_float=None if floats_hold(text.encode()) else exact)
    except json.JSONDecodeError as problem:
        lines = ": is it JSON Lines? Give it the ending .jsonl" if problem.msg == "Extra data" else ""
        raise DataError(f"it is not JSON: line {problem.lineno}, column {problem.colno}{lines}") from None
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise DataError(f"it is not JSON: byte {problem.start} is not {encoding.upper()}, in line {line:,}") from None
    except ValueError:  # Python's limit, against numbers that take minutes to read
        before = text[: next((match.start() for match in _LONG_NUMBER.finditer(text) if match["digits"]), 0)]
        line = before.count("\n") + 1
        raise DataError(f"line {line:,} {_TOO_LONG}") from None
    except RecursionError:
        raise DataError("it is nested too deeply to be a table") from None
    if not isinstance(records, list):
        raise DataError("a dataset in JSON is an array of objects, one a row")
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(f"record {number} is not an object: every row of a JSON dataset must be one")
    if not has_keys(records, data if encoding == "utf-8" else text.encode()):
        json.loads(text, object_pairs_hook=unique)
    if (place := half_of_a_character(text)) is not None:
        cut: Mapping[str, Any] = next((record for record in records if cut_column(record) is not None), {})
        line = text.count("\n", 0, place) + 1
        raise DataError(f"line {line:,}, {cut_text(cut)}")
    table = _Table(columns, options, "record")
    part = table.part(records, size, lambda place: place + 1)
    table.check(columns or ())
    return read_parts([part], columns or (), columns, {**options, "dtypes": None})


def read_lines(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """One object a line; blank lines are left out."""
    return read_parts(_parts(file, columns, options), columns or (), columns, options)


def chunks(
    file: IO[bytes], size: int, columns: Sequence[str] | None, options: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """The table in pieces of `size` rows, each column of one type throughout, in constant memory."""
    return cut(lambda: _parts(file, columns, options), size, columns or (), columns, options)


def schema(file: IO[bytes], options: Mapping[str, Any]) -> dict[str, str]:
    """Columns and the dtypes that they are read as; every row is looked at, in constant memory."""
    columns = options.get("columns")
    return dtypes_of(kinds_of(_parts(file, columns, options), columns or ()))


def _parts(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> Iterator[Part]:
    """The file some thousand rows at a time, with the columns asked for."""
    table = _Table(columns, options, "line")
    for number, block in _blocks(file):
        records = list(_records(block, number, _quickly if floats_hold(block) else _exactly))
        if not has_keys(records, block):
            check_keys(block, number)
        yield table.part(records, len(block), partial(_line, block, number))
    table.check(columns or ())


def _blocks(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Whole lines, and the number of the first of them."""
    number, waiting = 1, [b""]
    for data in _as_utf8(file):
        end = data.rfind(b"\n") + 1
        if end:
            block = b"".join([*waiting, data[:end]])
            yield number, block
            number += block.count(b"\n")
            waiting = []
        waiting.append(data[end:])
    yield number, b"".join(waiting)


def _as_utf8(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file in UTF-8, without a byte order mark, whatever encoding of Unicode it has."""
    file.seek(0)
    data = file.read(_BLOCK)
    encoding = json.detect_encoding(data)
    decode = None if encoding.startswith("utf-8") else codecs.getincrementaldecoder(encoding)().decode
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        while data:
            yield data if decode is None else decode(data).encode()
            data = file.read(_BLOCK)
        if decode is not None:
            decode(b"", True)
    except UnicodeDecodeError:
        raise DataError(f"its bytes are not all {encoding.upper()}") from None


def _line(block: bytes, number: int, place: int) -> int:
    """The number of the line of a record at this place in a block, of which the first line has the number given."""
    filled = (at for at, line in enumerate(block.split(b"\n"), number) if line.strip(b" \t\r"))
    return next(islice(filled, place, None))


def _records(block: bytes, number: int, decode: Callable[[bytes], Any]) -> Iterator[dict[str, Any]]:
    """The objects in some lines, of which the first has this number."""
    for place, line in enumerate(block.split(b"\n"), number):
        if not line.strip(b" \t\r"):
            continue
        record = _decoded(line, place, decode)
        if not isinstance(record, dict):
            names = ' with the names of columns, such as {"id": 1}' if isinstance(record, list) else ""
            raise DataError(f"line {place} is not an object{names}: every row of a JSON Lines dataset must be one")
        yield record


def _decoded(line: bytes, place: int, decode: Callable[[bytes], Any]) -> Any:
    try:
        try:
            return decode(line)
        except _PROBLEMS:  # only the standard library reads all that is JSON
            return _plainly(line)
    except DataError as problem:
        raise DataError(f"line {place:,}, {problem}") from None
    except ValueError as problem:
        known = {json.JSONDecodeError: "is not JSON", UnicodeDecodeError: "is not JSON: it is not UTF-8"}
        wrong = known.get(type(problem), _TOO_LONG)
        raise DataError(f"line {place} {wrong}") from None
    except RecursionError:
        raise DataError(f"line {place} is nested too deeply to be a row") from None


class _Table:
    """What is known of a table of which the rows come in parts: each key is a column, with a cell in every row."""

    def __init__(self, columns: Sequence[str] | None, options: Mapping[str, Any], row: str) -> None:
        self._columns, self._options, self._row = columns, options, row
        self._limit = options.get("key_limit", math.inf)
        self._rows = self._bytes = 0
        self.seen: dict[str, Any] = {}  #: all names, as keys

    def part(self, records: list[dict[str, Any]], size: int, number_of: Callable[[int], int]) -> Part:
        """Objects of so many bytes as the next part, with the columns asked for; refused where it becomes too large.

        `number_of` gives the number of a record, for messages, by its place among these.
        """
        here: dict[str, Any] = {}
        for record in records:
            here.update(record)
            if len(here) > self._limit:
                break
        if len(self.seen) + len(here) > self._limit:  # perhaps
            for place, record in enumerate(records):
                self.seen.update(record)
                if len(self.seen) > self._limit:
                    raise self._too_wide(number_of(place))
        self.seen.update(dict.fromkeys(here))
        self._rows, self._bytes = self._rows + len(records), self._bytes + size
        columns = self.seen if self._columns is None else self._columns
        check_expansion(CELL * self._rows * len(columns), self._bytes, self._options)
        return Part.of(len(records), {name: _values(records, name) for name in columns if name in here})

    def check(self, columns: Sequence[str]) -> None:
        """Refuse columns that no row had."""
        if columns and not self._rows:
            raise DataError(
                "it has no rows, and in JSON only rows have the names of columns: tables that may be without rows are"
                " read from CSV or Parquet"
            )
        check_columns(columns, list(self.seen))

    def _too_wide(self, number: int) -> DataError:
        return DataError(
            f"up to {self._row} {number:,} it has more than {self._limit:,} different keys, of which each is a column:"
            " make the keys values, or set data.key_limit higher"
        )


def _values(records: list[dict[str, Any]], name: str) -> list[Any]:
    try:
        return list(map(itemgetter(name), records))
    except KeyError:
        return [record.get(name) for record in records]


# ---------------------------------------------------------------- writing


def write_array(frames: Iterable[pd.DataFrame], file: IO[bytes], options: Mapping[str, Any]) -> int:
    """An array of objects, one a line. Returns the number of rows."""
    written = 0
    for rows, lines in _lines(frames, ",\n", ""):
        if rows:
            file.write(lines if written else b"[\n" + lines.removeprefix(b",\n"))
        written += rows
    file.write(b"\n]\n" if written else b"[]\n")
    return written


def write_lines(frames: Iterable[pd.DataFrame], file: IO[bytes], options: Mapping[str, Any]) -> int:
    """One object a line. Returns the number of rows."""
    written = 0
    for rows, lines in _lines(frames, "", "\n"):
        file.write(lines)
        written += rows
    return written


def _lines(frames: Iterable[pd.DataFrame], before: str, after: str) -> Iterator[tuple[int, bytes]]:
    """Some rows at a time, each with something before and after it."""
    for given in frames:
        frame = in_minutes(plain(given))
        for start in range(0, len(frame), _ROWS):
            rows = frame.iloc[start : start + _ROWS]
            yield len(rows), _joined(rows, before, after)


def _joined(frame: pd.DataFrame, before: str, after: str) -> bytes:
    if not len(frame.columns):
        return (before + "{}" + after).encode() * len(frame)
    parts: list[Any] = []
    for place, name in enumerate(frame.columns):
        start = before + "{" if place == 0 else ", "
        try:
            cells = _cells(frame[name])
        except DataError as problem:
            raise DataError(f"column {name!r}: {problem}") from None
        parts += [pa.scalar(f"{start}{json.dumps(name, ensure_ascii=False)}: ", _LARGE), cells]
    parts += [pa.scalar("}" + after, _LARGE), _NOTHING]
    return bytes_of(pc.binary_join_element_wise(*parts, null_handling="replace", null_replacement="null"))


def _cells(column: pd.Series[Any]) -> Any:
    """The values of a column as JSON, null where they are missing."""
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) != "string":
        return _one_by_one(column)
    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, UnicodeEncodeError):
        return _one_by_one(column)
    cells = _of_array(one_array(array))
    return _one_by_one(column) if cells is None else cells


def _of_array(array: Any) -> Any:
    """The same for an array of texts, truth values or numbers; None for others."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return by_value(array, _of_array)
    if is_text(kind):
        return _quoted(array.cast(_LARGE))
    if pa.types.is_boolean(kind):
        return pc.if_else(array, pa.scalar("true", _LARGE), pa.scalar("false", _LARGE))
    if pa.types.is_floating(kind):
        if pc.any(pc.is_inf(array)).as_py():
            raise DataError("JSON cannot represent infinity")
        return as_text(array.cast(pa.float64()))
    return as_text(array) if pa.types.is_integer(kind) else None


def _quoted(text: Any) -> Any:
    data = bytes_of(text)
    if len(data.translate(None, _ESCAPED)) < len(data):
        odd = pc.fill_null(pc.match_substring_regex(text, _ESCAPED_PATTERN), False)
        escaped = [json.dumps(each, ensure_ascii=False)[1:-1] for each in text.filter(odd).to_pylist()]
        text = pc.replace_with_mask(text, odd, pa.array(escaped, _LARGE))
    return pc.binary_join_element_wise(_QUOTE, text, _QUOTE, _NOTHING)


def _one_by_one(column: pd.Series[Any]) -> Any:
    try:
        cells = [
            None if is_missing(value) else json.dumps(value, ensure_ascii=False, allow_nan=False, default=_as_json)
            for value in column.tolist()
        ]
        return pa.array(cells, _LARGE)
    except UnicodeEncodeError:
        raise DataError(f"it {HALF}") from None
    except (ValueError, TypeError):
        raise DataError(
            "JSON cannot represent infinity, or values of other types than its own: make them text"
        ) from None


def _as_json(value: Any) -> Any:
    """Values that JSON does not know, as what people would write."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, (bytes, bytearray)):
        raise TypeError("bytes are not JSON")
    return str(value)
