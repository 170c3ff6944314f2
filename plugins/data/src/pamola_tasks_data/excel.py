"""Excel workbooks: one sheet is one table. Needs the extra `excel`.

Read row by row with openpyxl. Written with XlsxWriter, which keeps in memory what openpyxl would put, unencrypted, into
a temporary folder; texts never become formulas or links, and the same table gives the same bytes. A workbook holds less
than other formats: 16 digits of a number, no difference between an empty text and none, no time zones (text then).
"""

from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import math
import re
import warnings
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import in_minutes, is_missing, plain
from pamola_tasks_data.cells import text_of
from pamola_tasks_data.dataset import check_columns, warn_once
from pamola_tasks_data.delimiters import LIKE_DATA, looks_like_data
from pamola_tasks_data.dialect import check_header
from pamola_tasks_data.excel_remarks import Padded, Tags, is_filled, letters, remarks
from pamola_tasks_data.expanding import CELL, EXPANSION, check_archive, check_expansion, check_width
from pamola_tasks_data.kinds import Part, cut, dtypes_of, frame_of, kinds_of, read_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MOST_ROWS, _MOST_COLUMNS, _LONGEST_TEXT = 1_048_576, 16_384, 32_767
_ROWS, _CELLS = 10_000, 1 << 21  # at most in memory as Python values
_HEAD = 1 << 22  # bytes
_EXACT_INTEGER = 10**15  # Excel keeps 15 digits of a number
_ERRORS = frozenset("#NULL! #DIV/0! #VALUE! #REF! #NAME? #NUM! #N/A #GETTING_DATA #SPILL! #CALC!".split())
_BAD_DATE = frozenset(["#VALUE!"])  # openpyxl's, for a number that is no date
_TWICE = re.compile("_x[0-9A-Fa-f]{4}_x[0-9A-Fa-f]{4}_")
# Characters that XML has not, and `_`: ECMA-376, part 1, 22.9.2.19
_ESCAPED = re.compile("_x(00[01][0-9A-Fa-f]|005[Ff]|[Ff]{3}[EFef])_")
_MADE = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - workbooks know no time zones


