"""The line format of history and checkpoints: `crc32 (8 hex digits) SPACE json LF`, appended, never rewritten.

A line that is incomplete by a crash at the end of the file is skipped, and cut away by the next append. A damaged line
elsewhere is reported, never hidden. Several processes may append at once.

Each line that is appended has `prev`, a hash of the line before, and, where the writer has a key, `mac` over all of it:
a line with a right `mac` vouches for every line before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import zlib
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.storage import files as durable
from pamola_tasks.storage import system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pamola_tasks.protocols import Files, RunServices


_BEGINNING = 100  # bytes of a line, in which its kind stands
_START = b"start"  # stands for the line before the first
_MAC = len(b',"mac":""}') + 64  # bytes at the end of a line that has one
UNPROVEN = "not written with the project's key, but with another key, before there was one, or by another program"
TORN = "the last line is incomplete"  # by a process that was killed while it wrote it, or by an edit
MOVED = "it does not follow the line before: one was removed, inserted, moved or edited"


@attrs.frozen
class Damage:
    """A line that cannot be trusted: its number from 1, or 0 where lines were read from the end, and why.

    `entry` is what it says, where it is whole.
    """

    line: int
    reason: str
    entry: Mapping[str, Any] | None = None


@attrs.define
class Journal:
    """What was read: entries in the order written, damaged lines, and whether the last line is incomplete.

    `old` has the entries that need a `mac` and are older than the first that has one.
    """

    entries: list[dict[str, Any]] = attrs.Factory(list)
    damaged: list[Damage] = attrs.Factory(list)
    torn: bool = False
    old: list[dict[str, Any]] = attrs.Factory(list)


def encode(entry: Mapping[str, Any], before: bytes = b"", key: bytes | None = None) -> bytes:
    """One entry as a line, which follows the line `before`, and is authenticated where there is a key."""
    if before:
        entry = {**entry, "prev": _link(before)}
    # Names of files may hold bytes that are no UTF-8; Python has them as lone surrogates, and json reads them back.
    text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    data = text.encode("utf-8", "surrogatepass")
    if key is not None:
        data = b'%s,"mac":"%s"}' % (data[:-1], hmac.digest(key, data, "sha256").hex().encode())
    return b"%08x %s\n" % (zlib.crc32(data), data)


def decode(line: bytes, key: bytes | None = None) -> dict[str, Any]:
    """The entry of a line without its line end. With a key, it says by `authentic` whether the line has a `mac`.

    Raises:
        ValueError: The line is damaged, or its `mac` is another; the message says how.
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
    mac = entry.pop("mac", None)
    entry.pop("prev", None)
    if key is not None:
        body = line[9:-_MAC] + b"}"
        if mac is not None and not hmac.compare_digest(str(mac), hmac.digest(key, body, "sha256").hex()):
            raise ValueError(UNPROVEN)
        entry["authentic"] = mac is not None
    return entry


def chained(entries: Iterable[Mapping[str, Any]], before: bytes = b"", key: bytes | None = None) -> Iterator[bytes]:
    """Entries as lines, each of which follows the one before it."""
    before = before or _START
    for entry in entries:
        line = encode(entry, before, key)
        yield line
        before = line[:-1]


def chained_again(lines: Iterable[bytes], key: bytes | None) -> Iterator[bytes]:
    """Lines of a journal of which some were taken away, each following the one before again; damaged ones stay."""
    before = _START
    for line in lines:
        line = line.removesuffix(b"\n")
        try:
            entry = decode(line, key)
            line = encode(entry, before, key if entry.pop("authentic", False) else None)[:-1]
        except ValueError:
            pass
        yield line + b"\n"
        before = line


def key_of(run: RunServices | None, purpose: str) -> bytes | None:
    """What authenticates lines in this run; None where the project has no key, or encryption is not up yet."""
    ask = getattr(vars(run).get("encryption"), "record_key", None) if run is not None else None
    return None if ask is None else ask(purpose)


def _link(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:32]


def _follows(line: bytes, before: bytes) -> bool | None:
    """Whether a line says that it follows this one; None where it does not say."""
    place = line.rfind(b'"prev":"', -_MAC - 50)
    return None if place < 0 else line[place + 8 : place + 40] == _link(before).encode()


