"""Excel workbooks: a sheet is a table."""

from __future__ import annotations

import datetime
import io
import subprocess
import sys
import zipfile
from typing import Any

import pandas as pd
import pytest

from pamola_tasks.errors import DataError, DataWriteError

openpyxl = pytest.importorskip("openpyxl")
pytest.importorskip("xlsxwriter")


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "zip": ["01234", "=1+1", None, "https://example.org"],
            "whole": pd.array([1, None, -3, 2**40], dtype="Int64"),
            "n": [1, 2, 3, 4],
            "x": [1.5, None, 0.25, 1e-7],
            "flag": pd.array([True, None, False, True], dtype="boolean"),
            "when": pd.to_datetime(["2020-01-01", None, "2021-01-01T01:02:03", "2022-05-05"], format="ISO8601"),
        }
    ).astype({"when": "datetime64[us]"})


def test_a_table_comes_back_from_a_workbook(project: Any, table: pd.DataFrame) -> None:
    record = project.writer().write_dataset(table, "t.xlsx", name="t", format="xlsx")
    source = project.source(t="t.xlsx")
    pd.testing.assert_frame_equal(source.frame("t"), table)
    assert source.schema("t") == {name: str(dtype) for name, dtype in table.dtypes.items()}
    assert (record.rows, record.sha256) == (4, project.files.sha256("t.xlsx"))
    again = project.writer().write_dataset([table[:2], table[2:]], "u.xlsx", name="t", format="excel")
    assert again.sha256 == record.sha256, "the same table, the same bytes"
    pd.testing.assert_frame_equal(pd.concat(source.chunks("t", 3), ignore_index=True), table)


def test_a_text_is_never_a_formula(project: Any, table: pd.DataFrame) -> None:
    project.writer().write_dataset(table, "t.xlsx", name="t", format="xlsx")
    sheet = openpyxl.load_workbook(project.root / "t.xlsx").worksheets[0]
    assert (sheet["A3"].data_type, sheet["A3"].value) == ("s", "=1+1")
    assert sheet["A5"].hyperlink is None


def test_sheets_columns_and_empty_rows(project: Any) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b", None])
    other = book.create_sheet("people")
    for row in (["n", "s", "d"], [1, "x", datetime.date(2020, 1, 2)], [None, None], [2, "y"], [None], [None]):
        other.append(row)
    book.save(project.root / "b.xlsx")
    source = project.source(first="b.xlsx")
    source.add_file_path("people", "b.xlsx", sheet="people")
    assert list(source.frame("first").columns) == ["a", "b"]
    assert source.frame("people", ["s"])["s"].tolist()[::2] == ["x", "y"]
    assert source.frame("people")["n"].tolist() == [1, pd.NA, 2]
    source.add_file_path("none", "b.xlsx", sheet="x")
    with pytest.raises(DataError, match="no sheet 'x': there are 'Sheet', 'people'"):
        source.frame("none")
    with pytest.raises(DataError, match="no column 'z'"):
        source.frame("people", ["z"])


def test_what_is_no_table_is_refused(project: Any) -> None:
    project.put("no.xlsx", b"no workbook")
    with pytest.raises(DataError, match=r"no\.xlsx.*damaged"):
        project.source(t="no.xlsx").frame("t")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (70 << 20))
    project.put("bomb.xlsx", bomb.getvalue())
    with pytest.raises(DataError, match=r"bomb\.xlsx.*data\.expansion_limit"):
        project.source(t="bomb.xlsx").frame("t")
    with pytest.raises(DataWriteError, match="longer than the 32,767"):
        project.writer().write_dataset(pd.DataFrame({"a": ["x" * 40_000]}), "t.xlsx", name="t", format="xlsx")
    assert not (project.root / "t.xlsx").exists()


def test_nothing_is_written_beside_an_encrypted_workbook(project: Any, table: pd.DataFrame, tmp_path: Any) -> None:
    project.encrypted().writer().write_dataset(table, "t.xlsx", name="t", format="xlsx")
    assert (project.root / "t.xlsx").read_bytes().startswith(b"ptask/1")
    pd.testing.assert_frame_equal(project.encrypted().source(t="t.xlsx").frame("t"), table)


