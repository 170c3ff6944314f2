"""What can go wrong with keys and encrypted files: one class for each thing a person would do differently about."""

from __future__ import annotations

from pamola_tasks.errors import EncryptionError


class KeyMissing(EncryptionError):
    """There is no key where one is needed."""

    code = "key_missing"


class KeyRefused(EncryptionError):
    """A key file is there, but others can read it, it is not ours, or it is not a regular file."""

    code = "key_refused"


class KeyDamaged(EncryptionError):
    """What should be a key is not one. It is left as it is."""

    code = "key_damaged"


class KeyLocked(EncryptionError):
    """The key is there, under a passphrase or for an age identity, and neither is available."""

    code = "key_locked"


class WrongKey(EncryptionError):
    """The file was encrypted with another key, or what was given opens no lock of the key."""

    code = "wrong_key"


class WrongPlace(EncryptionError):
    """The file was written by another project, task or role, or at another location."""

    code = "wrong_place"


class Tampered(EncryptionError):
    """The file was altered, truncated or damaged, or is not an encrypted file at all."""

    code = "tampered"


class ExtraMissing(EncryptionError):
    """An optional package that the chosen mode needs is not installed."""

    code = "extra_missing"


def damaged(source: str, why: str) -> KeyDamaged:
    """The error of a key that cannot be read as one."""
    return KeyDamaged(f"invalid key {source}: {why}. Nothing was changed; restore the key from your backup")
