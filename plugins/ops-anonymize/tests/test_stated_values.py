"""Values in parameters are found in the table as its file writes them, and as they are once read."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pamola_tasks import Kernel, Outcome
from pamola_tasks_compat import TaskRunner

FILE = "\n".join(
    [
        "amount;born;ok;size;code;job",
        "1,50;01.02.1980;ja;1.250;007;Koch",
        "2,75;11.12.1990;nein;20;7;Köchin",
        ";;;;;",
        "3,00;05.06.1970;ja;7;07;Ärztin",
    ]
)
TYPES = {
    "amount": {"type": "number", "decimal": ","},
    "born": {"type": "date", "format": "%d.%m.%Y"},
    "ok": {"type": "boolean", "true": ["ja"], "false": ["nein"]},
    "size": {"type": "integer", "thousands": "."},
}


def outcome(
    folder: Path, operation: str, types: Any = None, inputs: Any = None, settings: Any = None, **parameters: Any
) -> tuple[Outcome, list[str], list[str]]:
    """A run on the file, its warnings, and the column in the table that it gives."""
    (folder / ".pamola.toml").touch()
    (folder / "people.csv").write_text(FILE)
    given = {"input_dataset": "people", "output_dataset": "safe", **parameters}
    task = TaskRunner(
        "t_1",
        input_datasets={"people": "people.csv", **(inputs or {})},
        operation_configs=[{"operation": operation, "parameters": given}],
    )
    types = {"data_types": {"people": TYPES if types is None else types}}
    found = Kernel.discover(project=folder).run(task, overrides={**types, **(settings or {})})
    report = json.loads((folder / "DATA/reports/t_1_report.json").read_text())
    tables = sorted(folder.rglob("output/safe.csv")) if found.success else []
    cells = [pd.read_csv(table, dtype=str).fillna("")[parameters["columns"][0]].tolist() for table in tables]
    return found, report["warnings"], cells[0] if cells else []


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        ("amount", ["1,50", "2,75"], ["3,00"]),
        ("amount", ["1.5", 2.75], [3]),
        ("amount", ["1,5", "2,750"], [3.0]),
        ("born", ["01.02.1980", "1990-12-11"], ["5.6.1970"]),
        ("ok", ["ja"], ["nein"]),
        ("ok", [True], ["False"]),
        ("size", ["1.250"], ["20", 7]),
        ("size", [1250], [20, "7"]),
        ("code", ["007"], ["7", "07"]),
    ],
)
def test_groups_are_found_as_written_and_as_read(tmp_path: Path, column: str, low: Any, high: Any) -> None:
    found, warnings, cells = outcome(
        tmp_path, "GeneralizeOperation", columns=[column], method="groups", groups={"low": low, "high": high}
    )
    assert found.success, found.error
    assert not warnings
    assert set(cells) == {"low", "high", ""}
    assert cells[0] == "low"


def test_groups_without_a_value_are_told_and_a_column_without_any_is_refused(tmp_path: Path) -> None:
    how: dict[str, Any] = {"operation": "GeneralizeOperation", "method": "groups"}
    _, warnings, cells = outcome(tmp_path, columns=["ok"], groups={"yes": ["ja"], "no": ["oui"]}, **how)
    assert cells == ["yes", "*", "", "yes"]
    assert "people: `groups`: no value of ok is one of 'no'" in warnings[0]
    for types in ({}, TYPES):
        groups = {"old": ["1980/02/01"], "young": ["1990/12/11"]}
        none, _, _ = outcome(tmp_path, columns=["born"], groups=groups, types=types, **how)
        assert "`groups`: no value of born is one of 'old', 'young'" in str(none.error)
    alike, _, _ = outcome(tmp_path, columns=["amount"], groups={"a": ["1,5"], "b": ["1,50"]}, **how)
    assert "a value of 'b' is the same in amount as one of another group" in str(alike.error)


@pytest.mark.parametrize("suppress", ["cells", "records"])
@pytest.mark.parametrize(
    ("column", "value"), [("amount", "1,50"), ("born", "01.02.1980"), ("size", "1.250"), ("code", "007")]
)
def test_suppressed_values_are_found_as_written(tmp_path: Path, suppress: str, column: str, value: str) -> None:
    found, warnings, cells = outcome(
        tmp_path, "SuppressOperation", columns=[column], suppress=suppress, values=[value, "nowhere"]
    )
    assert found.success, found.error
    assert cells.count("*") == (suppress == "cells")
    assert len(cells) == (4 if suppress == "cells" else 3)
    (said,) = warnings
    assert f"`values`: no value of {column} is one of 'nowhere'" in said


JOBS = "Koch;Küche;*\nKöchin;Küche;*\nÄrztin;Medizin;*\n"
AMOUNTS = "1,50;low\n2,75;low\n3,00;high\n"
HIERARCHIES: dict[str, tuple[str, bytes, dict[str, Any], str]] = {
    "cp1252": ("job", JOBS.encode("cp1252"), {}, "read as cp1252"),
    "stated": ("job", JOBS.encode("cp850"), {"encoding": "cp850"}, ""),
    "UTF-16": ("job", JOBS.encode("utf-16"), {}, ""),
    "mark": ("job", JOBS.encode("utf-8-sig"), {}, ""),
    "header of another name": ("job", b"Beruf;Gruppe;Alle\n" + JOBS.encode(), {}, "line 1 of the hierarchy of job"),
    "header of the column": ("job", b"job;a;b\n" + JOBS.encode(), {}, "is its header, and was left out"),
    "a leaf that nobody has": ("job", b"Baecker;Backstube;*\n" + JOBS.encode(), {}, ""),
    "blanks": ("job", JOBS.replace(";", " ; ").encode(), {"trim": True}, ""),
    "delimiter": ("job", JOBS.replace(";", "/").encode(), {"delimiter": "/"}, ""),
    "quotes": ("job", JOBS.replace("Küche", "'Küche'").encode(), {"quotechar": "'"}, ""),
    "decimal comma": ("amount", AMOUNTS.encode(), {}, ""),
    "decimal point": ("amount", AMOUNTS.replace(",", ".").encode(), {}, ""),
    "days": ("born", b"01.02.1980;old\n11.12.1990;young\n05.06.1970;old\n", {}, ""),
    "days in ISO 8601": ("born", b"1980-02-01;old\n1990-12-11;young\n1970-06-05;old\n", {}, ""),
    "truth": ("ok", b"ja;x\nnein;x\n", {}, ""),
    "thousands": ("size", b"1.250;big\n20;small\n7;small\n", {}, ""),
}


@pytest.mark.parametrize("name", HIERARCHIES)
def test_hierarchy_files_are_read_as_tables_are(tmp_path: Path, name: str) -> None:
    column, content, options, said = HIERARCHIES[name]
    found, warnings, cells = with_hierarchy(tmp_path, column, content, options)
    assert found.success, found.error
    labels = {"job": {"Küche", "Medizin"}, "amount": {"low", "high"}, "born": {"old", "young"}, "ok": {"x"}}
    assert set(cells) == labels.get(column, {"big", "small"}) | {""}
    assert any(said in warning for warning in warnings) == bool(said), warnings


@pytest.mark.parametrize("ending", ["xlsx", "parquet", "jsonl"])
def test_hierarchies_in_other_formats(tmp_path: Path, ending: str) -> None:
    table = pd.DataFrame([line.split(";") for line in JOBS.splitlines()], columns=["job", "level1", "level2"])
    file = io.BytesIO()
    {"xlsx": lambda: table.to_excel(file, index=False), "parquet": lambda: table.to_parquet(file)}.get(
        ending, lambda: file.write(table.to_json(orient="records", lines=True).encode())
    )()
    found, _, cells = with_hierarchy(tmp_path, "job", file.getvalue(), {}, ending)
    assert found.success, found.error
    assert set(cells) == {"Küche", "Medizin", ""}


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (JOBS.encode() + b"X\xff;y;*\n", {}, r"not UTF-8 \(the first in line 4\)"),
        (JOBS.replace(";", " ; ").encode(), {}, "no value of job has a line in its hierarchy: .*trim: true"),
        (b"PK\x03\x04" + bytes(60), {}, "a zip archive"),
        (JOBS.encode("cp1252"), {"encoding": "utf-8"}, "not all utf-8: .*line 1"),
        (JOBS.encode(), {"delimiter": ","}, "one field a line"),
    ],
    ids=["damaged", "blanks", "archive", "encoding", "delimiter"],
)
def test_wrong_hierarchy_files_are_refused(tmp_path: Path, content: bytes, options: Any, said: str) -> None:
    found, _, _ = with_hierarchy(tmp_path, "job", content, options)
    assert re.search(said, str(found.error)), found.error


def with_hierarchy(
    folder: Path, column: str, content: bytes, options: Any, ending: str = "csv"
) -> tuple[Outcome, list[str], list[str]]:
    (folder / f"h.{ending}").write_bytes(content)
    return outcome(
        folder,
        "GeneralizeOperation",
        columns=[column],
        method="hierarchy",
        hierarchies={column: "h"},
        levels={column: 1},
        inputs={"h": f"h.{ending}"},
        settings={"data": {"datasets": {"h": options}}},
    )
