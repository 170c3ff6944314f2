"""The memory of this machine, from which follows what a table may take where that is not set."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import PurePosixPath

_SHARE = 4  # operations on whole tables take a few times what the table does
_UNKNOWN_MB = 1000  # where a machine does not tell its memory
_GROUPS = "/sys/fs/cgroup"


def usual_limit_mb() -> int:
    """A quarter of the memory of this machine, or of the control group that this process is in, in MiB."""
    known = [size for size in (_installed(), *_limits_of_groups()) if size > 0]
    return max(1, min(known) // _SHARE >> 20) if known else _UNKNOWN_MB


def _installed() -> int:
    """The memory of the machine in bytes; 0 where it does not tell."""
    if sys.platform == "win32":
        import ctypes

        class Status(ctypes.Structure):
            _fields_ = (
                ("length", ctypes.c_ulong),
                ("load", ctypes.c_ulong),
                *((name, ctypes.c_ulonglong) for name in ("total", "free", "pages", "f", "virtual", "v", "extended")),
            )

        status = Status(length=ctypes.sizeof(Status))
        return int(status.total) if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else 0
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _limits_of_groups() -> list[int]:
    """Limits of the control groups that hold this process, of either version, in bytes. Linux only."""
    groups: list[str] = []
    with contextlib.suppress(OSError), open("/proc/self/cgroup", encoding="utf-8") as file:
        groups = file.read().splitlines()
    places = []
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            places += [f"{_GROUPS}/memory{folder}/memory.limit_in_bytes" for folder in _up_from(path)]
        elif not controllers:
            places += [f"{_GROUPS}{folder}/memory.max" for folder in _up_from(path)]
    found = []
    for place in places:
        with contextlib.suppress(OSError, ValueError), open(place, encoding="ascii") as file:  # `max` is no limit
            found.append(int(file.read()))
    return found


def _up_from(path: str) -> list[str]:
    """The folders of a group and of those above it: in a container the files of its group are at the top."""
    folders = [PurePosixPath(path), *PurePosixPath(path).parents]
    return ["" if str(folder) == "/" else str(folder) for folder in folders]
