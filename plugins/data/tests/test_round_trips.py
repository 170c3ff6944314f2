"""What is written is what is read again."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pamola_tasks.errors import DataError, DataWriteError
from pamola_tasks_data import csv_reading, csv_writing
from pamola_tasks_data.inference import TEXT_DTYPE
from pamola_tasks_data.reading import CsvOptions


def through_csv(frame: pd.DataFrame, **options: Any) -> pd.DataFrame:
    file = io.BytesIO()
    csv_writing.write([frame], file, options)
    file.seek(0)
    return csv_reading.read(file, None, options)


def written(frame: pd.DataFrame, **options: Any) -> str:
    file = io.BytesIO()
    csv_writing.write([frame], file, options)
    return file.getvalue().decode()


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "zip": ["01234", "10115", None, ""],
            "whole": pd.array([1, None, -3, 2**60], dtype="Int64"),
            "n": [1, 2, 3, 4],
            "x": [1.0, math.nan, 0.1 + 0.2, 1e-7],
            "flag": pd.array([True, None, False, True], dtype="boolean"),
            "text, quoted": ['a "b"', "line\nbreak", "c,d", "\r"],
            "NA": ["NA", "null", "nan", "None"],
        }
    )


def test_a_table_comes_back_from_csv_as_it_was(table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(through_csv(table), table)


@pytest.mark.parametrize("format", ["csv", "parquet", "json", "jsonl"])
def test_a_table_comes_back_from_every_format(project: Any, table: pd.DataFrame, format: str) -> None:
    record = project.writer().write_dataset(table, f"out/t.{format}", name="t", format=format)
    pd.testing.assert_frame_equal(project.source(t=f"out/t.{format}").frame("t"), table)
    assert record.sha256 == project.files.sha256(f"out/t.{format}")
    assert (record.rows, record.columns, record.format) == (4, tuple(table.columns), format)
    assert record.bytes == (project.root / f"out/t.{format}").stat().st_size


@pytest.mark.parametrize("format", ["csv", "parquet", "json", "jsonl"])
def test_a_table_written_in_pieces_is_the_same_file_content(project: Any, table: pd.DataFrame, format: str) -> None:
    pieces = (table.iloc[start : start + 1] for start in range(len(table)))
    record = project.writer().write_dataset(pieces, f"t.{format}", name="t", format=format)
    pd.testing.assert_frame_equal(project.source(t=f"t.{format}").frame("t"), table)
    assert record.rows == 4


def test_csv_bytes_come_back_unchanged(project: Any) -> None:
    content = 'id,zip,x,when,name\n1,01234,1.5,2024-01-31,"a, b"\n2,,0.25,2024-02-01,""\n3,10115,,,c\n'
    project.put("a.csv", content)
    project.writer().write_dataset(project.source(a="a.csv").frame("a"), "b.csv", name="b", format="csv")
    assert (project.root / "b.csv").read_text() == content


@pytest.mark.parametrize("delimiter", [",", "§"])
def test_long_columns_have_quotes_where_they_are_needed_and_nowhere_else(delimiter: str) -> None:
    cells = ["plain", "", f"a{delimiter}b", 'say "x"', "two\nlines", "NA", "zoë", None]
    rows = [[cells[(row * step) % len(cells)] for step in (1, 3)] + [f"{row}{delimiter}"] for row in range(3000)]
    frame = pd.DataFrame(rows, columns=["a", "b", "c"], dtype=TEXT_DTYPE)
    text = written(frame, delimiter=delimiter, missing_values=("", "NA"))
    expected = io.StringIO(newline="")
    writer = csv.writer(expected, delimiter=delimiter, lineterminator="\n")
    writer.writerows(
        [["a", "b", "c"], *([f"'{cell}'" if cell in ("", "NA") else cell for cell in row] for row in rows)]
    )
    assert text == expected.getvalue().replace("''", '""').replace("'NA'", '"NA"')


text_cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.none()


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(text_cells, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)), min_size=1, max_size=8
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_any_text_whole_number_and_float_survives_csv(
    rows: list[tuple[str | None, int, float]], delimiter: str
) -> None:
    texts, numbers, floats = zip(*rows, strict=True)
    frame = pd.DataFrame({"t": pd.Series(texts, dtype=TEXT_DTYPE), "n": numbers, "f": floats, "end": "end"})
    back = through_csv(frame, delimiter=delimiter, text_columns=("t",), encoding="utf-8")
    assert [None if pd.isna(v) else v for v in back["t"]] == list(texts)
    assert back["n"].tolist() == list(numbers)
    assert back["f"].tolist() == list(floats)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5), min_size=2, max_size=2),
        max_size=6,
    )
)
def test_the_standard_library_reads_the_same_cells(cells: list[list[str]]) -> None:
    text = written(pd.DataFrame(cells, columns=["a", "b"], dtype=TEXT_DTYPE))
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == cells


def test_missing_and_empty_text_are_told_apart() -> None:
    assert written(pd.DataFrame({"a": ["x", None, ""], "b": [1, 2, 3]})) == 'a,b\nx,1\n,2\n"",3\n'
    assert through_csv(pd.DataFrame({"a": ["x", None, ""]}))["a"].isna().tolist() == [False, True, False]


def test_a_text_that_would_be_read_as_missing_is_quoted() -> None:
    frame = pd.DataFrame({"a": ["NA", None, "x"], "b": [1, 2, 3]})
    back = through_csv(frame, missing_values=["", "NA"])
    assert back["a"].isna().tolist() == [False, True, False]


def test_floats_keep_their_point_and_times_their_precision() -> None:
    frame = pd.DataFrame(
        {
            "f": [1.0, 2.5],
            "day": pd.to_datetime(["2024-01-01", "2024-12-31"], format="ISO8601"),
            "second": pd.to_datetime(["2024-01-01 10:00:00", "2024-12-31"], format="ISO8601"),
            "micro": pd.to_datetime(["2024-01-01 10:00:00.000001", "2024-12-31"], format="ISO8601"),
            "zone": pd.to_datetime(["2024-01-01 10:00", "2024-06-01 10:00"]).tz_localize("Europe/Berlin"),
        }
    )
    first = written(frame).splitlines()[1]
    assert first.startswith("1.0,2024-01-01,2024-01-01 10:00:00,2024-01-01 10:00:00.000001,2024-01-01T10:00:00")
    assert first.endswith("+0100")


def test_long_tables_are_written_in_order(project: Any) -> None:
    frame = pd.DataFrame({"n": np.arange(600_000), "t": pd.Series(["a", "b,c", None] * 200_000, dtype=TEXT_DTYPE)})
    record = project.writer().write_dataset(frame, "long.csv", name="long", format="csv")
    assert record.rows == 600_000
    pd.testing.assert_frame_equal(project.source(t="long.csv").frame("t"), frame)


def test_a_stated_dialect_holds_for_writing_and_reading(project: Any) -> None:
    options = CsvOptions(delimiter=";", encoding="cp1252")
    frame = pd.DataFrame({"name": ["M\u00fcller; K", "b"], "n": [1, 2]})
    project.writer(options).write_dataset(frame, "t.csv", name="t", format="csv")
    assert (project.root / "t.csv").read_bytes() == 'name;n\n"M\u00fcller; K";1\nb;2\n'.encode("cp1252")
    pd.testing.assert_frame_equal(project.source(csv=options, t="t.csv").frame("t"), frame)


def test_utf16_has_one_byte_order_mark_however_long_the_file(project: Any) -> None:
    options = CsvOptions(encoding="utf-16")
    frame = pd.DataFrame({"name": ["M\u00fcller"] * 300_000, "n": range(300_000)})
    project.writer(options).write_dataset(frame, "t.csv", name="t", format="csv")
    pd.testing.assert_frame_equal(project.source(csv=options, t="t.csv").frame("t"), frame)


def test_a_character_that_the_stated_encoding_lacks_fails_the_write_and_leaves_no_file(project: Any) -> None:
    frame = pd.DataFrame({"a": ["\u4e2d"]})
    with pytest.raises(DataWriteError, match="cp1252"):
        project.writer(CsvOptions(encoding="cp1252")).write_dataset(frame, "t.csv", name="t", format="csv")
    assert not list(project.root.iterdir())


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
def test_categories_of_rows_that_were_removed_are_not_written(project: Any, format: str) -> None:
    frame = pd.DataFrame({"ill": pd.Categorical(["flu", "RARE", "flu"]), "n": [1, 2, 3]})
    project.writer().write_dataset(frame[frame["ill"] == "flu"], f"t.{format}", name="t", format=format)
    assert b"RARE" not in (project.root / f"t.{format}").read_bytes()
    assert "RARE" in frame["ill"].cat.categories


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@pytest.mark.parametrize("count", [3, 70_000])
def test_categories_are_written_as_the_texts_that_they_are(project: Any, format: str, count: int) -> None:
    texts = pd.array([f'{n}, "{n % 7}"' for n in range(count)], dtype="string")
    codes = np.append(np.arange(70_000) % count, -1)
    coded = pd.DataFrame({"c": pd.Categorical.from_codes(codes, categories=pd.Index(texts)), "n": range(70_001)})
    plain = coded.assign(c=coded["c"].astype("string"))
    for name, frame in (("coded", coded), ("plain", plain)):
        project.writer().write_dataset(frame, f"{name}.{format}", name=name, format=format)
    assert (project.root / f"coded.{format}").read_bytes() == (project.root / f"plain.{format}").read_bytes()


def test_parquet_keeps_categories_and_writes_no_attributes(project: Any) -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["b", "a"], categories=["b", "a"], ordered=True)})
    frame.attrs["note"] = "SECRET"
    project.writer().write_dataset(frame, "t.parquet", name="t", format="parquet")
    back = project.source(t="t.parquet").frame("t")
    assert list(back["c"].cat.categories) == ["b", "a"]
    assert back["c"].cat.ordered
    assert b"SECRET" not in (project.root / "t.parquet").read_bytes()


def test_a_named_index_is_data_and_a_plain_one_is_not(project: Any) -> None:
    grouped = pd.DataFrame({"sex": ["f", "m", "f"], "n": [1, 2, 3]}).groupby("sex").sum()
    record = project.writer().write_dataset(grouped, "t.csv", name="t", format="csv")
    assert (project.root / "t.csv").read_text() == "sex,n\nf,4\nm,2\n"
    assert record.columns == ("sex", "n")
    project.writer().write_dataset(pd.DataFrame({"n": [1, 2, 3]}).iloc[1:], "u.csv", name="u", format="csv")
    assert (project.root / "u.csv").read_text() == "n\n2\n3\n"


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_intervals_of_cut_can_be_written(project: Any, format: str) -> None:
    frame = pd.DataFrame({"age": pd.cut([1, 15], [0, 10, 20])})
    project.writer().write_dataset(frame, f"t.{format}", name="t", format=format)
    back = project.source(t=f"t.{format}").frame("t")
    assert back["age"].astype(str).tolist() == ["(0, 10]", "(10, 20]"]


def test_values_without_a_common_type_are_text_in_csv_and_refused_by_name_in_parquet(project: Any) -> None:
    frame = pd.DataFrame({"n": [1, 2], "mixed": [1, "SECRET"]})
    project.writer().write_dataset(frame, "t.csv", name="t", format="csv")
    assert (project.root / "t.csv").read_text() == "n,mixed\n1,1\n2,SECRET\n"
    with pytest.raises(DataWriteError, match=r"t\.parquet.*'mixed' holds values of types .*\(int, str\)") as caught:
        project.writer().write_dataset(frame, "t.parquet", name="t", format="parquet")
    assert "SECRET" not in str(caught.value)
    assert not (project.root / "t.parquet").exists()


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "nothing to write"),
        ([pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})], "different columns"),
        ([pd.DataFrame([[1, 2]], columns=["a", "a"])], "more than one column 'a'"),
        ([[1, 2]], "only a DataFrame"),
        (5, "only a DataFrame"),
    ],
)
def test_what_is_no_table_is_refused_and_leaves_no_file(project: Any, frames: Any, words: str, format: str) -> None:
    with pytest.raises(DataError, match=words):
        project.writer().write_dataset(frames, "t.x", name="t", format=format)
    assert not list(project.root.iterdir())


def test_pieces_with_and_without_missing_values_fit_together_in_parquet(project: Any) -> None:
    pieces = [pd.DataFrame({"n": [1, 2], "o": [None, None]}), pd.DataFrame({"n": [None, 4.0], "o": ["a", None]})]
    project.writer().write_dataset(pieces, "t.parquet", name="t", format="parquet")
    back = project.source(t="t.parquet").frame("t")
    assert str(back["n"].dtype) == "Int64"
    assert back["n"].dropna().tolist() == [1, 2, 4]
    pieces[1]["n"] = [1.5, 2.5]
    with pytest.raises(DataWriteError, match="column 'n' is int64 in the first piece and double"):
        project.writer().write_dataset(pieces, "u.parquet", name="u", format="parquet")


FORMULAS = ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '=cmd|" /C calc"!A0', "=HYPERLINK(A1,B1)"]
HARMLESS = ["a=1", "1-2", "x@y.org", "'quoted", "", "a+b"]


def test_plain_csv_is_faithful_and_csv_for_spreadsheets_holds_no_formula() -> None:
    frame = pd.DataFrame({"=name": [*FORMULAS, *HARMLESS], "n": [-float(n) for n in range(16)]})
    plain, guarded = io.BytesIO(), io.BytesIO()
    csv_writing.write([frame], plain, {})
    csv_writing.write([frame], guarded, {"for_spreadsheets": True})
    header, *rows = csv.reader(io.StringIO(plain.getvalue().decode(), newline=""))
    assert (header[0], [row[0] for row in rows]) == ("=name", [*FORMULAS, *HARMLESS])
    header, *rows = csv.reader(io.StringIO(guarded.getvalue().decode(), newline=""))
    assert (header[0], [row[0] for row in rows]) == ("'=name", ["'" + text for text in FORMULAS] + HARMLESS)
    assert [float(row[1]) for row in rows] == [-float(n) for n in range(16)], "numbers are no formulas"


@pytest.mark.parametrize("cell", [{"a": 1}, [1], b"ab0"])
def test_cells_that_an_operation_made_of_several_values_are_refused_by_column_in_csv(project: Any, cell: Any) -> None:
    frame = pd.DataFrame({"n": [1], "odd": [cell]})
    with pytest.raises(DataWriteError, match="column 'odd': CSV cannot hold cells of type"):
        project.writer().write_dataset(frame, "t.csv", name="t", format="csv")
    project.writer().write_dataset(frame, "t.xlsx", name="t", format="xlsx")
    found = project.source(t="t.xlsx").frame("t")["odd"][0]
    assert found == ("YWIw" if isinstance(cell, bytes) else json.dumps(cell, separators=(",", ":")))


def test_spans_of_time_are_written_to_csv_with_all_digits(project: Any) -> None:
    spans = ["105 days 00:00:00.000001", "106751 days 23:47:16.854775", "0 days", None]
    frame = pd.DataFrame({"short": pd.to_timedelta(["1 days", "0.5 s", None, "0 s"]), "long": pd.to_timedelta(spans)})
    project.writer().write_dataset(frame, "t.csv", name="t", format="csv")
    assert (project.root / "t.csv").read_text().splitlines()[1:] == [
        "86400.0,9072000.000001",
        "0.5,9223372036.854775",
        ",0.000000",
        "0.0,",
    ]


@pytest.mark.parametrize("later", [[b"a"], [1], [1.5], [True], [["a"]], [pd.Timestamp("2024-01-01")]])
def test_values_behind_a_piece_without_any_are_not_taken_for_text_in_parquet(project: Any, later: list[Any]) -> None:
    pieces = [pd.DataFrame({"o": [None]}), pd.DataFrame({"o": later})]
    with pytest.raises(DataWriteError, match="column 'o' is string in the first piece and"):
        project.writer().write_dataset(pieces, "t.parquet", name="t", format="parquet")


@pytest.mark.parametrize("cell", [{}, [{}], {"a": {}}])
def test_objects_without_keys_are_refused_by_column_in_parquet(project: Any, cell: Any) -> None:
    with pytest.raises(DataWriteError, match="column 'o' holds objects without keys"):
        project.writer().write_dataset(pd.DataFrame({"o": [cell]}), "t.parquet", name="t", format="parquet")


@pytest.mark.parametrize(
    ("format", "cell"),
    [("csv", b"a"), ("csv", {"SECRET": 1}), ("csv", [{"SECRET": 1}]), *((f, b"a") for f in ("json", "jsonl"))]
    + [(f, sign * math.inf) for f in ("json", "jsonl") for sign in (1, -1)],
)
def test_what_a_format_cannot_hold_is_refused_by_column_without_its_keys(project: Any, format: str, cell: Any) -> None:
    with pytest.raises(DataWriteError, match="column 'odd': ") as caught:
        project.writer().write_dataset(pd.DataFrame({"odd": [cell]}), f"t.{format}", name="t", format=format)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("content", ["a\n\n", "a\n\n\n", '""\n\n', '"a\nb"\n\n', "a\r\n\r\n"])
def test_a_csv_column_without_values_has_its_rows(project: Any, content: str) -> None:
    rows = content.replace("\r", "").replace("a\nb", "ab").lstrip("\n").count("\n") - 1
    source = project.source(t=project.put("t.csv", content))
    assert len(source.frame("t")) == rows
    assert sum(map(len, project.source(t="t.csv").chunks("t", 1))) == rows


@pytest.mark.parametrize("last", [None, "", math.nan, pd.NaT])
def test_a_sheet_whose_last_row_has_no_value_is_refused(project: Any, last: Any) -> None:
    frame = pd.DataFrame({"a": pd.Series(["x", None, "y", last], dtype=object)})
    with pytest.raises(DataWriteError, match="the last row has no value"):
        project.writer().write_dataset(frame, "t.xlsx", name="t", format="xlsx")
    project.writer().write_dataset(frame.iloc[:3], "t.xlsx", name="t", format="xlsx")
    assert len(project.source(t="t.xlsx").frame("t")) == 3


@pytest.mark.parametrize("cell", ["-", "--", "-x", "+", ".", "-.", "0"])
def test_a_sign_alone_is_text(project: Any, cell: str) -> None:
    source = project.source(t=project.put("t.csv", f"n,x\n0,{cell}\n"))
    assert source.frame("t")["x"].astype(str).tolist() == [cell]
    assert [piece["x"].astype(str).tolist() for piece in source.chunks("t", 1)] == [[cell]]
