"""Types of columns as people write their values: what is stated is read exactly, or refused with a count."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from pamola_tasks.errors import DataError
from pamola_tasks_data import DataReader, DataSource


def column(project: Any, cells: list[str], type_: Any, **options: Any) -> pd.Series[Any]:
    """The column `c` of a CSV file with these cells, read whole and in every kind of pieces alike."""
    project.put("t.csv", "c;n\n" + "".join(f"{cell};{place}\n" for place, cell in enumerate(cells)))
    options = {"delimiter": ";", **options}

    def source() -> DataSource:
        made = DataSource(data_types={"t": {"c": type_}}, reader=DataReader(project.files))
        made.add_file_path("t", "t.csv", **options)
        return made

    whole = source().frame("t")["c"]
    for size in (1, 7, len(cells)):
        pieces = list(source().chunks("t", size))
        assert {str(piece["c"].dtype) for piece in pieces} == {str(whole.dtype)}
        if whole.dtype != "category":
            pd.testing.assert_series_equal(pd.concat(pieces, ignore_index=True)["c"], whole)
    assert source().schema("t")["c"] == str(whole.dtype)
    return whole


def refused(project: Any, cells: list[str], type_: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        column(project, cells, type_, **options)
    said = str(caught.value)
    assert not any(cell.strip('"') in said.partition("column 'c': ")[2] for cell in cells if len(cell) > 4)
    return said


DAYS = {
    "%d.%m.%Y": ["31.12.1999", "1.2.2024", "29.02.2000", "01.01.0001", "31.12.9999", ""],
    "%d/%m/%Y": ["31/12/1999", "1/2/2024", "29/02/2000", "01/01/0001", "31/12/9999", ""],
    "%Y%m%d": ["19991231", "20240201", "20000229", "00010101", "99991231", ""],
    "%m-%d-%Y": ["12-31-1999", "2-1-2024", "02-29-2000", "01-01-0001", "12-31-9999", ""],
    "%d %B %Y": ["31 December 1999", "1 february 2024", "29 FEBRUARY 2000", "1 January 0001", "31 December 9999", ""],
    "%d-%b-%Y": ["31-Dec-1999", "01-FEB-2024", "29-feb-2000", "01-Jan-0001", "31-Dec-9999", ""],
    "%Y.%j": ["1999.365", "2024.032", "2000.060", "0001.1", "9999.365", ""],
    "%d.%m.%Y %%": ["31.12.1999 %", "1.2.2024 %", "29.02.2000 %", "01.01.0001 %", "31.12.9999 %", ""],
    "": ["1999-12-31", "20240201", "2000-060", "0001-W01-1", "9999365", ""],
}


@pytest.mark.parametrize("format", DAYS)
def test_dates_of_all_centuries_are_read_as_stated(project: Any, format: str) -> None:
    found = column(project, DAYS[format], {"type": "date", "format": format} if format else "date")
    expected = ["1999-12-31", "2024-02-01", "2000-02-29", "0001-01-01", "9999-12-31", "NaT"]
    assert found.tolist() == [pd.Timestamp(day).as_unit("us") for day in expected]


@pytest.mark.parametrize(
    "cell",
    ["31.02.2024", "1.1.24", "29.02.1900", "01.01.0000", "00.01.2024", "01.13.2024", "2024-01-31", "01.01.20244",
     "now", "today", "heute", "01.01.2024 10:00", " 01.01.2024", "1.1.-2024", "０1.01.2024"],
)  # fmt: skip
def test_what_is_no_date_of_the_format_is_counted(project: Any, cell: str) -> None:
    said = refused(project, ["01.01.2024", cell, "", cell], {"type": "date", "format": "%d.%m.%Y"})
    assert "column 'c': 2 values are not written as %d.%m.%Y" in said
    assert "the first in row 2" in said


@pytest.mark.parametrize(
    "cell",
    ["now", "today", "NOW", "yesterday", "nan", "NaT", "2024", "2024-03", "2024-W05", "24-01-31", "2024-1-31",
     "2024/01/31", "31.01.2024", "2024-02-30", "2023-366", "2021-W53-1", "2024-01-31T10", "2024-01-31T24:00",
     "2024-01-31T10:60", "2024-01-31T10:30:60", "2024-01-31 10:30:15.1234567", "20240131T10:30", "+12024-01-31",
     "1706659200", "10:30", "2024-01-31T10:30+25:00", "0001-01-01T00:30+01:00", "Jan 31, 2024"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["date", "datetime"])
def test_only_complete_forms_of_iso_8601_are_dates(project: Any, cell: str, kind: str) -> None:
    said = refused(project, ["2024-03-01", cell], kind)
    assert "column 'c': 1 value is not ISO dates" in said


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2024-01-31T10:30", "2024-01-31T10:30"),
        ("2024-01-31 10:30:15", "2024-01-31T10:30:15"),
        ("20240131T1030", "2024-01-31T10:30"),
        ("2024-W05-3T10:30:15,25", "2024-01-31T10:30:15.25"),
        ("2024-031T10:30:15.123456", "2024-01-31T10:30:15.123456"),
        ("2024-01-31", "2024-01-31"),
        ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"),
        ("0001-01-01T00:00:00.000001", "0001-01-01T00:00:00.000001"),
    ],
)
def test_forms_of_iso_8601_are_read(project: Any, cell: str, value: str) -> None:
    found = column(project, ["", cell, "2000-01-01"], "datetime")
    assert found[1] == pd.Timestamp(value).as_unit("us")
    assert str(found.dtype) == "datetime64[us]"


OFFSETS = {
    "summer time": (["2024-03-30T12:00:00+01:00", "2024-03-31T12:00+02:00"], ["2024-03-30T11:00", "2024-03-31T10:00"]),
    "Z beside +01:00": (["2024-03-30T12:00:00Z", "2024-03-31T12:00+01:00"], ["2024-03-30T12:00", "2024-03-31T11:00"]),
    "hours alone": (["2024-03-30T12:00:00+01", "2024-03-31T12:00:00-0530"], ["2024-03-30T11:00", "2024-03-31T17:30"]),
    "basic": (["20240330T120000+0100", "20240331T120000Z"], ["2024-03-30T11:00", "2024-03-31T12:00"]),
    "far ends": (["0001-01-02T00:00+23:00", "9999-12-30T12:00-11:00"], ["0001-01-01T01:00", "9999-12-30T23:00"]),
}  # fmt: skip


@pytest.mark.parametrize("name", OFFSETS)
def test_times_with_offsets_are_in_utc_also_where_pieces_have_none(project: Any, name: str) -> None:
    cells, values = OFFSETS[name]
    found = column(project, ["", "", *cells, ""], "datetime")
    assert str(found.dtype) == "datetime64[us, UTC]"
    assert found[2:4].tolist() == [pd.Timestamp(value, tz="UTC").as_unit("us") for value in values]


@pytest.mark.parametrize(
    ("cells", "kind", "said"),
    [
        (["2024-03-30T12:00Z", "2024-03-31T12:00"], "datetime", "offset from UTC, beside others"),
        (["2024-03-30T12:00", "2024-03-31T12:00+0100"], "datetime", "offset from UTC, beside others"),
        (["2024-03-30", "2024-03-31T12:00+01:00"], "datetime", "offset from UTC, beside others"),
        (["2024-03-30T00:00Z", "2024-03-31"], "date", "1 value is not ISO dates"),
        (["2024-03-30T12:00", "2024-03-31"], "date", "1 value is not ISO dates"),
    ],
)
def test_times_with_and_without_an_offset_are_refused(project: Any, cells: list[str], kind: str, said: str) -> None:
    for order in (cells, cells[::-1], ["", *cells]):
        assert said in refused(project, order, kind)


def test_a_format_with_an_offset_gives_utc(project: Any) -> None:
    found = column(project, ["", "31.03.2024 12:00 +02:00"], {"type": "datetime", "format": "%d.%m.%Y %H:%M %z"})
    assert found[1] == pd.Timestamp("2024-03-31T10:00Z").as_unit("us")
    found = column(
        project, ["31.03.2024 12:05 pm", "1.4.2024 12:05 AM"], {"type": "datetime", "format": "%d.%m.%Y %I:%M %p"}
    )
    assert found.tolist() == [
        pd.Timestamp("2024-03-31T12:05").as_unit("us"),
        pd.Timestamp("2024-04-01T00:05").as_unit("us"),
    ]


NUMBERS = {
    (",", "."): ["1.234.567,5", "-0,25", "+12", "1234", ",5", "1,5e3"],
    (",", " "): ["1 234\u00a0567,5", "-0,25", "+12", "1\u202f234", ",5", "1,5e3"],
    (".", "'"): ["1'234\u2019567.5", "-0.25", "+12", "1'234", ".5", "1.5e3"],
    (".", ","): ["1,234,567.5", "-0.25", "+12", "1,234", ".5", "1.5e3"],
    (",", ""): ["1234567,5", "-0,25", "+12", "1234", ",5", "1,5e3"],
    ("", "_"): ["1_234_567.5", "-0.25", "+12", "1_234", ".5", "1.5e3"],
}


@pytest.mark.parametrize("marks", NUMBERS)
def test_numbers_are_read_with_their_marks(project: Any, marks: tuple[str, str]) -> None:
    stated = {"type": "number"} | {key: mark for key, mark in zip(("decimal", "thousands"), marks, strict=True) if mark}
    found = column(project, [*NUMBERS[marks], ""], stated)
    assert found[:6].tolist() == [1234567.5, -0.25, 12, 1234, 0.5, 1500]
    assert found.isna()[6]


@pytest.mark.parametrize(
    "cell", ["1.234", "12.34,5", "1,2,3", "1.2345,6", "0x1F", "12 €", "1,5 ", "nan", "inf", "-", "1e400", "1e-400"]
)
def test_numbers_that_do_not_fit_their_marks_are_counted(project: Any, cell: str) -> None:
    said = refused(project, ["1,5", cell], {"type": "float", "decimal": ","})
    assert "column 'c': 1 value is" in said
    assert "(data_types: float)" in said


@pytest.mark.parametrize("kind", ["integer", "number", "decimal"])
@pytest.mark.parametrize("cell", ["0.234", "012.345", "-0.234", "00.123", "0.000", "000.123.456", "+0.234"])
@pytest.mark.parametrize("mark", [".", ",", " ", "'"])
def test_no_group_of_three_digits_follows_a_leading_zero(project: Any, kind: str, cell: str, mark: str) -> None:
    stated = {"type": kind, "thousands": mark} | ({} if kind == "integer" or mark != "." else {"decimal": ","})
    assert "column 'c': 1 value is not" in refused(project, ["1", "0", "012", cell.replace(".", mark)], stated)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["9223372036854775808"], "beyond whole numbers of 64 bits"),
        (["-9223372036854775809"], "beyond whole numbers of 64 bits"),
        (["1" * 40], "beyond whole numbers of 64 bits"),
        (["1" * 5000], "beyond whole numbers of 64 bits"),
        (["1.5"], "not whole numbers"),
        (["1e3"], "not whole numbers"),
    ],
)
def test_whole_numbers_are_kept_or_refused(project: Any, cells: list[str], said: str) -> None:
    assert said in refused(project, ["1", *cells], "integer")
    kept = ["9223372036854775807", "-9223372036854775808", "0000000000000000000000012", "7.00", "+3", ""]
    assert column(project, kept, "integer").tolist()[:5] == [2**63 - 1, -(2**63), 12, 7, 3]


def test_digits_that_a_float_does_not_hold_are_refused_and_decimals_keep_them(project: Any) -> None:
    cells = ["0,12345678901234567890", "-1234567890123456789,50", "", "1,10"]
    said = refused(project, cells, {"type": "number", "decimal": ","})
    assert "2 values are of more digits than a number keeps: state integer, decimal or text" in said
    found = column(project, cells, {"type": "decimal", "decimal": ","})
    assert [found[0], found[1], found[3]] == [
        Decimal(cell.replace(",", ".")) for cell in (cells[0], cells[1], cells[3])
    ]
    assert "longer than 38 digits" in refused(project, ["1" * 39], "decimal")


@pytest.mark.parametrize(
    "cell",
    ["9007199254740993", "-9007199254740993.0", "12345678901234567", "0.12345678901234567", "0.10000000000000001",
     "9.007199254740993e15", "00009007199254740993", "1.0000000000000000001", "9" * 400],
)  # fmt: skip
def test_digits_that_would_change_in_a_float_are_refused(project: Any, cell: str) -> None:
    said = refused(project, ["1.5", "", cell], "number")
    assert "column 'c': 1 value is of more digits than a number keeps" in said
    assert "the first in row 3" in said


def test_digits_that_a_float_holds_are_kept_also_where_they_are_many(project: Any) -> None:
    cells = ["9007199254740992", "123456789012345.67", "0.1234567890123456", "-1.7976931348623157e308"]
    cells += ["0.1000000000000000000", "100000000000000000000000", "+0.30000000000000004", "1.500e-0000000000000007"]
    assert column(project, cells, "number").tolist() == list(map(float, cells))


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_whole_numbers_that_a_float_does_not_hold_are_refused(project: Any, format: str) -> None:
    project.writer().write_dataset(pd.DataFrame({"c": [2**53, 2**53 + 1]}), f"t.{format}", name="t", format=format)
    with pytest.raises(DataError, match="1 value is of more digits than a number keeps"):
        project.source(data_types={"t": {"c": "number"}}, t=f"t.{format}").frame("t")


def test_words_of_booleans_and_categories(project: Any) -> None:
    yes = {"type": "boolean", "true": ["ja", "J"], "false": "nein"}
    assert column(project, ["Ja", "j", "NEIN", ""], yes).tolist()[:3] == [True, True, False]
    assert "1 value is none of 'ja', 'J', 'nein'" in refused(project, ["ja", "true"], yes)
    order = {"type": "category", "order": ["low", "mid", "high"]}
    found = column(project, ["high", "", "low"], order)
    assert found.cat.ordered
    assert found.cat.categories.tolist() == ["low", "mid", "high"]
    assert found.min() == "low"
    assert "2 values are none of 'low', 'mid', 'high'" in refused(project, ["High", "low", "max"], order)


@pytest.mark.parametrize(
    ("type_", "value"),
    [("text", "7"), ("integer", 7), ("number", 7.0), ("decimal", Decimal(7)), ("category", "7")],
)
def test_missing_words_and_blanks_of_a_column(project: Any, type_: str, value: Any) -> None:
    found = column(
        project, ["-", " k.A.", '" 7 "', "-9", ""], {"type": type_, "missing": ["-", "k.A.", "-9"], "trim": True}
    )
    assert found.notna().tolist() == [False, False, True, False, False]
    assert found[2] == value


def test_what_is_stated_of_a_dataset_holds_for_its_columns(project: Any) -> None:
    project.put("t.csv", " day ; amount;note ;code\n 1.2.2024;1.000,5 ; x y ;007\n;;  ;1\n".encode("cp1252"))
    source = DataSource(data_types={"amount": "float", "day": "date"}, reader=DataReader(project.files))
    written = {"decimal": ",", "thousands": ".", "date_format": "%d.%m.%Y", "trim": True}
    source.add_file_path("t", "t.csv", **written)
    frame = source.frame("t")
    assert list(frame) == ["day", "amount", "note", "code"]
    assert frame["day"][0] == pd.Timestamp("2024-02-01")
    assert frame["amount"][0] == 1000.5
    assert frame["note"].tolist()[0] == "x y"
    assert frame.isna().iloc[1].tolist() == [True, True, True, False]
    assert frame["code"].tolist() == ["007", "1"]
    # The same without types: a column of which all values are written so.
    plain = DataSource(reader=DataReader(project.files))
    plain.add_file_path("t", "t.csv", **written)
    pd.testing.assert_frame_equal(plain.frame("t"), frame)
    assert plain.schema("t") == source.schema("t")
    pieces = [piece for size in (1, 2) for piece in plain.chunks("t", size)]
    pd.testing.assert_frame_equal(pd.concat(pieces[:2], ignore_index=True), pieces[2])
    pd.testing.assert_frame_equal(pieces[2], frame)
    assert plain.frame("t", ["note", "day"]).columns.tolist() == ["note", "day"]


@pytest.mark.parametrize(
    "cells", [["1.5", "2.5"], ["1.234", "5"], ["1,5", "2.5"], ["1.1.24", "1.2.24"], ["now", "today"]]
)
def test_without_a_type_what_does_not_fit_the_notation_is_text(project: Any, cells: list[str]) -> None:
    project.put("t.csv", "c;n\n" + "".join(f"{cell};1\n" for cell in cells))
    source = DataSource(reader=DataReader(project.files))
    source.add_file_path("t", "t.csv", decimal=",", date_format="%d.%m.%Y")
    assert source.frame("t")["c"].tolist() == cells


@pytest.mark.parametrize("format", ["jsonl", "xlsx", "parquet"])
def test_texts_in_other_formats_are_read_as_stated_and_other_values_as_they_are(project: Any, format: str) -> None:
    day = datetime.datetime(1983, 6, 15) if format != "jsonl" else "15.06.1983"
    table = pd.DataFrame({"born": ["01.02.1950", "15.06.1983"], "sum": ["1.234,5", "1.000"], "paid": [1234.5, 1000.0]})
    mixed = table.assign(born=["01.02.1950", day], sum=["1.234,5", 1000]) if format == "xlsx" else table
    project.root.mkdir(exist_ok=True)
    project.writer().write_dataset(mixed, f"t.{format}", name="t", format=format)
    number = {"type": "number", "decimal": ",", "thousands": "."}
    types = {"born": {"type": "date", "format": "%d.%m.%Y"}, "sum": number, "paid": number}
    frame = project.source(data_types={"t": types}, t=f"t.{format}").frame("t")
    assert frame["born"].tolist() == [pd.Timestamp("1950-02-01"), pd.Timestamp("1983-06-15")]
    assert frame["sum"].tolist() == frame["paid"].tolist() == [1234.5, 1000]


def test_types_anywhere_may_be_mappings_and_datasets_may_have_columns_of_the_same_names(project: Any) -> None:
    project.put("t.csv", "type,format,born\n1,2,01.02.1950\n")
    types = {"born": {"type": "date", "format": "%d.%m.%Y"}, "t": {"type": "text", "format": "integer"}}
    frame = project.source(data_types=types, t="t.csv").frame("t")
    assert frame["type"].tolist() == ["1"]
    assert frame["format"].tolist() == [2]
    assert frame["born"].tolist() == [pd.Timestamp("1950-02-01")]


@pytest.mark.parametrize("format", ["jsonl", "xlsx", "parquet"])
@pytest.mark.parametrize(
    ("kind", "missing"), [("integer", ["-9"]), ("number", ["-9"]), ("text", "-9"), ("category", "-9")]
)
def test_missing_words_may_be_numbers(project: Any, format: str, kind: str, missing: Any) -> None:
    for values in ([1, -9, 3], [1.0, -9.0, None, 3.0]):
        project.writer().write_dataset(pd.DataFrame({"c": values}), f"t.{format}", name="t", format=format)
        found = project.source(data_types={"t": {"c": {"type": kind, "missing": missing}}}, t=f"t.{format}").frame("t")[
            "c"
        ]
        assert found.isna().tolist()[:2] == [False, True]


@pytest.mark.parametrize("format", ["csv", "jsonl", "xlsx", "parquet"])
def test_types_of_any_dataset_hold_for_written_ones_where_all_values_fit(project: Any, format: str) -> None:
    """Alike whole and in pieces, also where only the last value does not fit."""
    ages, zips = ["1", "2", "3", "[4,5]"], ["01", "2", "3", "4"]
    project.writer().write_dataset(pd.DataFrame({"age": ages, "zip": zips}), f"t.{format}", name="t", format=format)

    def source() -> DataSource:
        types = {"age": {"type": "integer", "missing": ["3"]}, "zip": "integer", "other": "text"}
        made = DataSource(data_types=types, reader=DataReader(project.files))
        made.add_file_path("t", f"t.{format}", role="state")
        return made

    whole = source().frame("t")
    assert whole["age"].tolist() == ages
    assert whole["zip"].tolist() == [1, 2, 3, 4]
    assert source().schema("t") == {name: str(dtype) for name, dtype in whole.dtypes.items()}
    pd.testing.assert_frame_equal(source().frame("t", ["age"]), whole[["age"]])
    for size in (1, 3, 4):
        pd.testing.assert_frame_equal(pd.concat(source().chunks("t", size), ignore_index=True), whole)
