"""The operation that leaves columns out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pamola_tasks import Effects, OperationContext, OperationResult, writes
from pamola_tasks.errors import DataError

from .column_operation import ColumnOperation
from .columns import require
from .roles import DIRECT, DROPPED

if TYPE_CHECKING:
    from pamola_tasks.operation import Scope


class DropOperation(ColumnOperation):
    """Leave columns out of a table: what is not published cannot disclose anything.

    ISO/IEC 20889:2018 calls this attribute removal. Only the columns that stay are read.

    Args:
        input_dataset: The table.
        output_dataset: What the table without them is called.
        columns: The columns to leave out.
        on_identifiers: What happens to other columns of a published table that look like direct identifiers: `warn`
            keeps them, `drop` leaves them out, `fail` refuses to continue.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_dropped")

    version = "1.1"
    done = DROPPED
    role = DIRECT

    @property
    def scope(self) -> Scope:
        """Columns are left out of each row alone."""
        return self.scope_of("row")

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """All other columns are kept."""
        return {self.output_dataset: self.effects_of(columns, {}, dropped=self.columns)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Write the other columns."""
        there = require(ctx, self.input_dataset, {"columns": self.columns})
        kept = [name for name in there if name not in self.columns]
        if not kept:
            raise DataError(f"{self.input_dataset} has no column besides those to drop: nothing would be left")
        _, rows, looks_like = self.rewritten(ctx, lambda piece: piece, kept)
        left = [name for name in kept if name not in looks_like.get("dropped_columns", ())]
        return OperationResult.success(
            {"columns_dropped": list(self.columns), "columns": left, "rows": rows, **looks_like}
        )
