"""Which delimiter is found, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from pamola_tasks.errors import DataError

TWO_FIT = {
    "comma in names": ("Name, Vorname;Alter\n", "Müller{n}, Anna{n};30\n", ";"),
    "comma in the header and decimals": ("Größe, cm;Gewicht, kg\n", "18{n},5;75,{n}\n", ";"),
    "decimals": ("Größe,cm;Gewicht,kg\n", "180,5;75,{n}\n", ";"),
    "decimals, tab": ("Größe,cm\tGewicht,kg\n", "180,5\t75,{n}\n", "\t"),
    "decimals, pipe": ("Größe,cm|Gewicht,kg\n", "180,5|75,{n}\n", "|"),
    "semicolon in a cell": ("id,name;alias,age\n", "{n},Ann;Anna,30\n", ","),
    "list in the last of many": ("id,name,city,street,tags;more\n", "{n},Ann,Bonn,Am Ring,x;y\n", ","),
    "pipe in a cell": ("id;tags|more;n\n", "{n};x|y;1\n", ";"),
    "time": ("seen;what, where\n", "12:00:00,{n};x\n", ";"),
    "header alone": ("Name, Vorname;Alter\n", "", ";"),
}


@pytest.mark.parametrize(("header", "row", "delimiter"), TWO_FIT.values(), ids=TWO_FIT)
def test_of_two_that_fit_the_one_that_a_person_reads_is_taken_and_told(
    project: Any, header: str, row: str, delimiter: str
) -> None:
    project.put("t.csv", header + "".join(row.format(n=n % 10) for n in range(20)))
    source = project.source(t="t.csv")
    assert list(source.frame("t").columns) == header.rstrip("\n").split(delimiter)
    assert [piece.shape[1] for piece in source.chunks("t", 100)] == [header.count(delimiter) + 1]
    (told,) = project.warnings
    assert "default_delimiter" in told
    assert "t.csv" in told


@pytest.mark.parametrize(
    "content", ["a,b;c\nx,y;z\n", "a|b;c\nx|y;z\n", "a\tb|c\nx\ty|z\n", "a,b;c\n", "age, a;b, n\n39, x;y, 3\n"]
)
def test_a_tie_is_refused_and_the_delimiter_asked_for(project: Any, content: str) -> None:
    project.put("t.csv", content)
    with pytest.raises(DataError, match=r"both divide its rows alike: .*default_delimiter"):
        project.source(t="t.csv").frame("t")


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("wert\n1,5\n2,25\n", ["wert"]),
        ("wert\n1,5\n2\n-3,5\n", ["wert"]),
        ('wert\n"1,5"\n2,5\n', ["wert"]),
        ("a;b\n1,5;2,5\n", ["a", "b"]),
        ("a\tb\n1,5\t2,5\n", ["a", "b"]),
        ("a|b\n1,5|2,5\n", ["a", "b"]),
        ("a\nx\ny\n", ["a"]),
    ],
)
def test_decimal_commas_divide_nothing(project: Any, content: str, columns: list[str]) -> None:
    project.put("t.csv", content)
    frame = project.source(t="t.csv").frame("t")
    assert list(frame.columns) == columns
    assert frame.iloc[0, 0] == content.splitlines()[1].strip('"').replace("\t", ";").replace("|", ";").split(";")[0]
    assert len(project.warnings) == (content.startswith("wert"))


def test_one_column_of_texts_with_commas_is_no_table_of_two(project: Any) -> None:
    project.put("t.csv", "note\nhello, world\nyes\n")
    with pytest.raises(DataError, match="state the delimiter"):
        project.source(t="t.csv").frame("t")
