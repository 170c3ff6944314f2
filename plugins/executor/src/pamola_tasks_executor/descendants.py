"""Processes that a process has started, with theirs. Linux only: nothing is found elsewhere."""

from __future__ import annotations

import contextlib
import glob
import os
import signal
import time
from collections.abc import Collection

_ROUNDS = 20  # of looking for more; only what starts others without end is left then
_PAUSE = 0.01  # seconds that the killed have to be gone


def adopt_orphans() -> None:
    """Have processes whose parents end belong to this one, whatever session they are in."""
    import ctypes

    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def descendants(pid: int, but: Collection[int] = ()) -> set[int]:
    """Those that run, by number, without these and theirs, and without the tracker that multiprocessing starts."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for path in glob.glob(f"/proc/{waiting.pop()}/task/*/children"):
            with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
                children = [int(number) for number in file.read().split() if int(number) not in but and _runs(number)]
                found.update(children)
                waiting += children
    return found


def _runs(number: str) -> bool:
    with contextlib.suppress(OSError):
        with open(f"/proc/{number}/cmdline", "rb") as file:
            command = file.read()  # empty where it has ended and nobody has asked how
        return bool(command) and b"multiprocessing.resource_tracker" not in command
    return False


def parent_of(pid: int) -> int:
    """The number of a process's parent; 0 where it cannot be known."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])  # the name before may hold anything
    return 0


def end_descendants(pid: int, but: set[int] | None = None) -> int:
    """Kill them, and those that come to light then, but for those of some processes; how many there were."""
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = descendants(pid, but or set())
        if not found:
            break
        ended |= found
        for each in found:
            with contextlib.suppress(OSError):
                os.kill(each, signal.SIGKILL)
        time.sleep(_PAUSE)
    return len(ended)
