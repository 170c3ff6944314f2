"""The plugin's own section of the configuration: `encryption`."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class EncryptionSettings:
    """How files are encrypted, beyond `use_encryption`, `encryption_mode` and `encryption_key_path`.

    Attributes:
        recipients: Who can read what is written: age (`age1…`) or SSH (`ssh-ed25519 …`) public keys.
        identity_file: The file with the private key (`AGE-SECRET-KEY-1…` or an OpenSSH key) that age files are read
            with, and a key that is locked for recipients is opened with; relative to the project. As private as a
            key file.
        strict_location: Refuse files that were written while the project lay in another folder.
        keyring: Take the key from the system's keyring (extra `[keyring]`).
    """

    recipients: list[str] = attrs.Factory(list)
    identity_file: str | None = None
    strict_location: bool = False
    keyring: bool = False
