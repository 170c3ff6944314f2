"""Steps that did not finish or were never begun, and time outside of steps, as reports have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.record import StepRecord
from pamola_tasks_reports.steps import seconds_outside

PLUGIN = """
import os, signal, time
from pamola_tasks import Operation, OperationResult, hookimpl

class Fine(Operation):
    def execute(self, ctx):
        return OperationResult.success()

class Stops(Operation):
    def execute(self, ctx):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

class Fails(Operation):
    def execute(self, ctx):
        raise ValueError("no")

@hookimpl
def pamola_add_operations():
    return {"Fine": Fine, "Stops": Stops, "Fails": Fails}
"""


def run(root: Path, second: str) -> tuple[Any, str, str]:
    """A run of three steps of which the second does not succeed: the report as JSON, page and Markdown."""
    (root / "configs").mkdir()
    (root / ".pamola.toml").touch()
    (root / "plugin.py").write_text(PLUGIN)
    steps = ", ".join(f"{{id: {name}, {kind}: {{}}}}" for name, kind in (("a", "Fine"), ("b", second), ("c", "Fine")))
    (root / "configs/t.yaml").write_text(f"task_id: t\noperations: [{steps}]\n")
    command = [sys.executable, "-m", "pamola_tasks", "--plugin", "plugin.py", "run", "t"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60, env=os.environ)
    assert done.returncode, done.stdout
    reports = root / "DATA/reports"
    page, text = ((reports / f"t_report.{extension}").read_text() for extension in ("html", "md"))
    return json.loads((reports / "t_report.json").read_text()), page, text


@pytest.mark.parametrize(
    ("second", "status", "why"),
    [
        ("Stops", "interrupted", "the run was interrupted before"),
        ("Fails", "error", "the run failed before"),
    ],
)
def test_steps_that_did_not_succeed(tmp_path: Path, second: str, status: str, why: str) -> None:
    """The step at work has its status and the time that it took, and the one behind is in the table as not run."""
    report, page, text = run(tmp_path, second)
    assert [(entry["step"], entry["status"]) for entry in report["operations"]] == [
        ("a", "success"), ("b", status), ("c", "not run"),
    ]  # fmt: skip
    at_work, behind = report["operations"][1:]
    assert 0 < at_work["seconds"] <= report["run"]["seconds"]
    assert (behind["seconds"], behind["name"], behind["reason"]) == (0, "Fine", why)
    manifest = json.loads((tmp_path / "DATA/processed/t/manifest.json").read_text())
    assert [step["status"] for step in manifest["pipeline_steps"]] == ["success", status, "not run"]
    for shown in (page, text):
        assert "pending" not in shown
        assert why in shown
        assert "outside of steps" in shown
    assert ("did not finish" in page) == (second == "Stops")
    assert "1 of 3" in text


def test_time_outside_of_steps(tmp_path: Path, make_run: Any) -> None:
    """Steps that overlap count once, and one that was at work when the run ended counts to its end."""
    record = make_run(tmp_path).record
    begin = record.started
    record.finished = begin + timedelta(seconds=20)
    times = [(1, 4, "success"), (2, 5, "success"), (10, 2, "error"), (15, 0, "pending")]
    record.steps = [
        StepRecord(step=str(at), operation="A", status=status, started=begin + timedelta(seconds=at), seconds=seconds)
        for at, seconds, status in times
    ]
    record.steps.append(StepRecord(step="s", operation="A", status="skipped"))
    assert seconds_outside(record) == pytest.approx(20 - 6 - 2 - 5)
