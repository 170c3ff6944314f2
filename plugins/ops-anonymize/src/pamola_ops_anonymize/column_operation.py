"""What operations on single columns share: their parameters, and a look at what else they publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from pamola_tasks import Effect, Effects, Operation, OperationContext, reads, writes
from pamola_tasks.errors import DataError

from .columns import column_names, one_of, require, rewrite, some_columns
from .effects import Columns, hidden, kept
from .identifiers import identifiers_of, likely_direct_identifiers
from .roles import DIRECT, DROPPED, QUASI, ColumnRole, of_sample, said_by
from .sampled import Records, Sample
from .unlisted import OnIdentifiers, identifiers_to_drop

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks.operation import Scope


class ColumnOperation(Operation):
    """An operation that changes some columns of a table and leaves the others as they are.

    It claims nothing about the table. In a table that is published, other columns that look like direct identifiers,
    and that no earlier step names, are kept with a warning by default. They are judged on all records, or on a random
    sample of 100,000.

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
    role: ClassVar[str] = QUASI  #: of the columns that it changes
    done: ClassVar[str] = "changed"  #: what becomes of them, in words
    treated_before: ClassVar[frozenset[str]] = frozenset()
    roles_before: ClassVar[Mapping[str, ColumnRole]] = {}

    def columns_with_roles(self) -> frozenset[str]:
        """Columns that this step treats, or that are said to be harmless."""
        return frozenset((*self.columns, *self.insensitive_attributes))

    def scope_of(self, change: Scope) -> Scope:
        """The scope, given that of the change: what other columns look like is a matter of the whole table."""
        return change if self.on_identifiers == "warn" else "table"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """The columns that it names are hidden, all others kept."""
        return {self.output_dataset: self.effects_of(columns, hidden(self.input_dataset, self.columns))}

    def effects_of(
        self,
        columns: Mapping[str, Sequence[str]],
        changed: Columns,
        *,
        whole: Sequence[Effect] = (),
        dropped: Sequence[str] = (),
        needs: Sequence[tuple[str, str]] = (),
    ) -> Effects:
        """The effects on the table that it writes, given those on the columns that it changes."""
        there = columns[self.input_dataset]
        written = {**kept(self.input_dataset, there), **changed}
        others = self.treated_before | self.columns_with_roles()
        named = (*self.columns, *self.insensitive_attributes)
        return Effects(
            columns={name: effects for name, effects in written.items() if name not in dropped},
            whole=whole,
            optional=[name for name in there if name not in others] if self.on_identifiers == "drop" else (),
            needs=[*((self.input_dataset, name) for name in named), *needs],
        )

    def rewritten(
        self,
        ctx: OperationContext,
        change: Records,
        kept: Sequence[str] | None = None,
        *,
        among: tuple[Records, Sequence[str]] | None = None,
        look: Callable[[Sample], None] | None = None,
    ) -> tuple[int, int, dict[str, Any]]:
        """Rewrite the table as `rewrite` does, once it is judged what the columns look like that stay as they are.

        They are judged before anything is changed or written, in a pass of their own: on all records, or on a random
        sample of a large table. Nothing is judged of a table that is not published.

        Args:
            change: Gives for a piece of the table the piece that is written.
            kept: The columns to read; all unless given.
            among: Where `change` leaves records out: gives for a piece those that stay; and by which columns.
            look: Is shown the records in all columns that this step does not treat, published or not.

        Returns:
            Records read, records written, and where the table is published: what looks like a direct identifier, what
            of it was dropped, and the roles that this step and those before it state.

        Raises:
            DataRefused: There are such columns, and `on_identifiers` is `fail`.
        """
        require(ctx, self.input_dataset, {"insensitive_attributes": self.insensitive_attributes})
        published = bool(ctx.run.plan.is_final(self.output_dataset, ctx.config.outputs))
        facts: dict[str, Any] = {}
        read: int | None = None
        if published or look is not None:
            there = ctx.data.columns(self.input_dataset) if kept is None else kept
            before = self.treated_before if look is None else frozenset()
            others = [name for name in there if name not in self.columns_with_roles() | before]
            sample = Sample.of(ctx, self.input_dataset, others, *(among or ()))
            read = sample.records or None
            if look is not None:
                look(sample)
            if published:
                facts = self._judged(ctx, there, sample)
        dropped = facts.get("dropped_columns", [])

        def written(piece: pd.DataFrame) -> pd.DataFrame:
            left: pd.DataFrame = change(piece).drop(columns=dropped)
            return left

        rows = read if among is None else None
        return *rewrite(ctx, self.input_dataset, self.output_dataset, written, kept, rows), facts

    def _judged(self, ctx: OperationContext, there: Sequence[str], sample: Sample) -> dict[str, Any]:
        others = [name for name in sample.frame.columns if name not in self.treated_before]
        found = likely_direct_identifiers(sample.frame, others, identifiers_of(ctx.run))
        if not sample.is_whole:
            found = {name: of_sample(why, len(sample.frame)) for name, why in found.items()}
        dropped = identifiers_to_drop(self, ctx, found)
        if len(dropped) == len(there):
            raise DataError(f"{self.input_dataset} has no other column than those to drop: nothing would be left")
        said = said_by(self)
        for name in map(str, dropped):
            said[name] = ColumnRole(column=name, role=DIRECT, said="proposed", reason=found[name], done=DROPPED)
        roles = [attrs.asdict(said[str(name)]) for name in there if str(name) in said]
        return {"likely_identifiers": dict(found), "dropped_columns": dropped, "roles": roles}
