"""Reading CSV loses nothing, guesses openly, and fails without showing values."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pamola_tasks.errors import DataError
from pamola_tasks_data.inference import TEXT_DTYPE
from pamola_tasks_data.reading import CsvOptions


def read(project: Any, content: bytes | str, **options: object) -> pd.DataFrame:
    project.put("t.csv", content)
    return project.source(t="t.csv", **options).frame("t")


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["1", "2", "-3"], "int64"),
        (["1", "", "3"], "Int64"),
        (["9007199254740993", "", "1"], "Int64"),
        (["1.5", "", "2"], "float64"),
        (["1e-05", "2.5"], "float64"),
        (["inf", "1.0"], "float64"),
        (["True", "False"], "bool"),
        (["True", "", "False"], "boolean"),
        (["01234", "10115"], TEXT_DTYPE),
        (["1.5", "007"], TEXT_DTYPE),
        (["+49", "1"], TEXT_DTYPE),
        (["0x10", "1"], TEXT_DTYPE),
        (["1E10", "2E5"], TEXT_DTYPE),
        (["nan", "1.5"], TEXT_DTYPE),
        (["NA", "1"], TEXT_DTYPE),
        (["99999999999999999999", "1"], TEXT_DTYPE),
        (["12345678901234567", "0.5"], TEXT_DTYPE),
        (["3.14159265358979323846", "1.0"], TEXT_DTYPE),
        (["true", "false"], TEXT_DTYPE),
        (["2024-01-01", "2024-02-01"], TEXT_DTYPE),
        ([" 1", "2"], TEXT_DTYPE),
    ],
)
def test_a_column_is_a_number_only_if_the_numbers_say_all_that_the_text_said(
    project: Any, cells: list[str], dtype: str
) -> None:
    frame = read(project, "x,y\n" + "".join(f"{cell},k\n" for cell in cells))
    assert str(frame["x"].dtype) == dtype
    if dtype == TEXT_DTYPE:
        assert frame["x"].tolist() == cells


def test_one_leading_zero_far_down_makes_the_whole_column_text(project: Any) -> None:
    frame = read(project, "zip\n" + "10115\n" * 5000 + "01067\n")
    assert frame["zip"].iloc[0] == "10115"
    assert frame["zip"].iloc[-1] == "01067"


def test_whole_numbers_beside_missing_values_stay_whole_however_long(project: Any) -> None:
    frame = read(project, "id,x\n9007199254740993,1\n,2\n")
    assert frame["id"].iloc[0] == 9007199254740993
    assert frame["id"].isna().tolist() == [False, True]


def test_only_the_empty_cell_is_missing_unless_the_settings_say_more(project: Any) -> None:
    content = 'country,name\nNA,None\n,""\nDE,null\n'
    frame = read(project, content)
    assert frame["country"].isna().tolist() == [False, True, False]
    assert frame["name"].tolist() == ["None", "", "null"]
    told = read(project, content, csv=CsvOptions(missing_values=("", "NA")))
    assert told["country"].isna().tolist() == [True, True, False]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out_when_nobody_states_it(project: Any, delimiter: str) -> None:
    rows = [["name", "note", "n"], ["a", '"x, y; z"', "1"], ["b", '"u|v\tw"', "2"]]
    frame = read(project, "\n".join(delimiter.join(row) for row in rows) + "\n")
    assert list(frame.columns) == ["name", "note", "n"]
    assert frame["note"].tolist() == ["x, y; z", "u|v\tw"]
    assert frame["n"].tolist() == [1, 2]


def test_a_stated_delimiter_is_not_second_guessed(project: Any) -> None:
    frame = read(project, '"a;b"\n"1;2"\n', csv=CsvOptions(delimiter=","))
    assert list(frame.columns) == ["a;b"]


def test_the_byte_order_mark_is_no_part_of_the_first_name(project: Any) -> None:
    assert list(read(project, b"\xef\xbb\xbfa,b\n1,2\n").columns) == ["a", "b"]
    assert list(read(project, "\ufeffa,b\n1,\u00e4\n".encode("utf-16-le")).columns) == ["a", "b"]


@pytest.mark.parametrize("padding", [0, 200_000])
def test_bytes_that_are_no_utf8_are_read_as_cp1252_and_the_user_is_told(project: Any, padding: int) -> None:
    frame = read(project, b"name,n\n" + b"x,1\n" * (padding // 4) + "M\u00fcller,2\n".encode("cp1252"))
    assert frame["name"].iloc[-1] == "M\u00fcller"
    assert len(project.warnings) == 1
    assert "cp1252" in project.warnings[0]
    assert "t.csv" in project.warnings[0]


def test_pieces_of_a_file_that_turns_out_to_be_no_utf8_far_down_are_read_too(project: Any) -> None:
    project.put("t.csv", b"name,n\n" + b"x,1\n" * 100_000 + "M\u00fcller,2\n".encode("cp1252"))
    source = project.source(t="t.csv")
    assert [piece["name"].iloc[-1] for piece in source.chunks("t", 60_000)] == ["x", "M\u00fcller"]
    assert len(set(project.warnings)) == 1


def test_a_delimiter_of_two_characters_is_refused_in_words(project: Any) -> None:
    with pytest.raises(DataError, match="one character each"):
        read(project, "a;;b\n1;;2\n", csv=CsvOptions(delimiter=";;"))


def test_a_stated_encoding_that_does_not_fit_is_an_error(project: Any) -> None:
    with pytest.raises(DataError, match=r"dataset 't' \(t.csv\).*utf-8"):
        read(project, "n\nM\u00fcller\n".encode("cp1252"), csv=CsvOptions(encoding="utf-8"))


def test_a_line_break_within_quotes_is_part_of_the_cell(project: Any) -> None:
    frame = read(project, 'a,b\n"x\ny",1\n"he said ""no""",2\n')
    assert frame["a"].tolist() == ["x\ny", 'he said "no"']


