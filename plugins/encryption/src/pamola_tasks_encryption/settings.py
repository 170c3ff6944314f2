"""The plugin's own section of the configuration: `encryption`."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class EncryptionSettings:
    """Settings of the mode `age`; `simple` needs none.

    Attributes:
        recipients: Who can read what is written: age (`age1…`) or SSH (`ssh-ed25519 …`) public keys.
        identity_file: The file with the private key (`AGE-SECRET-KEY-1…` or an OpenSSH key) that age files are read
            with; relative to the project. As private as a key file.
    """

    recipients: list[str] = attrs.Factory(list)
    identity_file: str | None = None
