"""The operating system's locks on open files, which die with the process that holds them."""

from __future__ import annotations

import os
import sys


def lock(descriptor: int, *, wait: bool = True) -> bool:
    """Take the operating system's exclusive lock on an open file; it dies with the process.

    Returns:
        Whether the lock was taken; always true with `wait`.
    """
    if sys.platform == "win32":
        import msvcrt
        import time

        while True:
            os.lseek(descriptor, _LOCK_BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not wait:
                    return False
                time.sleep(0.05)
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Let go of the lock."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCK_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_UN)


# Windows locks bytes, not files: one far behind the end, so that reading the file stays possible.
_LOCK_BYTE = 1 << 40
