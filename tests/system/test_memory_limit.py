"""`memory_limit_mb`: a table that takes more is refused to who wants it whole, and given to who takes it in pieces."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from installed import Cli

SCRIPT = '''
from pamola_tasks import BaseTask, Operation, OperationResult, reads, writes

class Whole(Operation):
    """Takes a table whole."""
    input_dataset: str = reads()

    def execute(self, ctx):
        return OperationResult.success({"rows": len(ctx.data.frame(self.input_dataset))})

class Pieces(Operation):
    """Takes it in pieces."""
    input_dataset: str = reads()
    output_dataset: str = writes("{input}_copy")

    def execute(self, ctx):
        told = {"mb": ctx.data.memory_mb(self.input_dataset), "rows": [], "limit": ctx.config.memory_limit_mb}

        def pieces():
            for piece in ctx.data.chunks(self.input_dataset):
                told["rows"].append(len(piece))
                yield piece

        ctx.data.write(self.output_dataset, pieces())
        return OperationResult.success(told)

class Limits(BaseTask):
    def __init__(self):
        names = "people.csv people.parquet people.jsonl people.json people.csv.gz".split()
        super().__init__("limits", "t", input_datasets={n.replace(".", "_"): f"DATA/raw/{n}" for n in names})

    def configure_operations(self):
        for name in self.input_datasets:
            self.add_operation(Whole, input_dataset=name, step={"id": f"whole_{name}"})
            self.add_operation(Pieces, input_dataset=name, step={"id": f"pieces_{name}"})
        self.add_operation(Whole, input_dataset="people_csv_copy", step={"id": "whole_copy"})
'''
ROWS = 100_000


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    texts = [f"street {row % 997} of a long name, in city {row % 89}" for row in range(ROWS)]
    return pd.DataFrame({"id": range(ROWS), "street": texts, "wage": [row * 0.37 for row in range(ROWS)]})


@pytest.fixture
def limits(place: Path, table: pd.DataFrame) -> Path:
    raw = place / "DATA/raw"
    table.to_csv(raw / "people.csv", index=False)
    table.to_parquet(raw / "people.parquet")
    table.to_json(raw / "people.jsonl", orient="records", lines=True)
    table.to_json(raw / "people.json", orient="records")
    (raw / "people.csv.gz").write_bytes(gzip.compress((raw / "people.csv").read_bytes(), 1))
    (place / "limits.py").write_text(SCRIPT)
    return place


def steps_of(place: Path) -> dict[str, Any]:
    report = json.loads((place / "DATA/reports/limits_report.json").read_text())
    return {step["step"]: step for step in report["operations"]}


@pytest.mark.parametrize("encrypts", [False, True])
def test_whole_tables_are_refused_and_pieces_are_not(
    cli: Cli, limits: Path, table: pd.DataFrame, encrypts: bool
) -> None:
    """Every format, also what a step has written, in memory or encrypted."""
    (limits / "configs/prj_config.yaml").write_text("memory_limit_mb: 5\ncontinue_on_error: true\n")
    environment = {"PAMOLA_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="} if encrypts else {}
    more = ["--set", f"use_encryption={str(encrypts).lower()}"]
    cli("run", "limits.py", *more, cwd=limits, env=environment, code=1)
    steps = steps_of(limits)
    taken = table.memory_usage(index=False, deep=True).sum() / 2**20
    for name, step in steps.items():
        if name.startswith("whole"):
            assert step["status"] == "error"
            said = step["error"]["message"]
            assert "MiB in memory as a whole, and memory_limit_mb allows 5: set memory_limit_mb higher" in said
            assert name.removeprefix("whole_").split("_")[0] in said
        else:
            assert step["status"] == "success"
            if not encrypts:  # else the report withholds what was measured
                assert sum(step["metrics"]["rows"]) == ROWS
                assert step["metrics"]["mb"] == pytest.approx(taken, rel=0.1)
    assert len(steps) == 11


def test_tables_of_usual_size_are_within_the_usual_limit(cli: Cli, limits: Path) -> None:
    """A quarter of the machine's memory, which `config show` has as a number, also where null is written."""
    cli("run", "limits.py", cwd=limits, code=0)
    shown = json.loads(cli("config", "show", "--json", cwd=limits, code=0).stdout)["memory_limit_mb"]
    assert shown["layer"] == "default"
    assert {step["metrics"]["limit"] for name, step in steps_of(limits).items() if "pieces" in name} == {shown["value"]}
    installed = [line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")]
    assert 0 < shown["value"] <= int(installed[0].split()[1]) // 1024 // 4 + 1
    (limits / "configs/prj_config.yaml").write_text("memory_limit_mb: null\n")
    written = json.loads(cli("config", "show", "--json", cwd=limits, code=0).stdout)["memory_limit_mb"]
    assert (written["value"], written["layer"]) == (shown["value"], "default")


def test_use_vectorization_takes_tables_whole_that_have_room(cli: Cli, limits: Path) -> None:
    """One piece where `memory_limit_mb` allows it, else pieces of `chunk_size`; the same bytes either way."""
    settings = ["--set", "chunk_size=30000", "--set", "output_format=parquet", "--restart"]
    found = []
    for more in (
        ["use_vectorization=false"],
        ["use_vectorization=true"],
        ["use_vectorization=true", "memory_limit_mb=5"],
    ):
        cli("run", "limits.py", *settings, *(f"--set={each}" for each in [*more, "continue_on_error=true"]), cwd=limits)
        steps = steps_of(limits)
        pieces = {name: len(step["metrics"]["rows"]) for name, step in steps.items() if name.startswith("pieces")}
        output = limits / "DATA/processed/limits/output"
        found.append((set(pieces.values()), {path.name: path.read_bytes() for path in output.iterdir()}))
    assert [pieces for pieces, _ in found] == [{4}, {1}, {4}]
    assert len(found[0][1]) == 5
    assert found[0][1] == found[1][1] == found[2][1]
