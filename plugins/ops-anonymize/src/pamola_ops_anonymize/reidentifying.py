"""The operation that restores values from pseudonyms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import attrs
import pandas as pd

from pamola_tasks import Effect, Effects, Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError, ParameterError

from .columns import belongs_to, distinct_texts, one_of, require, rewrite, some_columns, text_column
from .effects import kept
from .format_preserving import OF_FF1, Alphabet, FormatPreserving, characters_of
from .vaults import opened_vault, purpose_in, stated_purpose, vault_keys

Reversible = Literal["token", "ff1"]
Restore = Callable[[str, "pd.Series[Any]"], "pd.Series[str]"]  # of a column


class ReidentifyOperation(Operation):
    """Put the values back in place of what `PseudonymizeOperation` wrote with `token` or `ff1`, with the project's key.

    `token` needs the vault, in which each value is authenticated together with its token by AES-SIV (RFC 5297). The
    table with the values is not published in `output/` but in `internal/`.

    Args:
        input_dataset: The table with pseudonyms.
        vault_dataset: With `token`: the vault that was written with it.
        output_dataset: What the table with values is called. The values come back as text.
        columns: The columns that hold pseudonyms.
        method: `token` or `ff1`, as they were made.
        purpose: As it was when they were made: the report of that run names it. With `token` the vault does, too.
        alphabet: With `ff1`: as it was.
        characters: With `alphabet: custom`: as they were.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    input_dataset: str = reads()
    vault_dataset: str | None = reads(None)
    output_dataset: str = writes("{input}_reidentified", internal=True)
    columns: list[str] = attrs.field(validator=some_columns)
    method: Reversible = attrs.field(default="token", validator=one_of(Reversible))
    purpose: str | None = attrs.field(default=None, validator=stated_purpose)
    alphabet: Alphabet = attrs.field(default="digits", validator=one_of(Alphabet))
    characters: str | None = None
    output_format: str | None = None

    version = "1.1"
    scope = "row"
    category = "anonymization"

    def __attrs_post_init__(self) -> None:
        belongs_to(self, "method", {"token": ("vault_dataset",), "ff1": OF_FF1})
        needed = "vault_dataset" if self.method == "token" else "purpose"
        if getattr(self, needed) is None:
            raise ParameterError(f"ReidentifyOperation: `method: {self.method}` needs `{needed}`")
        if self.method == "ff1":
            characters_of(self)

    def columns_as_text(self, dataset: str) -> list[str]:
        """The columns of a dataset that count as the text in its file."""
        return list(self.columns) if dataset == self.input_dataset else []

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Values follow from their pseudonyms, and are those of the vault."""
        vault = self.vault_dataset
        of_vault = [] if vault is None else [Effect(vault, "token", "JOIN"), Effect(vault, "sealed", "TRANSFORMATION")]
        restored = {name: [Effect(self.input_dataset, name, "TRANSFORMATION"), *of_vault] for name in self.columns}
        return {self.output_dataset: Effects({**kept(self.input_dataset, columns[self.input_dataset]), **restored})}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Ask for the key, then restore chunk by chunk; an unknown token fails the step."""
        require(ctx, self.input_dataset, {"columns": self.columns})
        restored = dict.fromkeys(self.columns, 0)
        back, facts = self._decrypting(ctx) if self.vault_dataset is None else self._vault(ctx, self.vault_dataset)

        def restore(piece: pd.DataFrame) -> pd.DataFrame:
            written = {name: back(name, piece[name]) for name in self.columns}
            for name, column in written.items():
                restored[name] += int(column.notna().sum())
            return piece.assign(**written)

        rows, _ = rewrite(ctx, self.input_dataset, self.output_dataset, restore)
        return OperationResult.success({"rows": rows, "cells_restored": restored, **facts})

    def _decrypting(self, ctx: OperationContext) -> tuple[Restore, dict[str, Any]]:
        purpose, characters = str(self.purpose), characters_of(self)
        key = ctx.derive_key(f"{purpose} ff1")
        made = {name: FormatPreserving(name, key, characters, purpose.encode()) for name in self.columns}
        return lambda name, column: made[name].column(column, back=True), {}

    def _vault(self, ctx: OperationContext, vault_dataset: str) -> tuple[Restore, dict[str, Any]]:
        there = require(ctx, vault_dataset, {"vault_dataset": ["token", "sealed"]})
        ctx.stage("reading")
        vault = ctx.data.frame(vault_dataset, [name for name in ("token", "sealed", "purpose") if name in there])
        _, sealing_key = vault_keys(ctx, self.purpose or purpose_in(vault))
        values = opened_vault(vault, sealing_key, vault_dataset)

        def known(name: str, column: pd.Series[Any]) -> pd.Series[str]:
            codes, tokens = distinct_texts(column)
            if unknown := sum(token not in values for token in tokens):
                raise DataError(
                    f"{self.input_dataset}: column {name} has {unknown:,} distinct values that are not tokens of"
                    f" {vault_dataset}: is it the vault that was written with this table?"
                )
            return text_column(codes, [values[token] for token in tokens], column.index)

        return known, {"tokens": len(values)}
