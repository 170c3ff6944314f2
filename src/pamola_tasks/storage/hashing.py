"""The hash by which files are recorded and recognised: one for writers, readers, `verify`, checkpoints and history.

It is the SHA-256 of a file's bytes, but for formats of which a plugin says that their bytes can change while what they
hold stays (`pamola_add_container_formats`): an encrypted file whose key was changed is still the file that was written.
"""

from __future__ import annotations

import hashlib
from functools import cache, cached_property
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.protocols.files import ContentHash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pamola_tasks.protocols.files import ContainerFormat

HEAD_SIZE = 4096
_CHUNK = 1 << 18


class Containers:
    """The formats whose bytes can change while what they hold stays, encrypted ones among them.

    Args:
        collect: Gives for the text that files of a format begin with what makes the format. Called when the first file
            is opened.
    """

    def __init__(self, collect: Callable[[], Mapping[str, Callable[[], ContainerFormat]]]) -> None:
        self._collect = collect

    @cached_property
    def _makers(self) -> dict[bytes, Callable[[], ContainerFormat]]:
        return {mark.encode(): cache(make) for mark, make in self._collect().items()}

    def of(self, head: bytes) -> ContainerFormat | None:
        """The format of a file that begins with these bytes."""
        return next((make() for mark, make in self._makers.items() if head.startswith(mark)), None)

    def encryption_in(self, head: bytes) -> str:
        """How a file that begins with these bytes says that it is encrypted; empty where it does not."""
        return getattr(self.of(head), "encryption", "")


class FileHash:
    """The hash of one file, from its first byte on.

    Args:
        containers: Formats to look for; None where only bytes count.
    """

    def __init__(self, containers: Containers | None = None) -> None:
        self._containers = containers
        self._format: ContainerFormat | None = None
        self._head: bytearray | None = bytearray() if containers is not None else None
        self._digest = hashlib.sha256()

    def update(self, data: Any) -> None:
        """Take the next bytes."""
        if self._head is None:
            self._digest.update(data)
            return
        self._head += data
        if len(self._head) >= HEAD_SIZE:
            self._take_head()

    def recognised(self) -> ContentHash:
        """The hash of all that was taken."""
        self._take_head()
        digest = self._digest.hexdigest()
        return self._format.recognised(digest) if self._format is not None else ContentHash(digest)

    def _take_head(self) -> None:
        if self._head is None:
            return
        head, rest = bytes(self._head[:HEAD_SIZE]), self._head[HEAD_SIZE:]
        self._head = None
        assert self._containers is not None
        self._format = self._containers.of(head)
        self._digest.update(self._format.stable_header(head) if self._format is not None else head)
        self._digest.update(rest)


class HashedWriter:
    """Passes writes on to a raw file and hashes them. Not a file itself: those flush when they are forgotten."""

    def __init__(self, raw: IO[bytes], containers: Containers | None = None) -> None:
        self._raw = raw
        self._hash = FileHash(containers)
        self.size = 0
        self.wanted = 0  # bytes that were to be written, also when the disk did not take them

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.wanted += len(view)
        written = 0
        while written < len(view):
            written += self._raw.write(view[written:]) or 0
        self._hash.update(view)
        self.size += written
        return written

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._raw.flush()

    def recognised(self) -> ContentHash:
        """The hash of what was written."""
        return self._hash.recognised()


def recognise(file: IO[bytes], containers: Containers | None = None) -> ContentHash:
    """The hash of a binary file at position 0, in constant memory."""
    found = FileHash(containers)
    readinto = getattr(file, "readinto", None)
    if readinto is None:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
        return found.recognised()
    buffer = memoryview(bytearray(_CHUNK))
    while count := readinto(buffer):
        found.update(buffer[:count])
    return found.recognised()
