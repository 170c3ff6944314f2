"""The operation that holds people out of a table, to compare attacks on its release with attacks on others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import Effects, Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataRefused

from .columns import columns_of_person, is_number, person_columns, require, wrong
from .domains import Mask
from .effects import kept, of_each
from .persons import Persons


def _share(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not (is_number(value) and 0 < value < 1):
        raise wrong(operation, attribute.name, "a number between 0 and 1", value)


class HoldOutOperation(Operation):
    """Divide a table at random into people who are to be released and a control of people who are not.

    The control of `AttackOperation` has to be held out before a release is made (M. Giomi, F. Boenisch, C. Wehmeyer and
    B. Tasnádi, PoPETs 2023(2)). A release of the whole table with the
    same settings is then as far from its people as the one that was measured, or a little farther.

    Args:
        input_dataset: The table.
        output_dataset: The people who are to be released.
        control_dataset: The others. Both are datasets of the original, and stay in the project.
        share: Which part of the people are held out.
        person: Columns that together identify the person of a record: all records of a person are in one of both.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_kept", internal=True)
    control_dataset: str = writes("{input}_control", internal=True)
    share: float = attrs.field(default=0.2, validator=_share)
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)

    version = "1.0"
    category = "sampling"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Whose records there are decides which of them are in which table."""
        whole = of_each(self.input_dataset, columns_of_person(self.person), "FILTER")
        written = Effects(kept(self.input_dataset, columns[self.input_dataset]), whole)
        return {self.output_dataset: written, self.control_dataset: written}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Draw the people by the task's seed, and write both tables in the input's order, piece by piece."""
        of_person = columns_of_person(self.person)
        there = require(ctx, self.input_dataset, {"person": of_person})
        ctx.stage("counting")
        if of_person:
            persons = Persons.in_columns(ctx.data.frame(self.input_dataset, of_person), of_person, self.input_dataset)
        else:
            persons = Persons.each(sum(map(len, ctx.data.chunks(self.input_dataset, columns=there[:1]))))
        count = round(self.share * persons.count)
        if not 0 < count < persons.count:
            raise DataRefused(
                f"{self.input_dataset} has {persons.count:,} persons, of which {self.share:g} cannot be held out: at"
                f" least one has to be in each table"
            )
        held = np.zeros(persons.count, dtype=bool)
        held[ctx.rng.permutation(persons.count)[:count]] = True
        out = held[persons.of]
        ctx.data.write(self.output_dataset, self._part(ctx, ~out))
        ctx.data.write(self.control_dataset, self._part(ctx, out))
        return OperationResult.success(
            {"persons": persons.count, "persons_control": count, "rows_control": int(out.sum())}
        )

    def _part(self, ctx: OperationContext, which: Mask) -> Iterator[pd.DataFrame]:
        """These records of the table, piece by piece."""
        done = 0
        ctx.stage("writing")
        for piece in ctx.data.chunks(self.input_dataset):
            yield piece[which[done : done + len(piece)]].reset_index(drop=True)
            done += len(piece)
            ctx.progress(done, len(which), "rows")
