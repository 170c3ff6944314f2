"""Bringing what was written to the disk, for files that must outlive a power failure."""

from __future__ import annotations

import os
import sys


def flush_data(descriptor: int) -> None:
    """Bring a file's data to the disk (`fdatasync`, or what the system has for it)."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
