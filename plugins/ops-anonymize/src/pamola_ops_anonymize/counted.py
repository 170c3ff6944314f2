"""A table read piece by piece: the distinct cells of its columns or their combinations, and how often each occurs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext

from .alike import NearCollisions
from .columns import distinct_texts
from .domains import Codes, Domain, Ints, encode
from .measures import Grouping

_AT_LEAST = 2**16  # cells of several pieces that are kept as they come, before each is kept once


@attrs.define(eq=False)
class _Column:
    """The distinct cells of pieces, how many records have each, and how many have none."""

    cells: list[pd.Series[Any]] = attrs.Factory(list)
    count: list[Ints] = attrs.Factory(list)
    missing: int = 0
    waiting: int = 0

    def add(self, piece: pd.Series[Any]) -> None:
        codes, cells = _distinct(piece)
        there = codes >= 0
        self.cells.append(cells)
        self.count.append(np.bincount(codes[there], minlength=len(cells)))
        self.missing += int(len(codes) - there.sum())
        self.waiting += len(cells)
        if self.waiting > max(_AT_LEAST, 2 * len(self.cells[0])):
            self._put_together()

    def _put_together(self) -> None:
        """Keep each cell once, where it was first."""
        codes, cells = _distinct(pd.concat(self.cells, ignore_index=True))
        count = np.bincount(codes, weights=np.concatenate(self.count), minlength=len(cells))
        self.cells, self.count, self.waiting = [cells], [count.astype(np.int64)], len(cells)

    def joined(self) -> tuple[pd.Series[Any], Ints]:
        """The cells of all pieces and how many records have each, and a missing one at the end where there is any."""
        if not self.cells:
            return pd.Series(dtype="string"), np.zeros(0, dtype=np.int64)
        cells, count = pd.concat(self.cells, ignore_index=True), np.concatenate(self.count)
        if not self.missing:
            return cells, count
        return cells.reindex(range(len(cells) + 1)), np.append(count, self.missing)


def _distinct(piece: pd.Series[Any]) -> tuple[Codes, pd.Series[Any]]:
    """Which of its distinct cells each record has, -1 for none, and these cells."""
    if piece.dtype != object:
        codes, distinct = pd.factorize(piece)
        return codes, pd.Series(distinct, dtype=piece.dtype, name=piece.name)
    there = piece.notna().to_numpy(dtype=bool)
    cells = piece[there].reset_index(drop=True)
    typed = np.empty(len(cells), dtype=object)
    typed[:] = [(type(cell), cell) for cell in cells]  # 1 and True are one to pandas, and two to who reads them
    try:
        number = pd.factorize(typed)[0]
    except TypeError:  # cells that cannot be hashed, such as lists
        number = np.arange(len(cells))
    codes = np.full(len(piece), -1, dtype=np.int64)
    codes[there] = number
    return codes, cells[np.flatnonzero(np.append(True, number[1:] > np.maximum.accumulate(number)[:-1])[: len(cells)])]


@attrs.define(eq=False)
class Counted:
    """Columns of a table, read once.

    Attributes:
        rows: How many records it has.
    """

    rows: int = 0
    _columns: dict[str, _Column] = attrs.Factory(dict)

    @classmethod
    def of(cls, ctx: OperationContext, dataset: str, columns: Sequence[str]) -> Counted:
        """Read columns of a dataset in pieces."""
        ctx.stage("counting")
        counted = cls(columns={name: _Column() for name in columns})
        for piece in ctx.data.chunks(dataset, columns=list(columns)):
            counted.rows += len(piece)
            for name, column in counted._columns.items():
                column.add(piece[name])
            ctx.progress(counted.rows, None, "rows")
        return counted

    def domain(self, name: str) -> tuple[Domain, Ints]:
        """A column as a domain, and how many records have each of its codes, the missing value last; then forgotten."""
        cells, count = self._columns.pop(name).joined()
        domain, codes = encode(cells, count)
        return domain, np.bincount(codes, weights=count, minlength=domain.size + 1).astype(np.int64)

    def cells(self, name: str) -> tuple[pd.Series[Any], Ints]:
        """The different cells of a column, a missing one last, and how many records have each; it is then forgotten."""
        return self._columns.pop(name).joined()

    def values(self, name: str) -> tuple[pd.Series[Any], Ints]:
        """The different cells of a column that are there, and how many records have each; it is then forgotten."""
        column = self._columns.pop(name)
        column.missing = 0
        return column.joined()

    def texts(self, name: str) -> tuple[list[str], Ints]:
        """The distinct texts of a column, and how many records have each, those without last; it is then forgotten."""
        cells, count = self._columns.pop(name).joined()
        which, texts = distinct_texts(cells)
        of_text = np.bincount(np.where(which < 0, len(texts), which), weights=count, minlength=len(texts) + 1)
        return texts, of_text.astype(np.int64)


def combinations_in(ctx: OperationContext, dataset: str, columns: Sequence[str]) -> tuple[pd.DataFrame, Ints | None]:
    """The distinct combinations of a table's cells, and how many records have each, by the service `tables`.

    Without that service the records themselves, each of which represents one (None).
    """
    if getattr(ctx.run, "tables", None) is None:
        return ctx.data.frame(dataset, list(columns)), None
    found = ctx.run.tables.of(ctx).combinations(dataset, list(columns)).read_pandas()
    return found.iloc[:, :-1], found.iloc[:, -1].to_numpy(dtype=np.int64)


def classes_in(ctx: OperationContext, dataset: str, columns: Sequence[str]) -> Grouping:
    """The classes of a table, by the service `tables`; without it those of the records themselves."""
    if getattr(ctx.run, "tables", None) is None:
        return Grouping.of(ctx.data.frame(dataset, list(columns)), columns)
    size, count = ctx.run.tables.of(ctx).class_sizes(dataset, list(columns))
    sizes = np.repeat(size, count)
    return Grouping(np.arange(len(sizes), dtype=np.int64), sizes, times=sizes)


def values_in(ctx: OperationContext, dataset: str, column: str) -> tuple[int, int]:
    """How many different values a column has, as a reader distinguishes them, and how many records have one."""
    classes = classes_in(ctx, dataset, [column])
    missing, texts = 0, NearCollisions()
    for piece in ctx.data.chunks(dataset, columns=[column]):
        missing += int(piece[column].isna().sum())
        texts.add(distinct_texts(piece[column])[1])
    return classes.classes - bool(missing) - texts.spare, classes.total - missing


def fits(ctx: OperationContext, dataset: str, columns: Sequence[str]) -> bool:
    """Whether memory holds these columns of a table, all of them."""
    memory_mb = getattr(ctx.data, "memory_mb", None)
    return memory_mb is None or bool(memory_mb(dataset, list(columns)) <= ctx.config.memory_limit_mb)
