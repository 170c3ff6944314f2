"""JSON and JSON Lines: what stands in the file is what is read, whole or in pieces, and the other way round."""

from __future__ import annotations

import datetime
import io
import json
import math
from decimal import Decimal
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pamola_tasks.errors import DataError, DataWriteError
from pamola_tasks_data import json_files
from pamola_tasks_data.formats import JSON, JSON_LINES

TEXTS = st.text(max_size=8) | st.sampled_from(["2015-01-01", "01:02:03", '"', "\\", "a\nb", "\x00", "é😀"])
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.lists(st.integers(0, 9), max_size=2)
)
COLUMNS = st.sampled_from(
    [
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        TEXTS,
        VALUES,
        st.none() | st.integers(0, 9),
        st.integers(0, 9) | st.floats(0, 1),
    ]
)


ODD_LINES = [
    '{"a": 18446744073709551616}',
    '{"a": -9223372036854775809.5}',
    '{"a": 1, "a": 2}',
    '{"a": "\\ud800"}',
    '{"a": NaN, "b": -0, "c": 1E5}',
    '{"a": 1e400}',
    '{"a": 1} {"a": 2}',
    '{"a": "\t"}',
    '{"a": [[1]], "b": {}}',
    "null",
    "{'a': 1}",
    '{"a": 01}',
    '{"a": 1,}',
    '  {"a": "x"}\t\r',
]


@st.composite
def records(draw: Any) -> list[dict[str, Any]]:
    """Rows of a table, in which keys may be missing."""
    columns = {name: draw(COLUMNS) for name in draw(st.sets(st.sampled_from(["a", "b", 'q"', "é"]), min_size=1))}
    row = st.fixed_dictionaries({}, optional=columns) if draw(st.booleans()) else st.fixed_dictionaries(columns)
    return draw(st.lists(row, min_size=1, max_size=30))


def text(value: Any) -> str | None:
    """A value of a column without one type, by the rule that the manual states."""
    return value if value is None or isinstance(value, str) else rfc8785(value)


def rfc8785(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(rfc8785, value))}]"
    if isinstance(value, float):
        return ecmascript(value)
    return json.dumps(value)


