"""A task that sleeps in its second step, for tests of what can be seen of a run, and done to it, while it runs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

SLOW = """\
import time
from pamola_tasks import BaseTask, Operation, OperationResult, reads

class Quick(Operation):
    def execute(self, ctx):
        with ctx.artifact("quick", "txt", "A file") as file:
            file.write(b"done")
        return OperationResult.success()

class Slow(Operation):
    def execute(self, ctx):
        (ctx.run.project.root / "begun").touch()
        time.sleep(600)
        return OperationResult.success()

class SlowTask(BaseTask):
    def __init__(self):
        super().__init__("slow", "test", "Sleeps")

    def configure_operations(self):
        self.add_operation(Quick)
        self.add_operation(Slow)
"""


def begin_slow(
    project: Path, start: Callable[..., subprocess.Popen[str]], task: str = "slow.py"
) -> subprocess.Popen[str]:
    """Write `slow.py` into a project, and run it until it sleeps."""
    (project / "slow.py").write_text(SLOW)
    process = start("run", task, cwd=project)
    deadline = time.monotonic() + 120
    while not (project / "begun").exists():
        assert time.monotonic() < deadline, process.communicate()
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def be_quick(project: Path) -> None:
    """From now on the task does not sleep."""
    (project / "slow.py").write_text(SLOW.replace("time.sleep(600)", "pass"))
