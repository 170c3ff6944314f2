"""Places that hold the text of a key file: a file, an environment variable, the system's keyring.

The keyring needs the extra `pamola-tasks-encryption[keyring]`. Backends that keep passwords as readable text, or
nowhere, are refused.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks_encryption.errors import ExtraMissing, KeyMissing, KeyRefused
from pamola_tasks_encryption.private_files import read_private_file, write_private_file

if TYPE_CHECKING:
    from types import ModuleType

_SERVICE = "pamola-tasks"
# `keyrings.alt` says of itself that its file backends are for tests; `fail` and `null` keep nothing.
_REFUSED_MODULES = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
_REFUSED_WORDS = ("plaintext", "null")


class KeyStore:
    """A place that holds the text of a key file; one that cannot be written to refuses.

    Attributes:
        source: What named it, for messages.
        path: The file, where it is one.
    """

    source = ""
    path: Path | None = None

    @property
    def name(self) -> str:
        """The place, for messages."""
        return self.source

    def read(self) -> bytes:
        """The text; KeyMissing if there is none."""
        raise NotImplementedError

    def create(self, text: str) -> None:
        """Write a new text; KeyRefused if there is one already."""
        raise self._refusal()

    def replace(self, text: str) -> None:
        """Replace the text in one step."""
        raise self._refusal()

    def retire(self, text: str, fingerprint: str) -> str:
        """Keep the text of a replaced key.

        Returns:
            Where it is now.
        """
        raise self._refusal()

    def _refusal(self) -> KeyRefused:
        return KeyRefused(
            f"the key comes from {self.source}, which a command cannot change: unset it, or put the key into a file and"
            " name that with PAMOLA_KEY_FILE"
        )


class EnvironmentStore(KeyStore):
    """The variable `PAMOLA_KEY`, which can only be read."""

    source = "PAMOLA_KEY"

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> bytes:
        return self._text.encode("utf-8", "replace")


class KeyFileStore(KeyStore):
    """A key file.

    Args:
        path: Where it is.
        source: What named it.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.path = self._path = path
        self.source = source

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


class KeyringStore(KeyStore):
    """An entry of the system's keyring.

    Args:
        project_id: The project's id, or empty.
    """

    source = "the system's keyring"

    def __init__(self, project_id: str) -> None:
        self._entry = project_id or "default"
        self._keyring = load_keyring()

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


def load_keyring() -> ModuleType:
    """The keyring package, with a backend that keeps secrets.

    Raises:
        ExtraMissing: It is not installed.
        KeyRefused: Its backend keeps what it is given as readable text, or nowhere.
    """
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        raise ExtraMissing(
            "encryption.keyring needs the package keyring: pip install 'pamola-tasks-encryption[keyring]'"
            " (nothing was written, and no other source of keys is used instead)"
        ) from None
    backend = keyring.get_keyring()
    for one in getattr(backend, "backends", None) or [backend]:
        _refuse_open_backend(one)
    return keyring


def _refuse_open_backend(backend: Any) -> None:
    kind = type(backend)
    if kind.__module__.startswith(_REFUSED_MODULES) or any(word in kind.__name__.lower() for word in _REFUSED_WORDS):
        raise KeyRefused(
            f"the keyring of this system is {kind.__module__}.{kind.__name__}, which keeps secrets as readable text or"
            " not at all: set up a real one, or keep the key in a key file"
        )
