"""Quotes that went wrong in a CSV file: one that is never closed, and cells that swallowed whole rows."""

from __future__ import annotations

import io
import re
from functools import cached_property
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import content
from pamola_tasks_data.dialect import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pamola_tasks_data.dialect import CsvHead

_JUDGED = 1000  # cells of a column, at most
_CERTAIN = 3  # more lines, each as wide as a row, are no chance
_ODD_SHARE = 0.25  # of values that look like none in their columns, that rows may have
_RUNS = (re.compile(r"[0-9]+"), "0"), (re.compile(r"[^\W\d_]+"), "a")


@attrs.frozen
class OpenQuote:
    """Where a quote was opened that is not closed: line and row are counted from 1, rows below the header."""

    line: int
    row: int
    column: int

    @classmethod
    def in_lines(
        cls, lines: Iterable[str], first: int, delimiter: str, quotechar: str, blank_rows: bool
    ) -> OpenQuote | None:
        """The quote that is open behind the last line, read as Arrow and the standard library do."""
        found: OpenQuote | None = None
        row = column = 0
        next_mark = re.compile(f"[{re.escape(delimiter + quotechar)}]").search
        for number, line in enumerate(lines, first):
            place, begins = 0, found is None
            while mark := next_mark(line, place):
                place = mark.end()
                if found is not None:
                    if mark[0] == quotechar and line.startswith(quotechar, place):
                        place += 1
                    elif mark[0] == quotechar:
                        found = None
                elif mark[0] == delimiter:
                    column += 1
                    if line.startswith(quotechar, place):
                        found, place = cls(number, row, column), place + 1
                elif begins and mark.start() == 0:
                    found = cls(number, row, column)
            if found is None:
                row, column = row + bool(line.strip("\r\n") or (blank_rows and row)), 0
        return found

    @classmethod
    def in_file(cls, file: IO[bytes], head: CsvHead) -> OpenQuote | None:
        """The same of a whole file."""
        file.seek(0)
        lines = io.TextIOWrapper(file, head.encoding, errors="replace", newline="")
        try:
            if lines.read(1) != BYTE_ORDER_MARK:
                lines.seek(0)
            number = 1 + sum(1 for _ in islice(lines, head.lines_before))
            return cls.in_lines(lines, number, head.delimiter, head.quotechar, len(head.header) == 1)
        finally:
            lines.detach()

    def told(self, header: Sequence[str], quotechar: str) -> str:
        """A sentence for the user."""
        name = f"column {header[self.column]!r}" if self.row and self.column < len(header) else "a cell"
        where = f"line {self.line:,}" + (f" (row {self.row:,} below the header)" if self.row else " (the header)")
        return (
            f"the quote {quotechar} that opens {name} in {where} is never closed: close it, double it if it belongs to"
            " the text, or set default_quotechar if this is not the file's quote character"
        )


