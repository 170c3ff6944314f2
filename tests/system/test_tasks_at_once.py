"""Several tasks at the same time through the installed command line: order, failure, interrupts, what is printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# An operation whose parameter is what it does; `wait` fails after a minute, so that nothing here depends on speed.
PLUGIN = """\
import os, signal, sys, time
from pamola_tasks import Operation, OperationResult, hookimpl

class Do(Operation):
    code: str
    output_prefix: str = "left"

    def execute(self, ctx):
        root = ctx.run.project.root
        with open(root / "begun", "a") as file:
            file.write(f"{ctx.run.record.task_id}\\n")

        def wait(*names):
            until = time.monotonic() + 240
            while not all((root / name).exists() for name in names):
                assert time.monotonic() < until, f"{names} never came"
                time.sleep(0.01)

        exec(self.code, {**globals(), "ctx": ctx, "root": root, "wait": wait})
        with ctx.artifact(self.output_prefix, "txt", "What was done") as file:
            file.write(self.code.encode())
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Do": Do}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "configs").mkdir(parents=True)
    (folder / ".pamola.toml").touch()
    (folder / "do.py").write_text(PLUGIN)
    return folder


def task(root: Path, name: str, *codes: str, needs: tuple[str, ...] = (), **config: Any) -> None:
    """A task with a step for each piece of code."""
    steps = [{"Do": {"code": code, "output_prefix": f"left{n}"}} for n, code in enumerate(codes)]
    text = json.dumps({"task_id": name, "dependencies": list(needs), "operations": steps, **config})
    (root / f"configs/{name}.json").write_text(text)


