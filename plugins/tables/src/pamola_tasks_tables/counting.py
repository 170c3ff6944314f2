"""Distinct combinations of cells and how often each occurs: memory follows their number, not that of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from pamola_tasks_tables.coding import Column
from pamola_tasks_tables.order import combined, first_of
from pamola_tasks_tables.partitions import Partitions
from pamola_tasks_tables.sorting import Sorter, regular

if TYPE_CHECKING:
    from pamola_tasks_tables.partitions import Codes, Table
    from pamola_tasks_tables.protocol import Ints
    from pamola_tasks_tables.spilling import Spill

_FEW = 1 << 16  # combinations that are not worth joining with the others yet
_LEAST = 1_000  # combinations that are held whatever memory there is
_COPIES = 6  # of combinations, where they are joined or sorted: in as many places they are held, or keys of them are


class Counted(Protocol):
    """What an engine has counted: combinations of columns of a table, and the weight of each."""

    def combinations(self, weight: str, size: int) -> Iterator[pd.DataFrame]:
        """The combinations in the canonical order, in pieces of this size, with their weights in a column `weight`."""

    def class_sizes(self) -> tuple[Ints, Ints]:
        """The weights that there are, ascending, and how many combinations have each."""

    def values(self, name: str) -> pd.Series[Any]:
        """The distinct values of a column of objects."""


class Combinations:
    """Combinations that are counted piece by piece, with pandas.

    Each piece is counted by itself, and joined with what was counted before when together they are as many again: each
    combination is looked at a few times, however many pieces there are.

    Args:
        dtypes: The dtypes of the columns, as text.
        pieces: The table, with these columns.
        names: The columns to count by.
        entity: The columns of which distinct ones are counted; rows are where there is none.
        spill: Where combinations go that memory has no room for.
        memory: How many bytes combinations may take.
    """

    def __init__(
        self,
        dtypes: Mapping[str, str],
        pieces: Iterable[pd.DataFrame],
        names: Sequence[str],
        entity: Sequence[str],
        spill: Spill,
        memory: float,
    ) -> None:
        self._columns = {name: Column(dtype) for name, dtype in dtypes.items()}
        self._names = list(names)
        self._entity = bool(entity)
        self._spill = spill
        self._most = max(int(memory / _COPIES / (4 * len(dtypes) + 8)), _LEAST)
        self._tables: list[Table] = []
        self._parts: Partitions | None = None
        try:
            for piece in pieces:
                self._add(piece)
        except BaseException:
            spill.close()
            raise

    def combinations(self, weight: str, size: int) -> Iterator[pd.DataFrame]:
        """The combinations in the canonical order, and their weights."""
        ranks = {name: self._columns[name].ranks().astype(np.int32) for name in self._names}
        code_of = {name: np.argsort(each) for name, each in ranks.items()}
        sorter = Sorter(self._spill, self._most // 2)  # which holds rows in twice as many places
        try:
            for codes, weights in self._counted():
                rows = {name: ranks[name][of] for name, of in zip(self._names, codes, strict=True)}
                sorter.add(pd.DataFrame(rows).assign(**{weight: weights}))
            for piece in regular(sorter.sorted(), size):
                cells = {name: self._columns[name].cells(code_of[name][piece[name]]) for name in self._names}
                yield pd.DataFrame(cells).assign(**{weight: piece[weight]})
        finally:
            self._spill.close()

    def class_sizes(self) -> tuple[Ints, Ints]:
        """The weights that there are, and how many combinations have each."""
        found: dict[int, int] = {}
        try:
            for _, weights in self._counted():
                for size, count in zip(*np.unique(weights, return_counts=True), strict=True):
                    found[int(size)] = found.get(int(size), 0) + int(count)
        finally:
            self._spill.close()
        sizes = sorted(found)
        return np.array(sizes, dtype=np.int64), np.array([found[size] for size in sizes], dtype=np.int64)

    def values(self, name: str) -> pd.Series[Any]:
        """The distinct values of a column."""
        return self._columns[name].values()

    def _add(self, piece: pd.DataFrame) -> None:
        codes = [column.codes(piece[name]).astype(np.int32) for name, column in self._columns.items()]
        table = self._grouped(codes, np.ones(len(piece), dtype=np.int64), self._columns)
        if self._parts is not None:
            self._parts.add(table)
            return
        self._tables.append(table)
        joined, held = len(self._tables[0][1]), sum(len(each[1]) for each in self._tables)
        if held > max(_FEW, 2 * joined) or held > self._most:
            self._tables = [self._joined()]
        if len(self._tables[0][1]) > self._most // 2:
            by = [place for place, name in enumerate(self._columns) if name in self._names]
            self._parts = Partitions(self._spill, len(self._columns), by, self._most)
            while self._tables:
                self._parts.add(self._tables.pop())

    def _counted(self) -> Iterator[Table]:
        """The combinations, in parts that have none in common, and their weights."""
        for codes, weights in [self._joined()] if self._parts is None else self._parts.tables():
            table = self._grouped(codes, weights, self._columns)
            if self._entity:
                chosen = [each for each, name in zip(table[0], self._columns, strict=True) if name in self._names]
                table = self._grouped(chosen, np.ones_like(table[1]), self._names)
            yield table

    def _joined(self) -> Table:
        if len(self._tables) == 1:
            return self._tables[0]
        none = np.zeros(0, dtype=np.int64)
        tables = self._tables or [([none.astype(np.int32)] * len(self._columns), none)]
        codes = [np.concatenate(each) for each in zip(*(table[0] for table in tables), strict=True)]
        return self._grouped(codes, np.concatenate([table[1] for table in tables]), self._columns)

    def _grouped(self, codes: list[Codes], weights: Ints, names: Iterable[str]) -> Table:
        key = combined(zip(codes, (self._columns[name].count for name in names), strict=True), len(weights))
        group, distinct = pd.factorize(key)
        first = first_of(group, len(distinct))
        return [each[first] for each in codes], summed(group, weights, len(distinct))


def summed(group: Any, weights: Ints, count: int) -> Ints:
    """The sum of the weights of each group: exact, where `bincount` with weights adds floats."""
    total = np.zeros(count, dtype=np.int64)
    np.add.at(total, group, weights)
    return total
