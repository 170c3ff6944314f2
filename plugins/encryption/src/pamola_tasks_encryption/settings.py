"""How files are encrypted: the modes, and the plugin's own section `encryption` of the configuration."""

from __future__ import annotations

import enum

import attrs

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.parameters import closest


class EncryptionMode(enum.StrEnum):
    """How files are encrypted. A member equals the text that configurations have, and is printed as that."""

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


@attrs.frozen(kw_only=True)
class EncryptionSettings:
    """How files are encrypted, beyond `use_encryption`, `encryption_mode` and `encryption_key_path`.

    Attributes:
        recipients: Public keys that can read the files: age (`age1…`) or SSH (`ssh-ed25519 …`).
        identity_file: The file with the private key (`AGE-SECRET-KEY-1…` or an OpenSSH key) that age files are read
            with, and a key that is locked for recipients is opened with; relative to the project. As private as a
            key file.
        strict_location: Refuse files that were written while the project was in another folder.
        key_command: A program with its arguments that prints the key, started without a shell. In the project file
            only, not in that of a task; PAMOLA_KEY_COMMAND is one as well.
        keyring: Take the key from the system's keyring (extra `[keyring]`).
    """

    recipients: list[str] = attrs.Factory(list)
    identity_file: str | None = None
    strict_location: bool = False
    key_command: list[str] = attrs.Factory(list)
    keyring: bool = False
