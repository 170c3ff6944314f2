"""What ends the process in the middle of a run, past Python's own way out, is a failed run with words."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ENDS = {
    "os._exit(0)": "import os; os._exit(0)",
    "os._exit(75)": "import os; os._exit(75)",
    "posix._exit": "import posix; posix._exit(0)",
    "exit of C": "import ctypes; ctypes.CDLL(None).exit(0)",
    "exit of C, later": "import ctypes; ctypes.CDLL(None).fflush(None); ctypes.CDLL(None).exit(3)",
    "exit of C in a thread": "import ctypes, threading as t; x = t.Thread(target=ctypes.CDLL(None).exit, args=(0,));"
    " x.start(); x.join()",
    "os.exec": "import os, sys; os.execl(sys.executable, sys.executable, '-c', '')",
    "a thread": "import os, threading\n        t = threading.Thread(target=os._exit, args=(0,)); t.start(); t.join()",
}
OPERATION = """\
from pamola_tasks import Operation, OperationResult, hookimpl

class EndOperation(Operation):
    def execute(self, ctx):
        {how}
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {{"EndOperation": EndOperation}}
"""
EVENT = "from pamola_tasks import hookimpl\n@hookimpl\ndef pamola_on_run_started(run):\n    import os; os._exit(0)\n"


@pytest.fixture
def ending(project: Path) -> Path:
    (project / "configs/t.yaml").write_text("task_id: t\noperations:\n  - EndOperation: {}\n")
    return project


@pytest.mark.parametrize("how", ENDS)
def test_an_operation_that_ends_the_process_is_a_failed_run_with_words(cli, ending, how):
    (ending / "ops.py").write_text(OPERATION.format(how=ENDS[how]))
    done = cli("--plugin", "ops.py", "run", "t", cwd=ending, code=1)
    assert "error: the process was ended by " in done.stderr
    assert "in step EndOperation of task t" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert json.loads(cli("status", "t", "--json", cwd=ending).stdout)["state"] == "aborted"


UNSEEN = {
    "_exit of C": "ctypes.CDLL(None)._exit(0)",
    "exec of C": "ctypes.CDLL(None).execv(b'/bin/true', (ctypes.c_char_p * 2)(b'true', None))",
    "a signal": "os.kill(os.getpid(), 9)",
}


@pytest.mark.skipif(sys.platform != "linux", reason="system calls of Linux")
@pytest.mark.parametrize("how", UNSEEN)
def test_what_no_python_sees_is_named_by_status_verify_and_the_next_run(cli, ending, how):
    once = "import ctypes, os, pathlib; n = pathlib.Path('n'); n.exists() or (n.touch(), {})"
    (ending / "ops.py").write_text(OPERATION.format(how=once.format(UNSEEN[how])))
    cli("--plugin", "ops.py", "run", "t", cwd=ending)
    row = json.loads(cli("status", "t", "--json", cwd=ending, code=0).stdout)
    assert (row["state"], row["steps"]) == ("aborted", ["EndOperation"])
    assert f"run {row['run']} began on" in cli("verify", "t", cwd=ending, code=2).stderr
    done = cli("--plugin", "ops.py", "run", "t", cwd=ending, code=0)
    assert f"nothing says how run {row['run']} ended" in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="system calls of Linux")
def test_verify_does_not_vouch_for_a_task_whose_newest_run_did_not_end(cli, ending):
    (ending / "ops.py").write_text(OPERATION.format(how="__import__('time')"))
    cli("--plugin", "ops.py", "run", "t", cwd=ending, code=0)
    (ending / "ops.py").write_text(OPERATION.format(how="import ctypes; ctypes.CDLL(None)._exit(0)"))
    cli("--plugin", "ops.py", "run", "t", cwd=ending, code=0)
    told = json.loads(cli("verify", "t", "--json", cwd=ending, code=1).stdout)
    assert [row["status"] for row in told["records"]] == ["unfinished"]


def test_an_exit_code_of_its_own_stays(cli, ending):
    (ending / "ops.py").write_text(OPERATION.format(how="import os; os._exit(9)"))
    assert "in step EndOperation of task t" in cli("--plugin", "ops.py", "run", "t", cwd=ending, code=9).stderr


def test_what_ends_python_after_a_run_that_failed_makes_no_success_of_it(cli, ending):
    how = "import atexit, os; atexit.register(os._exit, 0); raise RuntimeError('no')"
    (ending / "ops.py").write_text(OPERATION.format(how=how))
    assert "after a command that failed" in cli("--plugin", "ops.py", "run", "t", cwd=ending, code=1).stderr


def test_a_library_may_write_out_its_streams(cli, ending):
    (ending / "ops.py").write_text(OPERATION.format(how="import ctypes; ctypes.CDLL(None).fflush(None)"))
    assert "ended" not in cli("--plugin", "ops.py", "run", "t", cwd=ending, code=0).stderr


def test_a_hook_that_ends_the_process_too(cli, ending):
    (ending / "ops.py").write_text(EVENT)
    assert "os._exit(0) in a run of" in cli("--plugin", "ops.py", "run", "example", cwd=ending, code=1).stderr


@pytest.mark.parametrize("how", ["import subprocess; subprocess.run(['true'], check=True)", "FORK"])
def test_children_end_as_they_will(cli, ending, how):
    """One that is started, and one that is forked and leaves by each way."""
    fork = (
        "import os\n        for leave in (os._exit, __import__('ctypes').CDLL(None).exit):\n"
        "            pid = os.fork()\n            if not pid:\n                leave(7)\n"
        "            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7"
    )
    (ending / "ops.py").write_text(OPERATION.format(how=how if how != "FORK" else fork))
    done = cli("--plugin", "ops.py", "run", "t", cwd=ending, code=0)
    assert "ended" not in done.stderr


def test_a_script_that_runs_a_task_ends_with_words_too_and_gets_its_way_out_back(python, ending):
    (ending / "ops.py").write_text(OPERATION.format(how=ENDS["os._exit(0)"]))
    script = ending / "script.py"
    script.write_text(
        "import os, sys\nfrom pamola_tasks import Kernel\nbefore = os._exit\n"
        "Kernel('.', modules=['ops.py'] if sys.argv[1] == 't' else []).run(sys.argv[1])\n"
        "assert os._exit is before\nprint('went on')\n"
    )
    done = python(script, "t", cwd=ending)
    assert (done.returncode, done.stdout) == (1, "")
    assert "in step EndOperation of task t" in done.stderr
    assert python(script, "example", cwd=ending).stdout == "went on\n"


TAKEN_APART = """\
from pamola_tasks.storage import ending
held = ending.ends_with_words("while Python ended")
held.__enter__()
for name in [name for name in vars(ending) if name[:2] != "__"]:
    setattr(ending, name, None)  # as Python does with modules, in an order that differs between starts
del held
"""


def test_what_is_held_to_the_end_of_python_says_nothing_of_modules_taken_apart(python, tmp_path):
    """After a failed command, a traceback stood on the terminal in one start of many."""
    (tmp_path / "apart.py").write_text(TAKEN_APART)
    done = python("apart.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
