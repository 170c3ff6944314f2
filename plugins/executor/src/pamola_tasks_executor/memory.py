"""The resident memory of processes: now, and at most while a step is at work."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from pamola_tasks.storage.system import peak_memory

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

_WATCH = 0.05  # seconds between two looks at this process's memory
_counted: set[int] = set()  # other processes that do the work of a step of this one


def resident_mb(pid: int) -> float:
    """The resident memory of a process in MiB; 0 when it has gone, and where the system is not Linux."""
    try:
        with open(f"/proc/{pid}/statm", "rb", 0) as file:
            return _resident(file.read())
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _resident(statm: bytes) -> float:
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _own_mb() -> float:
    """The resident memory of this process, whose file is opened once: each step looks at it many times."""
    try:
        file = _own_file(os.getpid())
        return _resident(os.pread(file, 200, 0)) + sum(map(resident_mb, tuple(_counted)))
    except FileNotFoundError:
        return 0.0


@cache
def _own_file(pid: int) -> int:
    return os.open(f"/proc/{pid}/statm", os.O_RDONLY)


@contextlib.contextmanager
def counting(pid: int) -> Iterator[None]:
    """Count the memory of another process to that of this one meanwhile."""
    _counted.add(pid)
    try:
        yield
    finally:
        _counted.discard(pid)


@contextlib.contextmanager
def measured(tell: Callable[[float], None]) -> Iterator[None]:
    """Pass on the most resident memory, in MiB, that this process had meanwhile.

    A new peak of the process is known from the system (`ru_maxrss`). Below its earlier peak, memory is looked at every
    50 ms, on Linux; elsewhere nothing is passed on then.
    """
    before, most, ended = peak_memory() or 0, [_own_mb()], threading.Event()

    def watch() -> None:
        while not ended.wait(_WATCH):
            most[0] = max(most[0], _own_mb())

    if most[0]:
        threading.Thread(target=watch, name="pamola memory", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        after = peak_memory() or 0
        found = max(most[0], _own_mb(), after / 2**20 if after > before else 0.0)
        if found:
            tell(round(found, 1))


def note(run: RunServices, step_id: str, mb: float, *, own_process: bool) -> None:
    """Record it with the step; of several attempts the most."""
    for record in run.record.steps:
        if record.step == step_id:
            record.peak_memory_mb = max(record.peak_memory_mb or 0.0, mb)
            record.own_process = own_process
