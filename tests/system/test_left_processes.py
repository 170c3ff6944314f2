"""What an operation started ends with its step, also what left the session; what cannot be ended is reported."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
PLUGIN = """\
import os, subprocess, sys, time
from pamola_tasks import Operation, OperationResult, hookimpl

MARK = "{mark}"
SLEEP = [sys.executable, "-c", "import time; time.sleep(1000)", MARK]

def plain(): subprocess.Popen(SLEEP)
def session(): subprocess.Popen(SLEEP, start_new_session=True)
def silent(): subprocess.Popen(SLEEP, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def double():
    if os.fork() == 0:
        os.setsid()
        subprocess.Popen(SLEEP)
        os._exit(0)
    os.wait()
def nested(): subprocess.Popen(["sh", "-c", '"$@" & exec setsid "$@"', "sh", *SLEEP], start_new_session=True)

class Starts(Operation):
    how: str = ""
    hangs: bool = False
    dies: str = ""
    raises: bool = False

    def execute(self, ctx):
        globals()[self.how]()
        if self.raises:
            time.sleep(0.5)
            raise RuntimeError("no")
        if self.dies:
            exec(self.dies)
        time.sleep(1000 if self.hangs else 0.5)
        return OperationResult.success()

@hookimpl
def pamola_add_operations(): return {{"Starts": Starts}}
"""


@pytest.fixture
def mark(tmp_path):
    """A text that stands in the command line of what the operation starts; all of it is killed in the end."""
    mark = f"mark of {tmp_path}"
    yield mark
    for pid in running(mark):
        os.kill(pid, signal.SIGKILL)


def running(mark):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # it has gone meanwhile
            continue
    return found


@pytest.fixture
def run(cli, project, mark):
    def go(how, settings, code, more=""):
        (project / "starts.py").write_text(PLUGIN.format(mark=mark))
        operation = f"{{how: {how}, hangs: {str(code != 0).lower()}{more}}}"
        task = f"task_id: t\n{settings}\noperations: [Starts: {operation}]\n"
        (project / "configs/t.yaml").write_text(task)
        done = cli("--plugin", "starts.py", "run", "t", cwd=project, code=code)
        return done.stdout + done.stderr

    return go


WAYS = ["plain", "session", "double", "nested"]


@pytest.mark.parametrize("how", WAYS)
def test_a_time_limit_ends_all_that_the_step_started(run, mark, how):
    assert "took longer than" in run(how, "timeout: 2", 1)
    assert running(mark) == []


@pytest.mark.parametrize("how", WAYS)
def test_a_normal_end_in_a_process_does_so_too_and_says_it(run, mark, how):
    said = run(how, "executor: {kind: processes}", 0)
    assert running(mark) == []
    assert "left" in said


@pytest.mark.parametrize("how", WAYS)
def test_in_the_process_of_the_command_it_ends_with_the_run_and_is_named(run, mark, how):
    said = run(how, "", 0)
    assert running(mark) == []
    assert "steps left " in said
    assert "python" in said


def test_so_it_does_where_the_step_fails_and_beside_steps_that_run_in_processes(run, mark):
    assert "steps left 1 process" in run("double", "", 1, more=", raises: true")
    assert running(mark) == []


def test_in_a_process_of_somebody_else_it_is_a_warning(python, project, mark):
    """Nothing is ended: it may be a server that the process has for other reasons."""
    (project / "starts.py").write_text(PLUGIN.format(mark=mark))
    (project / "configs/t.yaml").write_text("task_id: t\noperations: [Starts: {how: silent}]\n")
    script = project / "script.py"
    script.write_text(
        "from pamola_tasks import Kernel\nfrom pathlib import Path\n"
        "outcome = Kernel(Path('.'), modules=['starts.py']).run('t')\nprint(outcome.status, outcome.record.warnings)\n"
    )
    said = python(script, cwd=project).stdout
    assert "success" in said
    assert f"{running(mark)[0]} (python" in said


DEATHS = ["import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "import os; os._exit(3)", "import os; os.abort()"]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("dies", DEATHS)
def test_what_a_process_that_died_had_started_is_ended_too(run, mark, how, dies):
    """A plain child ends with the group of the process; what left that belongs to nobody."""
    said = run(how, "retry: {max_retries: 0}\nexecutor: {kind: processes}", 1, f", dies: '{dies}'")
    assert "its process died" in said
    assert running(mark) == []
