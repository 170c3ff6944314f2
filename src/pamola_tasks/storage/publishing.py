"""Publishing a file on directory handles: what path guards and the journal are built from."""

from __future__ import annotations

import os
import sys


def publish(directory: int, temporary: str, name: str, *, exclusive: bool = False) -> None:
    """Give a finished temporary file its name, in one step.

    Args:
        directory: Descriptor of the directory that both names are in.
        temporary: The file's present name.
        name: The name it gets; a file of that name is replaced unless `exclusive`.

    Raises:
        FileExistsError: Exclusive, and the name is taken.
    """
    if exclusive:
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        os.unlink(temporary, dir_fd=directory)
    else:
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def flush_data(descriptor: int) -> None:
    """Bring a file's data to the disk (`fdatasync`, or what the system has for it)."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
