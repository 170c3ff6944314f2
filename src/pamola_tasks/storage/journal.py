"""The line format of history and checkpoints: `crc32 (8 hex digits) SPACE json LF`, appended, never rewritten.

A line that is incomplete by a crash at the end of the file is skipped, and cut away by the next append. A damaged line
elsewhere is reported, never hidden. Several processes may append at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.storage import files as durable
from pamola_tasks.storage import system

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pamola_tasks.protocols import Files


_BEGINNING = 100  # bytes of a line, in which its kind stands


@attrs.frozen
class Damage:
    """A line that cannot be trusted: its number from 1, or 0 where lines were read from the end, and why."""

    line: int
    reason: str


@attrs.define
class Journal:
    """What was read: entries in the order written, damaged lines, and whether the last line is incomplete."""

    entries: list[dict[str, Any]] = attrs.Factory(list)
    damaged: list[Damage] = attrs.Factory(list)
    torn: bool = False


def encode(entry: Mapping[str, Any]) -> bytes:
    """One entry as a line."""
    # Names of files may hold bytes that are no UTF-8; Python has them as lone surrogates, and json reads them back.
    text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    data = text.encode("utf-8", "surrogatepass")
    return b"%08x %s\n" % (zlib.crc32(data), data)


def decode(line: bytes) -> dict[str, Any]:
    """The entry of a line without its line end.

    Raises:
        ValueError: The line is damaged; the message says how.
    """
    if len(line) < 10 or line[8:9] != b" ":
        raise ValueError("no checksum at its beginning")
    try:
        checksum = int(line[:8], 16)
    except ValueError:
        raise ValueError("no checksum at its beginning") from None
    if zlib.crc32(line[9:]) != checksum:
        raise ValueError("its checksum does not fit")
    entry = json.loads(line[9:])
    if not isinstance(entry, dict):
        raise ValueError("not an object")
    return entry


def append(files: Files, path: str | Path, entries: Iterable[Mapping[str, Any]], *, flush: bool) -> None:
    """Append entries, all of them or, after a crash, a readable part of them.

    Args:
        files: Where to open the journal.
        path: The journal.
        entries: Objects for JSON.
        flush: Whether to wait until the disk has them.
    """
    data = b"".join(map(encode, entries))
    with files.naming(path, lambda: len(data)), locked(files, path, flush=flush) as file:
        _cut_torn_tail(file)
        _write(file, data)


@contextlib.contextmanager
def locked(files: Files, path: str | Path, *, flush: bool = False) -> Iterator[IO[bytes]]:
    """Keep other processes from appending to a journal, or replacing it, for the time of the block.

    It is the file that has the name when the lock is taken, also if it was replaced while waiting. With `flush` it is
    flushed after the lock is let go, so that several writers flush together.
    """
    while True:
        with files.append(path) as file:
            descriptor = _descriptor(file)
            if descriptor is None:
                yield file
                return
            system.lock(descriptor)
            if os.fstat(descriptor).st_nlink:
                try:
                    yield file
                finally:
                    system.unlock(descriptor)
                if flush:
                    system.flush_data(descriptor)
                return


def replace(files: Files, path: str | Path, lines: Iterable[bytes]) -> None:
    """Put other lines in a journal's place, in one step that a crash cannot halve. For holders of its lock.

    The new file is flushed before it gets the name: a rename that outlives its data would lose all entries at once.
    """
    head, tail = os.path.split(path)
    new = os.path.join(head, durable.temporary_name(tail))
    try:
        data = b"".join(lines)
        with files.naming(path, lambda: len(data)), files.append(new) as copy:
            _write(copy, data)
            if (descriptor := _descriptor(copy)) is not None:
                system.flush_data(descriptor)
        files.replace(new, path)
    except BaseException:
        files.unlink(new, missing_ok=True)
        raise


def read(files: Files, path: str | Path) -> Journal:
    """All entries of a journal; one that is missing is empty."""
    try:
        with files.open_raw(path) as file:
            data = file.read()
    except FileNotFoundError:
        return Journal()
    return parse(data)


def parse(data: bytes) -> Journal:
    """The entries in a journal's bytes."""
    *lines, tail = data.split(b"\n")
    journal = Journal(torn=tail != b"")
    for number, line in enumerate(lines, 1):
        try:
            journal.entries.append(decode(line))
        except ValueError as problem:
            journal.damaged.append(Damage(number, str(problem)))
    return journal


def newest_first(
    files: Files, path: str | Path, *, block: int = 1 << 16, but: bytes = b""
) -> Iterator[dict[str, Any] | Damage]:
    """The entries from the last to the first, reading only as much of the file as is asked for.

    Args:
        files: Where to open the journal.
        path: The journal.
        block: So many bytes are read at once.
        but: Lines with these bytes near their beginning are passed over, unread.
    """
    try:
        with files.open_raw(path) as file:
            position = file.seek(0, os.SEEK_END)
            rest = b""
            at_end = True
            while position > 0:
                size = min(block, position)
                position -= size
                file.seek(position)
                lines = (file.read(size) + rest).split(b"\n")
                rest = lines.pop(0)
                if at_end and lines:
                    lines.pop()  # what stands behind the last line end: nothing, or a torn line
                    at_end = False
                for line in reversed(lines):
                    yield from _decoded(line, but)
            if rest and not at_end:
                yield from _decoded(rest, but)
    except FileNotFoundError:
        return


def _decoded(line: bytes, but: bytes) -> Iterator[dict[str, Any] | Damage]:
    if not (but and but in line[:_BEGINNING]):
        try:
            yield decode(line)
        except ValueError as problem:
            yield Damage(0, str(problem))


def _descriptor(file: IO[bytes]) -> int | None:
    """The file's descriptor; None for a file in memory."""
    try:
        return file.fileno()
    except OSError:
        return None


def _cut_torn_tail(file: IO[bytes]) -> None:
    """Remove what stands behind the last line end: the beginning of a line that was never finished."""
    descriptor = _descriptor(file)
    if descriptor is None:
        return
    end = position = os.lseek(descriptor, 0, os.SEEK_END)
    while position > 0:
        start = max(0, position - 4096)
        found = _read_at(descriptor, start, position - start).rfind(b"\n")
        if found >= 0:
            position = start + found + 1
            break
        position = start
    if position < end:
        os.ftruncate(descriptor, position)


def _read_at(descriptor: int, offset: int, size: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    data = b""
    while len(data) < size and (piece := os.read(descriptor, size - len(data))):
        data += piece
    return data


def _write(file: IO[bytes], data: bytes) -> None:
    descriptor = _descriptor(file)
    if descriptor is None:
        file.write(data)
        return
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])
