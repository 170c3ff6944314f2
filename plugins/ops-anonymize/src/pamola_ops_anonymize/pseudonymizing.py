"""Operations that replace values by pseudonyms, and those that can be reversed by the values again."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Literal, get_args

import attrs
import pandas as pd

from pamola_tasks import Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError, EncryptionError, ParameterError

from .alike import NearCollisions, Normalization, normalized
from .column_operation import ColumnOperation
from .columns import distinct_texts, one_of, require, rewrite, some_columns, some_of, text_column, with_texts, wrong
from .pseudonyms import Pseudonymizer, plain_texts

Method = Literal["hmac-sha256", "token"]

TOKEN_BYTES = 16
VAULT_BYTES = 32  # of a value in a vault, with its length, at least; longer ones take a power of two times as many
MOST_ALIKE = 20  # records for each different value, from which on a value can be recognised by its frequency
UNKEYED = frozenset({"hash", "plain", "unkeyed", *hashlib.algorithms_available})


def _keyed_method(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, str) and value.lower().replace("_", "-") in UNKEYED:
        raise ParameterError(
            f"{type(operation).__name__}: `{attribute.name}: {value}` is refused: without a key, anyone can hash all"
            f" existing e-mail addresses or numbers and look up the pseudonyms; use `hmac-sha256`, which needs the"
            f" project's key"
        )
    one_of(Method)(operation, attribute, value)


def _purpose(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise wrong(operation, attribute.name, "a text that is not empty", value)


def vault_keys(ctx: OperationContext, purpose: str) -> tuple[bytes, bytes]:
    """The key of tokens and the key of their vault, which has 64 bytes."""
    sealing = ctx.derive_key(f"{purpose} vault 1") + ctx.derive_key(f"{purpose} vault 2")
    return ctx.derive_key(f"{purpose} tokens"), sealing


class PseudonymizeOperation(ColumnOperation):
    """Replace values by pseudonyms that only the holder of the project's key can make or undo.

    `hmac-sha256` writes HMAC-SHA-256 of the value's UTF-8 text in hexadecimal (RFC 2104, FIPS 198-1) under
    `ctx.derive_key(purpose)`. `token` writes 32 hexadecimal digits and, beside the table, a vault with each token's
    value, encrypted by AES-SIV (RFC 5297), from which `ReidentifyOperation` restores the values. In both the same value
    gets the same pseudonym in every column, table and run of the project that has the same purpose; under another
    purpose the pseudonyms cannot be linked. Missing values stay missing. Pseudonymized data is still personal data
    (GDPR, article 4(5)).

    Args:
        input_dataset: The table.
        output_dataset: What the table with pseudonyms is called.
        columns: The columns whose values are replaced. Numbers and dates are taken as they are written.
        method: `hmac-sha256` or `token`. An unkeyed hash is refused.
        purpose: What the key is derived for: tables to be joined by pseudonym share it, others should not.
        vault_dataset: With `token`: what the vault is called. It has the columns `token` and `sealed`, sorted by token.
            Never hand it on with the table.
        on_identifiers: What happens to other columns of a published table that look like direct identifiers: `warn`
            keeps them, `drop` leaves them out, `fail` refuses to continue.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        normalize: What of a value does not count, so that spellings of one value get one pseudonym: `nfc` (how Unicode
            composes characters), `casefold` (case), `trim` (blanks around it, and invisible characters). Nothing unless
            set. With `token` the normalized value comes back.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_pseudonymized")
    method: Method = attrs.field(default="hmac-sha256", validator=_keyed_method)
    purpose: str = attrs.field(default="pseudonyms", validator=_purpose)
    vault_dataset: str | None = writes(None, internal=True)
    normalize: list[Normalization] = attrs.field(factory=list, validator=some_of(Normalization))

    version = "1.3"

    def __attrs_post_init__(self) -> None:
        if self.method == "token" and not self.vault_dataset:
            raise ParameterError(
                "PseudonymizeOperation: `method: token` needs a `vault_dataset`: without it no token could be reversed,"
                " and `hmac-sha256` does that"
            )
        if self.method != "token" and self.vault_dataset is not None:
            raise ParameterError("PseudonymizeOperation: `vault_dataset` belongs to `method: token`")

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Ask for the key first, then replace chunk by chunk; what was missing has to be missing still."""
        if self.method == "token":
            token_key, sealing_key = vault_keys(ctx, self.purpose)
            made = {name: Pseudonymizer(token_key, size=TOKEN_BYTES, keep=True) for name in self.columns}
        else:
            key = ctx.derive_key(self.purpose)
            made = {name: Pseudonymizer(key) for name in self.columns}
        require(ctx, self.input_dataset, {"columns": self.columns})
        replaced = dict.fromkeys(self.columns, 0)
        near = {name: NearCollisions() for name in self.columns}

        def replace(piece: pd.DataFrame) -> pd.DataFrame:
            written: dict[str, pd.Series[str]] = {}
            for name in self.columns:
                texts = plain_texts(piece[name])
                near[name].add(distinct_texts(piece[name])[1] if texts is None else texts)
                column = piece[name]
                if self.normalize:
                    column = with_texts(column, lambda text: normalized(text, self.normalize))
                written[name] = made[name].column(column)
                replaced[name] += int(written[name].notna().sum())
            return piece.assign(**written)

        rows, _, looks_like = self.rewritten(ctx, replace)
        metrics: dict[str, Any] = {
            "method": self.method,
            "purpose": self.purpose,
            "rows": rows,
            "cells_replaced": replaced,
            "cells_missing": {name: rows - count for name, count in replaced.items()},
            "normalize": list(self.normalize),
            "values_read_alike": {name: each.count for name, each in near.items()},
            **looks_like,
        }
        self._tell(ctx, metrics["values_read_alike"])
        few = [name for name in self.columns if 0 < near[name].distinct * MOST_ALIKE <= replaced[name]]
        if few:
            ctx.warn(
                f"{self.output_dataset}: {', '.join(few)} has few different values for its records, so that a pseudonym"
                f" can be recognised by how often it occurs. Drop such a column, or generalize it"
            )
        if self.vault_dataset is not None:
            known = {value: digest for each in made.values() for value, digest in each.known.items()}
            vault = sealed_vault(known, sealing_key)
            ctx.data.write(self.vault_dataset, vault)
            metrics["tokens"] = len(vault)
        return OperationResult.success(metrics)

    def _tell(self, ctx: OperationContext, alike: dict[str, int]) -> None:
        """Warn of spellings of one value, which have pseudonyms of their own."""
        for name, number in alike.items():
            if number and not set(self.normalize) >= set(get_args(Normalization)):
                ctx.warn(
                    f"{self.output_dataset}: {number:,} values of {name} differ from another only in case, blanks,"
                    f" Unicode form or invisible characters, and may have pseudonyms of their own: `normalize: [nfc,"
                    f" casefold, trim]` gives them one"
                )


class ReidentifyOperation(Operation):
    """Put the values back in place of tokens that `PseudonymizeOperation` wrote; needs the vault and the project's key.

    Each value is authenticated together with its token by AES-SIV (RFC 5297).

    Args:
        input_dataset: The table with tokens.
        vault_dataset: The vault that was written with it.
        output_dataset: What the table with values is called. The values come back as text.
        columns: The columns that hold tokens.
        purpose: As it was when the tokens were made.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    input_dataset: str = reads()
    vault_dataset: str = reads()
    output_dataset: str = writes("{input}_reidentified", internal=True)
    columns: list[str] = attrs.field(validator=some_columns)
    purpose: str = attrs.field(default="pseudonyms", validator=_purpose)
    output_format: str | None = None

    version = "1.0"
    category = "anonymization"

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Open the vault, then restore chunk by chunk; an unknown token fails the step."""
        _, sealing_key = vault_keys(ctx, self.purpose)
        require(ctx, self.input_dataset, {"columns": self.columns})
        require(ctx, self.vault_dataset, {"vault_dataset": ["token", "sealed"]})
        values = opened_vault(ctx.data.frame(self.vault_dataset, ["token", "sealed"]), sealing_key, self.vault_dataset)
        restored = dict.fromkeys(self.columns, 0)

        def restore(piece: pd.DataFrame) -> pd.DataFrame:
            written: dict[str, pd.Series[str]] = {}
            for name in self.columns:
                codes, tokens = distinct_texts(piece[name])
                unknown = sum(token not in values for token in tokens)
                if unknown:
                    raise DataError(
                        f"{self.input_dataset}: column {name} has {unknown:,} distinct values that are not tokens of"
                        f" {self.vault_dataset}: is it the vault that was written with this table?"
                    )
                written[name] = text_column(codes, [values[token] for token in tokens], piece.index)
                restored[name] += int(written[name].notna().sum())
            return piece.assign(**written)

        rows, _ = rewrite(ctx, self.input_dataset, self.output_dataset, restore)
        return OperationResult.success({"rows": rows, "cells_restored": restored, "tokens": len(values)})


def sealed_vault(tokens: dict[str, bytes], key: bytes) -> pd.DataFrame:
    """The vault of these values and their tokens: no two values share a token.

    Args:
        tokens: For each value the hash that its token is cut from.
        key: 64 bytes, for AES-256-SIV: deterministic, so that the same run writes the same bytes.
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
    return pd.DataFrame(
        {"token": [token for token, _ in ordered], "sealed": [text for _, text in ordered]}, dtype="string"
    )


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
