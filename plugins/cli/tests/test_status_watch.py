"""`status --watch`: another process follows a run by its live file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from terminal import on_a_terminal, screen_after

TASK = """
import time
from pathlib import Path
from pamola_tasks import BaseTask, Operation, OperationResult

class Waits(Operation):
    '''Measures until it may write.'''
    def execute(self, ctx):
        ctx.stage("measuring")
        ctx.progress(3, 4, "rows")
        Path("measures").touch()
        while not Path("go").exists():
            time.sleep(0.05)
        ctx.stage("writing")
        time.sleep(1)
        return OperationResult.success()

class Task(BaseTask):
    def __init__(self):
        super().__init__("t_1", "test", "A task.")
    def configure_operations(self):
        self.add_operation(Waits)
"""


@pytest.fixture
def runs(place: Path, start: Callable[..., subprocess.Popen[str]]) -> Iterator[subprocess.Popen[str]]:
    """A run that measures until there is a file `go`."""
    (place / "tasks.py").write_text(TASK)
    run = start("run", "tasks.py:Task", cwd=place)
    while not (place / "measures").exists() and run.poll() is None:
        time.sleep(0.05)
    yield run
    (place / "go").touch()
    run.communicate()


@pytest.mark.parametrize("end", ["done", "aborted"])
def test_a_json_line_for_each_change_until_the_run_ends(
    place: Path, runs: subprocess.Popen[str], start: Callable[..., subprocess.Popen[str]], end: str
) -> None:
    """The end of a run that was killed is known by the lock: its live file says nothing of it."""
    watch = start("status", "t_1", "--watch", "--json", cwd=place)
    assert watch.stdout is not None
    first: dict[str, Any] = json.loads(watch.stdout.readline())
    assert first["state"] == "running"
    [step] = first["running"]
    assert (step["step"], step["stage"], step["done"], step["total"], step["unit"]) == (
        "Waits",
        "measuring",
        3,
        4,
        "rows",
    )
    if end == "done":
        (place / "go").touch()
    else:
        os.kill(runs.pid, signal.SIGKILL)
    rest = [json.loads(line) for line in watch.communicate()[0].splitlines()]
    assert watch.returncode == 0
    assert rest[-1]["state"] == end
    assert rest[-1]["run"] == first["run"]
    stages = [step["stage"] for row in rest for step in row.get("running", ())]
    assert ("writing" in stages) == (end == "done")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal_it_is_drawn_in_its_place(place: Path, home: Path, runs: subprocess.Popen[str]) -> None:
    """At 80 columns; Ctrl-C ends watching alone, and nothing of it is left."""
    written = on_a_terminal(place, home, "status", "t_1", "--watch", until="75 %")
    drawn = [part for part in re.split(r"[\r\n]", written) if "|" in part]
    assert drawn
    assert max(len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", part)) for part in drawn) < 80
    assert any(re.search(r"Waits: measuring +\|.{20}\| +75 % +0:\d\d stage 0:\d\d", part) for part in drawn)
    left = [line for line in screen_after(written) if line]
    assert left[0] == "t_1"
    assert not [line for line in left if "|" in line]
    assert runs.poll() is None


def test_what_does_not_run_is_shown_once(cli: Any, project: Path) -> None:
    plain = cli("status", cwd=project, code=0).stdout
    assert cli("status", "--watch", cwd=project, code=0).stdout == plain
