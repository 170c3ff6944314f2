"""What each step took of memory at most is in its record, with whose memory that is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from installed import Cli

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="below its peak the memory of a process is unknown")
SCRIPT = '''
import time
from pamola_tasks import BaseTask, Operation, OperationResult

class Fill(Operation):
    """Fills memory, and lets it go."""
    megabytes: int
    fails: bool = False

    def execute(self, ctx):
        block = bytearray(b"x") * (self.megabytes << 20)
        time.sleep(0.3)
        if self.fails:
            raise ValueError(len(block))
        return OperationResult.success()

class Fills(BaseTask):
    def __init__(self):
        super().__init__("fills", "t")

    def configure_operations(self):
        for name, megabytes in {"large": 300, "middle": 150, "small": 1}.items():
            self.add_operation(Fill, megabytes=megabytes, fails=name == "small", step={"id": name})
'''


def steps_of(place: Path) -> dict[str, Any]:
    report = json.loads((place / "DATA/reports/fills_report.json").read_text())
    return {step["step"]: step for step in report["operations"]}


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_each_step_has_its_own_peak(cli: Cli, place: Path, executor: str) -> None:
    """Also below an earlier peak of the process, and of a step that fails; a step that is skipped has none."""
    (place / "fills.py").write_text(SCRIPT)
    cli("run", "fills.py", "--executor", executor, cwd=place, code=1)
    steps = steps_of(place)
    least = steps["small"]["peak_memory_mb"]
    assert 5 < least < 250
    assert 295 < steps["large"]["peak_memory_mb"] - least < 330
    assert 145 < steps["middle"]["peak_memory_mb"] - least < 180
    assert {step["own_process"] for step in steps.values()} == {executor == "processes"}
    page = (place / "DATA/reports/fills_report.md").read_text()
    assert "Peak memory" in page
    assert ("(whole process)" in page) == (executor == "threads")
    cli("run", "fills.py", cwd=place, code=1)
    assert [steps_of(place)[name]["peak_memory_mb"] for name in ("large", "middle")] == [None, None]
