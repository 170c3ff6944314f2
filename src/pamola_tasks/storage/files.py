"""Durable publishing, and names that are safe to publish under: the only place that knows how.

`Files` is what a run opens everything with (`run.files`): it uses the path guard, hashes what is written, and encrypts
the roles that the configuration says.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import EncryptionError, PathSecurityError
from pamola_tasks.protocols.files import ContentHash, FileEncryption, PublishedFile
from pamola_tasks.storage.hashing import HEAD_SIZE, Containers, HashedWriter, recognise
from pamola_tasks.storage.system import LOCK_TIMEOUT
from pamola_tasks.storage.trust import believe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pamola_tasks.protocols.files import Encryption, PathGuard, PathLike, Role, Stat

SHARED_ROLES = frozenset({"data", "artifact", "report"})
PRIVATE_ROLES = SHARED_ROLES | {"state"}
ENCRYPTED_ROLES = frozenset({"data", "artifact", "state"})
TEMPORARY_MARK = ".tmp-pamola-"
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(f"{d}{n}" for d in ("COM", "LPT") for n in range(1, 10))}
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def temporary_name(name: str) -> str:
    """A fresh name beside `name`, which `is_temporary` recognises."""
    return f"{_beginning(name)}{os.urandom(6).hex()}"


def is_temporary(name: str, of: Collection[str] | None = None) -> bool:
    """Whether a file of this name was left behind by a publication that never ended.

    Args:
        name: The file's name, without folders.
        of: Only if it was to get one of these names.
    """
    if of is None:
        return name.startswith(".") and TEMPORARY_MARK in name
    return any(name.startswith(_beginning(wanted)) for wanted in of)


def _beginning(name: str) -> str:
    return f".{os.fsencode(name)[:80].decode('utf-8', 'ignore')}{TEMPORARY_MARK}"


def check_name(name: str, what: str) -> str:
    """The name, refused where it could not be one plain file name on every system.

    Args:
        name: A task id, step id, or the name of a dataset or artifact that becomes a file.
        what: What it names, for the message.

    Raises:
        PathSecurityError: It has a separator or a control character, a dot at an end, is reserved, or too long.
    """
    if not isinstance(name, str) or not name or name != name.strip():
        raise PathSecurityError(
            f"{what}: invalid name {name!r}: must be a non-empty string without leading or trailing spaces"
        )
    bad = [c for c in name if c in '/\\:*?"<>|' or ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000]
    for wrong, problem in (
        (bad, f"it contains {''.join(bad[:1])!r}"),
        (name.startswith(".") or name.endswith("."), "it starts or ends with a dot"),
        (name.partition(".")[0].upper() in _DEVICES, "reserved by the operating system"),
        (not name.isprintable(), "it contains invisible characters"),
    ):
        if wrong:
            raise PathSecurityError(f"{what}: invalid name {name!r}: {problem}")
    if len(os.fsencode(name)) > 200:
        raise PathSecurityError(f"{what}: invalid name {name[:40]!r}…: longer than 200 bytes")
    return name


class OutputFile(PublishedFile):
    """A file being published. Write plain bytes; after the block, `sha256`, `size` and `encrypted` describe it.

    `close` only flushes, because libraries close what they are given: the file appears when its block ends.
    """

    def __init__(self, target: IO[bytes], hashed: HashedWriter, *, encrypted: bool) -> None:
        self._target = target
        self._hashed = hashed
        self._position = 0
        self.encrypted = encrypted
        self.sha256 = ""
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._target.write(view)
        self._position += len(view)
        return len(view)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing to do before the block ends: what was not published can be lost."""

    def close(self) -> None:
        """Does nothing; see the class."""

    def _finish(self) -> None:
        if self.encrypted:
            self._target.close()
        self.sha256 = self._hashed.recognised().sha256
        self.size = self._hashed.size


