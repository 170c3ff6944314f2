"""Names of columns that are not one text each, and characters that no encoding has, are refused in every format."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest

from pamola_tasks.errors import DataError, DataWriteError
from pamola_tasks_data import DataSource
from pamola_tasks_data.reading import CsvOptions

MULTI = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])


def both(project: Any, name: str) -> str:
    """The words in which a file is refused, whole, in pieces, and with some columns only."""
    told = []
    for read in (
        lambda source: source.frame("t"),
        lambda source: list(source.chunks("t", 1)),
        lambda source: source.schema("t"),
        lambda source: source.frame("t", ["a"]),
    ):
        with pytest.raises(DataError) as caught:
            read(project.source(t=name))
        told.append(str(caught.value))
    assert len(set(told)) == 1
    return told[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b"a,b,a\n1,2,3\n"),
        ("t.csv", b'"a";a\n1;2\n'),
        ("t.jsonl", b'{"a":1}\n{"a":2, "b":1, "a":3}\n'),
        ("t.jsonl", b'{"b":{"a":[{"a" :1,"a": 2}]}}\n'),
        ("t.jsonl", b'{"a": 1, "\\u0061":2}\n'),
        ("t.json", b'[{"a":1},{"a":2,"a":3}]'),
        ("t.json", b'[{"b":[{"a" : 1, "a" : 2}]}]'),
        ("t.jsonl", b'{"a" :1,"a" :2,"b":":x"}\n'),
        ("t.json", b'[{"a"\n:1,"a"\t:2,"b":":x"}]'),
    ],
)
def test_a_name_that_a_file_has_twice(project: Any, name: str, content: bytes) -> None:
    """Parquet ended with KeyError, of JSON all values but the last were lost."""
    project.put(name, content)
    assert "'a' more than once" in both(project, name)


def test_names_that_other_formats_have_twice(project: Any) -> None:
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    arrow_parquet.write_table(table, project.root / "t.parquet")
    assert "'a' more than once" in both(project, "t.parquet")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["a", "a"])
    book.active.append([1, 2])
    book.save(project.root / "t.xlsx")
    assert "'a' more than once" in both(project, "t.xlsx")


@pytest.mark.parametrize(
    "content",
    ['{"a":":\\":","b":{"a":1,"c":{"a":2}}}\n', '{"a" : 1}\n{"a":"\\",\\"a\\":1"}\n', '{"a":[{"b":1},{"b":2}]}\n'],
)
def test_keys_of_other_objects_are_no_repetition(project: Any, content: str) -> None:
    project.put("t.jsonl", content)
    project.put("t.json", "[" + ",".join(content.splitlines()) + "]")
    for name in ("t.jsonl", "t.json"):
        assert len(project.source(t=name).frame("t")) == content.count("\n")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (MULTI, r"several levels of names, such as \('a', 'x'\)"),
        ([1, "1"], "more than one column '1'"),
        (["a", "a"], "more than one column 'a'"),
    ],
)
def test_frames_in_memory_have_one_text_a_column(project: Any, columns: Any, words: str) -> None:
    """A frame with several levels failed with `'DataFrame' object has no attribute 'name'`."""
    with pytest.raises(DataError, match=f"dataset 't'.*{words}"):
        DataSource({"t": pd.DataFrame([[1, 2]], columns=columns)}, files=project.files)


@pytest.mark.parametrize("columns", [[0, 1], [0, "b"], [1.5, "b"], [("a", 1), "b"], [True, False]])
def test_other_names_of_frames_are_text_as_in_files(project: Any, columns: Any) -> None:
    """`x has no column 0 …; it has 0, b`."""
    frame = pd.DataFrame([[1, 2]], columns=pd.Index(columns, tupleize_cols=False))
    source = DataSource({"t": frame}, files=project.files)
    names = list(map(str, columns))
    assert source.columns("t") == list(source.frame("t", names).columns) == names
    assert list(frame.columns) == columns
    project.writer().write_dataset(frame, "t.parquet", name="t", format="parquet")
    assert project.source(t="t.parquet").columns("t") == names


HALVES = ["\ud83d cut", "\ude00", "a\udfff"]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("format", ["csv", "parquet", "json", "jsonl", "xlsx"])
def test_half_of_a_character_in_a_frame_is_refused(project: Any, half: str, format: str) -> None:
    """It failed whatever step looked at it first."""
    frame = pd.DataFrame({"k": [1, 2], "text": pd.Series(["fine", half], dtype=object)})
    with pytest.raises(DataError, match="dataset 't': column 'text' has a text with half of a character"):
        DataSource({"t": frame}, files=project.files)
    with pytest.raises(DataWriteError, match="column 'text' has a text with half of a character"):
        project.writer().write_dataset(frame, f"t.{format}", name="t", format=format)
    assert not (project.root / f"t.{format}").exists()


@pytest.mark.parametrize("format", ["csv", "parquet", "json", "jsonl", "xlsx"])
def test_odd_characters_come_back(project: Any, format: str) -> None:
    """Excel has escapes for control characters, which stayed escapes; and a text like an escape must stay one."""
    texts = ["a\0b", "\x01", "_x0041_", "_x00AF_", "😀", "\ufeff", "\u2028", "x\ty", "_xD83D_"]
    frame = pd.DataFrame({"k": range(len(texts)), "text": texts})
    project.writer().write_dataset(frame, f"t.{format}", name="t", format=format)
    source = project.source(t=f"t.{format}")
    assert source.frame("t")["text"].tolist() == texts
    assert pd.concat(list(source.chunks("t", 2)))["text"].tolist() == texts


@pytest.mark.parametrize("content", [b"a\xffb", b"\xed\xa0\xbd", b"\xc3", b"\xf8\x88\x80\x80\x80"])
@pytest.mark.parametrize("kind", ["text", "large", "dictionary"])
def test_texts_of_parquet_that_are_not_utf8_are_refused(project: Any, kind: str, content: bytes) -> None:
    """They passed, and failed whoever printed or wrote them."""
    texts: Any = pa.array([b"fine", content, b"fine"], pa.binary())
    texts = texts.view(pa.string()) if kind != "large" else texts.cast(pa.large_binary()).view(pa.large_string())
    texts = texts.dictionary_encode() if kind == "dictionary" else texts
    arrow_parquet.write_table(pa.table({"k": [1, 2, 3], "a": texts}), project.root / "t.parquet")
    for read in (lambda source: source.frame("t"), lambda source: list(source.chunks("t", 1))):
        with pytest.raises(DataError, match="column 'a' has a text that is not UTF-8"):
            read(project.source(t="t.parquet"))
    assert project.source(t="t.parquet").frame("t", ["k"])["k"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "others",
    [
        ["__MACOSX/._people.csv"],
        ["data/", "data/.DS_Store", "__MACOSX/data/._people.csv", "__MACOSX/._data"],
        ["._people.csv", ".DS_Store"],
        ["Thumbs.db", "desktop.ini"],
        ["folder/", "folder/inner/"],
    ],
)
def test_what_systems_add_to_archives_is_passed_over(project: Any, others: list[str]) -> None:
    """A zip made on a Mac "held 2 files"."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in others:
            archive.writestr(name, b"" if name.endswith("/") else b"\0\5\x16\7")
        archive.writestr("data/people.csv" if "data/" in others else "people.csv", "a,b\n1,2\n")
    project.put("t.csv.zip", content.getvalue())
    source = project.source(t="t.csv.zip")
    assert json.loads(source.frame("t").to_json()) == {"a": {"0": 1}, "b": {"0": 2}}
    assert len(list(source.chunks("t", 1))) == 1


