"""The operation that leaves columns out."""

from __future__ import annotations

import attrs

from pamola_tasks import Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError

from .columns import require, some_columns


class DropOperation(Operation):
    """Leave columns out of a table: what is not published cannot disclose anything.

    ISO/IEC 20889:2018 calls this attribute removal. Only the columns that stay are read.

    Args:
        input_dataset: The table.
        output_dataset: What the table without them is called.
        columns: The columns to leave out.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_dropped")
    columns: list[str] = attrs.field(validator=some_columns)
    output_format: str | None = None

    version = "1.0"
    category = "anonymization"

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Write the other columns."""
        there = require(ctx, self.input_dataset, {"columns": self.columns})
        kept = [name for name in there if name not in self.columns]
        if not kept:
            raise DataError(f"{self.input_dataset} has no column besides those to drop: nothing would be left")
        record = ctx.data.write(self.output_dataset, ctx.data.chunks(self.input_dataset, columns=kept))
        return OperationResult.success({"columns_dropped": list(self.columns), "columns": kept, "rows": record.rows})
