"""Workers, scheduler and client that are killed or stand still: a step is never taken for done that is not."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import OwnCluster, alive, until
from clusters import descendants as below

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

TASKS = (Path(__file__).parent / "importable/dask_tasks.py").read_text()
ROUNDS = 50 if {"PAMOLA_FUZZ", "PAMOLA_DURABILITY"} & os.environ.keys() else 1
QUICK = ("--set", "retry.initial_wait=0.1", "--set", "seed=7", "--jobs", "2")


@pytest.fixture
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """A cluster with two workers that a test may kill."""
    with OwnCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.add_worker()
        cluster.add_worker()
        cluster.wait_for(2)
        yield cluster


@pytest.fixture
def tasks(project: Path, made: OwnCluster) -> Path:
    (project / "tasks.py").write_text(TASKS)
    made.configure(project)
    return project


def began(project: Path) -> list[int]:
    """The processes in which the step began, in this order."""
    return [int(path.suffix[1:]) for path in sorted(project.glob("began.*"), key=lambda path: path.stat().st_mtime_ns)]


def outputs(project: Path, task: str) -> dict[str, str]:
    files = project.joinpath(f"DATA/processed/{task}/output").iterdir()
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def log_of(project: Path) -> str:
    return "".join(path.read_text() for path in (project / "logs").rglob("*.log"))


def test_a_lost_attempt_is_made_again_and_one_that_answers_late_changes_nothing(start, tasks, made):
    """First the worker is killed; then the next stands still until it is believed dead, and its step ends at last."""
    run = start("run", "tasks.py:Waits", "--executor", "dask", *QUICK, cwd=tasks)
    first = until(lambda: began(tasks), "the step runs")[0]
    killed = next(worker for worker in made.workers if first in below(worker.pid))
    made.kill(killed)
    second = until(lambda: began(tasks)[1:], "the step runs again")[0]
    frozen = made.workers[0]
    assert second in below(frozen.pid)
    stopped = {frozen.pid, *below(frozen.pid)}
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    made.add_worker()
    third = until(lambda: began(tasks)[2:], "the step runs on the new worker")[0]
    assert third not in stopped
    (tasks / "go").touch()
    said, _ = run.communicate(timeout=240)
    assert run.returncode == 0, said
    before = outputs(tasks, "waits")
    assert "slow.csv" in before
    for pid in stopped - {frozen.pid}:  # what makes the attempt finds that it may go on, and writes its table
        os.kill(pid, signal.SIGCONT)
    time.sleep(1)
    os.kill(frozen.pid, signal.SIGCONT)
    until(lambda: not alive(second), "the late attempt has ended")
    assert outputs(tasks, "waits") == before
    assert {f"attempt {number} failed (step slow was lost with the worker" in log_of(tasks) for number in (1, 2)} == {
        True
    }


def test_whatever_is_killed_the_plain_command_resumes(cli, start, tasks, made):
    """Each round kills one at a random moment; what is there in the end is what threads make, each step made once."""
    random.seed(17)
    cli("run", "tasks.py:Diamond", *QUICK, "--executor", "threads", cwd=tasks, code=0)
    right = outputs(tasks, "diamond")
    next(tasks.glob("began.*")).unlink()
    for number in range(ROUNDS):
        victim = ("scheduler", "client", "worker")[number % 3]
        shutil.rmtree(tasks / "logs")
        run = start("run", "tasks.py:Diamond", "--restart", "--executor", "dask", *QUICK, cwd=tasks)
        time.sleep(random.uniform(2, 8))
        if victim == "client":
            run.kill()
        else:
            made.kill(made.scheduler if victim == "scheduler" else random.choice(made.workers))
        run.communicate(timeout=240)
        until(lambda: not any(map(alive, began(tasks))), "what was begun for the run has ended", 20)
        made.mend()
        cli("run", "tasks.py:Diamond", "--executor", "dask", *QUICK, cwd=tasks, code=0)
        assert outputs(tasks, "diamond") == right, victim
        if list(tasks.joinpath("DATA").rglob("*.new")):  # of an attempt that began when the run had looked for such
            cli("run", "tasks.py:Diamond", "--executor", "dask", *QUICK, cwd=tasks, code=0)
        assert not list(tasks.joinpath("DATA").rglob("*.new")), victim
        made_by = {line.split(" | ")[2] + line.rpartition("]")[2].split(" success")[0] for line in successes(tasks)}
        assert sorted(each.rpartition("step ")[2] for each in made_by) == sorted(
            {each.rpartition("step ")[2] for each in made_by}
        ), f"a step that had succeeded was made twice: {made_by}"
        for path in tasks.glob("began.*"):
            path.unlink()


def successes(project: Path) -> list[str]:
    """What logs say of steps that succeeded: a line for each, with the id of the run."""
    return [line for line in log_of(project).splitlines() if " success in " in line]
