"""A quote that is never closed is refused where it was opened; cells that swallowed rows are told."""

from __future__ import annotations

import random
from typing import Any

import pandas as pd
import pytest

from pamola_tasks.errors import DataError
from pamola_tasks_data.reading import CsvOptions

HEADER = "name,age,sex,note\n"
ROWS = [f"Meier{i},{20 + i},{'fm'[i % 2]},fine\n" for i in range(1, 61)]


def table(**notes: str) -> str:
    """Sixty people, some with another note: `row31='5 foot'`."""
    rows = [row.replace("fine", notes.get(f"row{i}", "fine")) for i, row in enumerate(ROWS, 1)]
    return HEADER + "".join(rows)


def both(project: Any, content: bytes | str, csv: CsvOptions | None = None) -> list[Any]:
    """What reading whole and in pieces of a row gives: the table's cells, or the error's words; and the warnings."""
    project.put("t.csv", content)
    found: list[Any] = []
    for size in (None, 1, 1000):
        project.warnings.clear()
        try:
            source = project.source(t="t.csv", csv=csv)
            frame = source.frame("t") if size is None else pd.concat(source.chunks("t", size), ignore_index=True)
            read: Any = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
        except DataError as problem:
            read = str(problem)
        found.append((read, list(project.warnings)))
    assert found[0] == found[1] == found[2]
    return list(found[0])


OPEN = table(row31='"5 foot tall')
PLACE = "the quote \" that opens column 'note' in line 32 (row 31 below the header) is never closed"


@pytest.mark.parametrize(
    "content",
    [
        OPEN.encode(),
        OPEN.replace("\n", "\r\n").encode(),
        OPEN.replace("\n", "\r").encode(),
        OPEN.rstrip("\n").encode(),
        b"\xef\xbb\xbf" + OPEN.encode(),
        OPEN.encode("utf-16"),
        OPEN.encode("utf-16-be"),
        OPEN.replace("fine", "f\xefn\xe9").encode("latin-1"),
        table(row5='5" pipe', row9='"a ""b"", ""c"', row31='"5 foot ""tall').encode(),
        table(row31='"').encode(),
        table(row5='5" pipe', row31='"5 foot').encode(),
        table(row31='"5 foot').replace("\n", "\r\n").encode("utf-16-le"),
        (OPEN + ROWS[0] * 300_000).encode(),
    ],
)
def test_open_quote(project: Any, content: bytes) -> None:
    """Arrow closes the cell at the end of the file: a release had the names of everybody below it."""
    told, _ = both(project, content)
    assert PLACE in told
    assert "Meier" not in told


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('a,"b\n1,2\n', "opens a cell in line 1 (the header)"),
        ('"a,b\n1,2\n', "opens a cell in line 1 (the header)"),
        ('a\n1\n\n"2\n', "opens column 'a' in line 4 (row 3 below the header)"),
        ('a,b\n"x\ny",1\n3,"4', "opens column 'b' in line 4 (row 2 below the header)"),
        ('a,b\n\n1,2\n"3,4\n', "opens column 'a' in line 4 (row 2 below the header)"),
        ('a,b\n1,"', "opens column 'b' in line 2 (row 1 below the header)"),
        ('a,b\n1,"x""', "opens column 'b' in line 2 (row 1 below the header)"),
        ("a;b\n1;'x\n2;3\n", None),
    ],
)
def test_places_of_open_quotes(project: Any, content: str, place: str | None) -> None:
    told, _ = both(project, content)
    assert place in told if place else told == [[1, "'x"], [2, "3"]]


def test_an_open_quote_of_another_kind(project: Any) -> None:
    told, _ = both(project, "a;b\n1;'x\n2;3\n", CsvOptions(quotechar="'"))
    assert "the quote ' that opens column 'b' in line 2" in told


def test_quotes_within_cells_are_text(project: Any) -> None:
    read, told = both(project, 'a,b\n5" x,""\npq,4"\n"r\n""s""","t\r\nu"\n')
    assert read == [['5" x', ""], ["pq", '4"'], ['r\n"s"', "t\r\nu"]]
    assert not told


