"""Reading CSV: parsed by Arrow as text, then typed column by column where that loses nothing (`inference`).

Options, all optional: `delimiter`, `quotechar`, `encoding` (found out where not stated), `missing_values` (spellings of
unquoted cells that mean "no value"), `decimal`, `thousands`, `date_format`, `datetime_format`, `trim` (see `Notation`),
`text_columns` (never anything but text), `dtypes` (the schema, when it is known already), `warn` (called with a
sentence that the user should read), `notes` (a dict in which what was found out about a file is kept for the next time
that it is opened).
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import IO, TYPE_CHECKING, Any, TypeVar

import attrs
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import TEXT, TEXT_DTYPE, to_frame
from pamola_tasks_data.character_damage import misread
from pamola_tasks_data.dataset import check_columns, warn_once
from pamola_tasks_data.decimals import merges_texts
from pamola_tasks_data.dialect import FALLBACK_ENCODING, CsvHead, check_header, examine
from pamola_tasks_data.end_mark import EndMark, ReadAhead
from pamola_tasks_data.expanding import read_with_room
from pamola_tasks_data.inference import AS_TEXT, dtype_of, recognized, typed
from pamola_tasks_data.kinds import NOTHING, Kind, merge_all
from pamola_tasks_data.notation import Notation, trimmed
from pamola_tasks_data.quotes import OpenQuote, SwallowedRows, check_names
from pamola_tasks_data.stray_quotes import StrayQuotes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pamola_tasks_data.reading import Table

_BLOCK = 1 << 22
_ROWS = 1 << 16
_UNREADABLE = "it cannot be read as CSV: rows differ in their number of cells, or bytes do not fit the encoding"
_NO_UTF8 = "invalid UTF8"  # in what Arrow says
_CELL = 256  # bytes that a cell may have, on average, in a row longer than a block

T = TypeVar("T")


def read(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """The whole table, or some columns of it."""
    source = _CsvFile(file, columns, options)
    if source.head.only_header:
        return source.no_rows()
    text = source.table()
    known = source.known_types()
    return source.typed_frame(text, known) if known is not None else source.frame(text)


def chunks(
    file: IO[bytes], size: int, columns: Sequence[str] | None, options: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """The table in pieces of `size` rows, each column of one type throughout, in constant memory.

    The file is read twice, once to learn the types, unless types and encoding are known.
    """
    source = _CsvFile(file, columns, options)
    if source.head.only_header:
        yield source.no_rows()
        return
    types = source.found_types()
    waiting: list[Any] = []
    rows = 0
    for batch in source.explained_batches():
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= size:
            table = pa.Table.from_batches(waiting)
            yield source.typed_frame(table.slice(0, size), types)
            rows -= size
            waiting = table.slice(size).to_batches()
    if rows:
        yield source.typed_frame(pa.Table.from_batches(waiting), types)


def schema(file: IO[bytes], options: Mapping[str, Any]) -> dict[str, str]:
    """Columns and the dtypes that they are read as; every row is looked at, in constant memory."""
    source = _CsvFile(file, options.get("columns"), options)
    if source.head.only_header:
        return dict.fromkeys(source.columns, TEXT_DTYPE)
    return {name: dtype_of(kind) for name, kind in source.found_types().items()}


def columns(file: IO[bytes], options: Mapping[str, Any]) -> list[str]:
    """Names of the columns, from the first bytes."""
    return _CsvFile(file, None, options).columns


def merged_in_all(
    columns: Sequence[str], kinds: Sequence[Mapping[str, Kind]], tables: Callable[[Mapping[str, str]], Iterable[Table]]
) -> dict[str, str]:
    """The dtypes of columns of several files, each as if all were one file.

    Args:
        columns: The columns to look at.
        kinds: What was found in each file, by column.
        tables: Gives the files as tables, to be read as columns of given dtypes.
    """
    found: dict[str, str] = {}
    for name in columns if len(kinds) > 1 else ():
        if not all(name in each for each in kinds):
            continue
        kind = reduce(Kind.merged, [each[name] for each in kinds])
        found[name] = dtype_of(kind.of_all)
        if kind.may_merge_texts:
            text = {name: TEXT_DTYPE}
            pieces = (piece[name] for table in tables(text) for piece in table.chunks(_ROWS, [name]))
            if merges_texts(pa.array(piece, TEXT, from_pandas=True) for piece in pieces):
                found |= text
    return found


class _CsvFile:
    """An open CSV file of which the head was looked at."""

    def __init__(self, file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> None:
        self.file = file
        self._notes: dict[str, Any] = {} if options.get("notes") is None else options["notes"]
        self._options = {**options, "notes": self._notes}
        encoding = options.get("encoding") or self._notes.get("encoding")
        self._encoding_known = bool(encoding)
        self._missing = list(options.get("missing_values") or [""])
        delimiter = options.get("delimiter") or self._notes.get("delimiter")
        self.head: CsvHead = examine(file, {**options, "encoding": encoding, "delimiter": delimiter})
        self._notes |= {"delimiter": self.head.delimiter, "quotechar": self.head.quotechar, "header": "row 1"}
        if self.head.only_header:
            self._check_quotes()
        check_names(self.head)
        self._looked = False  # for cells that swallowed rows
        header = self.head.header
        self._block = max(_BLOCK, _CELL * len(header), 8 * sum(map(len, header)))
        self._notation = Notation.of(options)
        self._written = {name.strip() if self._notation.trim else name: name for name in self.head.header}
        check_header([name.strip() for name in self.head.header] if self._notation.trim else ())
        self.columns = list(self._written if columns is None else columns)
        check_columns(self.columns, list(self._written))
        for note in self.head.notes:
            warn_once(self._options, note)
        if self.head.guessed_encoding:
            self._fall_back()

    def no_rows(self) -> pd.DataFrame:
        """The table of a file that has a header only."""
        return pd.DataFrame({name: pd.Series([], dtype=TEXT_DTYPE) for name in self.columns})

    # ------------------------------------------------------------ rows as text

    def table(self) -> pa.Table:
        """All rows as text."""
        return self._decoding(self._parsed)

    def _parsed(self) -> pa.Table:
        end = EndMark(self.head)
        content, size = read_with_room(self.file, end.room)
        # Only a quoted cell can hold a line break; without quotes Arrow may cut the file at any line.
        quoted = content.find(self.head.quotechar.encode(self.head.encoding), 0, size) >= 0
        if quoted:
            mark = end.behind(bytes(content[max(0, size - 4) : size]))
            content[size : size + len(mark)] = mark
            size += len(mark)
        data = memoryview(content)[:size]
        bad: list[Any] = []
        read, parse, convert = self._arrow_options(bad, breaks=quoted)
        table = arrow_csv.read_csv(pa.BufferReader(data), read, parse, convert)
        if bad or (quoted and not end.ends(table)):
            self._check_quotes()
            # Arrow counts lines only when it reads them one after the other.
            bad.clear()
            read.use_threads = False
            arrow_csv.read_csv(pa.BufferReader(data), read, parse, convert)
            raise self._ragged(bad) if bad else DataError(_UNREADABLE)
        if quoted:
            table = table.slice(0, table.num_rows - 1)
            stray = StrayQuotes(self.head)
            stray.look_at(data)
            stray.check(self.file)
            swallowed = SwallowedRows(self.head)
            swallowed.look_at(table, 0)
            warn_once(self._options, swallowed.told())
        return self._trimmed(table)

    def _check_quotes(self) -> None:
        """Refuse a file in which a quote is never closed."""
        if opened := OpenQuote.in_file(self.file, self.head):
            raise DataError(opened.told(self.head.header, self.head.quotechar))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows as text, in pieces of a size that suits Arrow."""
        self.file.seek(0)
        bad: list[Any] = []
        read, parse, convert = self._arrow_options(bad, breaks=True)
        read.use_threads = False
        end, swallowed, stray = EndMark(self.head), SwallowedRows(self.head), StrayQuotes(self.head)
        source = ReadAhead(self.file, end, self.head.quotechar.encode(self.head.encoding), stray.look_at)
        reader: Any = ()
        last: Any = None
        rows = 0
        try:
            reader = arrow_csv.open_csv(source, read, parse, convert)
            while (batch := next(reader, None)) is not None and not bad and source.problem is None:
                if last is not None:
                    yield self._trimmed(last)
                    rows += last.num_rows
                if batch.num_rows:
                    if source.quoted and not self._looked:
                        swallowed.look_at(batch, rows)
                    last = batch
        except pa.ArrowInvalid:
            if source.problem is None:
                raise
        finally:
            source.ended = True
            with contextlib.suppress(pa.ArrowInvalid):
                deque(reader, maxlen=0)
        if source.problem is not None:
            raise source.problem
        if bad or last is None or not end.ends(last):
            self._check_quotes()
            raise self._ragged(bad) if bad else DataError(_UNREADABLE)
        if not self._looked:
            stray.check(self.file)
        if last.num_rows > 1:
            yield self._trimmed(last.slice(0, last.num_rows - 1))
        warn_once(self._options, swallowed.told())
        self._looked = True

    def explained_batches(self) -> Iterator[pa.RecordBatch]:
        """The same, with errors in words."""
        try:
            yield from self.batches()
        except (pa.ArrowInvalid, UnicodeDecodeError) as problem:
            raise self._explained(problem) from None

    def _arrow_options(self, bad: list[Any], *, breaks: bool) -> tuple[Any, Any, Any]:
        def skip(row: Any) -> str:
            bad.append(row)
            return "skip"

        read = arrow_csv.ReadOptions(
            block_size=self._block,
            encoding=self.head.encoding.replace("utf-8", "utf8"),
            skip_rows=self.head.lines_before,
        )
        parse = arrow_csv.ParseOptions(
            delimiter=self.head.delimiter,
            quote_char=self.head.quotechar,
            newlines_in_values=breaks,
            # An empty line is a row without a value where there is one column.
            ignore_empty_lines=len(self.head.header) > 1,
            invalid_row_handler=skip,
        )
        convert = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(self.head.header, TEXT),
            include_columns=[self._written[name] for name in self.columns],
            null_values=self._missing,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        return read, parse, convert

    def _trimmed(self, table: Any) -> Any:
        """Cells and names without blanks at their ends, if these do not count; a cell of blanks is an empty one."""
        if not self._notation.trim:
            return table
        cells = [trimmed(text, self._missing) for text in table.columns]
        return type(table).from_arrays(cells, names=self.columns)

    def _decoding(self, read: Callable[[], T]) -> T:
        """Read all rows; where bytes far behind the head are no UTF-8 and nothing was stated, once more as cp1252."""
        try:
            try:
                found = read()
            except pa.ArrowInvalid as problem:
                if _NO_UTF8 not in str(problem) or self._encoding_known:
                    raise
                self._fall_back()
                found = read()
        except (pa.ArrowInvalid, UnicodeDecodeError) as problem:
            raise self._explained(problem) from None
        self._notes["encoding"] = self.head.encoding
        return found

    def _fall_back(self) -> None:
        """Go on in the encoding for files that are no UTF-8, unless it is one that is damaged."""
        found = misread(self.file)
        if found is not None and found.is_damage:
            raise found.error()
        self.head = attrs.evolve(self.head, encoding=FALLBACK_ENCODING)
        warn_once(
            self._options, f"it is not UTF-8 and was read as {FALLBACK_ENCODING}: set default_encoding if that is wrong"
        )
        self._notes["encoding"] = FALLBACK_ENCODING

    def _explained(self, problem: Exception) -> DataError:
        """What Arrow found, without the row that it quotes."""
        if isinstance(problem, UnicodeDecodeError) or _NO_UTF8 in str(problem):
            found = misread(self.file, self.head.encoding)
            return DataError(_UNREADABLE) if found is None else found.error()
        self._check_quotes()
        if "straddling" in str(problem) or "truncated" in str(problem).lower():
            longest = f"{self._block >> 20} MiB"
            return DataError(f"a row is longer than {longest}, perhaps since stray quotes made one cell of many rows")
        return DataError(_UNREADABLE)

    def _ragged(self, bad: list[Any]) -> DataError:
        first = bad[0]
        place = f" (the first in row {first.number}, which has {first.actual_columns})" if first.number else ""
        rows = "1 row has" if len(bad) == 1 else f"{len(bad)} rows have"
        return DataError(
            f"{rows} another number of cells than the header's {first.expected_columns}{place}: mend them, or state"
            f" the delimiter if it is not {self.head.delimiter!r}"
        )

    # ------------------------------------------------------------ types

    def known_types(self) -> dict[str, Kind] | None:
        """The type of each column where no row has to be looked at for it."""
        known = {name: Kind.of_dtype(dtype) for name, dtype in (self._options.get("dtypes") or {}).items()}
        known = {**dict.fromkeys(self._options.get("text_columns") or (), AS_TEXT), **known}
        return {name: known[name] for name in self.columns} if set(self.columns) <= set(known) else None

    def found_types(self) -> dict[str, Kind]:
        """The type of each column, from what is known or else from all rows."""
        known = self.known_types()
        if known is not None and self._encoding_known:
            return known
        parts = self._decoding(
            lambda: merge_all([kind for kind, _ in self._recognized(batch)] for batch in self.batches())
        )
        if known is not None:
            return known
        found = dict(zip(self.columns, parts or [Kind(NOTHING, True)] * len(self.columns), strict=True))
        for name, kind in found.items():
            if kind.may_merge_texts and merges_texts(self._digits(batch.column(name)) for batch in self.batches()):
                found[name] = AS_TEXT
        self._notes["kinds"] = found
        return {name: kind.of_all for name, kind in found.items()}

    def typed_frame(self, text: Any, types: Mapping[str, Kind]) -> pd.DataFrame:
        """A table or batch of text as a DataFrame of these types."""
        return self._framed(
            _each(lambda name: typed(text.column(name), types[name], self._notation), self.columns), types
        )

    def frame(self, text: Any) -> pd.DataFrame:
        """The whole table of text as a DataFrame of the types that are found in it."""
        kinds, arrays = {}, []
        for name, (kind, values) in zip(self.columns, self._recognized(text), strict=True):
            text_apart = kind.may_merge_texts and merges_texts([self._digits(text.column(name))])
            kinds[name] = AS_TEXT if text_apart else kind
            arrays.append(values if kinds[name].of_all.type is not None else text.column(name))
        self._notes["kinds"] = kinds
        return self._framed(arrays, {name: kind.of_all for name, kind in kinds.items()})

    def _recognized(self, text: Any) -> list[tuple[Kind, Any]]:
        as_text = self._options.get("text_columns") or ()

        def column(name: str) -> tuple[Kind, Any]:
            values = text.column(name)
            return (AS_TEXT, values) if name in as_text else recognized(values, self._notation)

        return _each(column, self.columns)

    def _digits(self, text: Any) -> Any:
        """Texts of numbers as programs write them."""
        return self._notation.numbers(text) if self._notation.marks else text

    def _framed(self, arrays: Sequence[Any], types: Mapping[str, Kind]) -> pd.DataFrame:
        table = pa.table(dict(zip(self.columns, arrays, strict=True)))
        return to_frame(table, [name for name in self.columns if types[name].missing])


def _each(do: Callable[[str], T], columns: Sequence[str]) -> list[T]:
    """One result a column, made on threads: Arrow's functions let others run."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1, max(1, len(columns)))) as pool:
        return list(pool.map(do, columns))
