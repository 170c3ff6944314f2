"""Writing CSV so that reading it gives the same values: RFC 4180, lines end with `\\n`.

A missing value is an empty cell, an empty text is `""`. Floats keep their decimal point (`1.0`), whole numbers stay
whole beside missing values, booleans are `True` and `False`, times are ISO 8601, as coarse as loses nothing.
Cells are quoted only where they have to be. Lines are joined by Arrow, which is several times as fast as row by row.
"""

from __future__ import annotations

import codecs
import functools
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import is_text, one_array, to_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

_ROWS = 1 << 16
_SAMPLE = 1000
# What a spreadsheet takes for a formula: also behind blanks, which it skips, and in full-width signs.
_FORMULA = r"^[ \x{a0}]*[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"
_LARGE = pa.large_string()
_NOTHING = pa.scalar("", _LARGE)
_LINE_END = pa.scalar("\n", _LARGE)
_APOSTROPHE = pa.scalar("'", _LARGE)
_POINT_ZERO = pa.scalar(".0", _LARGE)


def write(frames: Iterable[pd.DataFrame], file: IO[bytes], options: Mapping[str, Any]) -> int:
    """Write frames with the same columns, under one header. Returns the number of rows.

    Options: `delimiter`, `quotechar`, `encoding` (`,`, `"` and UTF-8 unless stated), `missing_values` (texts that must
    be quoted, or they would be read as missing), `for_spreadsheets` (formulas become text).
    """
    form = _Form(options)
    encoded = form.encoder()
    header: list[str] | None = None
    rows = 0
    workers = min(4, os.cpu_count() or 1)
    waiting: deque[Future[bytes]] = deque()

    def write_all_but(count: int) -> None:
        while len(waiting) > count:
            file.write(encoded(waiting.popleft().result()))

    with ThreadPoolExecutor(workers) as pool:
        for frame in frames:
            table = _written_form(to_table(frame, mixed_as_text=True))
            if header is None:
                header = table.column_names
                file.write(encoded(form.header(header)))
            rows += table.num_rows
            # As many pieces at a time as there are workers, so that the text of a long table is never whole in memory.
            starts = range(0, table.num_rows, _ROWS)
            for start in starts:
                waiting.append(pool.submit(form.lines, table.slice(start, _ROWS)))
                write_all_but(workers)
            # Those of this frame go on while the next one is made, so that no more than two frames are in memory.
            del frame, table
            write_all_but(min(len(starts), workers))
        write_all_but(0)
    return rows


