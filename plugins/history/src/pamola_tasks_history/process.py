"""Which process is meant, and whether it is still there: pid, start time and boot together name one process."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

import attrs


@attrs.frozen
class Process:
    """A process, so that a number given again to another one is not taken for it."""

    host: str
    pid: int
    started: str  # as the system says it: clock ticks since the boot on Linux, a date elsewhere
    boot: str  # which boot of the host, where the system says so; else empty

    def is_alive(self) -> bool | None:
        """Whether it still runs; None where this cannot be known here, as for another host."""
        if self.host != hostname() or not self.started:
            return None
        if self.boot != boot_id():
            return False
        started = _start_of(self.pid)
        return started == self.started if started else _has_number(self.pid)


def this_process() -> Process:
    """The process that asks."""
    return _described(os.getpid())  # a forked child is another process


@cache
def _described(pid: int) -> Process:
    return Process(hostname(), pid, _start_of(pid) if os.name == "posix" else "", boot_id())  # Windows: nobody says


@cache
def hostname() -> str:
    return platform.node() or "localhost"


@cache
def boot_id() -> str:
    """Names this boot of the system on Linux; empty elsewhere, where start times are dates."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """When a process was started; empty when there is none of this number, or one that has ended."""
    if not sys.platform.startswith("linux"):
        return _start_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    # proc(5): the name in parentheses may hold anything; state is the field behind it, the start time the 20th.
    fields = stat.rpartition(b")")[2].split()
    ended = fields[0] in (b"Z", b"X")
    return "" if ended else fields[19].decode("ascii")


def _start_by_ps(pid: int) -> str:
    import subprocess

    command, environment = ["ps", "-o", "lstart=", "-p", str(pid)], {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _has_number(pid: int) -> bool:
    """Whether the system knows a process of this number that it does not let us look at."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return not sys.platform.startswith("linux")  # on Linux ours can be looked at: it is one that has ended
