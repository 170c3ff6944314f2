"""Where the project's key comes from, and when it is refused.

What is missing, damaged or readable by others is an error that says so. Keys are written by commands only, as files
that nobody else can read from their first moment, and never over another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs

from pamola_tasks.errors import EncryptionError
from pamola_tasks.storage.files import temporary_name
from pamola_tasks_encryption.errors import KeyDamaged, KeyMissing, KeyRefused
from pamola_tasks_encryption.header import KEY_SIZE, key_id
from pamola_tasks_encryption.keyfile import KeyDocument, Means, damaged

_MAX_KEY_FILE = 64 * 1024
_PROJECT_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


class MemoryProtectedKey:
    """A key that shows itself only inside a `with` block, any number of times and from any thread.

    `with key as raw:` gives the 32 bytes. `repr`, formatting and pickling never do. `clear` overwrites the copy held
    here; Python gives no means to find and overwrite the copies that were handed out, so nothing more is promised.

    Args:
        key_material: The key, 32 bytes.
        key_id: What it is called; `key_` and eight digits of its fingerprint unless given.
    """

    def __init__(self, key_material: bytes, key_id: str | None = None) -> None:
        if len(key_material) != KEY_SIZE:
            raise KeyDamaged(f"a key has {KEY_SIZE} bytes, this one has {len(key_material)}")
        self._material = bytearray(key_material)
        self._cleared = False
        self.fingerprint = fingerprint_of(key_material)
        self.key_id = key_id or f"key_{self.fingerprint[:8]}"
        self.has_been_used = False

    def __enter__(self) -> bytes:
        if self._cleared:
            raise EncryptionError(f"the key {self.key_id} was cleared from memory and cannot be used any more")
        self.has_been_used = True
        return bytes(self._material)

    def __exit__(self, *_: object) -> None:
        return None

    def clear(self) -> None:
        """Overwrite the key and refuse any further use."""
        self._cleared = True
        self._material[:] = bytes(len(self._material))

    def __repr__(self) -> str:
        return f"MemoryProtectedKey({self.key_id!r})"

    def __reduce__(self) -> Any:
        raise EncryptionError("a key cannot be pickled or copied: another process has to load it from its source")


@attrs.frozen
class ProjectKey:
    """A key, and where it came from.

    Attributes:
        key: The key.
        source: What named it, for messages and reports: `PAMOLA_KEY`, a setting, a file's role. Never the key.
        path: The file it was read from, if any.
        previous: The key that this one replaces, while a rotation is under way.
    """

    key: MemoryProtectedKey
    source: str
    path: Path | None = None
    previous: MemoryProtectedKey | None = None


def fingerprint_of(key: bytes) -> str:
    """Which key this is: 16 hexadecimal digits, the same that encrypted files carry; they do not reveal the key."""
    return key_id(key).hex()


def find_key(
    environ: Mapping[str, str],
    project_id: str = "",
    configured: Path | None = None,
    *,
    keyring: bool = False,
    means: Means | None = None,
) -> ProjectKey:
    """The project's key, from the first source that is there.

    A source that is there and cannot be used is an error; the next one is not tried. See `find_store` for the order.

    Args:
        environ: Environment variables.
        project_id: The project's id, or empty.
        configured: `encryption_key_path`, absolute.
        keyring: Whether the system's keyring is a source.
        means: What a locked key is opened with; the passphrase in `PAMOLA_PASSPHRASE` unless given.

    Raises:
        KeyMissing: There is none.
        KeyLocked: It is locked, and nothing is given that opens it.
        KeyRefused: A key file that others can read, that is not ours, or that is no regular file.
        KeyDamaged: What is there is no key.
    """
    store = find_store(environ, project_id, configured, keyring=keyring)
    document = KeyDocument.parse(store.read(), store.name)
    key = document.open(means or Means(passphrase=environ.get("PAMOLA_PASSPHRASE")), store.name)
    previous = document.previous(key, store.name)
    return ProjectKey(
        MemoryProtectedKey(key), store.source, store.path, MemoryProtectedKey(previous) if previous else None
    )


def find_store(
    environ: Mapping[str, str], project_id: str = "", configured: Path | None = None, *, keyring: bool = False
) -> KeyStore:
    """Where the key is, or would be.

    The order is `PAMOLA_KEY_FILE`, `PAMOLA_KEY`, the configured file (`encryption_key_path`), the system's keyring
    where it is asked for (`encryption.keyring`), the project's own file in `key_directory`.
    """
    if "PAMOLA_KEY_FILE" in environ:
        return KeyFileStore(Path(environ["PAMOLA_KEY_FILE"]), "PAMOLA_KEY_FILE")
    if "PAMOLA_KEY" in environ:
        return EnvironmentStore(environ["PAMOLA_KEY"])
    if configured is not None:
        return KeyFileStore(configured, "encryption_key_path")
    if keyring:
        from pamola_tasks_encryption.keyring_store import KeyringStore

        return KeyringStore(project_id)
    return KeyFileStore(default_key_file(project_id), "the project's key file")


class KeyStore(Protocol):
    """A place that holds the text of a key file."""

    source: str
    path: Path | None

    @property
    def name(self) -> str:
        """The place, for messages."""
        ...

    def read(self) -> bytes:
        """The text; KeyMissing where there is none."""
        ...

    def create(self, text: str) -> None:
        """Put a text where there is none; KeyRefused where there is one."""
        ...

    def replace(self, text: str) -> None:
        """Put a text in place of the one there, in one step."""
        ...

    def retire(self, text: str, fingerprint: str) -> str:
        """Keep the text of a key that is replaced, and say where."""
        ...


class KeyFileStore:
    """A key file.

    Args:
        path: Where it is.
        source: What named it.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.path: Path | None = path
        self.source = source
        self._path = path

    @property
    def name(self) -> str:
        """What named it, and where it is."""
        return f"{self.source}: {self._path}"

    def read(self) -> bytes:
        """The content; see `read_private_file`."""
        return read_private_file(self._path, self.source)

    def create(self, text: str) -> None:
        """Write a new file; never over another."""
        write_private_file(self._path, text)

    def replace(self, text: str) -> None:
        """Write the file anew and rename it into place."""
        write_private_file(self._path, text, replace=True)

    def retire(self, text: str, fingerprint: str) -> str:
        """Keep a copy in the folder `retired` beside the file."""
        path = self._path.parent / "retired" / f"{self._path.stem}-{fingerprint}.key"
        if not os.path.lexists(path):
            write_private_file(path, text)
        elif read_private_file(path, "the retired key") != text.encode():
            raise KeyRefused(f"{path} is there, with other content than the key that is to be kept there")
        return str(path)