def read(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """A sheet: the first, or the one that the option `sheet` names. Its first row has the names of the columns.

    Formulas are read as the values that the program which wrote the file had worked out.
    """
    with _opened(file, options) as sheet:
        return read_parts(sheet.parts(columns), sheet.names(columns), columns, options)


def chunks(
    file: IO[bytes], size: int, columns: Sequence[str] | None, options: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """The sheet in pieces of `size` rows, each column of one type throughout."""
    with _opened(file, options) as sheet:
        yield from cut(lambda: sheet.parts(columns), size, sheet.names(columns), columns, options)


def sample(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> tuple[pd.DataFrame, float]:
    """The first rows of a sheet, and about how many it has."""
    with _opened(file, options) as sheet:
        names, parts = sheet.names(columns), sheet.parts(columns)
        first = next(parts, Part(0, {}))
        frame = frame_of([first], kinds_of([first], names), options)
        return frame, len(frame) if next(parts, None) is None else sheet.about_rows()


def schema(file: IO[bytes], options: Mapping[str, Any]) -> dict[str, str]:
    """Columns and the dtypes that they are read as; every row is looked at."""
    columns = options.get("columns")
    with _opened(file, options) as sheet:
        return dtypes_of(kinds_of(sheet.parts(columns), sheet.names(columns)))


def columns(file: IO[bytes], options: Mapping[str, Any]) -> list[str]:
    """Names of the columns, from the first row."""
    with _opened(file, options) as sheet:
        return sheet.header


def write(frames: Iterable[pd.DataFrame], file: IO[bytes], options: Mapping[str, Any]) -> int:
    """Write frames with the same columns into one sheet, under one header. Returns the number of rows."""
    xlsxwriter = _library("xlsxwriter")
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"})
    book.set_properties({"created": _MADE})
    sheet = book.add_worksheet("data")
    header: list[str] | None = None
    row, filled = 0, True
    for given in frames:
        frame = in_minutes(plain(given))
        if header is None:
            header = list(frame.columns)
            if len(header) > _MOST_COLUMNS:
                raise DataError(f"an Excel sheet has at most {_MOST_COLUMNS:,} columns, and this table {len(header):,}")
            if "" in header:
                raise DataError("a column has no name, which an Excel sheet needs: give it one")
            for place, name in enumerate(header):
                sheet.write_string(0, place, name)
        if row + len(frame) >= _MOST_ROWS:
            raise DataError(
                f"an Excel sheet has at most {_MOST_ROWS - 1:,} rows under its header: write Parquet or CSV"
            )
        for place, name in enumerate(header):
            for number, value in enumerate(frame[name].astype(object).tolist(), row + 1):
                _write_cell(sheet, number, place, value, mixed=frame[name].dtype == object)
        row += len(frame)
        if len(frame):
            last = (frame[name].iloc[-1] for name in header)  # a row of pandas has one type, which not all columns fit
            filled = any(value != "" for value in last if not is_missing(value))
    if not filled:
        raise DataError("the last row has no value, so that a sheet would end before it: write Parquet or CSV")
    book.close()
    file.write(made.getbuffer())
    return row


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise DataError(f"Excel files need the package {name}: pip install 'pamola-tasks-data[excel]'") from None


class _Sheet:
    """A sheet of an open workbook."""

    def __init__(
        self,
        sheet: Any,
        size: int,
        options: Mapping[str, Any],
        errors: frozenset[str],
        padded: Padded | None,
        below_zero: bool,
    ) -> None:
        self._errors, self._padded = errors, padded
        sheet.reset_dimensions()  # some programs state a size that is wrong: what is there counts
        self._sheet, self._size, self._options = sheet, size, options
        self._below_zero = below_zero and sheet.parent.epoch.year == 1899
        texts = sheet._shared_strings
        texts[:] = _raw_texts(sheet.parent._archive) or texts
        texts[:] = [_ESCAPED.sub(lambda code: chr(int(code[1], 16)), text) if "_x" in text else text for text in texts]
        self._trim = bool(options.get("trim"))
        self.header = _header(self._trimmed(next(sheet.iter_rows(values_only=True), ())))
        check_width(len(self.header), options)

    def names(self, columns: Sequence[str] | None) -> list[str]:
        """The columns asked for."""
        check_columns(columns or (), self.header)
        return list(self.header if columns is None else columns)

    def parts(self, columns: Sequence[str] | None) -> Iterator[Part]:
        """The rows under the header, some thousand at a time, without empty ones at the end."""
        names = self.names(columns)
        place_of = {name: place for place, name in enumerate(self.header)}
        places = [place_of[name] for name in names]
        rows = _up_to_the_last_filled(self._rows())
        at_once, rows_read = max(1, min(_ROWS, _CELLS // len(self.header))), 0
        errors, early = _Errors(self._errors), _Early()
        first = [
            ["" if value is None else str(value) for value in row]
            for row in self._sheet.iter_rows(1, 20, values_only=True)
        ]
        warn_once(self._options, LIKE_DATA if first and looks_like_data(first) else "")
        while some := list(itertools.islice(rows, at_once)):
            self._check_width(some, rows_read + 2)
            check_expansion(CELL * (rows_read + len(some)) * len(names), self._size, self._options)
            cells = [[row[place] if place < len(row) else None for row in some] for place in places]
            for place, column in zip(places, cells, strict=True):
                errors.clear(column, place, rows_read + 2)
                if self._below_zero:
                    early.look_at(column, place, rows_read + 2)
            yield Part.of(len(some), dict(zip(names, map(self._trimmed, cells), strict=True)))
            rows_read += len(some)
        warn_once(self._options, errors.told())
        warn_once(self._options, early.told())
        if self._padded is not None:
            for place in sorted(set(self._padded.places).intersection(places)):
                warn_once(self._options, self._padded.told(self.header[place], place))

    def about_rows(self) -> float:
        """How many rows it has, by the first bytes of it."""
        with self._sheet._get_source() as source:
            head = source.read(_HEAD)
        size = self._sheet.parent._archive.getinfo(self._sheet._worksheet_path).file_size
        return float(head.count(b"<row ") * size / len(head))

    def _rows(self) -> Iterator[Sequence[Any]]:
        rows = self._sheet.iter_rows(min_row=2, values_only=self._padded is None)
        return rows if self._padded is None else map(self._padded.shown, rows)

    def _trimmed(self, cells: Sequence[Any]) -> list[Any]:
        """Cells without blanks at the ends of texts, if these do not count; a text of blanks is no value."""
        if not self._trim:
            return list(cells)
        return [(value.strip() or None) if isinstance(value, str) else value for value in cells]

    def _check_width(self, rows: Sequence[Sequence[Any]], first: int) -> None:
        wide = len(self.header)
        for number, row in enumerate(rows, first):
            if len(row) > wide and (beyond := [place for place in range(wide, len(row)) if is_filled(row[place])]):
                title = ", and delete row 1 if it is a title and no header" if number == 2 or wide == 1 else ""
                raise DataError(
                    f"row {number:,} of the sheet has a value in column {letters(beyond[0])}, but the header"
                    f" in row 1 ends at column {letters(wide - 1)}: name the column or clear the cell{title}"
                )


def _raw_texts(archive: Any) -> list[str]:
    """The texts of a workbook with their escapes where one is of `_`, which openpyxl takes away; else empty."""
    found: list[str] = []
    name = next((name for name in archive.namelist() if name.lower().endswith("/sharedstrings.xml")), "")
    if name and b"_x005f_" in (content := archive.read(name)).lower():
        strings = import_module("openpyxl.reader.strings")
        for _, node in strings.iterparse(io.BytesIO(content)):
            if node.tag.rpartition("}")[2] == "si":
                found.append(strings.Text.from_tree(node).content)
                node.clear()
    return found


class _Errors:
    """Cells in which a formula failed: they are missing values."""

    def __init__(self, errors: frozenset[str]) -> None:
        self._errors = errors
        self._count = 0
        self._first = (math.inf, 0, "")  # row, place of the column, error

    def clear(self, cells: list[Any], place: int, first: int) -> None:
        """Put None in place of errors in cells of a column, the first of which is in this row of the sheet."""
        if self._errors.isdisjoint(cells):
            return
        for number, value in enumerate(cells):
            if value in self._errors:
                cells[number] = None
                self._count += 1
                self._first = min(self._first, (first + number, place, value))

    def told(self) -> str:
        """A sentence for the user; empty if there were none."""
        if not self._count:
            return ""
        row, place, error = self._first
        first = f"the first is {letters(place)}{row}: {error}"
        return f"cells with an error: {self._count:,} ({first}). They are read as missing values"


class _Early:
    """Dates before 1900, which Excel does not have: numbers below zero, which programs count differently."""

    def __init__(self) -> None:
        self._count = 0
        self._first = (math.inf, 0)  # row, place of the column

    def look_at(self, cells: Sequence[Any], place: int, first: int) -> None:
        """Count those among cells of a column, the first of which is in this row of the sheet."""
        for number, value in enumerate(cells):
            if isinstance(value, datetime.datetime) and value.year < 1900:
                self._count += 1
                self._first = min(self._first, (first + number, place))

    def told(self) -> str:
        """A sentence for the user; empty if there were none."""
        if not self._count:
            return ""
        row, place = self._first
        return (
            f"dates before 1900, which Excel does not have: {self._count:,} (the first is {letters(place)}{row}). They"
            " are read as LibreOffice and openpyxl write them; XlsxWriter writes the number of the day before: in its"
            " files write such dates as text"
        )


@contextlib.contextmanager
def _opened(file: IO[bytes], options: Mapping[str, Any]) -> Iterator[_Sheet]:
    openpyxl = _library("openpyxl")
    warnings.filterwarnings("ignore", r"Cell \S+ is marked as a date", UserWarning)  # it would show the value
    size = check_archive(file, float(options.get("expansion_limit", EXPANSION)))
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (KeyError, ValueError, TypeError, SyntaxError):
        raise DataError("it cannot be read as an Excel workbook: it is damaged") from None
    try:
        wanted = options.get("sheet")
        if wanted is not None and wanted not in book.sheetnames:
            raise DataError(f"there is no sheet {wanted!r}: there are {', '.join(map(repr, book.sheetnames))}")
        if not book.worksheets:
            raise DataError("the workbook has no sheet with cells")
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        sheet = book[wanted] if wanted is not None else [*visible, *book.worksheets][0]
        padded = Padded(book)
        tags = Tags(sheet._get_source, padded.styles)
        errors = _ERRORS if tags.errors else _BAD_DATE
        made = _Sheet(sheet, size, options, errors, padded if tags.padded else None, tags.below_zero)
        for sentence in remarks(book, sheet, tags, wanted is not None, len(made.header)):
            warn_once(options, sentence)
        yield made
    except SyntaxError:  # of XML
        raise DataError("it cannot be read as an Excel workbook: its sheet is damaged") from None
    finally:
        book.close()


def _up_to_the_last_filled(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    empty = 0
    for row in rows:
        if all(value is None for value in row):
            empty += 1
            continue
        yield from itertools.repeat((), empty)
        yield row
        empty = 0


def _header(row: Sequence[Any]) -> list[str]:
    names = ["" if value is None else str(value) for value in row]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise DataError("row 1 of the sheet is empty: it must have the names of the columns, which begin in column A")
    if "" in names:
        raise DataError(
            f"column {letters(names.index(''))} of the sheet has no name in row 1: name it, and delete rows above the"
            " header and columns beside the table"
        )
    check_header(names)
    return names


def _write_cell(sheet: Any, row: int, place: int, value: Any, *, mixed: bool) -> None:
    """Write a cell; in a column of `mixed` values, which is read as text, a number that needs 17 digits is a text."""
    if is_missing(value):
        return
    value = value.item() if hasattr(value, "item") else value
    if mixed and isinstance(value, float) and value == value and float(f"{value:.16G}") != value:
        value = text_of(value)
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif math.isfinite(value) if isinstance(value, float) else isinstance(value, int) and abs(value) < _EXACT_INTEGER:
        sheet.write_number(row, place, value)
    elif (
        isinstance(value, datetime.datetime)
        and value.tzinfo is None
        and value.year >= 1900
        and not value.microsecond % 1000  # Excel has milliseconds
    ):
        sheet.write_datetime(row, place, value)
    else:
        text = value.isoformat() if hasattr(value, "isoformat") else text_of(value) or ""
        if len(text) > _LONGEST_TEXT:
            raise DataError(f"a text is longer than the {_LONGEST_TEXT:,} characters that an Excel cell holds")
        if _TWICE.search(text):  # which XlsxWriter would escape so that another text is read
            raise DataError("a text has two escapes of Excel one after the other (_x0041_x0042_): write Parquet or CSV")
        sheet.write_string(row, place, text)
