"""Where the project's key is, where it comes from, and when it is refused.

What is missing, damaged or readable by others is an error that says so. Keys are written by commands only, as files
that other users cannot read from their first moment, and never over another.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks.errors import EncryptionError
from pamola_tasks.secret import read_key_descriptor, withheld
from pamola_tasks_encryption import header
from pamola_tasks_encryption.errors import ExtraMissing, KeyDamaged, KeyMissing, KeyRefused
from pamola_tasks_encryption.folders import Folders
from pamola_tasks_encryption.header import KEY_SIZE
from pamola_tasks_encryption.keyfile import KeyDocument, Means
from pamola_tasks_encryption.private_files import (
    key_directory,
    no_core_dumps,
    read_private_file,
    write_private_file,
)

_PROJECT_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_SERVICE = "pamola-tasks"  # of the system's keyring
# `keyrings.alt` says of itself that its file backends are for tests; `fail` and `null` keep nothing.
_REFUSED_MODULES = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
_PATIENCE = 120  # seconds that a program has that prints a key: it may ask somebody
_REFUSED_WORDS = ("plaintext", "null")


class MemoryProtectedKey:
    """A key that shows itself only inside a `with` block, any number of times and from any thread.

    `with key as raw:` gives the 32 bytes. `repr`, formatting and pickling never do. `clear` overwrites the copy held
    here; Python gives no means to find and overwrite the copies that were handed out, so nothing more is promised.

    Args:
        key_material: The key, 32 bytes.
        key_id: What it is called; `key_` and eight digits of its fingerprint unless given.

    Attributes:
        fingerprint: Which key it is: the 16 hexadecimal digits that encrypted files carry, which do not reveal it.
    """

    def __init__(self, key_material: bytes, key_id: str | None = None) -> None:
        if len(key_material) != KEY_SIZE:
            raise KeyDamaged(f"a key has {KEY_SIZE} bytes, this one has {len(key_material)}")
        self._material = bytearray(key_material)
        self._cleared = False
        self.fingerprint = header.key_id(key_material).hex()
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
    """A key, and where it came from."""

    key: MemoryProtectedKey
    source: str  #: what named it: `PAMOLA_KEY`, a setting, a file's role
    previous: MemoryProtectedKey | None = None  #: the key that it replaces, while a rotation is under way


@attrs.frozen
class OpenKey:
    """A key as commands work with it."""

    document: KeyDocument
    key: bytes = attrs.field(repr=False)
    previous: bytes | None = attrs.field(repr=False)  #: the key that it replaces, while a rotation is under way

    @classmethod
    def of(cls, store: KeyStore, means: Means) -> OpenKey:
        """The key that a place holds; errors as those of `find_key`."""
        no_core_dumps()
        document = KeyDocument.parse(store.read(), store.name)
        key = document.open(means, store.name)
        if store.folders is not None:
            store.folders.check(store.name)
        return cls(document, key, document.previous(key, store.name))

    @property
    def by_id(self) -> dict[bytes, bytes]:
        """Both keys by their id."""
        found = {self.document.id: self.key}
        return found if self.previous is None else {**found, self.document.previous_id: self.previous}


def find_key(
    environ: Mapping[str, str],
    project_id: str = "",
    configured: Path | None = None,
    *,
    keyring: bool = False,
    command: Sequence[str] = (),
    means: Means | None = None,
    root: Path | None = None,
) -> ProjectKey:
    """The project's key, from the first source that is there (see `find_store`).

    A source that is there and cannot be used is an error; the next one is not tried. A locked key is opened with
    `means`, or with the passphrase in `PAMOLA_PASSPHRASE`. One that is found by the project's id is used in the folders
    that it is bound to (`Folders`), of which the project's `root` must be one, where that is given.

    Raises:
        KeyMissing: There is none.
        KeyLocked: It is locked, and nothing is given that opens it.
        KeyRefused: A key file that others can read, that is not ours, or that is not a regular file.
        KeyDamaged: What is there is no key.
    """
    store = find_store(environ, project_id, configured, keyring=keyring, command=command, root=root)
    opened = OpenKey.of(store, means or Means(passphrase=environ.get("PAMOLA_PASSPHRASE")))
    previous = MemoryProtectedKey(opened.previous) if opened.previous else None
    return ProjectKey(MemoryProtectedKey(opened.key), store.source, previous)


def find_store(
    environ: Mapping[str, str],
    project_id: str = "",
    configured: Path | None = None,
    *,
    keyring: bool = False,
    command: Sequence[str] = (),
    root: Path | None = None,
) -> KeyStore:
    """Where the key is, or would be.

    The order is `PAMOLA_KEY_FILE`, `PAMOLA_KEY_FD`, `PAMOLA_KEY_COMMAND`, `PAMOLA_KEY`, the configured file
    (`encryption_key_path`), the configured command (`encryption.key_command`), the system's keyring where it is asked
    for (`encryption.keyring`), the project's own file in `key_directory`.
    """
    if "PAMOLA_KEY_FILE" in environ:
        return KeyFileStore(Path(environ["PAMOLA_KEY_FILE"]), "PAMOLA_KEY_FILE")
    if "PAMOLA_KEY_FD" in environ:
        return KeyStore("PAMOLA_KEY_FD", _from_descriptor(environ["PAMOLA_KEY_FD"]))
    if "PAMOLA_KEY_COMMAND" in environ:
        return KeyCommandStore(shlex.split(environ["PAMOLA_KEY_COMMAND"]), "PAMOLA_KEY_COMMAND")
    if "PAMOLA_KEY" in environ:
        return KeyStore("PAMOLA_KEY", environ["PAMOLA_KEY"])
    if configured is not None:
        return KeyFileStore(configured, "encryption_key_path")
    if command:
        return KeyCommandStore(command, "encryption.key_command")
    store = (
        KeyringStore(project_id) if keyring else KeyFileStore(default_key_file(project_id), "the project's key file")
    )
    store.folders = Folders(project_id, root) if root is not None else None
    return store


def _from_descriptor(said: str) -> str:
    """What the open file PAMOLA_KEY_FD held: it is read by now, unless this is no command."""
    read_key_descriptor()
    text = withheld.get("PAMOLA_KEY_FD", said)
    if text.isdecimal():
        raise KeyRefused(
            f"PAMOLA_KEY_FD: {said} is not open for reading here: open it (PAMOLA_KEY_FD=3 pamola-task … 3<FILE), or"
            " name the file with PAMOLA_KEY_FILE"
        )
    return text


def default_key_file(project_id: str = "") -> Path:
    """The key file of a project: `<project id>.key`, or `default.key` for a project without an id."""
    if project_id and not _PROJECT_ID.fullmatch(project_id):
        raise KeyRefused("the project's id (.pamola/id) is not a UUID and cannot name a key file")
    return key_directory() / f"{project_id or 'default'}.key"


def parse_key(content: bytes, source: str) -> MemoryProtectedKey:
    """The key in the text of a key file; KeyDamaged where it is none, or states the id of another."""
    return MemoryProtectedKey(KeyDocument.parse(content, source).open(Means(), source))


class KeyStore:
    """A place that holds the text of a key file. This one is an environment variable, which no command can change.

    Attributes:
        source: What named it, for messages.
        path: The file, where it is one.
        folders: Where the key may be used, if it was found by the project's id.
    """

    path: Path | None = None
    folders: Folders | None = None

    def __init__(self, source: str, text: str = "") -> None:
        self.source, self._text = source, text

    @property
    def name(self) -> str:
        """The place, for messages."""
        return self.source

    def read(self) -> bytes:
        """The text; KeyMissing if there is none."""
        return self._text.encode("utf-8", "replace")

    def create(self, text: str) -> None:
        """Write a new text; KeyRefused if there is one already."""
        self.replace(text)

    def replace(self, text: str) -> None:
        """Replace the text in one step."""
        raise KeyRefused(
            f"the key comes from {self.source}, which a command cannot change: unset it, or put the key into a file and"
            " name that with PAMOLA_KEY_FILE"
        )

    def retire(self, text: str, fingerprint: str) -> str:
        """Keep the text of a replaced key; returns where it is now."""
        self.replace(text)
        return ""


class KeyFileStore(KeyStore):
    """A key file."""

    def __init__(self, path: Path, source: str) -> None:
        super().__init__(source)
        self.path = self._path = path

    @property
    def name(self) -> str:
        return f"{self.source}: {self._path}"

    def read(self) -> bytes:
        return read_private_file(self._path, self.source)

    def create(self, text: str) -> None:
        write_private_file(self._path, text)

    def replace(self, text: str) -> None:
        write_private_file(self._path, text, replace=True)

    def retire(self, text: str, fingerprint: str) -> str:
        """Keep a copy in the folder `retired` beside the file."""
        path = self._path.parent / "retired" / f"{self._path.stem}-{fingerprint}.key"
        if not os.path.lexists(path):
            write_private_file(path, text)
        elif read_private_file(path, "the retired key") != text.encode():
            raise KeyRefused(f"{path} is there, with other content than the key that is to be kept there")
        return str(path)


class KeyCommandStore(KeyStore):
    """A program that prints the text; what it says besides goes to its stderr, which is ours."""

    def __init__(self, command: Sequence[str], source: str) -> None:
        super().__init__(source)
        self._command = list(command)

    def read(self) -> bytes:
        import subprocess

        if not self._command:
            raise KeyRefused(f"{self.source} is empty: name a program that prints the key, or unset it")
        try:
            done = subprocess.run(self._command, stdout=subprocess.PIPE, timeout=_PATIENCE, check=False)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            reason = getattr(error, "strerror", None) or f"it took more than {_PATIENCE} seconds"
            raise KeyRefused(f"{self.source}: no key from {self._command[0]}: {reason}") from None
        if done.returncode:
            raise KeyRefused(
                f"{self.source}: no key from {self._command[0]}, which ended with {done.returncode}: run it by hand"
            )
        return done.stdout


class KeyringStore(KeyStore):
    """An entry of the system's keyring. Backends that keep passwords as readable text, or nowhere, are refused.

    Raises:
        ExtraMissing: The extra `pamola-tasks-encryption[keyring]` is not installed.
        KeyRefused: The keyring's backend is one of those.
    """

    def __init__(self, project_id: str) -> None:
        super().__init__("the system's keyring")
        self._entry = project_id or "default"
        try:
            self._keyring = importlib.import_module("keyring")
        except ImportError:
            raise ExtraMissing(
                "encryption.keyring needs the package keyring: pip install 'pamola-tasks-encryption[keyring]'"
                " (nothing was written, and no other source of keys is used instead)"
            ) from None
        backend = self._keyring.get_keyring()
        for kind in map(type, getattr(backend, "backends", None) or [backend]):
            refused = any(word in kind.__name__.lower() for word in _REFUSED_WORDS)
            if refused or kind.__module__.startswith(_REFUSED_MODULES):
                raise KeyRefused(
                    f"the keyring of this system is {kind.__module__}.{kind.__name__}, which keeps secrets as readable"
                    " text or not at all: set up a real one, or keep the key in a key file"
                )

    @property
    def name(self) -> str:
        return f"{self.source}: {_SERVICE}/{self._entry}"

    def read(self) -> bytes:
        text = self._keyring.get_password(_SERVICE, self._entry)
        if text is None:
            raise KeyMissing(f"{self.name} holds no key: `pamola-task keys init` makes one there")
        return str(text).encode("utf-8", "replace")

    def create(self, text: str) -> None:
        if self._keyring.get_password(_SERVICE, self._entry) is not None:
            raise KeyRefused(f"{self.name} is there already, and no key is ever written over another")
        self.replace(text)

    def replace(self, text: str) -> None:
        self._keyring.set_password(_SERVICE, self._entry, text)

    def retire(self, text: str, fingerprint: str) -> str:
        """Keep a replaced key as an entry of its own."""
        entry = f"{self._entry}-retired-{fingerprint}"
        self._keyring.set_password(_SERVICE, entry, text)
        return f"{self.source}: {_SERVICE}/{entry}"
