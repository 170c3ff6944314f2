"""`VerifiedFile`: a file that is hashed while it is first read, and from then on read as exactly those bytes.

The bytes of a small file are kept for all readers. Of a larger one each block is hashed besides, and compared before a
byte of it is handed out again, in whatever order it is read. Either way, versions of a file are never mixed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from pamola_tasks.errors import DataError, StepTimeout
from pamola_tasks.protocols import FileEncryption
from pamola_tasks.storage.hashing import HEAD_SIZE, FileHash
from pamola_tasks_data.expanding import Stream, check_sparse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pamola_tasks.protocols import Files, Role, RunServices, Stat

BLOCK = 1 << 20
_LONG = 1 << 30  # bytes of which the hash takes seconds
_TICK = 100_000_000  # ns: file systems note times at least so often
CHANGED = "it changed while this run read it: run again when nothing writes to it"


class Original(Protocol):
    """What a file is a copy of, somewhere else: it is recorded in the place of the copy."""

    @property
    def address(self) -> str: ...  #: what records and messages call it
    @property
    def sha256(self) -> str: ...  #: the hash of its bytes (hex), which are those that the copy holds
    @property
    def bytes(self) -> int: ...  #: their number
    @property
    def version(self) -> str: ...  #: what its source calls this state of it; empty where it has no name for it
    @property
    def columns(self) -> Sequence[str] | None: ...  #: names of its columns, where these are known without the copy
    def copy(self) -> str:
        """Make the copy where it is not there. The hash (hex) of the copy's bytes on the disk."""