class _Form:
    """How cells and lines are written."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.delimiter: str = options.get("delimiter") or ","
        self.quote: str = options.get("quotechar") or '"'
        self.encoding: str = options.get("encoding") or "utf-8"
        self.reserved = pa.array([spelling for spelling in options.get("missing_values") or () if spelling], _LARGE)
        self.special = (self.delimiter, self.quote, "\r", "\n")
        self.for_spreadsheets = bool(options.get("for_spreadsheets"))

    def header(self, names: list[str]) -> bytes:
        cells: list[str] = self.quoted(self.guarded(pa.array(names, _LARGE))).to_pylist()
        line: str = self.delimiter.join(cells) + "\n"
        return line.encode()

    def lines(self, table: Any) -> bytes:
        """The lines of a table without chunks worth speaking of."""
        if not table.num_columns:
            return b"\n" * int(table.num_rows)
        cells = [one_array(self.cells(one_array(column))) for column in table.columns]
        last = pc.binary_join_element_wise(cells[-1], _LINE_END, _NOTHING, null_handling="replace", null_replacement="")
        joined = last
        if len(cells) > 1:
            joined = pc.binary_join_element_wise(
                *cells[:-1], last, pa.scalar(self.delimiter, _LARGE), null_handling="replace", null_replacement=""
            )
        return bytes_of(joined)

    def cells(self, array: Any) -> Any:
        """A column as text, quoted where it has to be."""
        if pa.types.is_dictionary(array.type):
            return by_value(array, self.cells)
        text = as_text(array)
        if is_text(array.type):
            return self.quoted(self.guarded(text))
        return self.quoted(text) if self.delimiter in "-.:+ " else text

    def guarded(self, text: Any) -> Any:
        """Where the file is for spreadsheets, texts that one would take for a formula, marked as text."""
        if not self.for_spreadsheets:
            return text
        formulas = pc.fill_null(pc.match_substring_regex(text, _FORMULA), False)
        return pc.if_else(formulas, pc.binary_join_element_wise(_APOSTROPHE, text, _NOTHING), text)

    def quoted(self, text: Any) -> Any:
        """Text with quotes round every cell that would not be read as it is."""
        needs = pc.equal(pc.binary_length(text), 0)
        if len(self.reserved):
            needs = pc.or_(needs, pc.is_in(text, self.reserved))
        data = bytes_of(text)  # most columns have none of the marks, and are looked at no further
        present = [mark for mark in self.special if mark.encode() in data]
        if present:
            needs = pc.or_(needs, _marked(text, data, present))
        if not pc.any(needs).as_py():
            return text
        if len(text) > _SAMPLE and len(text.slice(0, _SAMPLE).unique()) < _SAMPLE / 2:
            encoded = text.dictionary_encode()  # each value once costs less
            return self.quoted(encoded.dictionary).take(encoded.indices)
        quote = pa.scalar(self.quote, _LARGE)
        doubled = pc.replace_substring(text, self.quote, self.quote * 2) if self.quote in present else text
        return pc.if_else(needs, pc.binary_join_element_wise(quote, doubled, quote, _NOTHING), text)

    def encoder(self) -> Callable[[bytes], bytes]:
        """What turns UTF-8 into the encoding of one file, piece by piece."""
        if self.encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            return bytes
        try:
            encode = codecs.getincrementalencoder(self.encoding)().encode
        except LookupError:
            raise DataError(f"unknown encoding {self.encoding!r}") from None

        def encoded(data: bytes) -> bytes:
            try:
                return encode(data.decode())
            except UnicodeEncodeError:
                raise DataError(f"a text has characters that {self.encoding} cannot write: use UTF-8") from None

        return encoded


def by_value(array: Any, cells: Callable[[Any], Any]) -> Any:
    """What `cells` makes of an array of categories: made once a category, unless there are fewer rows."""
    if len(array.dictionary) > len(array):
        return cells(array.dictionary.take(array.indices))
    made = cells(array.dictionary)
    return None if made is None else made.take(array.indices)


def as_text(array: Any) -> Any:
    """An Arrow array as text, as it is written in CSV, without quotes."""
    kind = array.type
    if pa.types.is_boolean(kind):
        return pc.if_else(array, pa.scalar("True", _LARGE), pa.scalar("False", _LARGE))
    if pa.types.is_floating(kind):
        return _floats(pc.cast(array, pa.float32()) if pa.types.is_float16(kind) else array)
    if _holds_several(kind):
        raise DataError(f"CSV cannot hold cells of type {_without_names(kind)}: make them text, or write Parquet")
    return pc.cast(array, _LARGE)


def _holds_several(kind: Any) -> bool:
    return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _without_names(kind: Any) -> str:
    """A type without those of its fields, which are keys of objects in cells."""
    return str(kind).partition("<")[0]


def _floats(array: Any) -> Any:
    """The shortest text that is read as the same float, with a point: Arrow writes 1.0 as 1 and 2e10 as 2e+10."""
    text = pc.cast(array, _LARGE)
    size = pc.abs(array)
    long = pc.fill_null(pc.and_(pc.greater_equal(size, 1e10), pc.less(size, 1e16)), False)
    if pc.any(long).as_py():
        shown = [repr(value) for value in pc.cast(array.filter(long), pa.float64()).to_pylist()]
        text = pc.replace_with_mask(text, long, pa.array(shown, _LARGE))
    whole = pc.and_(pc.equal(pc.floor(array), array), pc.less(size, 1e10))
    if pc.any(whole).as_py():
        pointed = pc.binary_join_element_wise(text.filter(whole), _POINT_ZERO, _NOTHING)
        text = pc.replace_with_mask(text, pc.fill_null(whole, False), pointed)
    return text


def _written_form(table: Any) -> Any:
    """Times as text in the coarsest form that loses nothing, the same for a whole column."""
    for position, field in enumerate(table.schema):
        if _holds_several(field.type):
            raise DataError(
                f"column {field.name!r}: CSV cannot hold cells of type {_without_names(field.type)}: make them text"
            )
        if pa.types.is_timestamp(field.type):
            table = table.set_column(position, field.name, _times(table.column(position), field.type))
        elif pa.types.is_duration(field.type):
            table = table.set_column(position, field.name, _seconds(table.column(position)))
    return table


def _seconds(column: Any) -> Any:
    """Spans of time in seconds; as text with all decimals where one has more digits than a float is sure to hold."""
    decimals = {"s": 0, "ms": 3, "us": 6, "ns": 9}[column.type.unit]
    counts = column.cast(pa.int64())
    if pc.all(pc.less(pc.abs(counts), 10**15)).as_py() is not False:
        return pc.divide(counts.cast(pa.float64()), 10.0**decimals)
    exact = (None if count is None else Decimal(count).scaleb(-decimals) for count in counts.to_pylist())
    return pa.array([None if each is None else f"{each:f}" for each in exact], _LARGE)


def _times(column: Any, kind: Any) -> Any:
    units = [pa.timestamp(unit, kind.tz) for unit in ("s", "ms", "us", "ns")]
    for coarser in units if kind.tz else [pa.date32(), *units]:
        made = pc.cast(column, coarser, safe=False)
        if pc.all(pc.equal(pc.cast(made, kind, safe=False), column)).as_py() is not False:
            break
    return pc.strftime(made, format="%Y-%m-%dT%H:%M:%S%z") if kind.tz else pc.cast(made, _LARGE)


def _marked(text: Any, data: bytes, marks: Sequence[str]) -> Any:
    """Which cells hold one of the marks: these are looked for in all characters at once, not cell by cell."""
    if not all(mark.isascii() for mark in marks):
        found = [pc.fill_null(pc.match_substring(text, mark), False) for mark in marks]
        return functools.reduce(pc.or_, found)
    characters = np.frombuffer(data, dtype=np.uint8)
    ends = np.cumsum(pc.fill_null(pc.binary_length(text), 0).to_numpy())
    marked = np.zeros(len(text), dtype=bool)
    for mark in marks:
        marked[np.searchsorted(ends, np.flatnonzero(characters == ord(mark)), side="right")] = True
    return pa.array(marked)


def bytes_of(text: Any) -> bytes:
    """The characters of a text array, one cell after the other."""
    if isinstance(text, pa.ChunkedArray):
        return b"".join(bytes_of(chunk) for chunk in text.chunks)
    offsets_width = np.int64 if pa.types.is_large_string(text.type) else np.int32
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return b""
    ends = np.frombuffer(offsets, dtype=offsets_width)
    return bytes(memoryview(data)[ends[text.offset] : ends[text.offset + len(text)]])
