"""Mode `age`: standard age files (https://age-encryption.org/v1), by way of pyrage.

pyrage encrypts from a file to a file. Until a file is closed, its bytes are parked in an anonymous temporary file,
encrypted with a key that exists in this process only: plain bytes never reach a disk, and reading can seek.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import ConfigurationError, EncryptionError
from pamola_tasks.protocols.files import ContentHash
from pamola_tasks_encryption.container import DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.errors import ExtraMissing, KeyDamaged, KeyMissing, Tampered, WrongKey
from pamola_tasks_encryption.header import KEY_SIZE, Binding
from pamola_tasks_encryption.private_files import read_private_file

if TYPE_CHECKING:
    from types import ModuleType

    from pamola_tasks.protocols import Project

_SPOOL_IN_MEMORY = 4 * 1024 * 1024


class AgeFormat:
    """How age files are recognised: by all their bytes, whatever the project."""

    encryption = "age"

    def __init__(self, project: Project) -> None: ...

    def stable_header(self, head: bytes) -> bytes:
        return head

    def recognised(self, sha256: str) -> ContentHash:
        return ContentHash(sha256)


def load_pyrage() -> ModuleType:
    """The package pyrage; ExtraMissing where it is not installed."""
    try:
        return importlib.import_module("pyrage")
    except ImportError:
        raise ExtraMissing(
            "age files need the package pyrage: pip install 'pamola-tasks-encryption[age]'"
            " (nothing was written, and no other mode is used instead)"
        ) from None


def parse_recipients(texts: Sequence[str]) -> list[Any]:
    """The public keys that age files are written for.

    Raises:
        KeyMissing, ConfigurationError, ExtraMissing: There is none, one is not a public key, or pyrage is missing.
    """
    pyrage = load_pyrage()
    if not texts:
        raise KeyMissing(
            "encryption_mode is age, but there are no recipients: set encryption.recipients to a list"
            " of public keys (`age-keygen` makes a pair)"
        )
    recipients = []
    for number, text in enumerate(texts, 1):
        kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
        try:
            recipients.append(kind.Recipient.from_str(text))
        except pyrage.RecipientError:
            raise ConfigurationError(
                f"encryption.recipients: entry {number} is not an age or SSH public key (age1…, ssh-ed25519 …)"
            ) from None
    return recipients


def load_identities(path: Path | None) -> list[Any]:
    """The private keys that age files are read with, from a file that is as private as a key file.

    Raises:
        KeyMissing, KeyRefused, KeyDamaged: The file is not named, not there, not private, or holds no private key.
    """
    pyrage = load_pyrage()
    if path is None:
        raise KeyMissing("reading an age file needs a private key: set encryption.identity_file to the file it is in")
    content = read_private_file(path, "encryption.identity_file")
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return [pyrage.ssh.Identity.from_buffer(content)]
        lines = [line.strip() for line in content.decode("ascii").splitlines()]
        identities = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (pyrage.IdentityError, UnicodeDecodeError):
        identities = []
    if not identities:
        raise KeyDamaged(f"encryption.identity_file: {path} holds no age or SSH private key; nothing was changed")
    return identities


class AgeWriter(EncryptingWriter):
    """Parks what is written, and writes it as one age file to `raw` when it is closed."""

    def __init__(self, raw: IO[bytes], recipients: Sequence[Any]) -> None:
        self._pyrage = load_pyrage()
        self._target = raw
        self._recipients = list(recipients)
        self._spool, self._spool_key = _spool(), os.urandom(KEY_SIZE)
        super().__init__(self._spool, self._spool_key, Binding())

    def close(self) -> None:
        """Write the age file."""
        if self.closed:
            return
        super().close()
        self._spool.seek(0)
        with self._spool, DecryptingReader(self._spool, self._spool_key, Binding()) as plain:
            try:
                self._pyrage.encrypt_io(plain, self._target, self._recipients)
            except self._pyrage.EncryptError as error:
                raise EncryptionError(f"the age file could not be written: {error}") from error

    def discard(self) -> None:
        """Give the file up: nothing is written."""
        if not self.closed:
            super().discard()
            self._spool.close()


class AgeReader(DecryptingReader):
    """The plain bytes of an age file, which was verified whole before the first of them is given out."""

    def __init__(self, raw: IO[bytes], identities: Sequence[Any]) -> None:
        self._spool, key = _spool(), os.urandom(KEY_SIZE)
        pyrage = load_pyrage()
        parked = EncryptingWriter(self._spool, key, Binding())
        try:
            pyrage.decrypt_io(raw, parked, list(identities))
        except (pyrage.DecryptError, OSError) as error:
            self._spool.close()
            if getattr(error, "errno", None) is not None:  # the disk's own error; pyrage's have no number
                raise
            if "matching" in str(error).lower():
                raise WrongKey("the age file was not written for the private key in encryption.identity_file") from None
            raise Tampered(f"the age file was altered or is not whole: {error}") from None
        parked.close()
        self._spool.seek(0)
        super().__init__(self._spool, key, Binding())

    def close(self) -> None:
        """Forget the parked bytes."""
        super().close()
        self._spool.close()


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_SPOOL_IN_MEMORY)
