"""Places where a user has less than usual: no home directory, or a program that is not in a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NO_USER = """
import pwd

def nobody(*_):
    raise KeyError("getpwuid(): uid not found")

pwd.getpwuid = pwd.getpwnam = nobody
"""

CELL = """
from pathlib import Path
from pamola_tasks import BaseTask, Operation, OperationResult
from pamola_tasks.kernel import Kernel

class Up(Operation):
    def execute(self, ctx):
        return OperationResult.success()

class T(BaseTask):
    def __init__(self):
        super().__init__("t_1")
    def configure_operations(self):
        self.add_operation(Up)

outcome = Kernel(Path(".")).run(T, overrides={overrides})
print("told:", outcome.record.error["message"])
"""


@pytest.mark.skipif(os.name == "nt", reason="users of Windows have no passwd entry")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["keys", "init", "--file", "k.key"], 0, "kept in"),
        (["keys", "init"], None, "no home directory: set HOME or XDG_DATA_HOME, or name a key file"),
        (["keys", "init", "--signing"], None, "no home directory: set HOME"),
        (["keys", "list"], None, "no home directory: set HOME"),
        (["keys", "check"], None, "no home directory: set HOME"),
        (["doctor"], 0, "no home directory: set HOME"),
        (["history"], 0, "Nothing was run yet"),
        (["init", "new"], None, ""),
    ],
)
def test_without_a_home_directory(
    project: Path, tmp_path: Path, arguments: list[str], code: int | None, words: str
) -> None:
    """`keys init --file` and `doctor` ended with "RuntimeError … this is a defect"."""
    (tmp_path / "sitecustomize.py").write_text(NO_USER)
    kept = {
        name: value for name, value in os.environ.items() if name != "HOME" and not name.startswith(("XDG", "PAMOLA"))
    }
    script = f"import sys; sys.argv = {['pamola-task', *arguments]!r}; from pamola_tasks_cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project,
        env={**kept, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert words in said, said
    assert "this is a defect" not in said
    assert code is None or done.returncode == code, said


@pytest.mark.parametrize("overrides", [{"timeout": 5}, {"executor.kind": "processes"}])
def test_an_operation_of_a_notebook_cannot_run_in_another_process(project: Path, overrides: dict[str, object]) -> None:
    """It ended with "Can't get attribute 'Up' on <module '__main__'>"."""
    done = subprocess.run(
        [sys.executable, "-"],
        input=CELL.format(overrides=overrides),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = done.stdout.partition("told:")[2]
    assert "Up is defined in a notebook cell or at a prompt" in told, done.stdout + done.stderr
    assert "put it in a file" in told


def test_an_operation_that_was_piped_to_python_runs(project: Path) -> None:
    script = CELL.format(overrides={}).replace('outcome.record.error["message"]', "outcome.status")
    done = subprocess.run([sys.executable, "-"], input=script, cwd=project, capture_output=True, text=True, timeout=120)
    assert "told: success" in done.stdout, done.stdout + done.stderr
