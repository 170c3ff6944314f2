"""What operations on single columns share: their parameters, and a look at what else they publish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import attrs
import pandas as pd

from pamola_tasks import Operation, OperationContext, reads, writes
from pamola_tasks.errors import DataError

from .columns import column_names, first_records, one_of, require, rewrite, some_columns
from .identifiers import DIRECT, identifiers_of, likely_roles
from .unlisted import OnIdentifiers, identifiers_to_drop


class ColumnOperation(Operation):
    """An operation that changes some columns of a table and leaves the others as they are.

    It claims nothing about the table. In a table that is published, other columns that look like direct identifiers,
    and that no earlier step names, are kept with a warning by default.

    Args:
        input_dataset: The table.
        output_dataset: What the changed table is called.
        columns: The columns that it changes.
        on_identifiers: What happens to the others that look like direct identifiers, where the table is published.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    input_dataset: str = reads()
    output_dataset: str = writes()
    columns: list[str] = attrs.field(validator=some_columns)
    on_identifiers: OnIdentifiers = attrs.field(default="warn", validator=one_of(OnIdentifiers))
    insensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    output_format: str | None = None

    category = "anonymization"
    treated_before: ClassVar[frozenset[str]] = frozenset()

    def columns_with_roles(self) -> frozenset[str]:
        """Columns that this step treats, or that are said to be harmless."""
        return frozenset((*self.columns, *self.insensitive_attributes))

    def rewritten(
        self, ctx: OperationContext, change: Callable[[pd.DataFrame], pd.DataFrame], kept: Sequence[str] | None = None
    ) -> tuple[int, int, dict[str, Any]]:
        """Rewrite the table as `rewrite` does.

        Returns:
            Records read, records written, and where the table is published: what looks like a direct identifier, and
            what of it was dropped.
        """
        require(ctx, self.input_dataset, {"insensitive_attributes": self.insensitive_attributes})
        facts: dict[str, Any] = {}

        def to_drop(first: pd.DataFrame) -> list[Any]:
            facts.update(self._judged(ctx, first))
            return list(facts["dropped_columns"])

        judges = to_drop if self._is_published(ctx) else None
        read, written = rewrite(ctx, self.input_dataset, self.output_dataset, change, kept, judges)
        return read, written, facts

    def refuse_identifiers(self, ctx: OperationContext) -> None:
        """Refuse what `rewritten` will refuse with `on_identifiers: fail`, before anything is written."""
        if self.on_identifiers == "fail" and self._is_published(ctx):
            self._judged(ctx, first_records(ctx.data.chunks(self.input_dataset)))

    def _is_published(self, ctx: OperationContext) -> bool:
        return bool(ctx.run.plan.is_final(self.output_dataset, ctx.config.outputs))

    def _judged(self, ctx: OperationContext, first: pd.DataFrame) -> dict[str, Any]:
        with_role = self.treated_before | self.columns_with_roles()
        others = [name for name in first.columns if name not in with_role]
        found = likely_roles(first, others, identifiers_of(ctx.run))[DIRECT]
        dropped = identifiers_to_drop(self, ctx, found)
        if len(dropped) == len(first.columns):
            raise DataError(f"{self.input_dataset} has no other column than those to drop: nothing would be left")
        return {"likely_identifiers": dict(found), "dropped_columns": dropped}
