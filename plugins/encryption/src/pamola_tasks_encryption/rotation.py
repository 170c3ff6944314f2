"""Changing the key of files: the wrapped data key in their header is exchanged. (For their content see `renewal`.)

Exchanging writes one slot of 512 bytes, flushes it, and only then empties the old one: whenever it is interrupted, one
slot is good, and doing it again mends the rest.
"""

from __future__ import annotations

import contextlib
import enum
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import EncryptionError, PamolaTaskError, PathSecurityError
from pamola_tasks.storage import system
from pamola_tasks.storage.files import is_temporary
from pamola_tasks_encryption.container import DecryptingReader
from pamola_tasks_encryption.errors import Tampered, WrongKey
from pamola_tasks_encryption.header import HEADER_SIZE, SLOT_OFFSETS, SLOT_SIZE, Header, key_id, wrap
from pamola_tasks_encryption.marks import is_container, is_encrypted

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files

CHUNK = 1 << 20
_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", ".bzr", ".pamola"})


class Found(enum.Enum):
    """How a file was found, or what was done about it."""

    CHANGED = "changed"
    PRESENT = "has the present key"
    OTHER = "has another key"
    AGE = "is an age file"
    DAMAGED = "damaged"
    LEFT = "could not be read or written"


@attrs.define
class Tally:
    """How many files were found in which state."""

    counts: dict[Found, int] = attrs.Factory(lambda: dict.fromkeys(Found, 0))
    damaged: dict[str, str] = attrs.Factory(dict)  #: names of damaged files, and why
    others: dict[str, str] = attrs.Factory(dict)  #: names of files of other keys, with the id of their key
    left: dict[str, str] = attrs.Factory(dict)  #: names of what the system refused, and why

    def add_damaged(self, name: str, why: str) -> None:
        """Count a damaged file."""
        self.counts[Found.DAMAGED] += 1
        self.damaged[name] = why

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        counts = {found.name.lower(): count for found, count in self.counts.items()}
        return {**counts, "damaged_files": self.damaged, "files_of_other_keys": self.others, "left_files": self.left}


def encrypted_files(files: Files) -> list[str]:
    """Every file under the project's root that says it is encrypted, or that cannot be read.

    What the path guard refuses as a name was not written by a run, and is passed by.
    """
    return [name for name in _all_files(files, "") if not _is_unfinished(name) and _concerns(files, name)]


def unfinished_files(files: Files) -> list[str]:
    """What killed processes had begun to write under the project's root, and nothing reads."""
    return [name for name in _all_files(files, "") if _is_unfinished(name)]


def _is_unfinished(name: str) -> bool:
    return is_temporary(name.rpartition("/")[2])


def _concerns(files: Files, name: str) -> bool:
    try:
        return is_encrypted(head_of(files, name))
    except PathSecurityError:
        return False
    except OSError:  # who does something to it says why it cannot be done
        return True


def head_of(files: Files, name: str) -> bytes:
    """The first bytes of a file, as many as a header has."""
    with files.open_raw(name) as raw:
        return raw.read(HEADER_SIZE)


def _all_files(files: Files, folder: str) -> Iterator[str]:
    try:
        found = list(files.iter(folder or "."))
    except PathSecurityError:
        return
    except OSError:
        yield folder
        return
    for name, stat in found:
        path = f"{folder}/{name}" if folder else name
        if stat.kind == "directory":
            if name not in _SKIPPED_FOLDERS:
                yield from _all_files(files, path)
        elif stat.kind == "file":
            yield path


def header_of(files: Files, name: str, *, mend: bool = True) -> Header | None:
    """The header of a file; None of an age file."""
    head = head_of(files, name)
    return Header.parse(head, mend=mend) if is_container(head) else None


def exchange_slot(files: Files, name: str, old: bytes, new: bytes) -> Found:
    """Have a file open with the new key only, where it opens with the old one; Tampered where its header is altered."""
    header = header_of(files, name)
    if header is None:
        return Found.AGE
    exchange = _exchange(header, old, new)
    if isinstance(exchange, Found):
        return exchange
    if _can_write_in_place():
        # Refused is a file with several names: the others are a backup's, which stay as they are.
        with contextlib.suppress(PathSecurityError), _writable(files, name) as descriptor:
            for offset, area in exchange:
                if os.pwrite(descriptor, area, offset) != len(area):
                    raise EncryptionError("a key slot could not be written whole: is the disk full?")
                system.flush_data(descriptor)
            return Found.CHANGED
    _write_anew(files, name, exchange)
    return Found.CHANGED


