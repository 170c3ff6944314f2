"""What a workbook holds beside one plain table is refused with its row, or told."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from pamola_tasks.errors import DataError

openpyxl = pytest.importorskip("openpyxl")
xlsxwriter = pytest.importorskip("xlsxwriter")

Cells = list[list[Any]]


def put(project: Any, rows: Cells, change: Callable[[Any, Any], None] = lambda book, sheet: None) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book, book.active)
    book.save(project.root / "t.xlsx")


def both(project: Any) -> tuple[Any, list[str]]:
    """What reading whole and in pieces gives, the cells or an error's words, and the warnings."""
    found: list[Any] = []
    for size in (None, 1):
        project.warnings.clear()
        try:
            source = project.source(t="t.xlsx")
            frame = source.frame("t") if size is None else pd.concat(source.chunks("t", size), ignore_index=True)
            read: Any = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
        except DataError as problem:
            read = str(problem)
        found.append((read, list(project.warnings)))
    assert found[0] == found[1]
    return found[0][0], found[0][1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["id", "age"], [1, 20, "SECRET"]], "row 2 .* column C.* ends at column B: name the column or clear the cell"),
        ([["id", "age"], [1, 20], [2, 30, None, "SECRET"]], "row 3 .* column D"),
        ([["id", "age"], *[[i, 20] for i in range(20_000)], [2, 30, 0]], "row 20,002 .* column C"),
        ([["id", None], [1, False]], "row 2 .* column B"),
        ([["Report 2024"], ["id", "age"], [1, 20]], "row 2 .* column B.* delete row 1 if it is a title and no header"),
        ([["Report"], [], ["id", "age"], [1, 20]], "row 3 .* column B.* delete row 1 if it is a title"),
        ([["Report", None, 2024], ["id", "age", "x"], [1, 2, 3]], "column B of the sheet has no name in row 1"),
        ([[None, "id"], [None, 1]], "column A of the sheet has no name in row 1"),
        ([[], ["id", "age"], [1, 20]], "row 1 of the sheet is empty"),
    ],
)
def test_cells_beside_the_table_are_refused(project: Any, rows: Cells, words: str) -> None:
    """They were left out; a title over the table made a table of one column."""
    put(project, rows)
    told, _ = both(project)
    assert pd.Series([told]).str.contains(words).all(), told
    assert "SECRET" not in told


def test_a_merged_title_is_refused(project: Any) -> None:
    put(project, [["Report 2024"], ["id", "age"], [1, 20]], lambda book, sheet: sheet.merge_cells("A1:B1"))
    assert "delete row 1 if it is a title" in both(project)[0]


def test_blank_cells_beside_the_table_are_nothing(project: Any) -> None:
    put(project, [["id", "age"], [1, 20, "  "], [2, 30, None]])
    assert both(project) == ([[1, 20], [2, 30]], [])


@pytest.mark.parametrize(
    ("rows", "first", "count"),
    [
        ([["id", "x"], [1, "=A2*2"], [2, "=A3*2"], [3, 4]], "B2", 2),
        ([["id", "x"], [1, 5], [2, "=SUM(A:A)"]], "B3", 1),
        ([["id", "x"], ["=1+1", 5]], "A2", 1),
        ([["id", "x"], [1, '="a"&"b"']], "B2", 1),
        ([["id", "x"], *[[i, f"=A{i + 2}"] for i in range(9)]], "B2", 9),
    ],
)
def test_formulas_without_a_value_are_told(project: Any, rows: Cells, first: str, count: int) -> None:
    """Libraries write formulas without computing them; their cells were missing values without a word."""
    put(project, rows)
    read, told = both(project)
    assert told == [
        f"dataset 't' (t.xlsx): formula cells without a computed value: {count} (the first is {first}). They are read"
        " as missing or 0: open the workbook in a spreadsheet program and save it"
    ]
    assert sum(cell is None for row in read for cell in row) == count


def test_the_zeros_of_a_library_that_does_not_compute_are_told(project: Any) -> None:
    book = xlsxwriter.Workbook(project.root / "t.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["x"])
    sheet.write_formula(1, 0, "=1+1")
    sheet.write_formula(2, 0, "=3+4", None, 7)
    book.close()
    read, (told,) = both(project)
    assert read == [[0], [7]]
    assert "formula cells without a computed value: 1 (the first is A2)" in told


@pytest.mark.parametrize("error", ["#N/A", "#DIV/0!", "#REF!", "#NAME?", "#NUM!", "#VALUE!", "#NULL!"])
def test_errors_of_cells_are_missing_and_told(project: Any, error: str) -> None:
    put(project, [["id", "x"], [1, 1.5], [2, error], [error, 2.5]])
    read, told = both(project)
    assert read == [[1, 1.5], [2, None], [None, 2.5]]
    assert told == [
        f"dataset 't' (t.xlsx): cells with an error: 2 (the first is B3: {error}). They are read as missing values"
    ]


def test_a_text_like_an_error_is_a_text(project: Any) -> None:
    project.writer().write_dataset(pd.DataFrame({"x": ["#N/A", "#REF!"]}), "t.xlsx", name="t", format="xlsx")
    assert both(project) == ([["#N/A"], ["#REF!"]], [])


def test_a_number_that_is_no_date_is_told_and_not_shown(project: Any, recwarn: Any) -> None:
    def change(book: Any, sheet: Any) -> None:
        sheet["B2"].number_format = "yyyy-mm-dd"

    put(project, [["id", "d"], [1, 99_999_999], [2, datetime.datetime(2020, 1, 1)]], change)
    read, told = both(project)
    assert [row[1] for row in read] == [None, pd.Timestamp(2020, 1, 1)]
    assert "the first is B2: #VALUE!" in told[0]
    assert not [warning for warning in recwarn if "99999999" in str(warning.message)]


def test_merged_cells_in_the_table_are_told(project: Any) -> None:
    put(project, [["id", "g"], [1, "x"], [2, None]], lambda book, sheet: sheet.merge_cells("B2:B3"))
    read, (told,) = both(project)
    assert read == [[1, "x"], [2, None]]
    assert "merged areas of cells: 1 (the first is B2:B3). Only the first cell of each has a value" in told


def test_which_of_several_sheets_is_read_is_told(project: Any) -> None:
    def change(book: Any, sheet: Any) -> None:
        book.create_sheet("empty")
        book.create_sheet("more").append(["b"])

    put(project, [["a"], [1]], change)
    read, (told,) = both(project)
    assert read == [[1]]
    assert "sheet 'Sheet' was read; 'more' not: state `sheet` in data.datasets" in told
    project.warnings.clear()
    source = project.source()
    source.add_file_path("t", "t.xlsx", sheet="Sheet")
    assert source.frame("t")["a"].tolist() == [1]
    assert not project.warnings


@pytest.mark.parametrize("day", ["1904-01-02", "1999-12-31", "2020-02-29"])
def test_dates_counted_from_1904(project: Any, day: str) -> None:
    def change(book: Any, sheet: Any) -> None:
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904

    put(project, [["d"], [pd.Timestamp(day).to_pydatetime()]], change)
    assert both(project) == ([[pd.Timestamp(day)]], [])


@pytest.mark.parametrize("end", [20, 60, 200])
def test_a_sheet_that_is_cut_off_is_refused(project: Any, end: int) -> None:
    put(project, [["a"], [1], [2]])
    whole = zipfile.ZipFile(io.BytesIO((project.root / "t.xlsx").read_bytes()))
    with zipfile.ZipFile(project.root / "t.xlsx", "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[:-end] if "sheet1" in name else content)
    assert "damaged" in both(project)[0]
