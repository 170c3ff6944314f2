"""Data that is made to fill memory or disk is refused early, with the setting that allows it; wide tables are read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TABLE = pd.DataFrame([[1, 2, 3]], columns=[*"abc"])
NINES = "9" * 5_000


def lines(records: Iterable[str]) -> Callable[[Path], object]:
    return lambda path: path.write_text("\n".join(records) + "\n")


def array(records: Iterable[str], form: str = "%s") -> Callable[[Path], object]:
    return lambda path: path.write_text("[\n" + ",\n".join(form % record for record in records) + "\n]\n")


def grid(width: int, rows: int, name: str = "g%d") -> Callable[[Path], object]:
    table = [",".join(name % i for i in range(width)), *[",".join("1" * width)] * rows]
    return lambda path: path.write_text("\n".join(table) + "\n")


def parquet(columns: dict[str, Any], times: int) -> Callable[[Path], object]:
    """The same rows many times, each time as a row group."""

    def write(path: Path) -> None:
        table = pa.table(columns)
        with pq.ParquetWriter(path, table.schema) as writer:
            for _ in range(times):
                writer.write_table(table)

    return write


def sparse(start: bytes, size: int = 50 << 30) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        path.write_bytes(start)
        os.truncate(path, size)
        if path.stat().st_blocks > 1 << 20:
            pytest.skip("this file system has no sparse files")

    return write


def sheet(path: Path) -> None:
    """As many columns as Excel has, and rows of which only the last cell is filled."""
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet()
    page.append([f"c{i}" for i in range(16_384)])
    for _ in range(700):
        page.append([*[None] * 16_383, 1])
    book.save(path)


def new_keys(count: int, of: int = 1 << 30) -> list[str]:
    return [f'{{"k{i % of}": 1}}' for i in range(count)]


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a new key a line": ("t.jsonl", lines(new_keys(30_000)), "line 10,001 .* more than 10,000 .*key_limit"),
    "a new key a record": ("t.json", array(new_keys(10_001)), "record 10,001 .* more than 10,000 .*key_limit"),
    "many keys in one line": (
        "t.jsonl",
        lines(["", '{"a": 1}', json.dumps(dict.fromkeys(map(str, range(10_001)), 1))]),
        "line 3 .*key_limit",
    ),
    "keys that most rows lack": ("t.jsonl", lines(new_keys(60_000, of=9_000)), "data.expansion_limit"),
    "the same in an array": ("t.json", array(new_keys(60_000, of=9_000)), "data.expansion_limit"),
    "one value 200 million times": ("t.parquet", parquet({"x": np.zeros(10**6)}, 200), "data.expansion_limit"),
    "one text 20 million times": ("t.parquet", parquet({"x": ["a"] * 10**6}, 20), "data.expansion_limit"),
    "only holes": ("t.csv", sparse(b""), "0 are stored .* holes.*data.expansion_limit"),
    "holes behind some rows": ("t.parquet", sparse(b"PAR1"), "stored .* holes.*data.expansion_limit"),
    "rows that are wide and empty": ("t.xlsx", sheet, "data.expansion_limit"),
    "200,000 columns": ("t.csv", grid(200_000, 2), "200,000 columns.*data.column_limit"),
    "a wide Parquet file": ("t.parquet", parquet({f"c{i}": [1] for i in range(100_001)}, 1), "column_limit"),
    "a quote that is not closed": ("t.csv", lines(['a,"b', *["1,2"] * 2_000_000]), "a quote in the header is never"),
    "2 million digits": ("t.json", array([f'"{NINES}"', NINES * 400], '{"a": %s}'), "line 3 .* 4,300 digits"),
    "5,000 digits": ("t.jsonl", lines(['{"a": 1}', f'{{"a": -{NINES}}}']), "line 2 .* 4,300 digits"),
    "200,000 arrays in each other": ("t.jsonl", lines(["{}", '{"a": %s}' % ("[" * 200_000)]), "line 2 .* too deep"),
}  # fmt: skip

READ: dict[str, tuple[str, Callable[[Path], object]]] = {
    "20,000 genes": ("t.csv", grid(20_000, 3, "ENSG%011d")),
    "a header of long names": ("t.csv", lines([";".join(f"{'n' * 300},{i}" for i in range(900)), ";" * 899])),
    "5,000 row groups": ("t.parquet", parquet({"a": [1], "b": ["x"]}, 5_000)),
    "many rows and few bytes": ("t.parquet", parquet({"x": np.zeros(10**6)}, 8)),
    "900 arrays in each other": ("t.jsonl", lines(['{"a": %s}' % ("[" * 900 + "]" * 900)])),
}  # fmt: skip


LIMITS: dict[str, tuple[str, Callable[[Path], object], str, object, object]] = {
    "columns of CSV": ("t.csv", grid(3, 2), "column_limit", 2, 3),
    "columns of Parquet": ("t.parquet", parquet({"a": [1], "b": [1], "c": [1]}, 1), "column_limit", 2, 3),
    "columns of a sheet": ("t.xlsx", lambda path: TABLE.to_excel(path, index=False), "column_limit", 2, 3),
    "keys of lines": ("t.jsonl", lines(new_keys(3)), "key_limit", 2, 3),
    "keys of an array": ("t.json", array(new_keys(3)), "key_limit", 2, 3),
    "rows of Parquet": ("t.parquet", parquet({"x": np.zeros(10**6)}, 9), "expansion_limit", 200, 1e6),
    "holes": ("t.csv", sparse(b"a\n1\n", 65 << 20), "expansion_limit", 200, 1e6),
}  # fmt: skip


def task(project: Path, name: str, fields: list[str] | None = None) -> None:
    """The task `t`, which profiles a table."""
    profile = {"ProfileOperation": {"dataset_name": "t", "fields": fields}}
    task = {"task_id": "t", "input_datasets": {"t": f"DATA/raw/{name}"}, "operations": [profile]}
    (project / "configs/t.json").write_text(json.dumps({**task, "check_free_space": False}))


@pytest.mark.parametrize("what", REFUSED)
def test_data_made_to_fill_memory_is_refused(cli, project, what):
    """The file, the place in it where there is one, and the setting or another way out are named."""
    name, write, message = REFUSED[what]
    write(project / f"DATA/raw/{name}")
    task(project, name)
    done = cli("run", "t", cwd=project)
    assert done.returncode in (1, 2)  # by the step, or before where header or size say it
    told, file = " ".join(done.stdout.split()), re.escape(f"DATA/raw/{name}")
    assert re.search(rf"(?:dataset 't' \({file}\)|input_datasets\.t: {file}): .*{message}", told), told
    assert "***" not in told


@pytest.mark.parametrize("what", READ)
def test_tables_that_are_only_wide_or_long_are_read(cli, project, what):
    """They were refused, took minutes, or stand close to what is."""
    name, write = READ[what]
    write(project / f"DATA/raw/{name}")
    task(project, name, ["ENSG00000000007"] if "genes" in what else None)
    cli("run", "t", cwd=project, code=0)


@pytest.mark.parametrize("what", LIMITS)
def test_each_limit_is_a_setting(cli, project, what):
    """Below what the table has it is refused with the setting's name, and read where the setting allows it."""
    name, write, setting, refused, allowed = LIMITS[what]
    write(project / f"DATA/raw/{name}")
    task(project, name)
    done = cli("run", "t", "--set", f"data.{setting}={refused}", cwd=project)
    assert done.returncode in (1, 2)
    assert f"data.{setting}" in done.stdout
    assert "data." not in cli("run", "t", "--set", f"data.{setting}={allowed}", cwd=project).stdout
    assert f"data.{setting}" in cli("run", "t", "--set", f"data.{setting}=0", cwd=project, code=2).stderr


def test_what_a_step_made_is_read_by_the_next_one_however_small_its_file(cli, project):
    """A table of one value, once masked, is a file of a few bytes; no limit holds between steps."""
    grid(12, 10**6)(project / "DATA/raw/t.csv")
    task(project, "t.csv")
    made = json.loads((project / "configs/t.json").read_text())
    steps = enumerate(["t", "m", "n"])
    made["operations"] = [
        {"DropOperation": {"input_dataset": read, "output_dataset": "tmno"[number + 1], "columns": [f"g{number}"]}}
        for number, read in steps
    ]
    (project / "configs/t.json").write_text(json.dumps(made))
    cli("run", "t", "--set", "data.expansion_limit=1", "--executor", "processes", cwd=project, code=0)
