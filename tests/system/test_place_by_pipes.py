"""A stranger's place: an interpreter of its own, started once, that is written to and read from by pipes.

Nothing of the executor is imported by it: `python -m pamola_tasks_executor` there, and a hook here.
"""

from __future__ import annotations

import json
import sys
import sysconfig
import venv

import pytest

PLACE = '''\
import os, pickle, queue, subprocess
from multiprocessing.connection import Connection
from pamola_tasks import hookimpl


class Pipes:
    """One process per attempt, which ends with its input."""

    def submit(self, work):
        command = [os.environ["OTHER_PYTHON"], "-m", "pamola_tasks_executor"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=work.root)
        to, by = Connection(process.stdin.fileno(), readable=False), Connection(process.stdout.fileno(), writable=False)
        to.send_bytes(pickle.dumps(work))
        return process, to, by

    def state(self, handle, wait):
        process, to, by = handle
        if not by.poll(wait):
            return type("Waiting", (), {"name": "waiting", "messages": ()})
        state = pickle.loads(by.recv_bytes())
        with open("states.txt", "a") as file:
            print(state.name, len(state.messages), file=file)
        if state.name == "ended":
            self.cancel(handle)
        return state

    def cancel(self, handle):
        process, *ends = handle
        process.stdin.close()
        process.wait()

    def close(self):
        pass


@hookimpl
def pamola_provide_executor(run):
    return run.kernel.plugins.first("pamola_execute_elsewhere", run=run, place=Pipes())
'''

TASKS = """\
import os, sys, time
from pamola_tasks import BaseTask, Operation, OperationResult, reads, writes

class Copy(Operation):
    people: str = reads()
    out: str = writes("copied")

    def execute(self, ctx):
        for number in range(3):
            ctx.logger.info("at %d", number)
            time.sleep(0.3)
        ctx.data.write(self.out, ctx.data.frame(self.people))
        return OperationResult.success({"python": sys.executable, "noise": float(ctx.rng.random())})

class Grow(Operation):
    def execute(self, ctx):
        taken = []
        while True:
            taken.append(b"x" * 10_000_000)
            time.sleep(0.01)

class Copies(BaseTask):
    def __init__(self):
        super().__init__("copies", input_datasets={"people": "DATA/raw/people.csv"})

    def configure_operations(self):
        self.add_operation(Copy, people="people", step={"id": "copy"})
        self.add_operation(Grow, step={"id": "grow", "step_memory_limit_mb": 300})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux")
def test_another_interpreter_is_written_to_by_pipes(cli, place, tmp_path):
    """The bytes of threads, log lines while the step runs, and a memory limit that is held there."""
    venv.create(tmp_path / "other", with_pip=False)
    other = tmp_path / "other/bin/python"
    site = next(tmp_path.glob("other/lib/python*/site-packages"))
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys([sysconfig.get_path("purelib")])]
    (site / "here.pth").write_text("\n".join(lines))
    (place / "place.py").write_text(PLACE)
    (place / "tasks.py").write_text(TASKS)
    found = []
    for before, env in ((("--plugin", "place.py"), {"OTHER_PYTHON": str(other)}), ((), {})):
        more = ("--set", "seed=7", "--restart", *(("--skip", "grow") if not before else ()))
        document = json.loads(cli(*before, "run", "tasks.py:Copies", *more, "--json", cwd=place, env=env).stdout)
        metrics = document["steps"][0]["metrics"]
        assert (metrics.pop("python") == str(other)) == bool(before)
        found.append((metrics, (place / "DATA/processed/copies/output/copied.csv").read_bytes()))
        if before:
            assert "more than the 300 MiB of its step_memory_limit_mb" in json.dumps(document)
    assert found[0] == found[1]
    states = (place / "states.txt").read_text().split("\n")
    assert sum(line.startswith("running") and not line.endswith(" 0") for line in states) >= 2, (
        "log lines came meanwhile"
    )