@pytest.fixture
def at_once(cli: Any, root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, jobs: int = 2, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        command = ("--plugin", root / "do.py", "run", *arguments, "--jobs", jobs)
        done: subprocess.CompletedProcess[str] = cli(*command, cwd=root, code=code)
        return done

    return run


def ends(shown: str) -> dict[str, str]:
    """Task and status, in the order in which they are told."""
    return {entry["task"]: entry["status"] for entry in json.loads(shown)}


def history(cli: Any, root: Path, task_id: str) -> list[str]:
    """How the runs of a task ended, the last one first."""
    return [run["status"] for run in json.loads(cli("history", task_id, "--json", cwd=root, code=0).stdout)]


# ---------------------------------------------------------------- order


def test_tasks_that_do_not_need_each_other_run_at_the_same_time_and_are_told_in_order(at_once, root):
    meet = "(root / f'here-{ctx.run.record.task_id}').touch(); wait('here-a', 'here-b')"
    task(root, "a", meet + "; wait('here-c')")
    task(root, "b", meet)
    task(root, "c", "(root / 'here-c').touch()", needs=("b",))  # begins when b has ended, while a still runs
    task(root, "d", "assert open(root / 'begun').read().split()[-1] == 'd'", needs=("a", "c"))
    done = at_once("--all", "--json")
    assert ends(done.stdout) == {"a": "success", "b": "success", "c": "success", "d": "success"}
    assert list(ends(done.stdout)) == ["a", "b", "c", "d"]
    again = at_once("--all").stdout
    assert again.count("skipped: nothing changed since 20") == 4
    assert again.endswith("4 tasks: 4 skipped\n")


def test_tasks_share_the_number_of_jobs(at_once, root):
    note = "(root / f'jobs-{ctx.run.record.task_id}').write_text(str(ctx.run.config.parallel_processes))"
    task(root, "first", note)
    for name in "abc":
        task(root, name, note, needs=("first",))
    at_once("--all", jobs=5)
    shares = {path.name.removeprefix("jobs-"): int(path.read_text()) for path in root.glob("jobs-*")}
    assert shares == {"first": 5, "a": 1, "b": 2, "c": 2}


# ---------------------------------------------------------------- what is printed


def test_lines_of_each_task_stay_whole_and_say_whose_they_are_and_stdout_is_the_documents(at_once, root):
    for name in "ab":
        say = f"[print('{name}' * 3000, flush=i % 7 == 0) for i in range(200)]; os.write(1, b'from below\\n')"
        task(root, name, f"{say}; os.system('echo a child'); sys.stderr.write('no end of line')")
    done = at_once("--all", "--json")
    assert ends(done.stdout) == {"a": "success", "b": "success"}
    lines = done.stderr.splitlines()
    for name in "ab":
        own = [line.removeprefix(f"{name} | ") for line in lines if line.startswith(f"{name} | ")]
        assert own.count(name * 3000) == 200
        assert {"from below", "a child", "no end of line"} <= set(own)
    assert len(lines) == 2 * 203


# ---------------------------------------------------------------- failure


def test_after_a_failure_what_runs_comes_to_its_end_and_nothing_else_begins(at_once, root):
    report = "DATA/reports/a_report.json"
    task(root, "a", "wait('b-runs'); raise RuntimeError('no')")
    task(root, "b", f"(root / 'b-runs').touch(); wait({report!r}); time.sleep(0.2)")
    task(root, "c", "pass")
    task(root, "d", "pass", needs=("a",))
    done = at_once("--all", "--json", code=1)
    assert ends(done.stdout) == {"a": "operation_error", "b": "success", "c": "not_run", "d": "not_run"}
    assert json.loads(done.stdout)[2]["reason"] == "a failed; --continue-on-error runs independent tasks"
    goes_on = at_once("--all", "--continue-on-error", "--json", code=1)
    assert ends(goes_on.stdout) == {"a": "operation_error", "b": "skipped", "c": "success", "d": "not_run"}


def test_a_task_whose_process_dies_has_failed_and_goes_on_with_the_next_run(at_once, cli, root):
    die = "(root / 'died').exists() or ((root / 'died').touch(), os.kill(os.getpid(), signal.SIGKILL))"
    task(root, "a", "pass", die)
    task(root, "b", "wait('died')")
    done = at_once("--all", "--continue-on-error", "--json", code=1)
    assert ends(done.stdout) == {"a": "died", "b": "success"}
    assert "its process died (signal SIGKILL)" in json.loads(done.stdout)[0]["error"]["message"]
    again = json.loads(at_once("--all", "--json").stdout)
    assert [step["status"] for step in again[0]["steps"]] == ["skipped", "success"]
    assert history(cli, root, "a") == ["success", "aborted"]


def test_a_task_that_runs_elsewhere_is_refused_with_75_and_the_others_run(at_once, root, start):
    task(root, "a", "(root / 'a-runs').touch(); wait('go')")
    task(root, "b", "pass")
    other = start("--plugin", root / "do.py", "run", "a", cwd=root)
    waits_for(other, root / "a-runs")
    done = at_once("--all", "--continue-on-error", "--json", code=75)
    assert ends(done.stdout) == {"a": "refused", "b": "success"}
    assert f"process {other.pid}" in json.loads(done.stdout)[0]["error"]["message"]
    (root / "go").touch()
    assert "succeeded" in other.communicate(timeout=240)[0]


# ---------------------------------------------------------------- interrupts


def waits_for(process: subprocess.Popen[str], *paths: Path) -> None:
    """Wait until files are there, while a process runs."""
    until = time.monotonic() + 240
    while not all(path.exists() for path in paths):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, process.kill()
        time.sleep(0.02)


def says_its_pid(name: str) -> str:
    """Whoever sees the file finds the number in it."""
    return f"(root / '{name}-new').write_text(str(os.getpid())); (root / '{name}-new').rename(root / '{name}-runs')"


def begin(start: Any, root: Path) -> subprocess.Popen[str]:
    """Two tasks that run until the file `go` is there, and one behind."""
    for name in "ab":
        task(root, name, "pass", f"{says_its_pid(name)}; wait('go')")
    task(root, "c", "pass", needs=("a", "b"))
    process: subprocess.Popen[str] = start("--plugin", root / "do.py", "run", "--all", "--jobs", 2, cwd=root)
    waits_for(process, root / "a-runs", root / "b-runs")
    return process


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_reaches_every_task_that_runs_and_is_recorded_for_each(at_once, cli, root, start, sent, code):
    process = begin(start, root)
    process.send_signal(sent)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == code, said
    lines = [line for line in said.splitlines() if line and line[0] != " "]
    assert [line.split(" in ")[0] for line in lines[:2]] == ["a interrupted", "b interrupted"]
    assert lines[2:] == ["c not run: it needs a, which was interrupted", "3 tasks: 2 interrupted, 1 not run"]
    assert [history(cli, root, name) for name in "abc"] == [["interrupted"], ["interrupted"], []]
    (root / "go").touch()
    again = json.loads(at_once("--all", "--json").stdout)
    assert [[step["status"] for step in entry["steps"]] for entry in again[:2]] == [["skipped", "success"]] * 2


def gone(root: Path) -> None:
    """Wait until the processes of both tasks have ended."""
    until = time.monotonic() + 240
    for name in "ab":
        pid = int((root / f"{name}-runs").read_text())
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            assert time.monotonic() < until, f"{name} still runs"
            time.sleep(0.01)


def test_a_second_interrupt_ends_all_at_once_also_what_does_not_listen(at_once, cli, root, start):
    hears = "try: time.sleep(0.05)\n except KeyboardInterrupt: (root / 'deaf').touch()"
    deaf = f"\nwhile not (root / 'go').exists():\n {hears}"
    for name in "ab":
        task(root, name, "pass", f"{says_its_pid(name)}{deaf}")
    process = start("--plugin", root / "do.py", "run", "--all", "--jobs", 2, cwd=root)
    waits_for(process, root / "a-runs", root / "b-runs")
    process.send_signal(signal.SIGINT)
    waits_for(process, root / "deaf")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=240)
    assert process.returncode == 130
    gone(root)
    (root / "go").touch()
    again = json.loads(at_once("--all", "--json").stdout)
    assert [[step["status"] for step in entry["steps"]] for entry in again] == [["skipped", "success"]] * 2


def test_when_the_command_is_killed_its_tasks_are_too_and_the_same_command_goes_on(at_once, root, start):
    process = begin(start, root)
    process.kill()
    gone(root)
    (root / "go").touch()
    again = json.loads(at_once("--all", "--json").stdout)
    assert [[step["status"] for step in entry["steps"]] for entry in again[:2]] == [["skipped", "success"]] * 2
    process.communicate()
