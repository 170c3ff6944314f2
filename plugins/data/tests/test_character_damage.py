"""A file with a few bytes that are not of its encoding is damaged, and not in another encoding."""

from __future__ import annotations

from typing import Any

import pytest

from pamola_tasks.errors import DataError
from pamola_tasks_data.reading import CsvOptions

HEAD = b"name;city;n\n"
ROWS = "Zoë;Köln;1\n".encode()
BAD = b"M\xfcller;Bonn;2\n"
OTHERS = 5_000  # rows: more than what is looked at first

DAMAGED = {
    "a word in latin-1": (HEAD + ROWS + BAD + ROWS, 3),
    "a byte that no encoding has": (HEAD + ROWS + b"M\xff;Bonn;2\n", 3),
    "in the header": (b"n\xe4me;city;n\n" + ROWS, 1),
    "half of the last character": (HEAD + ROWS + "Zo;Köln;ë".encode()[:-1], 3),
    "behind a byte order mark": (b"\xef\xbb\xbf" + HEAD + b"Anna;Bonn;1\n" + BAD * 30, 3),
    "far behind": (HEAD + ROWS * OTHERS + BAD + ROWS, OTHERS + 2),
    "far before": (HEAD + BAD + b"Anna;Bonn;1\n" * OTHERS + ROWS, 2),
    "one of each, far apart": (HEAD + ROWS + b"Anna;Bonn;1\n" * OTHERS + BAD, OTHERS + 3),
    "ends of lines of old macs": (HEAD.replace(b"\n", b"\r") + b"Zo\xc3\xab;;1\r" * 2 + b"\xfc;;2\r", 4),
    "a surrogate": (HEAD + ROWS + b"\xed\xa0\xbd;Bonn;2\n", 3),
    "a character that is longer than it may be": (HEAD + ROWS + b"\xc0\xaf;Bonn;2\n", 3),
    "in a quoted cell of several lines": (HEAD + ROWS + b'"a\nM\xfc";Bonn;2\n', 4),
}


def everywhere(project: Any, content: bytes, encoding: str | None = None) -> list[str]:
    """What is said of a file that is read whole, in pieces, in pieces of stated types, and described."""
    project.put("t.csv", content)
    text = {"t": dict.fromkeys(("name", "city", "n"), "text")}
    said = []
    ways = [lambda s: s.frame("t"), lambda s: list(s.chunks("t", 1000)), lambda s: s.schema("t")]
    for types in ({}, text):
        for read in ways[: 2 if types else 3]:  # of stated types, the schema is known without a look at rows
            with pytest.raises(DataError) as caught:
                read(project.source(t="t.csv", data_types=types, csv=CsvOptions(encoding=encoding)))
            said.append(str(caught.value))
            if b"n\xe4me" in content:  # it has no such column as is stated
                return said
    return said


@pytest.mark.parametrize("stated", [None, "utf-8"])
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_utf8_is_refused_with_the_line(project: Any, name: str, stated: str | None) -> None:
    content, line = DAMAGED[name]
    for said in everywhere(project, content, stated):
        assert "some of its bytes are not UTF-8" in said
        assert f"(the first in line {line:,})" in said
        assert "default_encoding, or encoding in data.datasets" in said
        assert "ller" not in said
    assert not project.warnings


@pytest.mark.parametrize("odd", [0, 1])
def test_text_of_one_byte_a_character_is_another_encoding(project: Any, odd: int) -> None:
    """Also where two of its characters are by chance one of UTF-8."""
    text = "name;city;n\n" + "»Spaß«;Köln;1\n" * odd + "Müller;Köln;2\n" * 20
    project.put("t.csv", text.encode("cp1252"))
    assert project.source(t="t.csv").frame("t")["city"].tolist() == ["Köln"] * (20 + odd)
    assert "read as cp1252" in project.warnings[0]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "gb18030", "shift_jis"])
def test_a_byte_that_does_not_fit_a_stated_encoding_is_named_with_its_line(project: Any, encoding: str) -> None:
    content = "name;city;n\nAnna;Bonn;1\nAnna;Bonn;2".encode(encoding) + b"\x81"
    for said in everywhere(project, content, encoding):
        assert "state the right default_encoding, or mend the first in line 3" in said
