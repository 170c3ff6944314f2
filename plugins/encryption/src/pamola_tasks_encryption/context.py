"""The modes, and what an operation may be given of the encryption service."""

from __future__ import annotations

import enum
from typing import Any, Protocol

from pamola_tasks.errors import ConfigurationError, EncryptionError
from pamola_tasks.parameters import closest


class Cipher(Protocol):
    """What encrypts and decrypts for a task (`TaskEncryptionManager`)."""

    def encrypt_data(self, data: bytes) -> bytes:
        """A whole encrypted file."""

    def decrypt_data(self, data: bytes) -> bytes:
        """What `encrypt_data` was given."""

    def derive_key(self, purpose: str) -> bytes:
        """32 bytes that belong to the key and this purpose."""


class EncryptionMode(enum.Enum):
    """How files are encrypted."""

    NONE = "none"
    SIMPLE = "simple"
    AGE = "age"

    @classmethod
    def from_string(cls, text: str) -> EncryptionMode:
        """The mode of this name.

        Raises:
            ConfigurationError: There is none: no other mode is taken instead.
        """
        try:
            return cls(text.strip().lower())
        except ValueError:
            names = [mode.value for mode in cls]
            meant = closest(text, names)
            hint = f"; did you mean {meant}?" if meant else ""
            raise ConfigurationError(f"encryption_mode: {text!r} is none of {', '.join(names)}{hint}") from None


class EncryptionContext:
    """What an operation may be given: it encrypts and decrypts for its task, and does not show the key.

    Args:
        mode: How it encrypts.
        key_fingerprint: Which key it uses; empty without.
        manager: Does the work; a context without one only tells.
    """

    def __init__(self, mode: EncryptionMode, key_fingerprint: str = "", manager: Cipher | None = None) -> None:
        self.mode = mode
        self.key_fingerprint = key_fingerprint
        self._manager = manager

    @property
    def can_encrypt(self) -> bool:
        """Whether `encrypt_data` works."""
        return self._manager is not None and self.mode is not EncryptionMode.NONE

    def to_dict(self) -> dict[str, Any]:
        """Mode, fingerprint and ability, for reports."""
        return {"mode": self.mode.value, "key_fingerprint": self.key_fingerprint, "can_encrypt": self.can_encrypt}

    def encrypt_data(self, data: bytes) -> bytes:
        """See `TaskEncryptionManager.encrypt_data`."""
        return self._able().encrypt_data(data)

    def decrypt_data(self, data: bytes) -> bytes:
        """See `TaskEncryptionManager.decrypt_data`."""
        return self._able().decrypt_data(data)

    def derive_key(self, purpose: str) -> bytes:
        """See `TaskEncryptionManager.derive_key`."""
        return self._able().derive_key(purpose)

    def _able(self) -> Cipher:
        if self._manager is None:
            raise EncryptionError("this encryption context only tells of a mode: it came from no encryption service")
        return self._manager

    def __repr__(self) -> str:
        return f"EncryptionContext({self.mode.value!r}, {self.key_fingerprint!r})"
