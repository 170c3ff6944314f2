"""What the forerunner gave to operations, and asked about keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from pamola_tasks.errors import EncryptionError
from pamola_tasks.kernel import Kernel
from pamola_tasks_compat.owners import owned


class EncryptionContext:
    """What an operation may be given: it encrypts and decrypts for its task, and does not show the key.

    Args:
        mode: How it encrypts.
        key_fingerprint: Which key it uses; empty without.
        manager: Does the work; a context without one describes a mode.
    """

    def __init__(self, mode: Any, key_fingerprint: str = "", manager: Any = None) -> None:
        self.mode = mode
        self.key_fingerprint = key_fingerprint
        self._manager = manager

    @classmethod
    def of(cls, manager: Any) -> Self:
        """The context of an encryption service."""
        mode = owned("encryption", "pamola_tasks_encryption", "EncryptionMode")
        return cls(mode(manager.mode), manager.key_id, manager)

    @property
    def can_encrypt(self) -> bool:
        """Whether `encrypt_data` works."""
        return self._manager is not None and self.mode.value != "none"

    def to_dict(self) -> dict[str, Any]:
        """Mode, fingerprint and ability, for reports."""
        return {"mode": self.mode.value, "key_fingerprint": self.key_fingerprint, "can_encrypt": self.can_encrypt}

    def encrypt_data(self, data: bytes) -> bytes:
        """See `TaskEncryptionManager.encrypt_data`."""
        return bytes(self._able().encrypt_data(data))

    def decrypt_data(self, data: bytes) -> bytes:
        """See `TaskEncryptionManager.decrypt_data`."""
        return bytes(self._able().decrypt_data(data))

    def derive_key(self, purpose: str) -> bytes:
        """See `TaskEncryptionManager.derive_key`."""
        return bytes(self._able().derive_key(purpose))

    def _able(self) -> Any:
        if self._manager is None:
            raise EncryptionError(
                "this encryption context only names a mode: it was not created by an encryption service"
            )
        return self._manager

    def __repr__(self) -> str:
        return f"EncryptionContext({self.mode.value!r}, {self.key_fingerprint!r})"


def is_master_key_exposed(project: str | Path | None = None) -> bool:
    """Whether another user could read or replace the key file of a project. Runs refuse such a key.

    Args:
        project: Its folder; the project of the current folder unless given.
    """
    run = Kernel.discover(project).services(None, upto="config")
    configured = run.config.encryption_key_path
    path = run.project.root / Path(configured).expanduser() if configured else None
    try:
        owned("encryption", "pamola_tasks_encryption.keys", "find_key")(os.environ, run.project.id, path)
    except EncryptionError as error:  # a key that is missing, damaged or locked is not exposed
        return error.code == "key_refused"
    return False
