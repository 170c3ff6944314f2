"""The processes of a run: whether it is still there, and how much memory it has with what it started."""

from __future__ import annotations

import contextlib
import platform
from datetime import datetime
from typing import TYPE_CHECKING

import attrs
import psutil

if TYPE_CHECKING:
    from pamola_tasks.protocols import LockHolder

_EARLIER = 2.0  # seconds by which clocks of a process and of its file may differ


@attrs.frozen
class Memory:
    """Bytes of memory of some processes; a page that two of them share counts once where the system says so."""

    bytes: int
    processes: int


def is_alive(holder: LockHolder) -> bool | None:
    """Whether the process that signed a lock is there; None where it is of another machine."""
    if holder.pid is None or holder.host not in ("", platform.node()):
        return None
    try:
        process = psutil.Process(holder.pid)
        began = datetime.fromisoformat(holder.since).timestamp()
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= began + _EARLIER)
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, ValueError):
        return None


def memory_of(pid: int) -> Memory | None:
    """The memory of a process and of all that it started; None where it has gone."""
    total = count = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += _bytes_of(each)
                count += 1
    return Memory(total, count) if count else None


def _bytes_of(process: psutil.Process) -> int:
    """Its proportional share (Linux), else its resident memory."""
    with contextlib.suppress(psutil.AccessDenied, AttributeError):
        return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)