def test_two_tables_in_an_archive_are_still_refused(project: Any) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("a.csv", "b.csv", "__MACOSX/._a.csv"):
            archive.writestr(name, "a,b\n1,2\n")
    project.put("t.csv.zip", content.getvalue())
    with pytest.raises(DataError, match="holds 2 files"):
        project.source(t="t.csv.zip").frame("t")


@pytest.mark.parametrize(
    ("content", "doubted"),
    [
        ("01.01.1990;m;C50.1\n02.01.1991;f;C61\n", True),
        ("1,Anna,30\n2,Bert,41\n3,Cleo,17\n", True),
        ("2024-01-01\tx\n2024-01-02\ty\n", True),
        ("4711\n4712\n", True),
        ("1,5;Anna\n2,5;Bert\n", True),
        ("region;2023;2024\nA;1;2\nB;3;4\n", False),
        ("id;1990\n1;3\n2;4\n", False),
        ("2024-01-01;2024-01-02\n3;4\n", False),
        ("a;b\nx;y\n", False),
        ("1;2\n", False),
    ],
)
def test_a_first_line_of_data(project: Any, content: str, doubted: bool) -> None:
    """A file without names: the first record was the names of columns."""
    project.put("t.csv", content)
    project.source(t="t.csv").frame("t")
    told = [each for each in project.warnings if "looks like data, not like names" in each]
    assert len(told) == doubted
    assert not any("1990" in each or "Anna" in each for each in told)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_two_byte_order_marks_are_refused(project: Any, encoding: str) -> None:
    project.put("t.csv", "\ufeff\ufeffname,n\nx,1\n".encode(encoding))
    with pytest.raises(DataError, match="more than one byte order mark"):
        project.source(t="t.csv").frame("t")


@pytest.mark.parametrize("stated", ["latin-1", "cp1252", "iso8859-15"])
def test_a_stated_encoding_that_the_byte_order_mark_contradicts(project: Any, stated: str) -> None:
    project.put("t.csv", "\ufeffname,n\nx,1\n")
    with pytest.raises(DataError, match="byte order mark of UTF-8"):
        project.source(t="t.csv", csv=CsvOptions(encoding=stated)).frame("t")
