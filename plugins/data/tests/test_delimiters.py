"""Which delimiter is found, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from pamola_tasks.errors import DataError
from pamola_tasks_data.reading import CsvOptions

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


RAGGED = {
    "a fourth cell": ("name{0}age{0}note\n" + "Ann{0}3{0}x\nBob{0}4{0}y{0}z\n" * 10, 2),
    "an end in each row": ("name{0}age\n" + "Ann{0}3{0}\n" * 5, 1),
    "a sum": ("name{0}age\nAnn{0}3\nBob{0}4\nSumme: 4\n", 3),
    "a short row": ("name{0}age{0}note\nAnn{0}3\nBob{0}4{0}x\n", 1),
    "a comma": ("name{0}age, years{0}note\nAnn, A{0}3\nBob{0}4{0}x\n", 1),
}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize(("content", "row"), RAGGED.values(), ids=RAGGED)
def test_ragged_rows_are_not_one_column(project: Any, content: str, row: int, delimiter: str) -> None:
    """Whole records were cells of one column, whose name was the header."""
    project.put("t.csv", content.format(delimiter))
    with pytest.raises(DataError) as told:
        project.source(t="t.csv").frame("t")
    assert "Ann" not in str(told.value)
    if "age, years" not in content:
        assert "it looks divided by" in str(told.value)
        assert f"row {row} below" in str(told.value)


@pytest.mark.parametrize(
    ("content", "stated"),
    [("a;b\n1;x\n", ","), ("a,b\n1,x\n", ";"), ("a\tb\n1\tx\n", "|"), ("a;b\n1;x\n", "\t"), ("a;b\n1;x\n", "#")],
)
def test_a_wrong_delimiter_is_refused(project: Any, content: str, stated: str) -> None:
    project.put("t.csv", content)
    with pytest.raises(DataError, match="it looks divided by"):
        project.source(t="t.csv", csv=CsvOptions(delimiter=stated)).frame("t")


@pytest.mark.parametrize(
    "content",
    ["note\nwell; fine\nbad\n", "a;b\nx\ny\n", '"a;b"\n"x;y"\n"z;z"\n', "note\nx|y;z\n", "Größe, cm\n180,5\n17,25\n"],
)
def test_one_column_of_text_stays(project: Any, content: str) -> None:
    project.put("t.csv", content)
    csv = CsvOptions(delimiter=";" if "cm" in content else ",")
    assert project.source(t="t.csv", csv=csv).frame("t").shape[1] == 1


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_title_above_the_table_is_not_its_header(project: Any, delimiter: str) -> None:
    """All rows, the header with them, were cells of a column with the title's name; a stated delimiter is believed."""
    project.put("t.csv", "Report 2024\nname;age\nAnn;3\nBob;4\n".replace(";", delimiter))
    with pytest.raises(DataError, match="take a title above it out"):
        project.source(t="t.csv").frame("t")
    assert project.source(t="t.csv", csv=CsvOptions(delimiter=",")).frame("t").shape == (3, 1)


def test_texts_with_semicolons_are_no_table(project: Any) -> None:
    project.put("t.csv", "name\nMeier; Anna\nSchulz; Bert\n")
    assert project.source(t="t.csv").frame("t").shape == (2, 1)