class SwallowedRows:
    """Cells that hold as many delimiters and line ends as whole rows do: two stray quotes make one cell of what is
    between them, in any tool. Ordinary notes of several lines differ from what the first rows look like.
    """

    def __init__(self, head: CsvHead) -> None:
        self._head = head
        self._wide = len(head.header) - 1
        self._found: list[tuple[int, int, int]] = []  # row, place of the column, line ends
        self._judged: dict[str, int] = {}

    @cached_property
    def _texts(self) -> list[set[str]]:
        """What the first rows have in each column."""
        columns = list(zip(*(row for row in self._head.rows if len(row) == self._wide + 1), strict=True))
        return [set(column) - {""} for column in columns] or [set()] * (self._wide + 1)

    @cached_property
    def _shapes(self) -> list[set[str]]:
        return [set(map(_shape, texts)) for texts in self._texts]

    def look_at(self, text: Any, rows_before: int) -> None:
        """Look through a table or batch of text."""
        for place, name in enumerate(text.schema.names):
            row = rows_before
            column = text.column(place)
            for cells in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
                if end := _line_end(cells):
                    self._look_at(name, cells, end, row)
                row += len(cells)

    def _look_at(self, name: str, cells: Any, end: str, rows_before: int) -> None:
        ends = pc.count_substring(cells, end)
        delimiters = pc.count_substring(cells, self._head.delimiter)
        fits = pc.and_(pc.greater(ends, 0), pc.equal(delimiters, pc.multiply(ends, self._wide)))
        places = np.flatnonzero(pc.fill_null(fits, False).to_numpy(zero_copy_only=False))
        left = _JUDGED - self._judged.get(name, 0)
        self._judged[name] = self._judged.get(name, 0) + len(places)
        column = self._head.header.index(name)
        for place in places[:left].tolist():
            if self.are_rows(cells[place].as_py().split(end), column):
                self._found.append((rows_before + place + 1, column, ends[place].as_py()))

    def are_rows(self, lines: list[str], column: int) -> bool:
        """Whether lines of one cell continue its row and are those below it, up to the same column."""
        first, *rows, last = (line.strip("\r").split(self._head.delimiter) for line in lines)
        if len(first) != self._wide - column + 1 or any(len(row) != self._wide + 1 for row in rows):
            return False
        alike = unlike = others = 0
        for begin, part in ((column + 1, first[1:]), *((0, row) for row in rows), (0, last)):
            for place, value in enumerate(part, begin):
                fits = self._fits(value, place) if value else None
                alike, unlike, others = alike + (fits is True), unlike + (fits is False), others + (fits is None)
        if unlike > (alike + others) * _ODD_SHARE:
            return False
        return alike > 0 or self._wide > 0 or len(lines) > _CERTAIN

    def _fits(self, value: str, place: int) -> bool | None:
        """Whether a value looks like those of a column, or unlike all of them; None where it may be of any."""
        shape, texts, shapes = _shape(value), self._texts[place], self._shapes[place]
        if value in texts or ("0" in shape and shape in shapes):
            return True
        blank = value[0] == " " and not any(text[0] == " " for text in texts)
        digits = {"0" in known for known in shapes}
        return False if blank or digits == {"0" not in shape} else None

    def told(self) -> str:
        """A sentence for the user; empty if nothing was found."""
        if not self._found:
            return ""
        row, column, ends = min(self._found)
        more = f" (and {len(self._found) - 1:,} more cells)" if len(self._found) > 1 else ""
        rows = "a whole row does" if ends == 1 else f"{ends:,} rows do"
        return (
            f"row {row:,} below the header, column {self._head.header[column]!r}: the cell holds as many line ends and"
            f" delimiters as {rows}{more}. If stray quotes made one cell of them, double these quotes in the file, or"
            " set default_quotechar to a character that it does not have"
        )


def _line_end(cells: Any) -> str:
    """What ends lines within the cells of an array; empty where nothing does."""
    returned = False
    for piece in content(cells):
        if b"\n" in piece:
            return "\n"
        returned = returned or b"\r" in piece
    return "\r" if returned else ""


def _shape(text: str) -> str:
    """A text with each run of digits or letters as one: `0-0-0` for a date."""
    for run, mark in _RUNS:
        text = run.sub(mark, text)
    return text


def check_names(head: CsvHead) -> None:
    """Refuse a name that holds rows: two stray quotes make one name of what is between them."""
    swallowed = SwallowedRows(head)
    for number, name in enumerate(head.header, 1):
        first, *others = name.splitlines() or [""]
        names = all(part.strip() for part in first.split(head.delimiter))
        if others and head.delimiter in name and names and swallowed.are_rows([first, *others], number - 1):
            raise DataError(
                f"the name of column {number}, in line {head.lines_before + 1} (the header), holds a line end and"
                f" {head.delimiter!r}, as rows do: take stray quotes out of the file, or rename the column"
            )