class EnvironmentStore:
    """The variable `PAMOLA_KEY`, which can only be read."""

    source = "PAMOLA_KEY"
    path: Path | None = None

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def name(self) -> str:
        """The variable."""
        return self.source

    def read(self) -> bytes:
        """Its value."""
        return self._text.encode("utf-8", "replace")

    def create(self, text: str) -> None:
        """Refused."""
        raise self._refusal()

    def replace(self, text: str) -> None:
        """Refused."""
        raise self._refusal()

    def retire(self, text: str, fingerprint: str) -> str:
        """Refused."""
        raise self._refusal()

    def _refusal(self) -> KeyRefused:
        return KeyRefused(
            "the key comes from PAMOLA_KEY, which a command cannot change: unset it, or put the key into a file and"
            " name that with PAMOLA_KEY_FILE"
        )


def write_private_file(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a small file that nobody else can read at any moment: made with mode 0600 in a folder of 0700.

    It appears whole under its name, and never over another unless `replace`.

    Raises:
        KeyRefused: There is a file of this name already, or the folder of keys is open to others.
    """
    try:
        _write_private_file(path, text, replace=replace)
    except FileExistsError:
        raise KeyRefused(f"{path} is there already, and no key is ever written over another") from None
    except OSError as error:
        raise KeyRefused(f"{path} cannot be written: {error.strerror or error}") from None


def _write_private_file(path: Path, text: str, *, replace: bool) -> None:
    _make_private_folder(path.parent)
    temporary = path.parent / temporary_name(path.name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(temporary, flags | getattr(os, "O_BINARY", 0), 0o600)
    try:
        try:
            with memoryview(text.encode()) as data:
                done = 0
                while done < len(data):
                    done += os.write(descriptor, data[done:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)  # unlike a rename, never over another
            os.unlink(temporary)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _make_private_folder(folder: Path) -> None:
    missing = []
    while not folder.is_dir() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        with contextlib.suppress(FileExistsError):  # made by another process just now
            os.mkdir(new, 0o700)
    home = key_directory()
    if hasattr(os, "geteuid") and home.is_dir() and stat.S_IMODE(home.stat().st_mode) & 0o077:
        raise KeyRefused(f"the folder of keys {home} is open to others: `chmod 700` it first")


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # folders have no descriptors there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def default_key_file(project_id: str = "") -> Path:
    """The key file of a project: `<project id>.key`, or `default.key` for a project without an id."""
    if project_id and not _PROJECT_ID.fullmatch(project_id):
        raise KeyRefused("the project's id (.pamola/id) is no UUID, so no key file can be named after it")
    return key_directory() / f"{project_id or 'default'}.key"


def key_directory() -> Path:
    """The folder of key files: `pamola-tasks/keys` in the user's data directory."""
    import platformdirs

    return platformdirs.user_data_path("pamola-tasks", appauthor=False) / "keys"


def parse_key(content: bytes, source: str) -> MemoryProtectedKey:
    """The key in the text of a key file or of `PAMOLA_KEY`.

    Args:
        content: 32 bytes in base64, or JSON `{"schema": 1, "id": …, "key": <base64>}`; blanks at both ends are dropped.
        source: Where it comes from, for messages.

    Raises:
        KeyDamaged: It is neither, or the id does not belong to the key.
    """
    return MemoryProtectedKey(KeyDocument.parse(content, source).open(Means(), source))


def read_private_file(path: Path, source: str) -> bytes:
    """Read a small file that nobody else may read: a key or an identity.

    Opened without following a symbolic link, and judged by what was opened, so that nothing can be exchanged between
    the check and the reading. Windows has neither owners nor modes to judge by; only links and kinds are looked at.

    Raises:
        KeyMissing, KeyRefused, KeyDamaged: See `find_key`.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
            raise OSError(errno.ELOOP, "symbolic link")
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise KeyMissing(_missing(path, source)) from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.ELOOP, errno.EMLINK):
            raise KeyRefused(
                f"{source}: {path} is a symbolic link; name the file itself, so that nobody can exchange the key"
            ) from None
        reason = getattr(error, "strerror", None) or error
        raise KeyRefused(f"{source}: {path} cannot be opened: {reason}") from None
    try:
        _judge(os.fstat(descriptor), path, source)
        content = b""
        while len(content) <= _MAX_KEY_FILE and (part := os.read(descriptor, _MAX_KEY_FILE + 1 - len(content))):
            content += part
    finally:
        os.close(descriptor)
    if len(content) > _MAX_KEY_FILE:
        raise damaged(f"{source}: {path}", "it is far too large for a key")
    return content


def _judge(found: os.stat_result, path: Path, source: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyRefused(f"{source}: {path} is no regular file")
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid != os.geteuid():
        raise KeyRefused(f"{source}: {path} belongs to another user; whoever owns it could read and exchange the key")
    if found.st_mode & 0o077:
        raise KeyRefused(
            f"{source}: {path} can be read or changed by others (mode {stat.S_IMODE(found.st_mode):04o});"
            f" if nobody did, `chmod 600` it, else make a new key"
        )


def _missing(path: Path, source: str) -> str:
    return (
        f"there is no key; {source} would be {path}, which is not there. Set PAMOLA_KEY_FILE or PAMOLA_KEY, or make"
        " a key with `pamola-task keys init` and keep its recovery sheet: without the key, what was encrypted is lost"
    )
