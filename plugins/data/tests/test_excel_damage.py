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


OLD = [datetime.datetime(1850, 3, 1), datetime.datetime(49, 9, 11), datetime.datetime(1899, 12, 29)]


@pytest.mark.parametrize("writer", ["openpyxl", "xlsxwriter"])
def test_dates_before_1900_are_told(project: Any, writer: str) -> None:
    """Excel has none; the two libraries write other numbers for them, of the same day."""
    rows = [["day", "n"], [datetime.datetime(1990, 5, 6), -1], *([day, 2] for day in OLD)]
    if writer == "openpyxl":
        put(project, rows)
    else:
        with xlsxwriter.Workbook(project.root / "t.xlsx", {"default_date_format": "yyyy-mm-dd"}) as book:
            sheet = book.add_worksheet()
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)
    found, warnings = both(project)
    off = datetime.timedelta(writer == "xlsxwriter")
    assert [row[0] for row in found] == [rows[1][0], *(day - off for day in OLD)]
    assert [said for said in warnings if "dates before 1900" in said and "3 (the first is A3)" in said]


@pytest.mark.parametrize("below", [-1, -0.5, "-3"])
def test_numbers_below_zero_are_no_dates(project: Any, below: Any) -> None:
    put(project, [["a", "day"], [below, datetime.datetime(1900, 1, 1)], [2, datetime.datetime(1900, 3, 1)]])
    assert not [said for said in both(project)[1] if "1900" in said]


@pytest.mark.parametrize("end", [20, 60, 200])
def test_a_sheet_that_is_cut_off_is_refused(project: Any, end: int) -> None:
    put(project, [["a"], [1], [2]])
    whole = zipfile.ZipFile(io.BytesIO((project.root / "t.xlsx").read_bytes()))
    with zipfile.ZipFile(project.root / "t.xlsx", "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[:-end] if "sheet1" in name else content)
    assert "damaged" in both(project)[0]


def shown(project: Any, fill: Any, **options: Any) -> tuple[pd.DataFrame, list[str]]:
    """The sheet of a workbook that was filled so, read whole and in pieces alike, and what was said."""
    book = openpyxl.Workbook()
    fill(book, book.active)
    book.save(project.root / "t.xlsx")
    project.warnings.clear()
    types = {"t": options} if options else {}
    whole = project.source(t="t.xlsx", data_types=types).frame("t")
    said = list(project.warnings)
    pieces = list(project.source(t="t.xlsx", data_types=types).chunks("t", 2))
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)
    return whole, said


@pytest.mark.parametrize(
    ("format", "number", "text"),
    [
        ("00000", 1067, "01067"),
        ("000", 1067, "1067"),
        ("0#", 7, "07"),
        ("000-00-0000", 12345678, "012-34-5678"),
        ('"D-"00000', 1067, "D-01067"),
        ("00\\ 00", 907, "09 07"),
        ("00000;-00000", 5, "00005"),
        ("[$-407]00000", 5, "00005"),
    ],
)
def test_leading_zeros_that_a_number_format_shows(project: Any, format: str, number: int, text: str) -> None:
    def fill(_: Any, sheet: Any) -> None:
        for row in (["code", "n"], [number, 1], [None, 2], [number, number]):
            sheet.append(row)
        for row in (2, 3, 4):
            sheet.cell(row, 1).number_format = format

    frame, (said,) = shown(project, fill)
    assert frame["code"].tolist()[::2] == [text, text]
    assert frame["n"].tolist() == [1, 2, number]
    assert "column 'code' (A) shows its numbers with leading zeros" in said
    if text.isdigit():
        assert "state code: integer" in said
        assert shown(project, fill, code="integer")[0]["code"].tolist()[::2] == [number, number]


@pytest.mark.parametrize(
    "format", ["0", "0.00", "#,##0", "0%", "General", "@", "yyyy-mm-dd", '0 "kg"', "00.0", "0E+00"]
)
def test_other_number_formats_change_nothing(project: Any, format: str) -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.append(["n"])
        sheet.append([40000])
        sheet.cell(2, 1).number_format = format

    frame, said = shown(project, fill)
    assert frame["n"].tolist() == [pd.Timestamp("2009-07-06") if "yyyy" in format else 40000]
    assert not said


def test_what_is_hidden_is_read_and_named(project: Any) -> None:
    def fill(book: Any, sheet: Any) -> None:
        for row in ("abcd", [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]):
            sheet.append(list(row))
        sheet.row_dimensions[3].hidden = True
        for letter in "BCZ":
            sheet.column_dimensions[letter].hidden = True
        book.create_sheet("old", 0).append(["x"])
        book.worksheets[0].sheet_state = "hidden"
        book.create_sheet("list").append(["y"])
        book.worksheets[-1].sheet_state = "veryHidden"

    frame, said = shown(project, fill)
    assert frame["c"].tolist() == [3, 7, 11]
    assert "sheet 'Sheet' was read; 'old' (hidden), 'list' (hidden) not" in said[0]
    assert said[1].endswith("hidden in sheet 'Sheet', and read like the others: columns B, C and row 3")


def test_times_and_spans_of_a_workbook_are_called_so(project: Any) -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.append(["t", "s"])
        sheet.append([datetime.time(14, 30), datetime.timedelta(hours=30)])

    frame, said = shown(project, fill)
    assert frame["t"].tolist() == ["14:30:00"]
    assert ["times of day" in said[0], "spans of time" in said[1]] == [True, True]


def test_a_sheet_without_names_is_a_warning(project: Any) -> None:
    def fill(_: Any, sheet: Any) -> None:
        for day in (1, 2, 3):
            sheet.append([day, f"0{day}.01.1990", day / 2])

    _, (said,) = shown(project, fill)
    assert "the first line looks like data, not like names" in said