def test_in_a_table_of_one_column_an_empty_line_is_a_missing_value(project: Any) -> None:
    assert read(project, 'a\nx\n\n""\ny\n')["a"].isna().tolist() == [False, True, False, False]


def test_rows_of_another_length_are_counted_and_placed_and_not_shown(project: Any) -> None:
    with pytest.raises(DataError, match=r"2 rows have another number of cells .* 2 .*row 3, which has 3") as caught:
        read(project, "a,b\n1,2\n3,4,SECRET\n5,6\nSECRET\n")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"a,a\n1,2\n", "'a' more than once"),
        (b'a,b\n"SECRET,1\n', "cells|quote"),
    ],
)
def test_what_cannot_be_a_table_is_refused_in_words(project: Any, content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(project, content)
    assert "SECRET" not in str(caught.value)


def test_a_header_without_rows_is_an_empty_table(project: Any) -> None:
    for content in ("a,b\n", "a,b"):
        frame = read(project, content)
        assert list(frame.columns) == ["a", "b"]
        assert len(frame) == 0


def test_a_missing_column_is_named_with_file_and_columns(project: Any) -> None:
    project.put("t.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match=r"t\.csv.*no column 'z': it has 'a', 'b'"):
        project.source(t="t.csv").frame("t", ["a", "z"])


def test_chunks_have_the_types_of_the_whole(project: Any) -> None:
    rows = [f"{n},{n}," for n in range(10_000)] + ["007,,x", "8,1.5,"]
    project.put("t.csv", "code,number,late\n" + "\n".join(rows) + "\n")
    source = project.source(t="t.csv")
    pieces = list(source.chunks("t", 3000))
    assert [len(piece) for piece in pieces] == [3000, 3000, 3000, 1002]
    whole = project.source(t="t.csv").frame("t")
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)
    assert all(piece.dtypes.equals(whole.dtypes) for piece in pieces)
    assert source.schema("t") == {c: str(d) for c, d in whole.dtypes.items()}


def test_chunks_of_an_empty_table_still_have_its_columns(project: Any) -> None:
    project.put("t.csv", "a,b\n")
    assert [list(piece.columns) for piece in project.source(t="t.csv").chunks("t", 10)] == [["a", "b"]]


def test_the_adult_table_is_read_as_pandas_reads_it(project: Any) -> None:
    path = Path(__file__).resolve().parents[4] / "shared" / "data" / "adult.csv"
    if not path.is_file():
        pytest.skip("the Adult table is not here: it lies in ../shared/data, which is no part of the project")
    project.put("adult.csv", path.read_bytes())
    ours = project.source(adult="adult.csv").frame("adult")
    with path.open("rb") as file:
        theirs = pd.read_csv(file, sep=";", keep_default_na=False)
    pd.testing.assert_frame_equal(ours, theirs)
    assert len(ours) == 30_162


FAILS_AHEAD = """
import io, sys
from pamola_tasks_data import csv_reading

class Fails(io.BytesIO):
    left = 0

    def read(self, size=-1):
        self.left -= 1
        if self.left < 0:
            raise ValueError("the disk is gone")
        return super().read(size)

csv_reading._BLOCK = 4096
for number in range(400):
    file = Fails(b"a,b\\n" + b"1,x\\n" * 5000)
    file.left = number % 8
    try:
        list(csv_reading.chunks(file, 100, None, {"dtypes": {"a": "int64", "b": "str"}, "encoding": "utf-8"}))
    except ValueError as problem:
        assert "the disk is gone" in str(problem), problem
    else:
        assert file.left >= 0
"""


def test_a_read_that_fails_ahead_is_raised_and_never_waited_for() -> None:
    """Arrow's thread waited for itself when a read failed: sooner or later a step hung, or the end of the process."""
    subprocess.run([sys.executable, "-c", FAILS_AHEAD], check=True, timeout=120)


WIDE = "Name;Größe\nJosé;1,5\nИван;2,5\n"


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_unicode_of_any_width_with_and_without_a_mark(project: Any, encoding: str, mark: str, end: str) -> None:
    """Without a mark, the bytes of UTF-16 passed as UTF-8 with a NUL in each character."""
    for body in (WIDE, "Имя\nИван\nJosé\n", WIDE + "Анна;1,5\n" * 30_000):
        project.put("t.csv", (mark + body.removesuffix("\n") + end).encode(encoding))
        source = project.source(t="t.csv")
        pieces = pd.concat(list(source.chunks("t", 10_000)), ignore_index=True)
        assert source.frame("t").equals(pieces)
        assert pieces.iloc[:, 0].tolist() == [line.split(";")[0] for line in body.split("\n")[1:-1]]
        assert list(pieces.columns) == body.split("\n")[0].split(";")
    assert not project.warnings


@pytest.mark.parametrize(
    ("written", "stated"),
    [("utf-16-be", "utf-16"), ("utf-16-le", "UTF_16"), ("utf-16", "utf16"), ("utf-32-be", "utf-32"), ("utf-8", "UTF8")],
)
def test_a_stated_width_needs_no_order_of_bytes(project: Any, written: str, stated: str) -> None:
    assert read(project, WIDE.encode(written), csv=CsvOptions(encoding=stated))["Name"].tolist() == ["José", "Иван"]


@pytest.mark.parametrize("content", [b"a,b\n1,x\0y\n", b"a,b\n\0,\0\0\0\n", b"a,b\n1,\0\n\0,2\n", b"a\0,b\n1,2\n" * 9])
def test_a_nul_in_a_cell_is_no_other_encoding(project: Any, content: bytes) -> None:
    frame = read(project, content)
    assert [list(frame.columns), *frame.astype(str).to_numpy().tolist()] == [
        line.split(",") for line in content.decode().split("\n")[:-1]
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_half_a_character_at_the_end_is_refused(project: Any, encoding: str) -> None:
    project.put("t.csv", WIDE.encode(encoding) + b"\0")
    for read_it in (lambda source: source.frame("t"), lambda source: list(source.chunks("t", 1))):
        with pytest.raises(DataError, match=f"not all {encoding}: state the right default_encoding"):
            read_it(project.source(t="t.csv"))


@pytest.mark.parametrize("line", ["sep={}", '"sep={}"', "SEP={}", "Sep={}"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|", ":", "^"])
def test_the_line_that_tells_excel_the_delimiter(project: Any, delimiter: str, line: str) -> None:
    """It was taken for the header: `sep=` and a column without a name."""
    body = "\nage;sex\n1;f\n2;m".replace(";", delimiter)
    for end in ("\n", "\r\n", "\r"):
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"):
            project.put("t.csv", (line.format(delimiter) + body).replace("\n", end).encode(encoding))
            source = project.source(t="t.csv")
            assert source.frame("t").to_dict("list") == {"age": [1, 2], "sex": ["f", "m"]}
            assert [list(piece["age"]) for piece in project.source(t="t.csv").chunks("t", 1)] == [[1], [2]]
            assert source.schema("t")["age"] == "int64"
    assert not project.warnings


def test_a_stated_delimiter_is_before_that_line(project: Any) -> None:
    frame = read(project, "sep=;\na,b\n1,2;3\n", csv=CsvOptions(delimiter=","))
    assert frame.to_dict("list") == {"a": [1], "b": ["2;3"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sep=;\n", "the file is empty"),
        ("sep=;\na;b\n1;2\n3;4;5\n", "1 row has another number of cells than the header's 2"),
        ('sep=;\na;b\n1;2\n3;"4\n', r"column 'b' in line 4 \(row 2 below the header\)"),
    ],
)
def test_damage_below_that_line(project: Any, content: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(project, content)


@pytest.mark.parametrize("content", ["sep\nx\n", "sep=\nx\n", "sep=ab\nx\n", "a,sep=;\nx,y\n"])
def test_names_like_that_line_are_names(project: Any, content: str) -> None:
    assert list(read(project, content).columns) == content.split("\n")[0].split(",")


@pytest.mark.parametrize(("columns", "length"), [(5_003, 20), (9_000, 60), (5_000, 900), (14_000, 300)])
@pytest.mark.parametrize("quote", ["", '"'])
def test_headers_of_any_length(project: Any, columns: int, length: int, quote: str) -> None:
    names = [f"question_{number:05}_{'x' * length}" for number in range(columns)]
    for delimiter in (",", ";") if columns < 9_000 else ("\t",):
        header = delimiter.join(f"{quote}{name}{quote}" for name in names)
        content = f"{header}\n{delimiter.join('1' * columns)}\n"
        project.put("t.csv", content)
        source = project.source(t="t.csv")
        assert source.columns("t") == names
        assert source.frame("t", names[-2:]).to_dict("list") == {name: [1] for name in names[-2:]}
        assert len(list(source.chunks("t", 1, names[:2]))) == 1


def test_a_header_with_line_breaks_that_is_long(project: Any) -> None:
    names = [f"question\n{number}" for number in range(9_000)]
    project.put("t.csv", ",".join(f'"{name}"' for name in names) + "\n" + ",".join("1" * 9_000) + "\n")
    assert project.source(t="t.csv").columns("t") == names


def test_a_long_header_with_an_open_quote_is_refused(project: Any) -> None:
    names = [f"question{number}" for number in range(9_000)]
    with pytest.raises(DataError, match=r"(?:in line 1 \(the header\)|quote in the header) is never closed"):
        read(project, ",".join([*names, '"open', *names]) + "\n" + ",".join("1" * 18_001) + "\n")


@pytest.mark.parametrize("names", [("id", "note"), ("note",)])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("rows", [1, 3])
def test_cells_longer_than_a_line_of_text(project: Any, names: tuple[str, ...], quote: str, rows: int) -> None:
    """Of more than the 131,072 characters that Python's own reader takes, in the first row: the table is not empty."""
    cell = f"{quote}{'long ' * 40_000}{quote}"
    row = ",".join([*["1"] * (len(names) - 1), cell]) + "\n"
    project.put("t.csv", ",".join(names) + "\n" + row * rows)
    for frame in (project.source(t="t.csv").frame("t"), pd.concat(project.source(t="t.csv").chunks("t", 2))):
        assert frame.shape == (rows, len(names))
        assert frame["note"].str.len().tolist() == [200_000] * rows
