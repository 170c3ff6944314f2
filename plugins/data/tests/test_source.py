"""Datasets by name: lazily read, kept, released; with hashes, types and clear errors."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pamola_tasks.errors import ConfigurationError, DataError, PathSecurityError, UsageError
from pamola_tasks_data import DataSource


@pytest.fixture
def people(project: Any) -> Any:
    project.put("people.csv", "id,age,zip\n1,30,01234\n2,,10115\n3,50,99999\n")
    return project


def test_a_file_is_read_when_first_asked_for_and_once(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = people.files.open_raw
    monkeypatch.setattr(people.files, "open_raw", lambda path: opened.append(path) or real(path))
    source = people.source(p="people.csv")
    assert opened == []
    source.frame("p")
    source.frame("p", ["age"])
    assert opened == ["people.csv"]
    source.release("p")
    source.frame("p")
    assert opened == ["people.csv"] * 2


def test_a_frame_belongs_to_who_asked_for_it(people: Any) -> None:
    source = people.source(p="people.csv")
    frame = source.frame("p")
    frame["age"] = 0
    frame.loc[0, "zip"] = "x"
    assert source.frame("p")["zip"].tolist() == ["01234", "10115", "99999"]
    given = pd.DataFrame({"a": [1, 2]})
    source.add_dataframe("m", given)
    given.loc[0, "a"] = 99
    assert source.frame("m")["a"].tolist() == [1, 2]


def test_columns_come_in_the_order_asked_for_and_alone(people: Any) -> None:
    source = people.source(p="people.csv")
    assert list(source.frame("p", ["zip", "id"]).columns) == ["zip", "id"]
    assert list(source.frame("p", ["age"]).columns) == ["age"]
    assert list(source.frame("p").columns) == ["id", "age", "zip"]


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_columns_that_nobody_asked_for_are_not_decoded(project: Any, format: str) -> None:
    """The bytes of the column that is not wanted are damaged: who does not read them does not notice."""
    frame = pd.DataFrame({"a": np.arange(5000), "b": ["\u00e4" * 20] * 5000})
    project.writer().write_dataset(frame, "t.x", name="t", format=format)
    data = (project.root / "t.x").read_bytes()
    if format == "csv":
        data = data[:-100] + data[-100:].replace("\u00e4".encode(), b"\xe4\xff")
    else:
        column = pq.ParquetFile(project.root / "t.x").metadata.row_group(0).column(1)
        start, size = column.dictionary_page_offset, column.total_compressed_size
        data = data[:start] + b"\xff" * size + data[start + size :]
    project.put("t.x", data)
    source = DataSource(files=project.files)
    source.add_file_path("t", "t.x", format=format, encoding="utf-8")
    assert source.frame("t", ["a"])["a"].tolist() == list(range(5000))
    with pytest.raises(DataError):
        source.frame("t")


def test_the_fingerprint_is_of_the_bytes_and_not_of_the_time(people: Any) -> None:
    path = people.root / "people.csv"
    before = people.source(p="people.csv").fingerprint("p")
    assert before == hashlib.sha256(path.read_bytes()).hexdigest()
    times = path.stat()
    path.write_bytes(path.read_bytes().replace(b"30", b"31"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert people.source(p="people.csv").fingerprint("p") != before


def test_the_fingerprint_of_a_frame_follows_values_names_types_and_order() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    others = [
        frame.rename(columns={"a": "c"}),
        frame.astype({"a": "float64"}),
        frame[["b", "a"]],
        frame.iloc[::-1],
        frame.assign(b=["x", ""]),
    ]
    prints = [DataSource({"f": f}).fingerprint("f") for f in (frame, frame.copy(), *others)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 1 + len(others)
    nested = pd.DataFrame({"a": [[1, 2], [3]]})
    assert len(DataSource({"f": nested}).fingerprint("f")) == 64


def test_a_name_given_anew_stands_for_the_new_file(people: Any) -> None:
    people.put("other.csv", "x\n1\n")
    source = people.source(p="people.csv")
    first = source.fingerprint("p")
    source.add_file_path("p", "other.csv")
    assert source.fingerprint("p") != first
    assert list(source.frame("p").columns) == ["x"]


def test_describe_tells_what_is_known_without_reading_the_table(people: Any) -> None:
    source = people.source(p="people.csv")
    record = source.describe("p")
    assert (record.path, record.format, record.bytes, record.rows) == ("people.csv", "csv", 42, None)
    assert record.sha256 == people.files.sha256("people.csv")
    source.frame("p")
    assert source.describe("p").rows == 3
    assert source.describe("p").columns == ("id", "age", "zip")


def test_types_that_are_stated_are_applied(people: Any) -> None:
    people.put("t.csv", "n,f,flag,day,kind,code,zip\n007,1,yes,2024-01-31,a,1,1\n,2.5,No,,b,2,2\n")
    types = {
        "t": {"n": "integer", "f": "float", "flag": "boolean", "day": "date", "kind": "category", "code": "text"},
        "zip": "string",
    }
    source = people.source(data_types=types, t="t.csv")
    frame = source.frame("t")
    assert frame["n"].dropna().tolist() == [7]
    assert frame["flag"].tolist() == [True, False]
    assert frame["day"].iloc[0] == pd.Timestamp("2024-01-31")
    assert frame["code"].tolist() == ["1", "2"]
    assert frame["zip"].tolist() == ["1", "2"]
    assert source.schema("t") == {c: str(d) for c, d in frame.dtypes.items()}
    lazily = people.source(data_types=types, t="t.csv")
    assert lazily.schema("t") == source.schema("t")
    assert [str(d) for d in next(iter(lazily.chunks("t", 1))).dtypes] == [str(d) for d in frame.dtypes]


@pytest.mark.parametrize(
    ("kind", "noun"),
    [("integer", "whole numbers"), ("float", "numbers"), ("boolean", "true or false"), ("date", "ISO dates")],
)
def test_values_that_are_not_of_the_stated_type_are_counted_and_not_shown(people: Any, kind: str, noun: str) -> None:
    people.put("t.csv", "c,d\nSECRET,1\n,2\nHIDDEN,3\n")
    with pytest.raises(DataError, match=rf"'t' \(t\.csv\): column 'c': 2 values are not {noun}, of 3 rows") as caught:
        people.source(data_types={"t": {"c": kind}}, t="t.csv").frame("t")
    assert "SECRET" not in str(caught.value)


def test_a_stated_column_that_is_not_there_is_an_error_and_an_unknown_type_too(people: Any) -> None:
    with pytest.raises(DataError, match="data_types names column 'aeg'"):
        people.source(data_types={"p": {"aeg": "integer"}}, p="people.csv").frame("p")
    with pytest.raises(ConfigurationError, match="unknown type 'intt' for column 'age'"):
        people.source(data_types={"p": {"age": "intt"}}, p="people.csv").frame("p")


def several(people: Any, paths: list[str]) -> DataSource:
    source = DataSource(files=people.files)
    source.add_multi_file_dataset("m", paths)
    return source


def test_several_files_are_one_table_with_one_type_a_column(people: Any) -> None:
    people.put("a.csv", "zip,n\n10115,1\n")
    people.put("b.csv", "zip,n\n01067,2.5\n")
    source = several(people, ["a.csv", "b.csv"])
    assert source.frame("m")["zip"].tolist() == ["10115", "01067"]
    assert source.frame("m")["n"].tolist() == [1.0, 2.5]
    again = several(people, ["a.csv", "b.csv"])
    assert pd.concat(again.chunks("m", 1))["zip"].tolist() == ["10115", "01067"]
    assert source.fingerprint("m") != source.fingerprint("m")[::-1]
    people.put("c.csv", "zap,n\n1,1\n")
    with pytest.raises(DataError, match=r"c\.csv has other columns than a\.csv"):
        several(people, ["a.csv", "c.csv"]).frame("m")


def test_what_is_not_there_is_said_with_what_is(people: Any) -> None:
    source = people.source(p="people.csv", gone="gone.csv")
    assert source.has_dataset("p")
    assert not source.has_dataset("gone")
    assert not source.has_dataset("never")
    with pytest.raises(DataError, match=r"no dataset 'never': there are p, gone"):
        source.frame("never")
    for look in (source.frame, source.fingerprint, source.schema):
        with pytest.raises(DataError, match=r"'gone' \(gone\.csv\): there is no such file"):
            look("gone")
    with pytest.raises(DataError, match="unknown dataset format"):
        source.add_file_path("x", "x.csv", format="docx")
    source.add_file_path("x", "x.docx")
    with pytest.raises(DataError, match="unknown dataset format"):
        source.frame("x")
    with pytest.raises(UsageError, match="no option 'delimeter'"):
        source.add_file_path("x", "x.csv", delimeter=";")


def test_a_path_out_of_the_project_is_refused(people: Any) -> None:
    with pytest.raises(PathSecurityError):
        people.source(p="../other.csv").frame("p")


@pytest.mark.parametrize(
    ("name", "content"), [("t.parquet", b"PAR1SECRET"), ("t.json", b'{"SECRET"'), ("t.jsonl", b"[1]\n")]
)
def test_damaged_files_fail_in_words_without_values(people: Any, name: str, content: bytes) -> None:
    people.put(name, content)
    with pytest.raises(DataError, match=name) as caught:
        people.source(t=name).frame("t")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("format", ["csv", "parquet", "json", "jsonl"])
def test_encrypted_datasets_are_read_and_written_like_any_other(project: Any, format: str) -> None:
    run = project.encrypted()
    frame = pd.DataFrame({"name": ["PLAINTEXT"] * 50_000, "n": np.arange(50_000)})
    record = run.writer().write_dataset(frame, f"t.{format}", name="t", format=format)
    assert record.encrypted
    assert record.key_id
    assert b"PLAINTEXT" not in (project.root / f"t.{format}").read_bytes()
    source = run.source(t=f"t.{format}")
    pd.testing.assert_frame_equal(source.frame("t"), frame)
    assert source.describe("t").encrypted
    fresh = run.source(t=f"t.{format}")
    pd.testing.assert_frame_equal(pd.concat(fresh.chunks("t", 20_000), ignore_index=True), frame)
    if format == "parquet":
        assert fresh.frame("t", ["n"])["n"].sum() == frame["n"].sum()


def test_several_threads_read_one_dataset_once(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = people.files.open_raw
    monkeypatch.setattr(people.files, "open_raw", lambda path: opened.append(path) or real(path))
    source = people.source(p="people.csv")
    threads = [threading.Thread(target=source.frame, args=("p",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1


def test_how_a_dataset_is_read_is_told_option_by_option(project: Any) -> None:
    """Several files, stated options and types; limits hold for inputs, not for what a step of ours made."""
    for number in (1, 2):
        project.put(f"a{number}.csv", "zip;age\n1;2\n")
    source = project.source(data_types={"two": {"zip": "text"}, "age": "integer"})
    source.add_multi_file_dataset("two", ["a1.csv", "a2.csv"], delimiter=";", encoding="latin1")
    told = source.reading("two")
    assert (told["format"], told["delimiter"], told["encoding"]) == ("'csv'", "';'", "'latin1'")
    assert (told["type of column 'age'"], told["type of column 'zip'"]) == ("integer", "text")
    assert told["missing_values"] == "''"
    assert told["column_limit"] == "100000"
    source.add_file_path("made", "a1.csv", role="state")
    assert "column_limit" not in source.reading("made")
    source.add_file_path("sheet", "a.xlsx", sheet="people")
    assert source.reading("sheet")["sheet"] == "'people'"
    assert "delimiter" not in source.reading("sheet")
    source.add_dataframe("frame", pd.DataFrame({"age": [1]}))
    assert source.reading("frame") == {"format": "'memory'", "type of column 'age'": "integer"}
