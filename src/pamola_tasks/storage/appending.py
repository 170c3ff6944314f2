"""What is done to an open file that several processes append to, whatever its lines are."""

from __future__ import annotations

import itertools
import os
from typing import IO, TYPE_CHECKING

from pamola_tasks.storage import system

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pamola_tasks.protocols import Files


def has_name(files: Files, path: str | Path, descriptor: int) -> bool:
    """Whether an open file whose lock is held is the one with this name."""
    here = os.fstat(descriptor)
    try:
        there = files.stat(path)
    except FileNotFoundError:
        return False
    return here.st_nlink > 0 and (there.size, there.ctime_ns or here.st_ctime_ns) == (here.st_size, here.st_ctime_ns)


def joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, some thousands at a time."""
    lines = iter(lines)
    while data := b"".join(itertools.islice(lines, 4096)):
        yield data


def descriptor_of(file: IO[bytes]) -> int | None:
    """The file's descriptor; None for a file in memory."""
    try:
        return file.fileno()
    except OSError:
        return None


def cut_torn_tail(file: IO[bytes]) -> bytes | None:
    """Remove what follows the last line end: the beginning of a line that was never finished.

    Returns:
        The last line; None for a file in memory.
    """
    descriptor = descriptor_of(file)
    if descriptor is None:
        return None
    end = position = os.lseek(descriptor, 0, os.SEEK_END)
    data = b""
    while position > 0 and data.count(b"\n") < 2:
        start = max(0, position - 4096)
        data = _read_at(descriptor, start, position - start) + data
        position = start
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.ftruncate(descriptor, end - len(data) + len(whole))
    return whole[whole.rfind(b"\n", 0, -1) + 1 : -1]


def _read_at(descriptor: int, offset: int, size: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    data = b""
    while len(data) < size and (piece := os.read(descriptor, size - len(data))):
        data += piece
    return data


def write(file: IO[bytes], data: bytes) -> None:
    """Append data, in one call of the system where it takes all of it."""
    descriptor = descriptor_of(file)
    if descriptor is None:
        file.write(data)
        return
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


def sync(file: IO[bytes]) -> None:
    """Bring a file's data to the disk, where it is on one."""
    if (descriptor := descriptor_of(file)) is not None:
        system.flush_data(descriptor)
