"""`VerifiedFile`: a file that is hashed once and read as exactly the bytes that were hashed.

A small file is read once: its bytes are kept for all readers. Of a larger one every block is hashed
besides, and compared again before a byte of it is handed out, in whatever order and however little of it is read.
Either way, versions of a file are never mixed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from typing import IO, TYPE_CHECKING, Any, cast

from pamola_tasks.errors import DataError
from pamola_tasks.storage.hashing import HEAD_SIZE, FileHash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pamola_tasks.protocols import FileEncryption, Files, Role, Stat

BLOCK = 1 << 20
CHANGED = "it changed while this run read it: run again when nothing writes to it"


class VerifiedFile:
    """One file.

    Args:
        files: How it is opened.
        path: Its name.
        sha256: The hash that it was recorded with when it was written; found out when it is first read unless given.
        room: Asked, before the file is first read, how many bytes of it may be kept in memory.
    """

    def __init__(self, files: Files, path: str, sha256: str = "", room: Callable[[], int] = lambda: 0) -> None:
        self.path = path
        self._files = files
        self._sha256 = sha256
        self._room = room
        self._lock = threading.Lock()
        self._size = 0
        self._stat: Stat | None = None
        self._encryption: FileEncryption | None = None
        self._held = False
        self._content: bytes | None = None
        self._blocks: list[bytes] = []

    @property
    def kept(self) -> int:
        """How many bytes of it are in memory."""
        return len(self._content or b"")

    @property
    def sha256(self) -> str:
        """The hash by which the file is recorded and recognised."""
        if not self._sha256:
            self._hold()
        return self._sha256

    @property
    def size(self) -> int:
        """Its bytes on the disk."""
        return self._files.stat(self.path).size if self._stat is None else self._size

    @property
    def encryption(self) -> FileEncryption:
        """How its bytes on the disk are encrypted."""
        if self._encryption is None:
            self._encryption = self._files.encryption_of(self.path)
        return self._encryption

    @contextlib.contextmanager
    def open(self, role: Role) -> Iterator[IO[bytes]]:
        """Read it, decrypted where it is encrypted.

        Raises:
            DataError: It is not the file that was hashed; also while it is read.
        """
        content, blocks = self._hold()
        with contextlib.ExitStack() as stack:
            raw: IO[bytes] = io.BytesIO(content) if content is not None else stack.enter_context(self._checked(blocks))
            yield stack.enter_context(self._files.plain(raw, self.path, role))

    @contextlib.contextmanager
    def _checked(self, blocks: list[bytes]) -> Iterator[IO[bytes]]:
        with self._files.open_raw(self.path) as raw:
            yield cast("IO[bytes]", io.BufferedReader(_CheckedBlocks(raw, self._size, blocks), 1 << 16))

    def check(self) -> None:
        """Refuse the file where it is no longer the one that was read.

        It is re-hashed only if its size or times have changed.

        Raises:
            DataError: It is another one, or gone.
        """
        if self._stat is None:
            return
        try:
            now = self._files.stat(self.path)
            if now != self._stat and self._files.sha256(self.path) != self._sha256:
                raise DataError(CHANGED)
        except FileNotFoundError:
            raise DataError(CHANGED) from None
        self._stat = now

    def drop(self) -> None:
        """Keep no bytes of it in memory; its hash stays what it was."""
        self._held, self._content, self._blocks = False, None, []

    def _hold(self) -> tuple[bytes | None, list[bytes]]:
        """Its bytes, or the hashes of its blocks, after a pass over the file where they are not at hand."""
        with self._lock:
            if not self._held:
                self._read()
            return self._content, self._blocks

    def _read(self) -> None:
        stat = self._files.stat(self.path)
        keep = stat.size <= self._room()
        digest = FileHash(self._files.containers)
        blocks: list[bytes] = []
        content = None
        with self._files.open_raw(self.path) as raw:
            data = raw.read(stat.size + 1 if keep else BLOCK)
            head, size = data[:HEAD_SIZE], len(data)
            digest.update(data)
            if keep:
                content = data
                if size > stat.size:
                    raise DataError(CHANGED)
            while data and not keep:
                blocks.append(_hash(data))
                data = raw.read(BLOCK)
                digest.update(data)
                size += len(data)
        sha256 = digest.recognised().sha256
        if self._sha256 not in ("", sha256):
            raise DataError(CHANGED)
        self._sha256, self._size, self._stat = sha256, size, stat
        self._held, self._content, self._blocks = True, content, blocks
        self._encryption = self._files.encryption_in(head)


class _CheckedBlocks(io.RawIOBase):
    """The bytes of an open file, each block compared with the one that was hashed."""

    def __init__(self, raw: IO[bytes], size: int, blocks: list[bytes]) -> None:
        self._raw, self._size, self._blocks = raw, size, blocks
        self._position = 0
        self._number, self._block = -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, begin + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        number, begin = divmod(self._position, BLOCK)
        if number >= len(self._blocks):
            return 0
        if number != self._number:
            self._raw.seek(number * BLOCK)
            block = self._raw.read(BLOCK)
            if _hash(block) != self._blocks[number]:
                raise DataError(CHANGED)
            self._number, self._block = number, block
        piece = self._block[begin : begin + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _hash(block: bytes) -> bytes:
    return hashlib.sha256(block).digest()
