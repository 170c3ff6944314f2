"""Columns without one type and cells of several values: one text for each, in every operation, step and format."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from installed import Cli

from pamola_tasks.storage.files import Files
from pamola_tasks_data import DataReader, DataSource
from pamola_tasks_paths.guard import ProjectGuard

ROWS = 12
# For each kind of column: two values that alternate, and the texts that a person finds in every output.
JSON = {
    "objects": ([{"b": "ü", "a": 0.10}, {}], ['{"a":0.1,"b":"ü"}', "{}"]),
    "arrays": ([[1, 2.0, None], ["x", [True]]], ["[1,2,null]", '["x",[true]]']),
    "objects beside text": ([{"a": 1}, "a"], ['{"a":1}', "a"]),
    "codes": (["A12", 12], ["A12", "12"]),
    "long whole numbers": ([2**64, 5], ["18446744073709551616", "5"]),
    "truth beside one": ([True, 1], ["true", "1"]),
    "truth beside text": ([False, "x"], ["false", "x"]),
    "long beside a fraction": ([2**60 + 1, 1.5], ["1152921504606846977", "1.5"]),
    "text beside a fraction": (["1e3", 1e300], ["1e3", "1e+300"]),
}
BOOK = {
    "codes": (["A12", 12], ["A12", "12"]),
    "truth beside one": ([True, 1], ["true", "1"]),
    "dates beside text": ([pd.Timestamp("2020-01-02").to_pydatetime(), "soon"], ["2020-01-02", "soon"]),
    "fractions beside text": ([2.50, "n/a"], ["2.5", "n/a"]),
}
PARQUET = {
    "list": (pa.array([[1, 2], None] * (ROWS // 2)), ["[1,2]", None]),
    "struct": (
        pa.array([{"b": Decimal("1.50"), "a": b"ab0"}, {"b": None, "a": None}] * (ROWS // 2)),
        ['{"a":"YWIw","b":1.50}', '{"a":null,"b":null}'],
    ),
    "map": (
        pa.array([[("b", 1), ("a", 2)], []] * (ROWS // 2), pa.map_(pa.string(), pa.int8())),
        ['{"a":2,"b":1}', "[]"],
    ),
    "bytes": (pa.array([b"ab0", b"\xff"] * (ROWS // 2)), ["YWIw", "/w=="]),
    "fixed": (pa.array([b"ab", b"cd"] * (ROWS // 2), pa.binary(2)), ["YWI=", "Y2Q="]),
    "decimals": (pa.array([Decimal("1.50"), Decimal("2.00")] * (ROWS // 2)), ["1.50", "2.00"]),
}


def written_as_json(place: Path, values: list[Any]) -> str:
    rows = [{"x": values[n % 2], "n": n, "g": "ab"[n % 2], "t": f"s{n % 3}"} for n in range(ROWS)]
    (place / "DATA/raw/a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "DATA/raw/a.jsonl"


def written_as_array(place: Path, values: list[Any]) -> str:
    rows = [{"x": values[n % 2], "n": n, "g": "ab"[n % 2], "t": f"s{n % 3}"} for n in range(ROWS)]
    (place / "DATA/raw/a.json").write_text(json.dumps(rows))
    return "DATA/raw/a.json"


def written_as_book(place: Path, values: list[Any]) -> str:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["x", "n", "g", "t"])
    for n in range(ROWS):
        book.worksheets[0].append([values[n % 2], n, "ab"[n % 2], f"s{n % 3}"])
    book.save(place / "DATA/raw/a.xlsx")
    return "DATA/raw/a.xlsx"


def written_as_parquet(place: Path, values: Any) -> str:
    rest = {"n": range(ROWS), "g": ["a", "b"] * (ROWS // 2), "t": [f"s{n % 3}" for n in range(ROWS)]}
    pq.write_table(pa.table({"x": values, **rest}), place / "DATA/raw/a.parquet")
    return "DATA/raw/a.parquet"


CASES = [
    *(pytest.param(written_as_json, *case, id=f"jsonl: {name}") for name, case in JSON.items()),
    *(pytest.param(written_as_array, *JSON[name], id=f"json: {name}") for name in ("objects", "codes")),
    *(pytest.param(written_as_book, *case, id=f"xlsx: {name}") for name, case in BOOK.items()),
    *(pytest.param(written_as_parquet, *case, id=f"parquet: {name}") for name, case in PARQUET.items()),
]
STEPS = """
  - ProfileOperation: {dataset_name: a, min_count: 1}
  - RiskOperation: {input_dataset: a, quasi_identifiers: [x], sensitive_attributes: [g]}
  - DropOperation: {input_dataset: a, output_dataset: b, columns: [t]}
  - SuppressOperation: {input_dataset: b, output_dataset: suppressed, suppress: cells, columns: [x], min_count: 7}
  - SuppressOperation: {input_dataset: b, output_dataset: fewer, suppress: records, columns: [x], min_count: 2}
  - MaskOperation: {input_dataset: b, output_dataset: masked, columns: [x], method: pattern, pattern: ZZZ}
  - GeneralizeOperation: {input_dataset: b, output_dataset: grouped, columns: [x], method: groups, groups: GROUPS}
  - PseudonymizeOperation: {input_dataset: b, output_dataset: tokens, columns: [x], method: token, vault_dataset: v}
  - ReidentifyOperation: {input_dataset: tokens, output_dataset: back, vault_dataset: v, columns: [x]}
  - NoiseOperation: {input_dataset: b, output_dataset: noisy, columns: [n], mechanism: laplace, scale: 1.0}
  - AnonymizeOperation: {input_dataset: b, output_dataset: safe, k: 2, quasi_identifiers: [x], keep_order: true}
  - AnonymizeOperation: {input_dataset: b, output_dataset: kept, k: 6, quasi_identifiers: [g],
                         sensitive_attributes: [x], keep_order: true}
  - UtilityOperation: {original_dataset: b, anonymized_dataset: safe, quasi_identifiers: [x]}
  - CorrelationOperation: {primary_dataset: b, secondary_dataset: safe, join_key: n}