def test_random_quotes_are_closed_or_refused(project: Any) -> None:
    """Whole and in pieces alike, and refused exactly if the last quote that opens a cell stays open."""
    generator = random.Random(14)
    refused = 0
    for _ in range(300):
        body = "".join(generator.choices(['"', "x", ",", "\n", "\r\n"], [4, 4, 3, 2, 1], k=generator.randint(1, 14)))
        told, _ = both(project, f"a,b\n1,2\n{body}")
        refused += "never closed" in told
        assert ("never closed" in told) == _is_open(body), (body, told)
    assert 50 < refused < 250


def _is_open(text: str) -> bool:
    state = "start"
    for mark, after in zip(text, text[1:] + " ", strict=True):
        if state == "skip":
            state = "quoted"
        elif state == "quoted":
            if mark == '"':
                state = "skip" if after == '"' else "cell"
        elif mark in ",\r\n":
            state = "start"
        else:
            state = "quoted" if mark == '"' and state == "start" else "cell"
    return state in ("quoted", "skip")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (table(row31='"5 foot', row40='"6 foot'), "row 31 below the header, column 'note'.* as 9 rows do"),
        (table(row31='"5 foot', row32='6"'), "row 31 below the header, column 'note'.* as a whole row does"),
        (table(row31='"5 foot', row40='6"').replace("\n", "\r\n"), "row 31 .* as 9 rows do"),
        (table(row31='"5 foot', row40='6"').replace("\n", "\r"), "row 31 .* as 9 rows do"),
        (table(row31='"5 foot', row40='6"').replace(",", ";"), "row 31 .* as 9 rows do"),
        (table(row3='"5', row4='6"', row31='"5 foot', row40='6"'), r"row 3 .*\(and 1 more cells\)"),
        (HEADER + 'Anna,1,f,fine\n"Meier,2,m,x\n"Schulz",3,f,y\n', "row 2 below the header, column 'name'"),
        ('name,city,note\nAnna,Bern,"x\nBob,Rome,y"\n', "row 1 below the header, column 'note'"),
        ('id,note\n1,a\n2,"b\n3,c"\n4,d\n', "row 2 below the header, column 'note'"),
    ],
)
def test_swallowed_rows_are_told(project: Any, content: str, words: str) -> None:
    """An even number of stray quotes makes one cell of the rows between them, in every tool."""
    read, told = both(project, content)
    assert isinstance(read, list)
    (warning,) = told
    assert pd.Series([warning]).str.contains(words).all(), warning
    assert "default_quotechar" in warning
    assert "Meier" not in warning


@pytest.mark.parametrize(
    "note",
    [
        "Dear Sir,\nthanks",
        "Fever, cough\nand cold, too",
        "one\ntwo\nthree",
        "Thanks.\nRegards, Bob",
        "1) rest, water\n2) tea, soup",
        "Main St 5, 2nd floor\nBerlin, Germany",
        "a, b, c\n\n",
        "\n\n\n",
    ],
)
@pytest.mark.parametrize("header", ["id,note", "name,note", "id,name,note", "id,name,age,note"])
def test_ordinary_notes_of_several_lines_are_not(project: Any, header: str, note: str) -> None:
    cells = {"id": "{}", "name": "Anna", "age": "4{}", "note": f'"{note}"'}
    line = ",".join(cells[name] for name in header.split(",")) + "\n"
    assert not both(project, f"{header}\n" + "".join(line.replace("{}", str(i)) for i in range(9)))[1]


def test_what_was_swallowed_is_told_once(project: Any) -> None:
    project.put("t.csv", table(row31='"5 foot', row40='"6 foot'))
    source = project.source(t="t.csv")
    source.schema("t")
    list(source.chunks("t", 7))
    source.frame("t")
    assert len(project.warnings) == 1


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.zst", "t.csv.zip"])
def test_an_open_quote_in_a_compressed_file(project: Any, name: str) -> None:
    import gzip
    import io
    import zipfile

    import pyarrow as pa

    packed = io.BytesIO()
    if name.endswith("zip"):
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("t.csv", OPEN)
    else:
        content = (
            gzip.compress(OPEN.encode()) if name.endswith("gz") else pa.compress(OPEN.encode(), "zstd", asbytes=True)
        )
        packed.write(content)
    project.put(name, packed.getvalue())
    for read in (lambda source: source.frame("t"), lambda source: list(source.chunks("t", 1))):
        with pytest.raises(DataError, match="that opens column 'note' in line 32"):
            read(project.source(t=name))


