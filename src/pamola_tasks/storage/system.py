"""What operating systems do in their own ways: locks on open files, flushing to the disk, memory in use."""

from __future__ import annotations

import contextlib
import os
import sys
import time

LOCK_TIMEOUT = 30.0  # seconds that a file locked by another program is waited for, unless configured
_SILENT, _LEAST, _LONGEST = 2.0, 0.001, 0.1  # seconds without a word, and between two attempts
_given_up: set[tuple[int, int]] = set()  # files that were waited for in vain, which is not done twice


class LockTimeout(TimeoutError):
    """A file stayed locked."""

    holds_no_data = True  #: so that the message is shown


def lock(descriptor: int, *, wait: float = LOCK_TIMEOUT, shared: bool = False) -> bool:
    """Take the operating system's lock on an open file; it dies with the process.

    Args:
        descriptor: The file.
        wait: Seconds to wait for those who hold it. Stderr says so after two; Ctrl-C ends it.
        shared: Others may hold it too, if they share it.

    Returns:
        Whether the lock was taken; always true with `wait`.

    Raises:
        LockTimeout: It was not to be had in this time.
    """
    if _take(descriptor, shared):
        return True
    if not wait:
        return False
    file = os.fstat(descriptor).st_dev, os.fstat(descriptor).st_ino
    began, told, pause = time.monotonic(), False, _LEAST
    limit = min(wait, 1.0) if file in _given_up else wait
    _given_up.add(file)
    while not _take(descriptor, shared):
        waited = time.monotonic() - began
        if waited > limit:
            raise LockTimeout(
                f"{_described(descriptor)}, and did not let it go in {limit:g} s: end it, or wait longer (lock_timeout)"
            )
        if waited > _SILENT and not told:
            told = True
            print(f"waiting for {_described(descriptor)}", file=sys.stderr, flush=True)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST)
    _given_up.discard(file)
    return True


def _take(descriptor: int, shared: bool) -> bool:
    if sys.platform == "win32":
        import msvcrt

        # Locks of bytes are never shared: who shares takes one byte of many, who does not takes all of them.
        areas = [(_LOCK_BYTE + n, 1) for n in range(_SHARERS)] if shared else [(_LOCK_BYTE, _SHARERS)]
        for start, size in areas:
            os.lseek(descriptor, start, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, size)
                return True
            except OSError:
                continue
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_holder(descriptor: int) -> int | None:
    """The process that has locked an open file, where the system knows (Linux)."""
    with contextlib.suppress(OSError, ValueError):
        inode = os.fstat(descriptor).st_ino
        with open("/proc/locks", encoding="ascii") as locks:
            for fields in map(str.split, locks):
                if fields[1] == "FLOCK" and int(fields[5].rpartition(":")[2]) == inode:
                    return int(fields[4])
    return None


def _described(descriptor: int) -> str:
    name, who = "a file", "another program"
    with contextlib.suppress(OSError):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if pid := lock_holder(descriptor):
            who = f"process {pid}"
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                who += " (which is stopped)" if file.read().rpartition(")")[2].split()[0] in "Tt" else ""
    return f"{name}, which {who} has locked"


def unlock(descriptor: int) -> None:
    """Let go of a lock that is not shared."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCK_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, _SHARERS)
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_UN)


# Windows locks bytes, not files: some far behind the end, so that reading the file stays possible.
_LOCK_BYTE = 1 << 40
_SHARERS = 256


def flush_data(descriptor: int) -> None:
    """Bring a file's data to the disk, where it outlives a power failure (`fdatasync`, or what the system has)."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def peak_memory() -> int | None:
    """The largest resident size of this process so far, in bytes; None where the system does not report it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def user_name() -> str:
    """Who runs this; the number where it has no name, as in containers, and empty where there is none."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""