"""


@pytest.mark.parametrize(("write", "values", "texts"), CASES)
def test_every_operation_finds_the_same_text(
    place: Path,
    cli: Cli,
    write: Callable[..., str],
    values: Any,
    texts: list[str | None],
) -> None:
    """In pieces of five rows, or whole: by turns, since test_random_tables compares the two."""
    chunk_size = (5, 100_000)[[case.values for case in CASES].index((write, values, texts)) % 2]
    groups = json.dumps({"group": [text for text in texts if text is not None]}, ensure_ascii=False)
    steps = STEPS.replace("GROUPS", groups)
    path = write(place, values)
    (place / "configs/t.yaml").write_text(
        f"task_id: t\ninput_datasets: {{a: {path}}}\nchunk_size: {chunk_size}\noutput_format: csv\n"
        f"outputs: [suppressed, fewer, masked, grouped, back, noisy, safe, kept]\noperations:{steps}"
    )
    cli("keys", "init", cwd=place, code=0)
    done = cli("run", "t", "--json", cwd=place)
    assert done.returncode == 0, done.stdout
    output = place / "DATA/processed/t/output"
    expected = [texts[n % 2] for n in range(ROWS)]
    for name in ("fewer", "masked", "back", "noisy", "safe", "kept"):
        folder = output.parent / "internal" if name == "back" else output
        found = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)["x"].tolist()
        assert found == [text or "" for text in expected], name
    suppressed = pd.read_csv(output / "suppressed.csv", dtype=str, keep_default_na=False)["x"].tolist()
    assert suppressed == ["*" if text is not None else "" for text in expected]
    grouped = pd.read_csv(output / "grouped.csv", dtype=str, keep_default_na=False)["x"].tolist()
    assert grouped == ["group" if text is not None else "" for text in expected]
    profile = json.loads((output.parent / "internal/a_profile.json").read_text())
    common = {value["value"]: value["count"] for value in profile["columns"][0]["common_values"]}
    assert common == {text: ROWS // 2 for text in texts if text is not None}


@pytest.mark.parametrize("output", ["csv", "json", "jsonl", "parquet", "xlsx"])
@pytest.mark.parametrize("values", [["A12", 12], [{"b": 1, "a": [None]}, 5], [2**64, 1]])
def test_every_format_has_the_same_text_and_the_rule_is_told(
    place: Path, cli: Cli, output: str, values: list[Any]
) -> None:
    path = written_as_json(place, values)
    task = f"task_id: t\ninput_datasets: {{a: {path}}}\noutput_format: {output}\noperations:\n"
    task += "".join(
        f"  - DropOperation: {{input_dataset: {a}, output_dataset: {b}, columns: [{c}], on_identifiers: warn}}\n"
        for a, b, c in ("abn", "bct")
    )
    (place / "configs/t.yaml").write_text(task)
    told = json.loads(cli("run", "t", "--json", cwd=place, code=0).stdout)["warnings"]
    about = [warning for warning in told if "column 'x' holds" in warning]
    assert len(about) == 1
    assert "state x: text in data_types" in about[0]
    source = DataSource(file_paths={"c": f"DATA/processed/t/output/c.{output}"}, reader=reader(place))
    expected = [{"A12": "A12", "12": "12", "1": "1"}.get(str(v)) or canonical(v) for v in values] * (ROWS // 2)
    assert source.frame("c")["x"].tolist() == expected
    (place / "configs/t.yaml").write_text(task + "data_types: {a: {x: text}}\n")
    stated = json.loads(cli("run", "t", "--json", cwd=place, code=0).stdout)
    assert not [warning for warning in stated["warnings"] if "column 'x' holds" in warning]
    assert {step["status"] for step in stated["steps"][1:]} == {"skipped"}, "what is stated is what was read"


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def reader(root: Path) -> DataReader:
    return DataReader(Files(ProjectGuard(root)))


@pytest.mark.parametrize(
    ("write", "values"),
    [case.values[:2] for case in CASES],
    ids=[str(case.id) for case in CASES],
)
@pytest.mark.parametrize("stated", [None, "text", "category"])
def test_pieces_are_the_whole(place: Path, write: Callable[..., str], values: Any, stated: str | None) -> None:
    if stated and values == PARQUET["bytes"][0]:
        pytest.skip("they are not UTF-8, and refused")
    path = write(place, values)
    data_types = {"x": stated} if stated else None
    whole = DataSource(file_paths={"a": path}, reader=reader(place), data_types=data_types)
    for size in (1, 7, ROWS):
        source = DataSource(file_paths={"a": path}, reader=reader(place), data_types=data_types)
        pieces = list(source.chunks("a", size))
        together = pd.concat(pieces, ignore_index=True)
        if stated == "category":
            together["x"] = together["x"].astype(whole.frame("a")["x"].dtype)
        pd.testing.assert_frame_equal(together, whole.frame("a"))
        if stated != "category":
            assert source.schema("a") == {name: str(dtype) for name, dtype in whole.frame("a").dtypes.items()}


@pytest.mark.parametrize("first", [[1, 2], [None], [1.5], ["x"], [True], [{"a": 1}]])
@pytest.mark.parametrize("second", [["A12", 12], [None], [[1], 3]])
def test_several_files_are_one_table(place: Path, first: list[Any], second: list[Any]) -> None:
    for name, values in (("1", first), ("2", second)):
        (place / f"{name}.jsonl").write_text("".join(json.dumps({"x": value}) + "\n" for value in values))
    (place / "all.jsonl").write_text((place / "1.jsonl").read_text() + (place / "2.jsonl").read_text())
    source = DataSource(file_paths={"all": "all.jsonl"}, reader=reader(place))
    source.add_multi_file_dataset("both", ["1.jsonl", "2.jsonl"])
    pd.testing.assert_frame_equal(source.frame("both"), source.frame("all"))
    pd.testing.assert_frame_equal(pd.concat(source.chunks("both", 1), ignore_index=True), source.frame("all"))


@pytest.mark.parametrize("values", [["A12", 12], [{"a": 1}, [2]], [b"ab0", b"c"], [2**64, 1], [True, 1], [{1, 2}, "a"]])
def test_a_frame_in_memory_follows_the_same_rule(values: list[Any]) -> None:
    source = DataSource({"a": pd.DataFrame({"x": pd.Series(values, dtype=object)})})
    expected = {"b'ab0'": "YWIw", "b'c'": "Yw==", "{1, 2}": "[1,2]", "a": "a", "A12": "A12"}
    assert source.frame("a")["x"].tolist() == [expected.get(str(value)) or canonical(value) for value in values]


def test_bytes_are_text_where_that_is_stated_and_they_are(place: Path) -> None:
    path = written_as_parquet(place, pa.array([b"ab0", "ü".encode()] * (ROWS // 2)))
    source = DataSource(file_paths={"a": path}, reader=reader(place), data_types={"x": "text"})
    assert source.frame("a")["x"].tolist()[:2] == ["ab0", "ü"]
    path = written_as_parquet(place, pa.array([b"\xff"] * ROWS))
    source = DataSource(file_paths={"a": path}, reader=reader(place), data_types={"x": "text"})
    with pytest.raises(Exception, match="column 'x' holds bytes that are not UTF-8, although text is stated"):
        source.frame("a")