def test_an_open_quote_in_an_encrypted_file(project: Any) -> None:
    encrypted = project.encrypted()
    with encrypted.files.create("t.csv", "data") as file:
        file.write(OPEN.encode())
    assert b"Meier" not in (project.root / "t.csv").read_bytes()
    for read in (lambda source: source.frame("t"), lambda source: list(source.chunks("t", 1))):
        with pytest.raises(DataError, match="that opens column 'note' in line 32"):
            read(encrypted.source(t="t.csv"))


@pytest.mark.parametrize(
    "content",
    [
        'id;"name\n1;Anna Meier\n2;Bert Schulz"\n3;C\n4;D\n',
        'id;"name\r\n1;Anna Meier\r\n2;Bert Schulz"\r\n3;C\r\n4;D\r\n',
        'id,"name\n1,Anna Meier"\n3,C\n4,D\n',
        '"id\tname\n1"\tAnna Meier\n3\tC\n4\tD\n',
        'id|"name|x\n1|Anna Meier|5 "\n2|Bert|x\n3|C|x\n',
    ],
)
def test_rows_in_the_name_of_a_column(project: Any, content: str) -> None:
    """Records were part of a name, and missing in the table."""
    told, _ = both(project, content)
    assert "holds a line end and" in told or "it looks divided" in told or "cells" in told
    assert "Anna" not in told


def test_a_name_of_two_lines_stays(project: Any) -> None:
    project.put("t.csv", 'id;"size,\nin cm"\n1;2\n')
    assert list(project.source(t="t.csv").frame("t").columns) == ["id", "size,\nin cm"]


@pytest.mark.parametrize("far", [0, 1, 60_000])
@pytest.mark.parametrize(
    ("cell", "lines"),
    [('"x "y" z"', 0), ('"5" tall"', 0), ('"p"q', 0), ('"p\nq"r', 1), ('"a ""b"" c"d', 0), ('"He said "hi" to me"', 0)],
)
def test_a_quote_within_a_quoted_cell_is_refused_with_its_line(project: Any, cell: str, lines: int, far: int) -> None:
    """Readers made `x y" z"` of it, or `xy z`."""
    rows = '1,"a ""b"", c",5" tall, "\n' * far + f"1,{cell},x,y\n2,b,c,d\n"
    for end in ("\n", "\r\n"):
        said, _ = both(project, f"n,t,u,v\n{rows}".replace("\n", end))
        assert f"line {far + lines + 2:,}: a quote within a quoted cell is not doubled" in said


@pytest.mark.parametrize(
    "content",
    [
        'a,b\n"Anna,x\nBerta",y\nCleo,z\n',
        'a\n"1234\n1235"\n1236\n',
        'a;b\n1;"x\n2;y"\n3;z\n',
        "a\n" + '"x\n' * 1 + 'y\nz\nw"\nv\n',
    ],
)
def test_rows_swallowed_in_tables_of_one_or_two_columns(project: Any, content: str) -> None:
    _, (told,) = both(project, content)
    assert "row 1 below the header" in told
    assert "the cell holds as many line ends" in told


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("Name;\nVorname", "Meyer;30\n"),
        ("Größe;\ncm", "2;3\n"),
        ("a; b\nc; d\ne", "1;2\n"),
        ("Einkommen\n(netto; €)", "1;2\n"),
    ],
)
def test_names_with_line_ends_and_delimiters_are_read(project: Any, name: str, rows: str) -> None:
    project.put("t.csv", f'"{name}";x\n{rows}{rows}')
    assert list(project.source(t="t.csv").frame("t").columns) == [name, "x"]
