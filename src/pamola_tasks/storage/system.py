"""What operating systems do in their own ways: locks on open files, flushing to the disk, memory in use."""

from __future__ import annotations

import os
import sys


def lock(descriptor: int, *, wait: bool = True, shared: bool = False) -> bool:
    """Take the operating system's lock on an open file; it dies with the process.

    Args:
        descriptor: The file.
        wait: Wait for those who hold it.
        shared: Others may hold it too, if they share it.

    Returns:
        Whether the lock was taken; always true with `wait`.
    """
    if sys.platform == "win32":
        import msvcrt
        import time

        # Locks of bytes are never shared: who shares takes one byte of many, who does not takes all of them.
        areas = [(_LOCK_BYTE + n, 1) for n in range(_SHARERS)] if shared else [(_LOCK_BYTE, _SHARERS)]
        while True:
            for start, size in areas:
                os.lseek(descriptor, start, os.SEEK_SET)
                try:
                    msvcrt.locking(descriptor, msvcrt.LK_NBLCK, size)
                    return True
                except OSError:
                    continue
            if not wait:
                return False
            time.sleep(0.05)
    import fcntl

    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
