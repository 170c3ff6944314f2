"""Processes that a process has started, with theirs. Linux only: nothing is found elsewhere."""

from __future__ import annotations

import contextlib
import glob
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable

_ROUNDS = 20  # of looking for more; only what starts others without end is left then
_PAUSE = 0.01  # seconds that the killed have to be gone
_SHOWN = 5  # of their names


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
    if _stat(int(number))[1] in ("", "Z", "X"):  # it has ended, and perhaps nobody has asked how
        return False
    with contextlib.suppress(OSError), open(f"/proc/{number}/cmdline", "rb") as file:
        return b"multiprocessing.resource_tracker" not in file.read()
    return False


def _stat(pid: int) -> tuple[str, str, int]:
    """Name, state and parent of a process; nothing of one that is gone."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        before, _, behind = file.read().decode("utf-8", "replace").rpartition(")")  # the name may hold anything
        state, parent = behind.split()[:2]
        name = "".join(filter(str.isprintable, before.partition("(")[2]))
        return name, state, int(parent)
    return "", "", 0


def parent_of(pid: int) -> int:
    """The number of a process's parent; 0 where it cannot be known."""
    return _stat(pid)[2]


def server_of_forks() -> int:
    """The number of the process that multiprocessing forks others of; 0 where there is none."""
    found = sys.modules.get("multiprocessing.forkserver")
    return getattr(getattr(found, "_forkserver", None), "_forkserver_pid", None) or 0


def named(pids: Iterable[int]) -> dict[int, str]:
    """Their numbers and names, for people."""
    return {pid: f"{pid} ({name})" if (name := _stat(pid)[0]) else f"{pid}" for pid in sorted(pids)}


def counted(names: Collection[str]) -> str:
    """How many they are, and the first of them."""
    shown = ", ".join([*list(names)[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])])
    return f"{len(names)} {'process' if len(names) == 1 else 'processes'} ({shown})"


def end_descendants(pid: int, but: Collection[int] = ()) -> list[str]:
    """Kill them, and those that come to light then, but for some processes and theirs; which ones."""
    ended: dict[int, str] = {}
    for _ in range(_ROUNDS):
        found = descendants(pid, but)
        if not found:
            break
        ended = named(found - ended.keys()) | ended
        for each in found:
            with contextlib.suppress(OSError):
                os.kill(each, signal.SIGKILL)
        time.sleep(_PAUSE)
    return list(ended.values())