def _exchange(header: Header, old: bytes, new: bytes) -> Found | list[tuple[int, bytes]]:
    """What has to be written where, in this order; or why nothing has to."""
    empty = bytes(SLOT_SIZE)
    kept, replaced = header.newest_of(key_id(new)), header.newest_of(key_id(old))
    if kept is not None:
        header.unlock(new, header.binding)  # an altered slot must not be what the other is emptied for
        other = 1 - kept
        return [(SLOT_OFFSETS[other], empty)] if header.torn or header.slots[other] else Found.PRESENT
    if replaced is None:
        return Found.OTHER
    data_key = header.unlock(old, header.binding)
    generation = max(slot.generation for slot in header.slots if slot) + 1
    slot = wrap(data_key, new, header.file_id, generation)
    return [(SLOT_OFFSETS[1 - replaced], slot.pack()), (SLOT_OFFSETS[replaced], empty)]


def copy(source: Any, target: Any = None, advance: Callable[[int], None] = lambda _: None) -> int:
    """Copy the rest of a file, in constant memory, and count its bytes; without a target it is only verified."""
    buffer = memoryview(bytearray(CHUNK))
    total = 0
    while size := source.readinto(buffer):
        if target is not None:
            target.write(buffer[:size])
        advance(size)
        total += size
    return total


def exchange_files(files: Files, keys: Mapping[bytes, bytes], new: bytes, names: Iterable[str] | None = None) -> Tally:
    """Exchange the slots of all files that open with one of several keys. What was done before is found and left."""

    def exchange(name: str) -> Found:
        header = header_of(files, name)
        return exchange_slot(files, name, (header and header.key_of(keys)) or new, new)

    return each(files, exchange, names)


def survey(
    files: Files, keys: Mapping[bytes, bytes], names: Iterable[str] | None = None, *, content: bool = False
) -> Tally:
    """Which of a project's encrypted files open with one of these keys; with `content`, every byte is verified."""

    def look(name: str) -> Found:
        header = header_of(files, name, mend=False)
        if header is None:
            return Found.AGE
        key = header.key_of(keys)
        if key is None:
            return Found.OTHER
        if content:
            with files.open_raw(name) as raw, DecryptingReader(raw, key, header.binding) as plain:
                copy(plain)
        else:
            header.unlock(key, header.binding)
        return Found.PRESENT

    return each(files, look, names)


def each(files: Files, do: Callable[[str], Found], names: Iterable[str] | None) -> Tally:
    """Do something to each encrypted file of a project; damage is counted and named, and stops nothing."""
    tally = Tally()
    for name in encrypted_files(files) if names is None else names:
        try:
            found = do(name)
            if found is Found.OTHER and (header := header_of(files, name)):
                tally.others[name] = header.newest.key_id.hex() if header.newest else ""
            tally.counts[found] += 1
        except (Tampered, WrongKey) as error:
            tally.add_damaged(name, str(error))
        except (OSError, PamolaTaskError) as error:
            tally.counts[Found.LEFT] += 1
            tally.left[name] = getattr(error, "strerror", None) or str(error)
    return tally


def _can_write_in_place() -> bool:
    return hasattr(os, "pwrite")


@contextlib.contextmanager
def _writable(files: Files, name: str) -> Iterator[int]:
    """A descriptor to write at any place of a file. The path guard opens for appending only, which Unix can undo."""
    import fcntl

    with files.append(name) as file:
        descriptor = file.fileno()
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_APPEND)
        yield descriptor


def _write_anew(files: Files, name: str, exchange: list[tuple[int, bytes]]) -> None:
    """Where files cannot be written into (Windows): a copy with other slots, renamed into place."""
    with files.open_raw(name) as raw, files.guard.create(name) as target:
        head = bytearray(raw.read(HEADER_SIZE))
        for offset, area in exchange:
            head[offset : offset + SLOT_SIZE] = area
        target.write(head)
        copy(raw, target)