class VerifiedFile:
    """One file, of a recorded hash if there is one.

    `room` says how many bytes of it may be kept in memory; `limit` is `data.expansion_limit`, for a sparse file.
    """

    def __init__(
        self,
        files: Files,
        path: str,
        sha256: str = "",
        room: Callable[[], int] = lambda: 0,
        limit: float = math.inf,
        original: Original | None = None,
    ) -> None:
        self.path = path
        self.original = original
        self._files = files
        self._sha256 = sha256
        self._room = room
        self._limit = limit
        self._lock = threading.Lock()
        self._stat: Stat | None = None
        self._dated = False
        self._encryption: FileEncryption | None = None
        self._content: bytes | None = None
        self._digest = FileHash()
        self._hashed = 0  # bytes
        self._blocks: list[bytes] = []  # their hashes
        self._complete = False
        self._deadline = math.inf

    @property
    def kept(self) -> int:
        """How many bytes of it are in memory."""
        return len(self._content or b"")

    @property
    def waits(self) -> bool:
        """Whether its hash can be left to who reads it."""
        if self.original is not None:
            return False
        self._note()
        return self._dated and not self._sha256 and not self._blocks and self.size > self._room()

    @property
    def sha256(self) -> str:
        """The hash by which the file is recorded and recognised."""
        if self.original is not None:
            return self.original.sha256
        if not self._sha256:
            self._hold(whole=True)
        return self._sha256

    def hash_for(self, name: str, run: RunServices | None) -> str:
        """The same; a `StepTimeout` if it takes longer than a step of the run that reads the dataset may."""
        if run is None or self._sha256 or self.original is not None:
            return self.sha256
        if self.size >= _LONG:
            run.logger.info("hashing %s (%d MiB), to see whether it changed", self.path, self.size >> 20)
        own = [step.options.timeout for step in run.plan if name in step.reads and step.options.timeout is not None]
        seconds = min(own) if own else getattr(run.config, "timeout", None)
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds
        try:
            return self.sha256
        finally:
            self._deadline = math.inf

    @property
    def size(self) -> int:
        """Its bytes on the disk."""
        return self._note().size

    @property
    def size_on_record(self) -> int:
        """The bytes of what is recorded: of a copy, its original."""
        return self.size if self.original is None else self.original.bytes

    @property
    def encryption_on_record(self) -> FileEncryption:
        """How these are encrypted."""
        return self.encryption if self.original is None else FileEncryption()

    @property
    def encryption(self) -> FileEncryption:
        """How its bytes on the disk are encrypted."""
        if self._encryption is None:
            self._encryption = self._files.encryption_of(self.path)
        return self._encryption

    @contextlib.contextmanager
    def open(self, role: Role) -> Iterator[IO[bytes]]:
        """Read it, decrypted where it is encrypted; refused, also while it is read, if it is not what was hashed."""
        content = self._hold()
        with contextlib.ExitStack() as stack:
            raw: IO[bytes] = io.BytesIO(content) if content is not None else stack.enter_context(self._checked())
            yield stack.enter_context(self._files.plain(raw, self.path, role))

    @contextlib.contextmanager
    def _checked(self) -> Iterator[IO[bytes]]:
        with self._files.open_raw(self.path) as raw:
            blocks = _Blocks(lambda number: self._block(raw, number), self.size)
            yield cast("IO[bytes]", io.BufferedReader(blocks, 1 << 16))

    def check(self) -> None:
        """Refuse the file where it is no longer the one that was read; re-hashed only if size or times have changed."""
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
        self._content = None

    def _note(self) -> Stat:
        if self._stat is None:
            if self.original is not None:
                self._sha256 = self.original.copy()
            self._stat = self._files.stat(self.path)
            # Later changes are seen by its times if it has some, and not those of this moment.
            self._dated = 0 < self._stat.ctime_ns < time.time_ns() - _TICK
        return self._stat

    def _hold(self, *, whole: bool = False) -> bytes | None:
        """Its bytes where they are kept; else None, once all of it is hashed unless that can wait for its readers."""
        with self._lock:
            if self._content is None and not self._complete:
                if not self._blocks:
                    self._begin()
                if self._content is None and (whole or self._sha256 or not self._dated):
                    with self._files.open_raw(self.path) as raw:
                        while not self._complete:
                            self._hash_next(raw)
                            if time.monotonic() > self._deadline:
                                said = f"hashed {self._hashed >> 20:,} of {self.size >> 20:,} MiB of {self.path}"
                                raise StepTimeout(f"{said} in the time that its step may take, and stopped")
            return self._content

    def _begin(self) -> None:
        before, self._stat = self._stat, None
        stat = self._note()
        if not self._sha256 and before not in (None, stat):
            self._stat = before
            raise DataError(CHANGED)
        self._digest, self._hashed = FileHash(self._files.containers), 0
        if stat.size <= self._room():
            with self._files.open_raw(self.path) as raw:
                content = raw.read(stat.size + 1)
            self._hash(content)
            self._end()
            self._content = content

    def _block(self, raw: IO[bytes], number: int) -> bytes:
        """A block, as it was when it was hashed, which it is now if no reader came so far; empty behind the last."""
        block = b""
        with self._lock:
            while number >= len(self._blocks) and not self._complete:
                block = self._hash_next(raw)
        if number >= len(self._blocks):
            return b""
        if not block:
            raw.seek(number * BLOCK)
            block = raw.read(BLOCK)
            if _hash(block) != self._blocks[number]:
                raise DataError(CHANGED)
        return block

    def _hash_next(self, raw: IO[bytes]) -> bytes:
        if not self._hashed:
            check_sparse(raw, self.size, self._limit)
        raw.seek(self._hashed)
        block = raw.read(BLOCK)
        self._hash(block)
        if block:
            self._blocks.append(_hash(block))
        if len(block) < BLOCK:
            self._end()
            self._complete = True
        return block

    def _hash(self, data: bytes) -> None:
        if not self._hashed:
            self._encryption = self._files.encryption_in(data[:HEAD_SIZE])
        self._digest.update(data)
        self._hashed += len(data)

    def _end(self) -> None:
        """All of it was hashed: refuse it where that is another hash than the recorded one, or it changed meanwhile."""
        sha256 = self._digest.recognised().sha256
        same = sha256 == self._sha256 if self._sha256 else self._files.stat(self.path) == self._stat
        if not same or self._hashed != self.size:
            raise DataError(CHANGED)
        self._sha256 = sha256


class _Blocks(Stream):
    """A file that is read block by block."""

    def __init__(self, block: Callable[[int], bytes], size: int) -> None:
        self._read_block = block
        self._size = size
        self._position = 0
        self._number, self._block = -1, b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, begin + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        number, begin = divmod(self._position, BLOCK)
        if number != self._number:
            self._number, self._block = number, self._read_block(number)
        piece = self._block[begin : begin + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _hash(block: bytes) -> bytes:
    return hashlib.sha256(block).digest()
