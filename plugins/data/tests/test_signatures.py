"""Files of another kind than their names say are refused with what they are, and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.feather as feather
import pytest

from pamola_tasks.errors import DataError

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
CSV = b"a,b\n1,x\n2,y\n"


def made(write: Any) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def database(folder: Path) -> bytes:
    with sqlite3.connect(folder / "t.db") as connection:
        FRAME.to_sql("t", connection)
    return (folder / "t.db").read_bytes()


def archive(file: io.BytesIO) -> None:
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("t.csv", CSV)


KINDS: dict[str, tuple[Any, str]] = {
    "workbook": (lambda _: made(lambda f: FRAME.to_excel(f, index=False)), "an Excel workbook.*the ending .xlsx"),
    "parquet": (lambda _: made(FRAME.to_parquet), "a Parquet file: give it the ending .parquet"),
    "feather": (lambda _: made(lambda f: feather.write_feather(FRAME, f)), "a file of Arrow"),
    "gzip": (lambda _: gzip.compress(CSV), "compressed with gzip: (give it the ending .csv.gz|unpack it)"),
    "zip": (lambda _: made(archive), "a zip archive: (give it the ending .csv.zip|unpack it)"),
    "bzip2": (lambda _: bz2.compress(CSV), "compressed with bzip2: expand it"),
    "xz": (lambda _: lzma.compress(CSV), "compressed with xz: expand it"),
    "sqlite": (database, "a database of SQLite: save the table as CSV"),
    "pdf": (lambda _: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF document"),
    "xls": (lambda _: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), r"\.xls\), or encrypted: save it as .xlsx"),
    "html": (lambda _: b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><table><tr><td>a</td></tr></table></html>", "in HTML"),
    "xml": (lambda _: b'<?xml version="1.0"?>\n<a/>\n', "an XML document"),
    "sas": (lambda _: bytes(12) + bytes.fromhex("c2ea8160b31411cfbd92"), "a file of SAS"),
    "array": (lambda _: b'[\n {"a": 1}]\n', "an array of JSON objects: give it the ending .json"),
    "lines": (lambda _: b'{"a\\"": 1, "b": 2}\n{"a": 1}\n', "JSON Lines .*: give it the ending .jsonl"),
    "age": (lambda _: b"age-encryption.org/v1\n-> X25519 abc\n", "encrypted: decrypt it"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_of_file_is_named(project: Any, kind: str) -> None:
    make, said = KINDS[kind]
    content = make(project.root)
    for name, calls in (("t.csv", "not CSV"), ("t.txt.gz", "not CSV"), ("t.parquet", "not Parquet")):
        if (kind, name) == ("parquet", "t.parquet"):
            continue
        project.put(name, gzip.compress(content) if name.endswith(".gz") else content)
        for read in (lambda s: s.frame("t"), lambda s: s.columns("t"), lambda s: list(s.chunks("t", 1))):
            with pytest.raises(DataError, match=said) as caught:
                read(project.source(t=name))
            assert f"dataset 't' ({name}): its content is {calls}; it is" in str(caught.value)


@pytest.mark.parametrize(
    "header",
    ["PAR1,PAR2", "PARENT,b", "FEA1,FEA2", "PK,b", "GIF,b", "{a},b", "[a],b", "<a>,b", "RDX2,b", "ARROW1,b", "7z,b",
     '"{""a"": 1}",b', "%PDF,b", "BZh9,b", "html,b", "Rar!,b"],
)  # fmt: skip
def test_names_that_begin_like_another_kind(project: Any, header: str) -> None:
    project.put("t.csv", header + "\n1,2\n")
    assert project.source(t="t.csv").frame("t").to_numpy().tolist() == [[1, 2]]


def test_json_lines_under_the_name_of_json(project: Any) -> None:
    project.put("t.json", '{"a": 1}\n{"a": 2}\n')
    with pytest.raises(DataError, match=r"not JSON: line 2, column 1: is it JSON Lines\? Give it the ending .jsonl"):
        project.source(t="t.json").frame("t")
