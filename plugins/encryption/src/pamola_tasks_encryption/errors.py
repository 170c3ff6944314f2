"""What can go wrong with keys and encrypted files: one class for each thing a person would do differently about."""

from __future__ import annotations

from pamola_tasks.errors import EncryptionError


class KeyMissing(EncryptionError, code="key_missing"):
    """There is no key where one is needed."""


class KeyRefused(EncryptionError, code="key_refused"):
    """A key file is there, but others can read it, it is not ours, or it is not a regular file."""


class KeyDamaged(EncryptionError, code="key_damaged"):
    """What should be a key is not one. It is left as it is."""


class KeyLocked(EncryptionError, code="key_locked"):
    """The key is there, under a passphrase or for an age identity, and neither is available."""


class WrongKey(EncryptionError, code="wrong_key"):
    """The file was encrypted with another key, or what was given opens no lock of the key."""


class WrongPlace(EncryptionError, code="wrong_place"):
    """The file was written by another project, task or role, or at another location."""


class Tampered(EncryptionError, code="tampered"):
    """The file was altered, truncated or damaged, or is not an encrypted file at all."""


class ExtraMissing(EncryptionError, code="extra_missing"):
    """An optional package that the chosen mode needs is not installed."""


def damaged(source: str, why: str) -> KeyDamaged:
    """The error of a key that cannot be read as one."""
    return KeyDamaged(f"invalid key {source}: {why}. Nothing was changed; restore the key from your backup")