class Files:
    """Opens and publishes files by name, safely, in one way. Methods named as those of the path guard do the same.

    Args:
        guard: Turns names into open files.
        veto: Called with (name, purpose) before each access; raises to forbid.
        containers: Formats whose bytes can change while what they hold stays, for hashes.
        shared: Whether the group may read results; all else is its owner's alone.
        lock_timeout: Seconds that a journal locked by another program is waited for.
    """

    def __init__(
        self,
        guard: PathGuard,
        veto: Callable[[str, str], None] | None = None,
        containers: Containers | None = None,
        shared: bool = False,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        self.guard = guard
        self.containers = containers
        self.shared = shared
        self.lock_timeout = lock_timeout
        self._veto = veto
        self._encryption: Encryption | None = None
        self._owner_of: Callable[[str], str] = lambda path: ""

    @property
    def root(self) -> Path:
        return self.guard.root

    def encrypting(self, encryption: Encryption | None, owner_of: Callable[[str], str] | None = None) -> Files:
        """The same files for a run that encrypts, or can read what is encrypted.

        `owner_of` gives the task that a path belongs to, which encrypted files are bound to; none unless given.
        """
        files = Files(self.guard, self._veto, self.containers, self.shared, self.lock_timeout)
        files._encryption = encryption
        files._owner_of = owner_of or files._owner_of
        return files

    def name(self, path: PathLike) -> str:
        """A path as text: relative to the root with `/` where it is under it, else as it is."""
        text = os.fspath(path)
        if os.path.isabs(text):
            with contextlib.suppress(ValueError):
                return Path(text).relative_to(self.root).as_posix()
        return text

    def _checked(self, path: PathLike, purpose: str) -> str:
        name = os.fspath(path)
        if self._veto is not None:
            self._veto(name, purpose)
        return name

    @contextlib.contextmanager
    def open(self, path: PathLike, role: Role) -> Iterator[IO[bytes]]:
        """Open a file for reading; what is encrypted is decrypted and verified while it is read.

        Args:
            path: Relative to the project's root, or absolute and within an allowed root.
            role: What the file is, which must be what it was written as, where it is encrypted.

        Raises:
            PathSecurityError: The path is refused.
            EncryptionError: It is encrypted and cannot be decrypted here.
            UntrustedError: Its role is `config`, and others could have written it.
        """
        with self.open_raw(path) as raw, self.plain(raw, path, role) as file:
            if role == "config":
                with contextlib.suppress(io.UnsupportedOperation):  # files in memory are nobody's
                    believe(self.root / path, self.root, os.fstat(raw.fileno()))
            yield file

    @contextlib.contextmanager
    def plain(self, raw: IO[bytes], path: PathLike, role: Role) -> Iterator[IO[bytes]]:
        """The same for the bytes of a file, or a copy of them, at their beginning and able to seek."""
        head = raw.read(HEAD_SIZE)
        raw.seek(0)
        if self._encryption is not None and self._encryption.is_encrypted(head):
            with self._encryption.reader(raw, role=role, task_id=self._owner_of(os.fspath(path))) as plain:
                yield plain
        elif self._stated_mode(head):
            raise EncryptionError(f"{path} is encrypted, and this run has no encryption service that reads it")
        else:
            yield raw

    @contextlib.contextmanager
    def open_raw(self, path: PathLike) -> Iterator[IO[bytes]]:
        """Open a file for reading as it is on disk, encrypted or not."""
        with self.guard.open(self._checked(path, "read"), "rb") as raw:
            yield raw

    @contextlib.contextmanager
    def create(self, path: PathLike, role: Role, *, exclusive: bool = False) -> Iterator[OutputFile]:
        """Write a file that appears, whole, when the block ends without an exception.

        Args:
            path: Relative to the project's root, or absolute and inside it.
            role: What the file is; decides whether it is encrypted.
            exclusive: Refuse to replace a file that is there (`FileExistsError`).
        """
        name = self._checked(path, "write")
        encrypts = self.encrypts(role)
        shared = self.shared and role in SHARED_ROLES
        if shared:
            self.mkdirs(os.path.dirname(name) or ".")
        mode: dict[str, Any] = {"mode": 0o640 if shared else 0o600} if role in PRIVATE_ROLES else {}
        hashed: HashedWriter | None = None
        with (
            self.naming(name, lambda: hashed.wanted if hashed is not None else 0),
            self.guard.create(name, exclusive=exclusive, **mode) as raw,
        ):
            hashed = HashedWriter(raw, self.containers)
            target: IO[bytes] = hashed  # type: ignore[assignment]
            if encrypts:
                assert self._encryption is not None
                target = self._encryption.writer(target, role=role, task_id=self._owner_of(name))
            output = OutputFile(target, hashed, encrypted=encrypts)
            yield output
            output._finish()

    @contextlib.contextmanager
    def naming(self, path: PathLike, needed: Callable[[], int] = lambda: 0) -> Iterator[None]:
        """Give errors of the system from a block that writes a file the file's name, and a full disk its numbers.

        `needed` is asked, when the disk is full, how many bytes had to be written.
        """
        try:
            yield
        except OSError as error:
            name = error.filename
            if not isinstance(name, str) or is_temporary(name) or "/" not in name:
                name = self.name(path)
            if error.errno in _FULL:
                reason = f"{os.strerror(error.errno or 0)}: {self._numbers(needed())}"
            elif error.errno is not None and name != error.filename:
                reason = error.strerror or os.strerror(error.errno)
            else:
                raise
            raise OSError(error.errno, reason, name) from error

    def _numbers(self, needed: int) -> str:
        import shutil

        found = [f"{needed:,} bytes or more are needed"] if needed else []
        with contextlib.suppress(OSError):  # files in memory have no disk
            found.append(f"{shutil.disk_usage(self.root).free:,} bytes are free")
        return ", ".join(found)

    def write(self, path: PathLike, data: bytes | str, role: Role) -> OutputFile:
        """Publish a whole small file."""
        with self.create(path, role) as file:
            file.write(data.encode() if isinstance(data, str) else data)
        return file

    def read(self, path: PathLike, role: Role) -> bytes:
        """Read a whole small file."""
        with self.open(path, role) as file:
            return file.read()

    @contextlib.contextmanager
    def append(self, path: PathLike) -> Iterator[IO[bytes]]:
        """Open a file for appending (made when missing), unbuffered and unencrypted: journals and logs."""
        with self.guard.open(self._checked(path, "write"), "ab") as raw:
            yield raw

    def encrypts(self, role: Role) -> bool:
        """Whether files of this role are encrypted when this run writes them."""
        return role in ENCRYPTED_ROLES and self._encryption is not None and self._encryption.enabled

    def encryption_of(self, path: PathLike) -> FileEncryption:
        """How the bytes on the disk are encrypted, found by looking at them."""
        with self.open_raw(path) as raw:
            return self.encryption_in(raw.read(HEAD_SIZE))

    def encryption_in(self, head: bytes) -> FileEncryption:
        """The same for a file that begins with these bytes."""
        mode, service = self._stated_mode(head), self._encryption
        if service is None or not service.is_encrypted(head):
            return FileEncryption(mode or "none")
        return FileEncryption(mode or service.mode, service.file_key_id(head))

    def _stated_mode(self, head: bytes) -> str:
        return self.containers.encryption_in(head) if self.containers is not None else ""

    def refusal(self, path: PathLike) -> str:
        """Why an encrypted file cannot be read with the available keys, as far as its beginning shows; else nothing."""
        with self.open_raw(path) as raw:
            head = raw.read(HEAD_SIZE)
        if self._encryption is not None and self._encryption.is_encrypted(head):
            return self._encryption.refusal(head)
        return "this run has no encryption service that reads it" if self._stated_mode(head) else ""

    def sha256(self, path: PathLike) -> str:
        """The hash by which a file is recorded and recognised (see `hashing`), in hex."""
        return self.recognise(path).sha256

    def recognise(self, path: PathLike) -> ContentHash:
        """The same with what happened to the file's bytes since it was written."""
        with self.open_raw(path) as raw:
            return recognise(raw, self.containers)

    def stat(self, path: PathLike) -> Stat:
        return self.guard.stat(self._checked(path, "read"))

    def open_to_group(self, path: PathLike) -> bool:
        """Whether the group may read a file; also where it is not there, or has no permissions."""
        return not self.exists(path) or not (mode := self.stat(path).mode) or bool(mode & 0o040)

    def exists(self, path: PathLike) -> bool:
        return self.guard.exists(self._checked(path, "read"))

    def iter(self, path: PathLike = ".") -> Iterator[tuple[str, Stat]]:
        return self.guard.iter(self._checked(path, "list"))

    def mkdirs(self, path: PathLike) -> None:
        with self.naming(path):
            self.guard.mkdirs(self._checked(path, "mkdir"), 0o750 if self.shared else 0o700)

    def replace(self, source: PathLike, target: PathLike) -> None:
        with self.naming(target):
            self.guard.replace(self._checked(source, "write"), self._checked(target, "write"))

    def unlink(self, path: PathLike, *, missing_ok: bool = False) -> None:
        with self.naming(path):
            self.guard.unlink(self._checked(path, "delete"), missing_ok=missing_ok)

    def remove_tree(self, path: PathLike, *, missing_ok: bool = False) -> None:
        with self.naming(path):
            self.guard.remove_tree(self._checked(path, "delete"), missing_ok=missing_ok)
