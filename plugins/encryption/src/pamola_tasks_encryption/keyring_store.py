"""The system's keyring as a place for the key: extra `pamola-tasks-encryption[keyring]`.

Backends that keep passwords as readable text, or nowhere, are refused.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pamola_tasks_encryption.errors import ExtraMissing, KeyMissing, KeyRefused
from pamola_tasks_encryption.keys import KeyStore

if TYPE_CHECKING:
    from types import ModuleType

_SERVICE = "pamola-tasks"
# `keyrings.alt` says of itself that its file backends are for tests; `fail` and `null` keep nothing.
_REFUSED_MODULES = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
_REFUSED_WORDS = ("plaintext", "null")


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
