"""Where the project's key comes from, and when it is refused.

What is missing, damaged or readable by others is an error that says so. Keys are written by commands only, as files
that other users cannot read from their first moment, and never over another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks.errors import EncryptionError
from pamola_tasks_encryption.errors import KeyDamaged, KeyRefused
from pamola_tasks_encryption.header import KEY_SIZE, key_id
from pamola_tasks_encryption.keyfile import KeyDocument, Means
from pamola_tasks_encryption.private_files import key_directory
from pamola_tasks_encryption.stores import EnvironmentStore, KeyFileStore, KeyringStore, KeyStore

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

    def __enter__(self) -> bytes:
        if self._cleared:
            raise EncryptionError(f"the key {self.key_id} was cleared from memory and cannot be used any more")
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

    A locked key is opened with `means`, or with the passphrase in `PAMOLA_PASSPHRASE`.

    Raises:
        KeyMissing: There is none.
        KeyLocked: It is locked, and nothing is given that opens it.
        KeyRefused: A key file that others can read, that is not ours, or that is not a regular file.
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
        return KeyringStore(project_id)
    return KeyFileStore(default_key_file(project_id), "the project's key file")


def default_key_file(project_id: str = "") -> Path:
    """The key file of a project: `<project id>.key`, or `default.key` for a project without an id."""
    if project_id and not _PROJECT_ID.fullmatch(project_id):
        raise KeyRefused("the project's id (.pamola/id) is not a UUID and cannot name a key file")
    return key_directory() / f"{project_id or 'default'}.key"


def parse_key(content: bytes, source: str) -> MemoryProtectedKey:
    """The key in the text of a key file or of `PAMOLA_KEY`.

    Raises:
        KeyDamaged: It is none, or is locked, or its id belongs to another key.
    """
    return MemoryProtectedKey(KeyDocument.parse(content, source).open(Means(), source))
