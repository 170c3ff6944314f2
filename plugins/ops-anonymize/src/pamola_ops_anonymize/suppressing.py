"""The operation that suppresses records, cells or whole attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import Effects, OperationContext, OperationResult, writes
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
from .counted import Counted, combinations_in
from .domains import Mask, counted
from .effects import of_each
from .located import Located
from .notation import SUPPRESSED
from .roles import CELLS
from .stated_values import as_in_column, told_of_absent

if TYPE_CHECKING:
    from pamola_tasks.operation import Scope

What = Literal["records", "cells", "attributes"]
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
    done = CELLS

    def __attrs_post_init__(self) -> None:
        belongs_to(self, "suppress", _BELONGS)
        if self.suppress != "attributes" and not self.values and self.min_count is None:
            raise ParameterError(f"SuppressOperation: `suppress: {self.suppress}` needs `values`, `min_count` or both")

    @property
    def scope(self) -> Scope:
        """What is rare is counted over the whole table."""
        return self.scope_of("row" if self.min_count is None else "aggregate")

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """The columns decide which records stay; or their cells are hidden; or nothing is left of them."""
        if self.suppress == "cells":
            return super().effects(columns)
        if self.suppress == "attributes":
            return {self.output_dataset: self.effects_of(columns, dict.fromkeys(self.columns, ()))}
        whole = of_each(self.input_dataset, self.columns, "FILTER")
        return {self.output_dataset: self.effects_of(columns, {}, whole=whole)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Count over the whole table where rarity decides, suppress chunk by chunk, count what was suppressed."""
        require(ctx, self.input_dataset, {"columns": self.columns})
        if self.suppress == "records":
            return self._records(ctx)
        condemned = self._rare_texts(ctx)
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

    def _rare_texts(self, ctx: OperationContext) -> dict[str, set[str]]:
        """By column its values, as text, that occur fewer than `min_count` times."""
        if self.min_count is None:
            return {name: set() for name in self.columns}
        counted = Counted.of(ctx, self.input_dataset, self.columns)
        found: dict[str, set[str]] = {}
        for name in self.columns:
            count: Counter[str] = Counter()
            for text, times in zip(*counted.texts(name), strict=False):  # the last count is that of missing cells
                count[text] += int(times)
            found[name] = {text for text, times in count.items() if times < self.min_count}
        return found

    def _records(self, ctx: OperationContext) -> OperationResult:
        stated, is_rare = self._named(ctx), self._rare_combinations(ctx)
        suppressed = rare = 0

        def going(piece: pd.DataFrame, few: Mask) -> Mask:
            goes = few.copy()
            for name in self.columns:
                codes, texts = distinct_texts(piece[name])
                hit = [*(self._goes(text, stated[name], set()) for text in texts), self._missing_goes()]
                goes |= np.array(hit, dtype=bool)[codes]
            return goes

        def change(piece: pd.DataFrame) -> pd.DataFrame:
            nonlocal suppressed, rare
            few = is_rare(piece)
            goes = going(piece, few)
            suppressed, rare = suppressed + int(goes.sum()), rare + int(few.sum())
            return piece[~goes]

        def staying(piece: pd.DataFrame) -> pd.DataFrame:
            return piece[~going(piece, is_rare(piece))]

        rows, written, looks_like = self.rewritten(ctx, change, among=(staying, self.columns))
        self._warn_of_absent(ctx, stated)
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

    def _rare_combinations(self, ctx: OperationContext) -> Callable[[pd.DataFrame], Mask]:
        """Says of the records of a piece which have a combination of values that is rare in the whole table."""
        if self.min_count is None:
            return lambda piece: np.zeros(len(piece), dtype=bool)
        there, times = combinations_in(ctx, self.input_dataset, self.columns)
        key = pd.DataFrame(index=there.index)
        for name in self.columns:
            codes, texts = distinct_texts(there[name])
            alike, _ = pd.factorize(np.array(texts, dtype=object))  # 1 and "1" in a column of both
            key[name] = np.append(alike, MISSING)[codes]
        group = np.asarray(key.groupby(self.columns, sort=False).ngroup(), dtype=np.int64)
        few = counted(group, 0, times)[group] < self.min_count
        located = Located(there, self.columns, self.input_dataset)
        return lambda piece: few[located.rows(piece)]
