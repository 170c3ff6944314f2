"""The key of the register of releases: 32 random bytes, sealed by the project's key (AES-GCM) where there is one.

It is the register's own, so that hashes stay comparable when the project's key is changed, and where there is none.
"""

from __future__ import annotations

import json
import os
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pamola_tasks.errors import DataError, EncryptionError

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files

PURPOSE = "register of releases"


class RegisterKey:
    """The key in its file.

    Args:
        files: Where to open it.
        path: The file.
        wrapping: The project's key for it (32 bytes), None without one.
    """

    def __init__(self, files: Files, path: str, wrapping: bytes | None) -> None:
        self._files = files
        self._path = path
        self._wrapping = wrapping

    def get(self) -> bytes:
        """The key.

        Raises:
            DataError: It is missing or damaged.
            EncryptionError: It is sealed by a key of the project that is not available.
        """
        return self._read[0]

    def make(self, *, new: bool) -> None:
        """Make it, where the register is new; seal one that is not, where the project has a key by now."""
        sealed = False
        key = os.urandom(32)
        if not new:
            key, sealed = self._read
            if sealed or self._wrapping is None:
                return
        kept = key
        if self._wrapping is not None:
            nonce = os.urandom(12)
            kept = nonce + AESGCM(self._wrapping).encrypt(nonce, key, PURPOSE.encode())
        told = {"schema": 1, "sealed": self._wrapping is not None, "key": kept.hex()}
        self._files.write(self._path, json.dumps(told) + "\n", "config")

    @cached_property
    def _read(self) -> tuple[bytes, bool]:
        """The key, and whether it is sealed."""
        try:
            kept = json.loads(self._files.read(self._path, "config"))
            key, sealed = bytes.fromhex(kept["key"]), bool(kept["sealed"])
            if not sealed:
                return key, False
            if self._wrapping is None:
                raise EncryptionError(
                    f"the register of releases is sealed by the project's key ({self._path}), which is not available"
                )
            return AESGCM(self._wrapping).decrypt(key[:12], key[12:], PURPOSE.encode()), True
        except FileNotFoundError:
            raise DataError(
                f"the register of releases has lost its key: {self._path} is missing. What was released is unknown, so"
                f" nothing more can be compared with it: restore it from a copy"
            ) from None
        except InvalidTag:
            raise EncryptionError(f"{self._path} was sealed by another key of the project, or was changed") from None
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{self._path}, the key of the register of releases, is damaged: restore it from a copy"
            ) from None