def append(
    files: Files, path: str | Path, entries: Iterable[Mapping[str, Any]], *, flush: bool, key: bytes | None = None
) -> None:
    """Append entries, all of them or, after a crash, a readable part of them.

    Args:
        files: Where to open the journal.
        path: The journal.
        entries: Objects for JSON.
        flush: Whether to wait until the disk has them.
        key: Authenticates them.
    """
    entries = list(entries)
    data = b"".join(map(encode, entries))  # what cannot be written is said before the lock is taken
    with files.naming(path, lambda: len(data)), locked(files, path, flush=flush) as file:
        if (last := _cut_torn_tail(file)) is not None:
            data = b"".join(chained(entries, last, key))
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
            system.lock(descriptor, wait=files.lock_timeout)
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


def read(files: Files, path: str | Path, **proof: Any) -> Journal:
    """All entries of a journal; one that is missing is empty. `proof` is as for `parse`."""
    try:
        with files.open_raw(path) as file:
            data = file.read()
    except FileNotFoundError:
        return Journal()
    return parse(data, **proof)


def parse(
    data: bytes,
    *,
    key: bytes | None = None,
    needs: Callable[[Mapping[str, Any]], bool] = lambda entry: True,
    keeps_old: bool = False,
) -> Journal:
    """The entries in a journal's bytes: those of lines that are whole and follow the line before.

    With a key, those that `needs` says must have a right `mac`; those older than the first one are `old`, and entries
    only with `keeps_old`.
    """
    *lines, tail = data.split(b"\n")
    journal = Journal(torn=tail != b"")
    before: bytes | None = _START  # None after a damaged line: what follows cannot be judged without a key
    linked = proven = False
    for number, line in enumerate(lines, 1):
        try:
            entry = decode(line, key)
            known = before is not None
            follows = _follows(line, before or b"") if known or key is not None else None
            if follows is False or (follows is None and linked and known):
                raise ValueError(MOVED)
            linked = linked or follows is not None
            authentic = entry.pop("authentic", True)
            proven = proven or (authentic and key is not None)
            if not authentic and needs(entry):
                if proven:
                    raise ValueError(UNPROVEN)
                journal.old.append(entry)
            if authentic or keeps_old or not needs(entry):
                journal.entries.append(entry)
            before = line
        except ValueError as problem:
            whole = str(problem) in (MOVED, UNPROVEN)
            journal.damaged.append(Damage(number, str(problem), decode(line) if whole else None))
            before = line if whole else None
    return journal


def newest_first(
    files: Files, path: str | Path, *, block: int = 1 << 16, but: bytes = b"", key: bytes | None = None
) -> Iterator[dict[str, Any] | Damage]:
    """The entries from the last to the first, reading only as much of the file as is asked for.

    Args:
        files: Where to open the journal.
        path: The journal.
        block: So many bytes are read at once.
        but: Lines with these bytes near their beginning are passed over, unread.
        key: Gives entries `authentic`, and damages for lines with another `mac` or of another place.
    """
    later: bytes | None = None
    for line in _lines_backwards(files, path, block):
        if later is not None:
            yield from _decoded(later, but, key, line)
        later = line
    if later is not None:
        yield from _decoded(later, but, key, _START)


def _lines_backwards(files: Files, path: str | Path, block: int) -> Iterator[bytes]:
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
                yield from reversed(lines)
            if rest and not at_end:
                yield rest
    except FileNotFoundError:
        return


def _decoded(line: bytes, but: bytes, key: bytes | None, before: bytes) -> Iterator[dict[str, Any] | Damage]:
    if not (but and but in line[:_BEGINNING]):
        try:
            entry = decode(line, key)
            if key is not None and _follows(line, before) is False:
                raise ValueError(MOVED)
            yield entry
        except ValueError as problem:
            yield Damage(0, str(problem))


def _descriptor(file: IO[bytes]) -> int | None:
    """The file's descriptor; None for a file in memory."""
    try:
        return file.fileno()
    except OSError:
        return None


def _cut_torn_tail(file: IO[bytes]) -> bytes | None:
    """Remove what stands behind the last line end: the beginning of a line that was never finished.

    Returns:
        The last line; None for a file in memory.
    """
    descriptor = _descriptor(file)
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


def _write(file: IO[bytes], data: bytes) -> None:
    descriptor = _descriptor(file)
    if descriptor is None:
        file.write(data)
        return
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])
