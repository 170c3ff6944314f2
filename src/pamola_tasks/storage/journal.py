"""The line format of history and checkpoints: `crc32 (8 hex digits) SPACE json LF`, appended, never rewritten.

A line that is incomplete by a crash at the end of the file is skipped, and cut away by the next append. A damaged line
elsewhere is reported, never hidden. Several processes may append at once.

Each line that is appended has `prev`, a hash of the line before, and, where the writer has a key, `mac` over all of it:
a line with a right `mac` vouches for every line before it. One with `seam`, two hashes, vouches that lines were taken
away: the line that says to follow the second one follows the first one now.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import json
import os
import zlib
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.storage import files as durable
from pamola_tasks.storage import system
from pamola_tasks.storage.appending import cut_torn_tail, descriptor_of, has_name, joined, sync, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pamola_tasks.protocols import Files, RunServices


_BEGINNING = 100  # bytes of a line, in which its kind stands
START = b"start"  #: stands for the line before the first
_MAC = len(b',"mac":""}') + 64  # bytes at the end of a line that has one
UNPROVEN = "not written with the project's key, but with another key, before there was one, or by another program"
TORN = "the last line is incomplete"  # by a process that was killed while it wrote it, or by an edit
MOVED = "it does not follow the line before: one was removed, inserted, moved or edited"


@attrs.frozen
class Damage:
    """A line that cannot be trusted: its number from 1, or 0 where lines were read from the end, and why.

    `entry` is what it says, where it is whole. `seam` has, where it follows another line than it says, the hashes of
    that one and of the one that it says.
    """

    line: int
    reason: str
    entry: Mapping[str, Any] | None = None
    seam: tuple[str, str] | None = None


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
        entry = {**entry, "prev": link(before)}
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
    before = before or START
    for entry in entries:
        line = encode(entry, before, key)
        yield line
        before = line[:-1]


def chained_again(lines: Iterable[bytes], key: bytes | None) -> Iterator[bytes]:
    """Lines of a journal of which some were taken away, each following the one before again; damaged ones stay."""
    before = START
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


def link(line: bytes) -> str:
    """The hash of a line without its line end, by which the next one names it."""
    return hashlib.sha256(line).hexdigest()[:32]


def followed(line: bytes) -> str:
    """The hash of the line that a line says it follows; nothing where it does not say."""
    place = line.rfind(b'"prev":"', -_MAC - 50)
    return "" if place < 0 else line[place + 8 : place + 40].decode("ascii", "replace")


def append(
    files: Files,
    path: str | Path,
    entries: Iterable[Mapping[str, Any]],
    *,
    flush: bool,
    key: bytes | None = None,
    before: Callable[[], bytes] = lambda: b"",
) -> None:
    """Append entries, all of them or, after a crash, a readable part of them.

    Args:
        files: Where to open the journal.
        path: The journal.
        entries: Objects for JSON.
        flush: Whether to wait until the disk has them.
        key: Authenticates them.
        before: Asked for the line that the first one of an empty journal follows.
    """
    entries = list(entries)
    size = len(b"".join(map(encode, entries)))  # what cannot be written is said before the lock is taken
    with files.naming(path, lambda: size), locked(files, path, flush=flush) as file:
        append_to(file, entries, key=key, before=before)


def append_to(
    file: IO[bytes],
    entries: Iterable[Mapping[str, Any]],
    *,
    key: bytes | None,
    before: Callable[[], bytes] = lambda: b"",
) -> None:
    """The same to an open journal. For holders of its lock."""
    last = cut_torn_tail(file)
    write(file, b"".join(map(encode, entries) if last is None else chained(entries, last or before(), key)))


@contextlib.contextmanager
def locked(files: Files, path: str | Path, *, flush: bool = False) -> Iterator[IO[bytes]]:
    """Keep other processes from appending to a journal, or replacing it, for the time of the block.

    It is the file that has the name when the lock is taken, also if it was replaced or renamed while waiting. With
    `flush` it is flushed after the lock is let go, so that several writers flush together.
    """
    while True:
        with files.append(path) as file:
            descriptor = descriptor_of(file)
            if descriptor is None:
                yield file
                return
            system.lock(descriptor, wait=files.lock_timeout)
            if has_name(files, path, descriptor):
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
    with prepared(files, path, lines) as new:
        files.replace(new, path)


@contextlib.contextmanager
def prepared(files: Files, path: str | Path, lines: Iterable[bytes]) -> Iterator[str]:
    """A new file, flushed, with these lines, beside the name that the block is to give it; else it is removed."""
    head, tail = os.path.split(path)
    new, written = os.path.join(head, durable.temporary_name(tail)), 0
    try:
        with files.naming(path, lambda: written), files.append(new) as copy:
            for data in joined(lines):
                written += len(data)
                write(copy, data)
            sync(copy)
        yield new
    finally:
        files.unlink(new, missing_ok=True)


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
    for found, unproven in judged(lines, key=key, needs=needs):
        if isinstance(found, Damage):
            journal.damaged.append(found)
            continue
        if unproven:
            journal.old.append(found)
        if keeps_old or not unproven:
            journal.entries.append(found)
    return journal


def judged(
    lines: Iterable[bytes],
    *,
    key: bytes | None = None,
    needs: Callable[[Mapping[str, Any]], bool] = lambda entry: True,
) -> Iterator[tuple[dict[str, Any] | Damage, bool]]:
    """What each line is, without its line end, in the order written: an entry or a damage.

    The second value is whether an entry needs a `mac` and is older than the first that has one: nothing proves it.
    """
    before: bytes | None = START  # None after a damaged line: what follows cannot be judged without a key
    linked = proven = False
    for number, line in enumerate(lines, 1):
        entry: dict[str, Any] | None = None
        seam = None
        try:
            entry = decode(line, key)
            authentic = entry.pop("authentic", True)
            known = before is not None
            says, follows = followed(line), link(before or b"")
            if (says != follows and (known or key is not None)) if says else (linked and known):
                seam = (follows, says)
                raise ValueError(MOVED)
            linked = linked or says != ""
            proven = proven or (authentic and key is not None)
            unproven = not authentic and needs(entry)
            if unproven and proven:
                raise ValueError(UNPROVEN)
            yield entry, unproven
            before = line
        except ValueError as problem:
            whole = str(problem) in (MOVED, UNPROVEN)
            yield Damage(number, str(problem), decode(line) if whole else None, seam), False
            before = line if whole else None


def lines_backwards(file: IO[bytes], block: int = 1 << 16) -> Iterator[bytes]:
    """The whole lines of an open journal, from the last to the first, without their line ends, read by the block."""
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


def decoded(lines: Iterable[bytes], *, but: bytes = b"", key: bytes | None = None) -> Iterator[dict[str, Any] | Damage]:
    """What lines say that are given from the last to the first.

    Args:
        lines: Of a whole journal, without their line ends; no more of them are taken than is asked for.
        but: Lines with these bytes near their beginning are passed over, unread.
        key: Gives entries `authentic`, and damages for lines with another `mac` or of another place.
    """
    seams: set[tuple[str, ...]] = set()
    vouched = False  # whether a later line with a `mac` proves the one that is read
    for line, before in itertools.pairwise(itertools.chain(lines, [START])):
        if but and but in line[:_BEGINNING]:
            continue
        try:
            entry = decode(line, key)
            if key is not None:
                vouched = vouched or entry["authentic"]
                if vouched and (seam := entry.get("seam")):
                    seams.add(tuple(map(str, seam)))
                says, follows = followed(line), link(before)
                if says and says != follows and (follows, says) not in seams:
                    raise ValueError(MOVED)
            yield entry
        except ValueError as problem:
            vouched = False
            yield Damage(0, str(problem))