def test_without_the_extra_the_error_says_what_to_install(project: Any) -> None:
    script = (
        "import sys, io; sys.modules['openpyxl'] = None\n"
        "from pamola_tasks_data import excel\n"
        "excel.read(io.BytesIO(), None, {'expansion_limit': 1})"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "pip install 'pamola-tasks-data[excel]'" in ended.stderr


def test_pieces_of_a_sheet_have_the_types_of_the_whole_sheet(project: Any) -> None:
    book = openpyxl.Workbook()
    rows = [["n", "t", "when", "mixed"], *[[i, f"t{i}", datetime.datetime(2024, 1, 1 + i), i] for i in range(9)]]
    rows += [[None, None, None, None], [2.5, "z", None, "x"], [None] * 4, [None] * 4]
    for row in rows:
        book.worksheets[0].append(row)
    book.save(project.root / "b.xlsx")
    whole = project.source(t="b.xlsx").frame("t")
    assert len(whole) == 11
    source = project.source(t="b.xlsx")
    assert source.columns("t") == ["n", "t", "when", "mixed"]
    pieces = list(source.chunks("t", 4))
    assert [len(piece) for piece in pieces] == [4, 4, 3]
    assert all(piece.dtypes.equals(whole.dtypes) for piece in pieces)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)
    assert pd.concat(source.chunks("t", 3, ["mixed"]))["mixed"].fillna("").tolist() == [*"012345678", "", "x"]


@pytest.mark.parametrize("epoch", [None, datetime.datetime(1904, 1, 1)], ids=["1900", "1904"])
def test_dates_of_workbooks_of_both_calendars(project: Any, epoch: Any) -> None:
    """Days since 1900 or 1904 are the days that Excel shows; earlier ones are texts in a workbook."""
    book = openpyxl.Workbook()
    book.epoch = epoch or book.epoch
    book.active.append(["day", "mixed"])
    for day, mixed in (("2024-01-31", "31.01.2024"), ("1904-01-02", datetime.date(1999, 12, 31)), ("9999-12-31", None)):
        book.active.append([datetime.date.fromisoformat(day), mixed])
    book.save(project.root / "t.xlsx")
    types = {"t": {"day": "date", "mixed": {"type": "date", "format": "%d.%m.%Y"}}}
    frame = project.source(t="t.xlsx", data_types=types).frame("t")
    assert frame["day"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-31", "1904-01-02", "9999-12-31"]
    assert frame["mixed"].dropna().dt.strftime("%Y-%m-%d").tolist() == ["2024-01-31", "1999-12-31"]


def test_microseconds_that_excel_does_not_hold_are_text(project: Any) -> None:
    at = pd.Series(["2024-01-31T23:59:59.999999", "1600-06-15", "2024-01-31T10:30:15.125"], dtype="datetime64[us]")
    project.writer().write_dataset(pd.DataFrame({"at": at}), "t.xlsx", name="t", format="xlsx")
    frame = project.source(t="t.xlsx", data_types={"t": {"at": "datetime"}}).frame("t")
    assert frame["at"].tolist() == at.tolist()


def test_texts_that_look_like_escapes(project: Any) -> None:
    """`_x000D_` was read as a carriage return."""
    texts = ["_x000D_", "a\rb", "_x0041_", "__x000D_", "_x005F_", "_x005f_ x", "a_b", "\ufffe", "_xFFFE_"]
    project.writer().write_dataset(pd.DataFrame({"a": texts}), "t.xlsx", name="t", format="xlsx")
    assert project.source(t="t.xlsx").frame("t")["a"].tolist() == texts
    with pytest.raises(DataWriteError, match="two escapes of Excel"):
        project.writer().write_dataset(pd.DataFrame({"a": ["_x005F_x000D_"]}), "t.xlsx", name="t", format="xlsx")


def test_numbers_of_17_digits_among_texts_keep_them(project: Any) -> None:
    """A workbook has 16 digits of a number; in a column that is read as text, they are written as text."""
    cells = pd.Series(["x", 3.1537454081106584e16, 0.30000000000000004, 2.5], dtype=object)
    project.writer().write_dataset(pd.DataFrame({"a": cells}), "t.xlsx", name="t", format="xlsx")
    assert project.source(t="t.xlsx").frame("t")["a"].tolist() == [
        "x",
        "31537454081106584",
        "0.30000000000000004",
        "2.5",
    ]


def test_times_of_different_units_stand_in_one_row(project: Any) -> None:
    """The last row is looked at: as a row of pandas it would have one unit, in which the other does not fit."""
    near = pd.Series(["2000-01-01"], dtype="datetime64[ns]")
    frame = pd.DataFrame({"near": near, "far": pd.Series(["0712-01-18"], dtype="datetime64[s]")})
    project.writer().write_dataset(frame, "t.xlsx", name="t", format="xlsx")
    assert project.source(t="t.xlsx").frame("t")["far"].astype(str).str[:10].tolist() == ["0712-01-18"]
