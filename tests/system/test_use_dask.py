"""`use_dask` and `npartitions` do what they say, or are refused. That steps run there is seen in `plugins/dask`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from installed import Cli

SCRIPT = """
from pamola_tasks import BaseTask, Operation, OperationResult

class Nothing(Operation):
    def execute(self, ctx):
        return OperationResult.success()

class InParts(Nothing):
    npartitions: int = 1

class Small(BaseTask):
    operation = Nothing

    def __init__(self):
        super().__init__("small", "t")

    def configure_operations(self):
        self.add_operation(self.operation)

class Divided(Small):
    operation = InParts
"""
WARNING = (
    "npartitions (configs/prj_config.yaml:1:14) has no effect: no operation of this task can be divided into parts"
)


@pytest.fixture
def small(place: Path) -> Path:
    (place / "small.py").write_text(SCRIPT)
    return place


@pytest.mark.parametrize(
    ("before", "more", "said"),
    [
        (["--no-plugin", "pamola-tasks-dask"], [], "and the executor dask is not installed: install pamola-tasks-dask"),
        ([], ["--executor", "threads"], "was chosen to run the steps (by --executor"),
    ],
)
def test_use_dask_without_dask_is_refused(cli: Cli, small: Path, before: list[str], more: list[str], said: str) -> None:
    """Nothing is run elsewhere than was asked for; the place of the key is named."""
    (small / "configs/prj_config.yaml").write_text("use_dask: true\n")
    done = cli(*before, "run", "small.py:Small", *more, "--json", cwd=small)
    error = json.loads(done.stdout)["error"]["message"]
    assert done.returncode != 0
    assert "configs/prj_config.yaml:1:11: use_dask: is true, " in error
    assert said in error
    cli(*before, "run", "small.py:Small", *more, "--set", "use_dask=false", cwd=small, code=0)


@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_use_dask_beside_another_kind_of_executor_is_refused(cli: Cli, small: Path, kind: str) -> None:
    """Both say where steps run: neither is taken without a word."""
    (small / "configs/prj_config.yaml").write_text(f"use_dask: true\nexecutor: {{kind: {kind}}}\n")
    done = cli("run", "small.py:Small", "--json", cwd=small, code=2)
    error = json.loads(done.stdout)["error"]["message"]
    assert f"configs/prj_config.yaml:2:18: executor.kind: is {kind}, and use_dask is true: " in error
    cli("run", "small.py:Small", "--set", "use_dask=false", cwd=small, code=0)


def test_npartitions_that_nothing_reads_is_a_warning(cli: Cli, small: Path) -> None:
    """Unless an operation has such a parameter, which it gives a value to."""
    (small / "configs/prj_config.yaml").write_text("npartitions: 3\n")
    for name, warnings in (("Small", [WARNING]), ("Divided", [])):
        done = cli("run", f"small.py:{name}", "--restart", "--json", cwd=small, code=0)
        assert json.loads(done.stdout)["warnings"] == warnings
