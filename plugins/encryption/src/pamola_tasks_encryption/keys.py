"""Where the project's key comes from, and when it is refused.

A key is never made here and never written: what is missing, damaged or readable by others is an error that says so.
"""

from __future__ import annotations

import base64
import binascii
import errno
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks.errors import EncryptionError
from pamola_tasks_encryption.errors import KeyDamaged, KeyMissing, KeyRefused
from pamola_tasks_encryption.header import KEY_SIZE, key_id

KEY_SCHEMA = 1
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
    """

    key: MemoryProtectedKey
    source: str
    path: Path | None = None


def fingerprint_of(key: bytes) -> str:
    """Which key this is: 16 hexadecimal digits, the same that encrypted files carry; they do not reveal the key."""
    return key_id(key).hex()


def find_key(environ: Mapping[str, str], project_id: str = "", configured: Path | None = None) -> ProjectKey:
    """The project's key, from the first source that is there.

    The order is `PAMOLA_KEY_FILE`, `PAMOLA_KEY`, the configured file (`encryption_key_path`), the project's own file in
    `key_directory`. A source that is there and cannot be used is an error; the next one is not tried.

    Raises:
        KeyMissing: There is none.
        KeyRefused: A key file that others can read, that is not ours, or that is no regular file.
        KeyDamaged: What is there is no key.
    """
    if "PAMOLA_KEY_FILE" in environ:
        return _from_file(Path(environ["PAMOLA_KEY_FILE"]), "PAMOLA_KEY_FILE")
    if "PAMOLA_KEY" in environ:
        return ProjectKey(parse_key(environ["PAMOLA_KEY"].encode("utf-8", "replace"), "PAMOLA_KEY"), "PAMOLA_KEY")
    if configured is not None:
        return _from_file(configured, "encryption_key_path")
    return _from_file(default_key_file(project_id), "the project's key file")


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
    text = content.strip()
    stated_id = None
    if text.startswith(b"{"):
        text, stated_id = _from_json(text, source)
    try:
        # Both alphabets of base64 are accepted, because tools that make keys use either.
        material = base64.b64decode(text.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except (binascii.Error, ValueError):
        raise _damaged(source, "its content is no base64") from None
    if len(material) != KEY_SIZE:
        raise _damaged(source, f"it holds {len(material)} bytes and not {KEY_SIZE}")
    if stated_id is not None and stated_id != fingerprint_of(material):
        raise _damaged(source, "the id it states does not belong to the key it holds")
    return MemoryProtectedKey(material)


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
        raise _damaged(f"{source}: {path}", "it is far too large for a key")
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


def _from_file(path: Path, source: str) -> ProjectKey:
    return ProjectKey(parse_key(read_private_file(path, source), f"{source}: {path}"), source, path)


def _from_json(text: bytes, source: str) -> tuple[bytes, str]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise _damaged(source, "its JSON cannot be read") from None
    schema = content.get("schema")
    if schema != KEY_SCHEMA:
        raise _damaged(source, f"it states a schema other than {KEY_SCHEMA}: a newer release may have written it")
    key, stated_id = content.get("key"), content.get("id")
    if not isinstance(key, str) or not isinstance(stated_id, str):
        raise _damaged(source, "its JSON has no text `key` or no text `id`")
    return key.encode("utf-8", "replace"), stated_id


def _damaged(source: str, why: str) -> KeyDamaged:
    return KeyDamaged(f"{source} is no usable key: {why}. Nothing was changed; restore the key from your backup")


def _missing(path: Path, source: str) -> str:
    return (
        f"there is no key; {source} would be {path}, which is not there. Set PAMOLA_KEY_FILE or PAMOLA_KEY, or make"
        f" a key with `(umask 077; mkdir -p '{path.parent}'; openssl rand -base64 32 > '{path}')` and keep a"
        " copy of it: without the key, what was encrypted is lost"
    )
