"""The vault of tokens: each token with its value, encrypted, from which `ReidentifyOperation` restores the values."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import attrs
import pandas as pd

from pamola_tasks import OperationContext
from pamola_tasks.errors import DataError, EncryptionError

from .columns import wrong
from .purposes import NO_PURPOSE

TOKEN_BYTES = 16
VAULT_BYTES = 32  # of a value in a vault, with its length, at least; longer ones take a power of two times as many


def stated_purpose(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: a text, or nothing."""
    if value is not None and (not isinstance(value, str) or not value):
        raise wrong(operation, attribute.name, "a text that is not empty", value)


def vault_keys(ctx: OperationContext, purpose: str) -> tuple[bytes, bytes]:
    """The key of tokens and the key of their vault, which has 64 bytes."""
    sealing = ctx.derive_key(f"{purpose} vault 1") + ctx.derive_key(f"{purpose} vault 2")
    return ctx.derive_key(f"{purpose} tokens"), sealing


def sealed_vault(tokens: dict[str, bytes], key: bytes, purpose: str) -> pd.DataFrame:
    """The vault of these values and their tokens: no two values share a token.

    Args:
        tokens: For each value the hash that its token is cut from.
        key: 64 bytes, for AES-256-SIV: deterministic, so that the same run writes the same bytes.
        purpose: What the key was derived for, which need not be secret.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    cipher = AESSIV(key)
    sealed: dict[str, str] = {}
    for value, digest in tokens.items():
        token = digest[:TOKEN_BYTES].hex()
        plain = _padded(value.encode("utf-8", "surrogatepass"))
        sealed[token] = base64.b64encode(cipher.encrypt(plain, [token.encode()])).decode()
    if len(sealed) != len(tokens):
        raise DataError("two values have the same token, which happens once in 2^64 values: use another `purpose`")
    ordered = sorted(sealed.items())
    columns = {"token": [token for token, _ in ordered], "sealed": [text for _, text in ordered]}
    return pd.DataFrame({**columns, "purpose": [purpose] * len(ordered)}, dtype="string")


def purpose_in(vault: pd.DataFrame) -> str:
    """The purpose that a vault names."""
    return str(vault["purpose"].iloc[0]) if "purpose" in vault and len(vault) else NO_PURPOSE


def _padded(value: bytes) -> bytes:
    """A value behind its length, filled up so that its size says little: 28 bytes or less are all the same."""
    size = VAULT_BYTES
    while size < 4 + len(value):
        size *= 2
    return b"+" + (len(value).to_bytes(4, "big") + value).ljust(size, b"\0")


def _unpadded(plain: bytes) -> bytes:
    if plain[:1] == b"=":  # as vaults of earlier versions have it
        return plain[1:]
    return plain[5 : 5 + int.from_bytes(plain[1:5], "big")]


def opened_vault(vault: pd.DataFrame, key: bytes, name: str) -> dict[str, str]:
    """The values by token.

    Raises:
        EncryptionError: The key or the purpose is another one, or the vault was altered.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    cipher = AESSIV(key)
    values: dict[str, str] = {}
    for token, sealed in zip(vault["token"].astype(str), vault["sealed"].astype(str), strict=True):
        try:
            plain = cipher.decrypt(base64.b64decode(sealed, validate=True), [token.encode()])
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise EncryptionError(
                f"{name} cannot be opened: the project's key or the `purpose` is not the one that it was written with,"
                f" or it was altered"
            ) from error
        values[token] = _unpadded(plain).decode("utf-8", "surrogatepass")
    return values
