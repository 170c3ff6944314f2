"""The operation that suppresses records, cells or whole attributes."""

from __future__ import annotations

from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks import OperationContext, OperationResult, writes
from pamola_tasks.errors import DataRefused, ParameterError

from .column_operation import ColumnOperation
from .columns import (
    MISSING,
    belongs_to,
    distinct_texts,
    one_of,
    require,
    whole_number,
    wrong,
)
from .notation import SUPPRESSED
from .stated_values import as_in_column, told_of_absent

What = Literal["records", "cells", "attributes"]
Mask = npt.NDArray[np.bool_]

_BELONGS: dict[str, tuple[str, ...]] = {
    "records": ("values", "min_count"),
    "cells": ("values", "min_count"),
    "attributes": (),
}


def _values(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not isinstance(value, (list, tuple)):
        raise wrong(operation, attribute.name, "a list of values", value)


class SuppressOperation(ColumnOperation):
    """Suppress records, cells or attributes: records are left out, cells become `*`.

    Local suppression as in A. Hundepool et al.: Statistical Disclosure Control, Wiley 2012, chapter 3. What is rare
    is counted over the whole table, however it is read.

    Args:
        input_dataset: The table.
        output_dataset: What the table with suppressions is called.
        suppress: `records` leaves out those that one of the columns condemns; `cells` writes `*` in place of single
            cells of the columns; `attributes` writes `*` in all of their cells, so that the table keeps its form.
        columns: The columns to look at.
        values: For records and cells: suppress where one of these occurs, written as in the file or as it is once
            read. A missing value is written as an empty text.
        min_count: For records and cells: suppress what occurs fewer than so many times: for records the combination of
            values in the columns, for cells the value in its column. Missing values count as a value; a missing cell
            stays missing.
        on_identifiers: What happens to other columns of a published table that look like direct identifiers: `warn`
            keeps them, `drop` leaves them out, `fail` refuses to continue.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_suppressed")
    suppress: What = attrs.field(validator=one_of(What))
    values: list[str | int | float | bool] | None = attrs.field(default=None, validator=_values)
    min_count: int | None = attrs.field(default=None, validator=whole_number(2))

    version = "1.1"

    def __attrs_post_init__(self) -> None:
        belongs_to(self, "suppress", _BELONGS)
        if self.suppress != "attributes" and not self.values and self.min_count is None:
            raise ParameterError(f"SuppressOperation: `suppress: {self.suppress}` needs `values`, `min_count` or both")

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Count over the whole table where rarity decides, suppress chunk by chunk, count what was suppressed."""
        require(ctx, self.input_dataset, {"columns": self.columns})
        if self.suppress == "records":
            return self._records(ctx)
        condemned = {name: self._rare_texts(ctx, name) for name in self.columns}
        stated = self._named(ctx)
        suppressed = dict.fromkeys(self.columns, 0)

        def change(piece: pd.DataFrame) -> pd.DataFrame:
            written: dict[str, pd.Series[str]] = {}
            for name in self.columns:
                codes, texts = distinct_texts(piece[name])
                goes = np.array(
                    [self._goes(text, stated[name], condemned[name]) for text in texts] + [self._missing_goes()]
                )
                here: Mask = goes[codes]
                cells = np.array([*texts, pd.NA], dtype=object)[codes]
                cells[here] = SUPPRESSED
                suppressed[name] += int(here.sum())
                written[name] = pd.Series(pd.array(cells, dtype="string"), index=piece.index)
            return piece.assign(**written)

        rows, written, looks_like = self.rewritten(ctx, change)
        self._warn_of_absent(ctx, stated)
        return OperationResult.success(
            {
                "suppress": self.suppress,
                "rows_in": rows,
                "rows_out": written,
                "rows_suppressed": rows - written,
                "cells_suppressed": suppressed,
                **looks_like,
            }
        )

    def _missing_goes(self) -> bool:
        """Whether a missing cell is suppressed: as an attribute, or where the empty text is named."""
        return self.suppress == "attributes" or (self.values is not None and "" in self.values)

    def _goes(self, text: str, stated: dict[str, list[Any]], rare: set[str]) -> bool:
        """Whether a value is suppressed; it is no longer looked for where it was stated."""
        if text in stated:
            stated[text] = []
        return self.suppress == "attributes" or text in stated or text in rare

    def _named(self, ctx: OperationContext) -> dict[str, dict[str, list[Any]]]:
        """By column, for its text of each of the `values` these values, until one is seen."""
        values = list(self.values or ())
        found: dict[str, dict[str, list[Any]]] = {}
        for name in self.columns:
            found[name] = {}
            for value, text in zip(values, as_in_column(ctx, self.input_dataset, name, values), strict=True):
                found[name].setdefault(text, []).append(value)
        return found

    def _warn_of_absent(self, ctx: OperationContext, stated: dict[str, dict[str, list[Any]]]) -> None:
        waiting = [{str(value) for values in texts.values() for value in values} for texts in stated.values()]
        absent = sorted(set.intersection(*waiting) - {""}) if waiting else []
        if absent:
            ctx.warn(f"{self.input_dataset}: {told_of_absent('values', self.columns, absent)}")

    def _rare_texts(self, ctx: OperationContext, name: str) -> set[str]:
        """Values of a column, as text, that occur fewer than `min_count` times."""
        if self.min_count is None:
            return set()
        codes, texts = distinct_texts(ctx.data.frame(self.input_dataset, [name])[name])
        count: dict[str, int] = {}
        for text, times in zip(texts, np.bincount(codes[codes >= 0], minlength=len(texts)).tolist(), strict=True):
            count[text] = count.get(text, 0) + times
        return {text for text, times in count.items() if times < self.min_count}

    def _records(self, ctx: OperationContext) -> OperationResult:
        goes, rare = self._condemned(ctx)
        done = 0

        def change(piece: pd.DataFrame) -> pd.DataFrame:
            nonlocal done
            stays = ~goes[done : done + len(piece)]
            done += len(piece)
            return piece[stays]

        rows, written, looks_like = self.rewritten(ctx, change)
        suppressed = int(goes.sum())
        if rows - written != suppressed:
            raise DataRefused(
                f"{suppressed} records were to be suppressed, but {rows} came in and {written} go out: the table is not"
                f" released. This is a fault of the operation, please report it"
            )
        metrics: dict[str, Any] = {
            "suppress": self.suppress,
            "rows_in": rows,
            "rows_out": written,
            "rows_suppressed": suppressed,
            "rows_suppressed_share": suppressed / rows if rows else 0.0,
            "rows_with_a_rare_combination": rare,
            **looks_like,
        }
        return OperationResult.success(metrics)

    def _condemned(self, ctx: OperationContext) -> tuple[Mask, int]:
        """Which records go, and how many of all records have a rare combination. Reads the columns named only."""
        frame = ctx.data.frame(self.input_dataset, self.columns)
        goes: Mask = np.zeros(len(frame), dtype=bool)
        stated = self._named(ctx)
        key = pd.DataFrame(index=range(len(frame)))
        for name in self.columns:
            codes, texts = distinct_texts(frame[name])
            hit = np.array(
                [*(self._goes(text, stated[name], set()) for text in texts), self._missing_goes()], dtype=bool
            )
            goes |= hit[codes]
            alike, _ = pd.factorize(np.array(texts, dtype=object))  # 1 and "1" in a column of both
            key[name] = np.append(alike, MISSING)[codes]
        self._warn_of_absent(ctx, stated)
        rare = 0
        if self.min_count is not None and len(frame):
            group = key.groupby(self.columns, sort=False).ngroup().to_numpy()
            few = np.bincount(group)[group] < self.min_count
            rare = int(few.sum())
            goes |= few
        return goes, rare