def ecmascript(value: float) -> str:
    """As `Number::toString` of ECMA-262 has it, by the digits of a decimal."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    written, point = "".join(map(str, digits)), len(digits) + int(exponent)
    if 0 < point <= 21:
        made = written.ljust(point, "0")
        made = made if len(made) == point else f"{made[:point]}.{made[point:]}"
    elif -6 < point <= 0:
        made = "0." + "0" * -point + written
    else:
        made = written[0] + ("." + written[1:] if written[1:] else "") + f"e{point - 1:+d}"
    return "-" * sign + made


def as_read(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with text in columns that have no one type, and in those of lists and of long whole numbers."""
    for name in {name for row in rows for name in row}:
        values = [row[name] for row in rows if row.get(name) is not None]
        types = set(map(type, values))
        whole = [value for value in values if type(value) is int]
        if list in types or len(types - {float}) > 1 or (float in types and types - {float, int}):
            kept = False
        else:
            limit = 2**53 if float in types else 2**63
            kept = all(-limit <= value < limit or value == 2**53 for value in whole)
        if not kept:
            rows = [{**row, name: text(row[name])} if name in row else row for row in rows]
    return rows


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame as Python values, without what is missing."""
    columns = {name: frame[name].tolist() for name in frame.columns}
    rows = [{name: columns[name][place] for name in columns} for place in range(len(frame))]
    return [{n: v for n, v in row.items() if isinstance(v, list) or not pd.isna(v)} for row in rows]


def present(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def lines(rows: list[dict[str, Any]]) -> io.BytesIO:
    return io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())


@settings(max_examples=examples(200), deadline=None)
@given(records(), st.integers(1, 12))
def test_every_value_of_a_file_is_read_as_it_stands_there_whole_and_in_pieces(
    rows: list[dict[str, Any]], size: int
) -> None:
    whole = JSON_LINES.read(lines(rows), None, {})
    assert plain(whole) == present(as_read(rows))
    assert JSON_LINES.chunks is not None
    pieces = list(JSON_LINES.chunks(lines(rows), size, None, {}))
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(piece.dtypes.equals(whole.dtypes) for piece in pieces)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)
    assert JSON_LINES.schema is not None
    assert JSON_LINES.schema(lines(rows), {}) == {name: str(dtype) for name, dtype in whole.dtypes.items()}
    array = io.BytesIO(json.dumps(rows).encode())
    assert plain(JSON.read(array, None, {})) == present(as_read(rows))


@settings(max_examples=examples(200), deadline=None)
@given(records())
def test_any_json_reader_finds_in_a_written_file_what_the_frame_holds(rows: list[dict[str, Any]]) -> None:
    frame = JSON_LINES.read(lines(rows), None, {})
    for format in (JSON_LINES, JSON):
        file = io.BytesIO()
        half = len(frame) // 2
        assert format.write([frame.iloc[:half], frame.iloc[half:]], file, {}) == len(rows)
        written = file.getvalue().decode()
        found = json.loads(written) if format is JSON else [json.loads(line) for line in written.split("\n")[:-1]]
        assert present(found) == plain(frame)
        assert all(list(row) == list(frame.columns) for row in found)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=10) | st.sampled_from(ODD_LINES), max_size=4))
def test_with_the_extra_lines_are_read_as_without_it(found: list[str]) -> None:
    file = "\n".join(found).encode()
    answers = []
    for quick in (json_files._quickly, json_files._plainly):
        with mock.patch.object(json_files, "_quickly", quick):
            try:
                answers.append(plain(JSON_LINES.read(io.BytesIO(file), None, {})))
            except DataError as problem:
                answers.append([{"problem": str(problem)}])
    assert answers[0] == answers[1]


def test_truth_values_beside_numbers_are_told_apart(project: Any) -> None:
    project.put("t.jsonl", '{"a": 1}\n{"a": true}\n')
    assert project.source(t="t.jsonl").frame("t")["a"].tolist() == ["1", "true"]


def test_values_of_other_types_are_written_as_people_would(project: Any) -> None:
    frame = pd.DataFrame(
        {
            "when": pd.to_datetime(["2024-05-06 07:08:09", None]),
            "day": [datetime.date(2024, 5, 6), None],
            "kind": pd.Categorical(["x", None], categories=["x", "unused"]),
            "level": pd.Categorical([1, 2]),
            "small": np.array([0.1, 2.0], dtype="float32"),
            "whole": pd.array([1, None], dtype="UInt8"),
        }
    )
    project.writer().write_dataset(frame, "t.jsonl", name="t", format="jsonl")
    first, second = (json.loads(line) for line in (project.root / "t.jsonl").read_text().splitlines())
    assert first["when"] == "2024-05-06T07:08:09"
    assert (first["day"], first["kind"], first["level"], first["whole"]) == ("2024-05-06", "x", 1, 1)
    assert np.float32(first["small"]) == np.float32(0.1)
    assert second == {"when": None, "day": None, "kind": None, "level": 2, "small": 2.0, "whole": None}


@pytest.mark.parametrize("value", [math.inf, -math.inf, b"bytes"])
def test_what_json_cannot_say_is_refused(project: Any, value: Any) -> None:
    with pytest.raises(DataWriteError, match="JSON cannot represent infinity"):
        project.writer().write_dataset(pd.DataFrame({"a": [value]}), "t.json", name="t", format="json")
    assert not (project.root / "t.json").exists()


def test_lines_may_end_in_any_way_and_blank_ones_are_left_out(project: Any) -> None:
    project.put("t.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n\r\n  {"a": 2}  \n\n{"a": 3}')
    assert project.source(t="t.jsonl").frame("t")["a"].tolist() == [1, 2, 3]
    project.put("none.jsonl", b"\n")
    assert project.source(t="none.jsonl").frame("t").empty


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a": SECRET}\n', "line 2 is not JSON"),
        (b'{"a": 1} {"a": 2}\n', "line 1 is not JSON"),
        (b'{"a":\n1}\n', "line 1 is not JSON"),
        (b'{"a": "\xff"}\n', "line 1 is not JSON"),
        (b"\n" * 3_000_000 + b"null\n", "line 3000001 is not an object"),
        (b'{"a": ' + b"[" * 200_000, "line 1 is nested too deeply"),
    ],
)
def test_a_line_that_is_no_row_is_told_by_its_number(project: Any, content: bytes, message: str) -> None:
    project.put("t.jsonl", content)
    for read in (lambda source: source.frame("t"), lambda source: list(source.chunks("t", 10))):
        with pytest.raises(DataError, match=message) as problem:
            read(project.source(t="t.jsonl"))
        assert "SECRET" not in str(problem.value)


def test_pieces_come_before_the_file_was_read_to_its_end() -> None:
    file = lines([{"n": number, "t": f"text {number}"} for number in range(400_000)])
    assert JSON_LINES.chunks is not None
    options = {"dtypes": {"n": "int64", "t": "str"}}
    first = next(JSON_LINES.chunks(file, 100, None, options))
    assert (len(first), first["n"].dtype) == (100, "int64")
    assert file.tell() < len(file.getvalue()) / 1.5


def test_several_files_have_the_types_of_all_and_columns_are_looked_for_in_all_lines(project: Any) -> None:
    project.put("1.jsonl", '{"n": 1, "late": null}\n' * 3)
    project.put("2.jsonl", '{"n": 2.5, "late": "x"}\n')
    source = project.source()
    source.add_multi_file_dataset("t", ["1.jsonl", "2.jsonl"])
    pieces = list(source.chunks("t", 2))
    assert {str(piece["n"].dtype) for piece in pieces} == {"float64"}
    assert pd.concat(pieces)["n"].tolist() == [1, 1, 1, 2.5]
    assert list(source.chunks("t", 9, ["late"]))[-1]["late"].tolist() == ["x"]
    with pytest.raises(DataError, match="no column 'x'"):
        list(source.chunks("t", 2, ["x"]))


def test_stated_types_hold_for_pieces(project: Any) -> None:
    project.put("t.jsonl", '{"zip": 1234, "born": "2001-02-03"}\n{"zip": "01234"}\n' * 3)
    source = project.source(t="t.jsonl", data_types={"t": {"zip": "text", "born": "date"}})
    pieces = list(source.chunks("t", 1))
    whole = source.frame("t")
    assert all(piece.dtypes.equals(whole.dtypes) for piece in pieces)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)


HALVES = [r"\ud83d cut", r"\ud83d", r"a\uDE00", r"\ude00\ud83d", r"\ud83d\u0041", r"\\\ud83d", r"\ud83d\\ude00"]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("t.jsonl", '{"a":1,"b":"x"}\n\n{"a":2,"b":"%s"}\n', "line 3, column 'b'"),
        ("t.jsonl", '{"a":1,"b":{"c":["%s"]}}\n', "line 1, column 'b'"),
        ("t.jsonl", '{"a":1,"%s":2}\n', "line 1, column "),
        ("t.json", '[{"a":1,"b":"x"},\n {"a":2,"b":"%s"}]', "line 2, column 'b'"),
        ("t.json", '[{"a":1,"b":[{"%s":2}]}]', "line 1, column 'b'"),
    ],
)
def test_half_of_a_character_is_refused(project: Any, name: str, content: str, place: str, half: str) -> None:
    """A text that was cut within an emoji failed any operation, also ones that did not look at it."""
    project.put(name, content % half)
    for read in (lambda source: source.frame("t"), lambda source: list(source.chunks("t", 1))):
        with pytest.raises(DataError, match=f"{place}.*half of a character") as caught:
            read(project.source(t=name))
        str(caught.value).encode()


@pytest.mark.parametrize("text", [r"\ud83d\ude00", r"\\ud83d", r"\\\\ud83d", r"\u00e9\uD83D\uDE00", r"\u0000"])
def test_escapes_of_whole_characters_are_read(project: Any, text: str) -> None:
    for name, content in (("t.jsonl", f'{{"b":"{text}"}}\n'), ("t.json", f'[{{"b":"{text}"}}]')):
        project.put(name, content)
        assert project.source(t=name).frame("t")["b"].tolist() == [json.loads(f'"{text}"')]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_json_in_any_encoding_of_unicode(project: Any, encoding: str) -> None:
    rows = [{"a": number, "имя": "é😀"} for number in range(30_000)]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    project.put("t.jsonl", lines.encode(encoding))
    project.put("t.json", json.dumps(rows[:9], ensure_ascii=False).encode(encoding))
    source = project.source(t="t.jsonl", u="t.json")
    expected = pd.DataFrame(rows)
    pd.testing.assert_frame_equal(source.frame("t"), expected)
    pd.testing.assert_frame_equal(pd.concat(list(source.chunks("t", 7_000)), ignore_index=True), expected)
    pd.testing.assert_frame_equal(source.frame("u"), expected[:9])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.jsonl", b'{"a":1}\n{"a":"\xed\xa0\xbd"}\n', "line 2 is not JSON: it is not UTF-8"),
        ("t.jsonl", b'{"a":"\xff"}\n', "line 1 is not JSON: it is not UTF-8"),
        ("t.jsonl", '{"a":1}\n'.encode("utf-16-le") + b"\0", "its bytes are not all UTF-16-LE"),
        ("t.json", b'[{"a":"\xed\xa0\xbd"}]', "byte 7 is not UTF-8"),
        ("t.json", '[{"a":1}]'.encode("utf-16-be") + b"\0", "byte 18 is not UTF-16-BE"),
    ],
)
def test_bytes_that_are_no_unicode_are_refused(project: Any, name: str, content: bytes, words: str) -> None:
    project.put(name, content)
    with pytest.raises(DataError, match=words):
        project.source(t=name).frame("t")


LOST = [
    "0.1234567890123456789", "-12345678.123456789012", "9007199254740993.0", "1e999", "-1E+400", "1e-400", "2.5e-324",
    "123456789012345678901e2", "0.1000000000000000055511151231257827", "1e99999999999999999999999",
]  # fmt: skip
HELD = ["0.30000000000000004", "0.10000000000000001", "1e-300", "5e-324", "1.50000000000000000000", "0e999", "-0.0"]


def column_of(project: Any, name: str, numbers: list[str], type_: str | None = None) -> list[Any]:
    """The column that has these numbers, read whole and in pieces alike."""
    rows = [f'{{"b": "1e999, 0.12345678901234567890", "a": {number}}}' for number in numbers]
    project.put(name, "[" + ",\n".join(rows) + "]" if name == "t.json" else "\n".join(rows))
    types = {} if type_ is None else {"t": {"a": type_}}
    whole = project.source(t=name, data_types=types).frame("t")["a"]
    for size in (1, 2, 7):
        pieces = list(project.source(t=name, data_types=types).chunks("t", size))
        pd.testing.assert_series_equal(pd.concat(pieces, ignore_index=True)["a"], whole)
    return list(whole)


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
@pytest.mark.parametrize("number", LOST)
def test_a_number_that_a_float_does_not_hold_keeps_its_digits(project: Any, name: str, number: str) -> None:
    found = column_of(project, name, ["2.5", number, "3", "-0.001"])
    assert (found[0], found[2], found[3]) == ("2.5", "3", "-0.001")
    assert found[1] == number or Decimal(found[1]) == Decimal(number)
    assert len(found[1]) < 60
    assert "column 'a' holds" in project.warnings[0]
    with pytest.raises(DataError, match=r"column 'a': 1 value is .* the first in row 2"):
        column_of(project, name, ["2.5", number], "number")


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
@pytest.mark.parametrize("number", HELD)
def test_a_number_that_a_float_holds_is_a_number(project: Any, name: str, number: str) -> None:
    assert column_of(project, name, ["2.5", number]) == [2.5, float(number)]
    assert not project.warnings


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_exact_decimals_of_json(project: Any, name: str) -> None:
    found = column_of(project, name, ["2.5", "0.1234567890123456789"], "decimal")
    assert found == [Decimal("2.5"), Decimal("0.1234567890123456789")]


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=None), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_all_digits_of_json_numbers_are_kept(numbers: list[Decimal]) -> None:
    """Whether they are read as floats or as text."""
    lines = "".join(f'{{"a": {number!s}, "b": [{number!s}]}}\n' for number in numbers).encode()
    frame = JSON_LINES.read(io.BytesIO(lines), None, {})
    for column in (frame["a"], (text[1:-1] for text in frame["b"] if isinstance(text, str))):
        for read, number in zip(column, numbers, strict=False):
            same = Decimal(str(read)) == number or float(read) == float(f"{number:.16e}")
            assert same


def test_lines_of_arrays_are_told_what_they_lack(project: Any) -> None:
    project.put("t.jsonl", '[1, "a"]\n[2, "b"]\n')
    with pytest.raises(DataError, match="line 1 is not an object with the names of columns"):
        project.source(t="t.jsonl").frame("t")
