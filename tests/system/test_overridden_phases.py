"""A task may override every method: what it forgets or breaks is a failed run with words, however it is run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TASK = """\
from pamola_tasks import BaseTask, Operation, OperationResult

class Nothing(Operation):
    def execute(self, ctx):
        return OperationResult.success()

class T(BaseTask):
    def __init__(self):
        super().__init__("t")
    def configure_operations(self):
        self.add_operation(Nothing)
    {method}

if __name__ == "__main__":
    task = T()
    print("RAN", task.run(), task.status, task.error_info)
"""
BROKEN = {
    "finalize(self, success):\n        return True": "finalize() did not call super().finalize(success)",
    "finalize(self, success):\n        super().finalize(success)\n        raise OSError('no mail')": "no mail",
    "finalize(self, success):\n        super().finalize(success)": "finalize() gave None",
    "finalize(self, success):\n        super().finalize(success); return False": "finalize() gave False",
    "execute(self):\n        super().execute()": "execute() gave None",
    "execute(self):\n        return False": "execute() gave False",
    "initialize(self, args=None):\n        super().initialize(args)": "initialize() gave None",
    "initialize(self, args=None):\n        raise RuntimeError('cannot reach it')": "cannot reach it",
}


@pytest.mark.parametrize("method", BROKEN)
def test_a_phase_that_is_broken_fails_the_run_with_its_words(cli, project, method):
    (project / "t.py").write_text(TASK.format(method=f"def {method}"))
    run = cli("run", "t.py", cwd=project, code=1)
    assert BROKEN[method] in run.stdout + run.stderr
    script = subprocess.run([sys.executable, "t.py"], cwd=project, capture_output=True, text=True, check=True)
    assert "RAN False" in script.stdout
    assert BROKEN[method] in script.stdout


def test_an_own_run_is_called_by_the_command_line_too(cli, project):
    own = "def run(self, *args, **more):\n        print('BEFORE'); ended = super().run(*args, **more)"
    (project / "t.py").write_text(TASK.format(method=f"{own}\n        print('AFTER', ended); return ended"))
    run = cli("run", "t.py", "--set", "seed=7", cwd=project, code=0)
    assert "BEFORE\n" in run.stdout
    assert "AFTER True\n" in run.stdout
    assert json.loads((project / "DATA/reports/t_report.json").read_text())["run"]["seed"] == 7


def test_an_own_run_that_raises_is_a_failed_run(cli, project):
    own = "def run(self, *args, **more):\n        super().run(*args, **more)\n        raise RuntimeError('no mail')"
    (project / "t.py").write_text(TASK.format(method=own))
    run = cli("run", "t.py", cwd=project, code=1)
    assert "no mail" in run.stdout + run.stderr
