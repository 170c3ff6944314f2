"""What an operation started ends with its step, also what left the session; what cannot be ended is reported."""

from __future__ import annotations

import json
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
        hangs = str(code != 0).lower()
        steps = [f"{{id: {each}, Starts: {{how: {each}, hangs: {hangs}{more}}}}}" for each in how.split()]
        task = f"task_id: t\ncontinue_on_error: true\n{settings}\noperations: [{', '.join(steps)}]\n"
        (project / "configs/t.yaml").write_text(task)
        done = cli("--plugin", "starts.py", "run", "t", cwd=project, code=code)
        assert "unexpected" not in done.stderr
        report = json.loads((project / "DATA/reports/t_report.json").read_text())
        errors = [step["error"] for step in report["operations"] if step["error"]]
        return "\n".join([done.stdout + done.stderr, *map(str, [*errors, *report["warnings"]])])

    return go


WAYS = ["plain", "session", "double", "nested"]


def test_a_time_limit_ends_all_that_the_step_started(run, mark):
    assert run(" ".join(WAYS), "timeout: 2", 1).count("took longer than") > len(WAYS)
    assert running(mark) == []


def test_a_normal_end_in_a_process_does_so_too_and_says_it(run, mark):
    said = run(" ".join(WAYS), "executor: {kind: processes}", 0)
    assert running(mark) == []
    assert all(f"step {way}: it left " in said for way in WAYS)


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


@pytest.mark.parametrize("dies", DEATHS)
def test_what_a_process_that_died_had_started_is_ended_too(run, mark, dies):
    """A plain child ends with the group of the process; what left that belongs to nobody."""
    said = run(" ".join(WAYS), "retry: {max_retries: 0}\nexecutor: {kind: processes}", 1, f", dies: '{dies}'")
    assert said.count("its process died") > len(WAYS)
    assert running(mark) == []
