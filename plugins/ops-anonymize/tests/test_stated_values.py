"""Values in parameters are found in the table as its file writes them, and as they are once read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pamola_tasks import Kernel, Outcome
from pamola_tasks_compat import TaskRunner

FILE = (
    "amount;born;ok;size;code\n1,50;01.02.1980;ja;1.250;007\n2,75;11.12.1990;nein;20;7\n;;;;\n3,00;05.06.1970;ja;7;07\n"
)
TYPES = {
    "amount": {"type": "number", "decimal": ","},
    "born": {"type": "date", "format": "%d.%m.%Y"},
    "ok": {"type": "boolean", "true": ["ja"], "false": ["nein"]},
    "size": {"type": "integer", "thousands": "."},
}


def outcome(folder: Path, operation: str, types: Any = None, **parameters: Any) -> tuple[Outcome, list[str], list[str]]:
    """A run on the file, its warnings, and the column in the table that it gives."""
    (folder / ".pamola.toml").touch()
    (folder / "people.csv").write_text(FILE)
    given = {"input_dataset": "people", "output_dataset": "safe", **parameters}
    task = TaskRunner(
        "t_1",
        input_datasets={"people": "people.csv"},
        operation_configs=[{"operation": operation, "parameters": given}],
    )
    types = TYPES if types is None else types
    found = Kernel.discover(project=folder).run(task, overrides={"data_types": {"people": types}})
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
