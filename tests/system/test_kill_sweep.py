"""A task of twenty steps is killed at system calls and at random moments: the same plain command finishes it.

`PAMOLA_DURABILITY=all` (`nox -s durability`) kills at every call, not at every distinct one that changes something and
a sample of the others: between two changes the disk is the same, whatever call it is that a kill comes before.
"""

from __future__ import annotations

import json
import os
import platform
import queue
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ALL = os.environ.get("PAMOLA_DURABILITY") == "all"
SAMPLE = 40
MOMENTS = 100 if ALL else 6
ERRORS = ("ENOSPC", "EIO", "EINTR", "EROFS", "EACCES")

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked"), pytest.mark.slow]


class Killer:
    """The process that kills runs; see `killing.py`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "killing.py"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={key: value for key, value in environment.items() if not key.startswith("PAMOLA_")},
        )

    def ask(self, **job: Any) -> Any:
        """Do a job."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it says why, below
        answer = self.process.stdout.readline()
        if not answer:
            said = self.process.communicate()[1]
            if "strace cannot attach" in said:
                pytest.skip("strace cannot attach to a process here (ptrace is not allowed)")
            pytest.fail(f"the killer ended with {self.process.returncode}: {said}")
        return json.loads(answer)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def killers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Killer]]:
    folder = tmp_path_factory.mktemp("killers")
    made = [Killer(folder / str(number)) for number in range(2)]
    yield made
    for killer in made:
        killer.close()


def all_of(killers: list[Killer], jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Do jobs, one at a time in each process; what came out."""
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    done: list[dict[str, Any]] = []

    def work(killer: Killer) -> None:
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            done.append(killer.ask(**job))

    threads = [threading.Thread(target=work, args=(killer,)) for killer in killers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(jobs)
    return done


def needs_strace() -> None:
    if platform.system() != "Linux" or shutil.which("strace") is None:
        pytest.skip("strace is not installed: runs are killed at random moments only")


@pytest.fixture(scope="module")
def calls(killers: list[Killer]) -> list[dict[str, Any]]:
    """The system calls of an undisturbed run on paths under the project."""
    needs_strace()
    found: list[dict[str, Any]] = killers[0].ask(do="trace")
    assert len(found) > 1000
    return found


def chosen(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every distinct call site that changes something once, and a seeded sample; in the long session every call."""
    if ALL:
        return calls
    distinct = {call["site"]: call for call in reversed(calls) if changes_something(call["site"])}
    others = [call for call in calls if distinct.get(call["site"]) is not call]
    return [*distinct.values(), *random.Random(20).sample(others, SAMPLE)]


def test_a_run_killed_at_any_system_call_is_finished_by_the_same_command(
    killers: list[Killer], calls: list[dict[str, Any]]
) -> None:
    jobs = [{"do": "call", "call": call["call"], "nth": call["nth"]} for call in chosen(calls)]
    done = all_of(killers, jobs)
    assert [answer for answer in done if answer["wrong"]] == []
    hit = {answer["site"] for answer in done if answer["killed"]}
    assert sum(answer["killed"] for answer in done) >= 0.99 * len(jobs), "calls are counted as in the traced run"
    assert len({answer["finished"] for answer in done}) > 15, "killed early, in the middle, and late"
    print(
        f"kill sweep: {len(jobs)} of {len(calls)} calls at {len(hit)} sites"
        f" ({len({call['site'] for call in calls})} in all): every rerun completed, 0 finished steps run again,"
        f" outputs identical, 0 stray files"
    )


def test_a_run_killed_at_any_moment_is_finished_by_the_same_command(killers: list[Killer]) -> None:
    moments = random.Random(21)
    jobs = [{"do": "moment", "seconds": moments.uniform(0, 0.13)} for _ in range(MOMENTS)]
    done = all_of(killers, jobs)
    assert [answer for answer in done if answer["wrong"]] == []
    assert any(answer["killed"] for answer in done)


def test_a_run_whose_file_operation_fails_says_which_file_and_is_finished_by_the_same_command(
    killers: list[Killer], calls: list[dict[str, Any]]
) -> None:
    sites = {call["site"]: call for call in reversed(calls) if changes_something(call["site"])}
    errors = {error: sorted(sites) if ALL else random.Random(error).sample(sorted(sites), 4) for error in ERRORS}
    jobs = [
        {"do": "error", "call": sites[site]["call"], "nth": sites[site]["nth"], "error": error}
        for error, chosen_sites in errors.items()
        for site in chosen_sites
    ]
    done = all_of(killers, jobs)
    assert [answer for answer in done if answer["wrong"]] == []
    for answer in done:
        assert "INJECTED" in answer["failed"], answer
        if answer["code"] != 0:  # a passing error is tried again, a log that cannot be written is a warning
            assert answer["code"] in (1, 2)  # or refused, where the look at the inputs failed
            assert "this is a defect" not in answer["said"]
            assert any(place in answer["said"] for place in ("DATA/", "configs/", "logs")), answer["said"]
            if answer["error"] == "ENOSPC" and "mkdirat" not in answer["site"]:
                assert "bytes are free" in answer["said"], answer["said"]
            if answer["error"] == "ENOSPC" and answer["call"] == "write" and "/lock" not in answer["site"]:
                assert "bytes or more are needed" in answer["said"], answer["said"]
    print(f"failing calls: {len(jobs)} ({len(sites)} sites, {', '.join(ERRORS)}): all resumed after the cause")


def changes_something(site: str) -> bool:
    """Whether a call could leave something half done."""
    return site.startswith(("write", "rename", "mkdir", "fdatasync", "fsync", "unlink", "openat creating"))


@pytest.mark.parametrize("error", ERRORS if ALL else ["ENOSPC"])
def test_saving_a_configuration_leaves_the_old_or_the_new_one_whatever_call_fails(
    killers: list[Killer], calls: list[dict[str, Any]], error: str
) -> None:
    answer = killers[0].ask(do="config", error=error)
    assert answer["wrong"] == []
    assert answer["tried"] > 10
