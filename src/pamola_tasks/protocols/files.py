"""How files are opened: the path guard, encryption, and formats whose bytes may change while their content stays."""

from __future__ import annotations

import io
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


Role = Literal["data", "artifact", "state", "report", "log", "config"]


class PathGuard(Protocol):
    """Turns names into open files, so that a check cannot be separated from a use (`SafeRoot`).

    A name is relative to the root, which is absolute and resolved, or absolute and inside it or inside an additional
    root (which are read-only). Everything refused raises `PathSecurityError`; what is merely not there raises the usual
    `OSError`, and does not exist.
    """

    @property
    def root(self) -> Path: ...
    def stat(self, name: str) -> Stat: ...  #: of a regular file; FileNotFoundError where there is none
    def exists(self, name: str) -> bool: ...  #: whether there is such a file or folder

    def extended(self, roots: Iterable[Path]) -> PathGuard:
        """The same guard with further roots, from which files may be read."""

    def open(self, name: str, mode: str = "rb") -> AbstractContextManager[IO[Any]]:
        """Open an existing regular file for reading.

        With `ab` it is made when missing, for appending without a buffer, and for reading what is there.
        """

    def create(
        self, name: str, *, exclusive: bool = False, parents: bool = True, mode: int | None = None
    ) -> AbstractContextManager[IO[bytes]]:
        """Write a file that appears under its name only when the block ends without an exception.

        Without `mode` it has the permissions of the file that it replaces, else 0600.
        """

    def mkdirs(self, name: str, mode: int = 0o700) -> None:
        """Make a directory and its parents; nothing happens where it is there."""

    def replace(self, source: str, target: str) -> None:
        """Rename, replacing the target; missing parents of the target are made."""

    def unlink(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a file or symbolic link (the link, not its target)."""

    def remove_tree(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a directory with all that is in it, following no link."""

    def iter(self, name: str = ".") -> Iterator[tuple[str, Stat]]:
        """The entries of a directory, sorted by name; links are reported as `other`."""


@attrs.frozen
class Stat:
    """What a guard knows of a file."""

    kind: str  #: `file`, `directory` or `other`
    size: int  #: in bytes
    mtime_ns: int  #: when its content was last written
    ctime_ns: int = 0  #: when it last changed in any way, which no program can set back; 0 if unknown
    mode: int = 0  #: its permissions; 0 if unknown


class Encryption(Protocol):
    """Encrypts what a run writes (`TaskEncryptionManager`).

    `mode` is `none`, `simple`, `age` or another plugin's own; `key_id` says which key is used, and is empty without:
    reports show them. `cleanup` forgets the key.
    """

    @property
    def enabled(self) -> bool:
        """Whether the run encrypts what it writes."""

    @property
    def mode(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    def get_encryption_info(self) -> dict[str, Any]: ...  #: for reports: mode, algorithm, key id; no key
    def cleanup(self) -> None: ...

    def writer(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """A file to write plain bytes to; closing it completes `raw` but does not close it."""

    def reader(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """A seekable file of plain bytes, every one of them verified before it is given out.

        `EncryptionError` without the right key, for another role or task, and where the file was altered.
        """

    def is_encrypted(self, head: bytes) -> bool:
        """Whether a file that begins with these (4,096, or all) bytes is one that `reader` is for."""

    def file_key_id(self, head: bytes) -> str:
        """The id of the key that a file beginning with these bytes was written with; empty when it does not say."""

    def refusal(self, head: bytes) -> str:
        """Why a file that starts with these bytes cannot be read with the available keys, if they show it; or ""."""

    def derive_key(self, purpose: str) -> bytes:
        """32 bytes that belong to the project's key and this purpose; EncryptionError where there is no key."""

    def record_key(self, purpose: str) -> bytes | None:
        """32 bytes that authenticate records of this purpose, also after a change of keys; None without a key."""


class ContainerFormat(Protocol):
    """A format whose bytes can change while what they hold stays, and how its files are recognised all the same.

    A format of encrypted files has an attribute `encryption` too, the mode, such as `age`: its files are never read as
    they are, whatever the encryption service is.
    """

    def stable_header(self, head: bytes) -> bytes:
        """The first 4,096 bytes of a file, or all, as they count in its hash: what may be rewritten as zeros, say."""

    def recognised(self, sha256: str) -> ContentHash:
        """For the hash of a file the one that it was recorded with when it was written: mostly the same."""


@attrs.frozen
class ContentHash:
    """A file as it is known."""

    sha256: str  #: in hex, as it was recorded when the file was written, or would be
    note: str = ""  #: what happened to its bytes since, for people


@attrs.frozen
class FileEncryption:
    """How a file is encrypted."""

    mode: str = "none"  #: as `Encryption.mode`
    key_id: str = ""  #: empty where the file does not say (age files name no key)

    @property
    def encrypted(self) -> bool:
        """Whether it is."""
        return self.mode != "none"


class PublishedFile(io.BufferedIOBase):
    """A file being published: write plain bytes to it; after the block the rest says what is on disk."""

    encrypted: bool  #: whether it is
    sha256: str  #: hash of the bytes on disk (hex)
    size: int  #: their number


PathLike = str | os.PathLike[str]


class Files(Protocol):
    """Opens and publishes files by name, safely, in one way: `run.files`, `project.files`.

    Names are relative to the project's root, or absolute and within an allowed root. Everything refused raises
    `PathSecurityError`. What each method does is documented with `pamola_tasks.storage.files.Files`;
    `stat`, `exists`, `iter`, `mkdirs`, `replace`, `unlink` and `remove_tree` do what those of `PathGuard` do.
    """

    guard: PathGuard  #: what paths are checked and files are opened by
    containers: Any  # formats whose bytes can change while their content stays
    lock_timeout: float  # seconds that a journal locked by another program is waited for

    @property
    def root(self) -> Path: ...
    def encrypting(self, encryption: Encryption | None, owner_of: Callable[[str], str] | None = None) -> Files: ...
    def name(self, path: PathLike) -> str: ...
    def open(self, path: PathLike, role: Role) -> AbstractContextManager[IO[bytes]]: ...
    def plain(self, raw: IO[bytes], path: PathLike, role: Role) -> AbstractContextManager[IO[bytes]]: ...
    def open_raw(self, path: PathLike) -> AbstractContextManager[IO[bytes]]: ...
    def create(
        self, path: PathLike, role: Role, *, exclusive: bool = False
    ) -> AbstractContextManager[PublishedFile]: ...
    def naming(self, path: PathLike, needed: Callable[[], int] = ...) -> AbstractContextManager[None]: ...
    def write(self, path: PathLike, data: bytes | str, role: Role) -> PublishedFile: ...
    def read(self, path: PathLike, role: Role) -> bytes: ...
    def append(self, path: PathLike) -> AbstractContextManager[IO[bytes]]: ...
    def encrypts(self, role: Role) -> bool: ...
    def encryption_of(self, path: PathLike) -> FileEncryption: ...
    def encryption_in(self, head: bytes) -> FileEncryption: ...
    def refusal(self, path: PathLike) -> str: ...
    def sha256(self, path: PathLike) -> str: ...
    def recognise(self, path: PathLike) -> ContentHash: ...
    def stat(self, path: PathLike) -> Stat: ...
    def exists(self, path: PathLike) -> bool: ...
    def iter(self, path: PathLike = ".") -> Iterator[tuple[str, Stat]]: ...
    def mkdirs(self, path: PathLike) -> None: ...
    def replace(self, source: PathLike, target: PathLike) -> None: ...
    def unlink(self, path: PathLike, *, missing_ok: bool = False) -> None: ...
    def remove_tree(self, path: PathLike, *, missing_ok: bool = False) -> None: ...
