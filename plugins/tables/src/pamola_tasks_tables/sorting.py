"""Rows in the canonical order of their cells, sorted outside of memory.

Runs of as many rows as memory takes are sorted and written in small batches, of which the first rows are kept. These,
sorted, cut the table into ranges that memory takes, each of which has its rows in a few batches of every run (parallel
sorting by regular sampling: H. Shi and J. Schaeffer, Journal of Parallel and Distributed Computing 14(4), 1992). Rows
that are the same in every cell, however many, need no sorting among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks_tables.order import combined
from pamola_tasks_tables.stored import Rows, Stored

if TYPE_CHECKING:
    from pamola_tasks_tables.protocol import Ints
    from pamola_tasks_tables.spilling import Spill

_LEAST = 64  # rows of a batch


@attrs.define(eq=False)
class _Run:
    """Rows that are sorted.

    Attributes:
        stored: Where they are.
        order: What was known of the order of each column.
        first: The first row of each batch.
        opened: The file.
    """

    stored: Stored
    order: list[tuple[bool, bool]]
    first: pd.DataFrame
    opened: Any = None


class Sorter:
    """Sorts the rows of a table that comes in pieces.

    Args:
        spill: Where rows wait.
        rows: How many of them are sorted in memory at once. About three times as many are there at most.
    """

    def __init__(self, spill: Spill, rows: int) -> None:
        self._spill = spill
        self._rows = rows
        self._batch = max(_LEAST, math.isqrt(rows))
        self._waiting: list[pd.DataFrame] = []
        self._runs: list[_Run] = []
        self._table = Rows(spill)

    def add(self, piece: pd.DataFrame) -> None:
        """Take rows; they keep their order where their cells are the same."""
        piece = self._table.hold(piece)
        for start in range(0, max(len(piece), 1), self._rows):
            self._waiting.append(piece.iloc[start : start + self._rows])
            if sum(map(len, self._waiting)) >= self._rows:
                self._runs.append(self._run(self._table.together(self._waiting)))
                self._waiting.clear()

    def sorted(self) -> Iterator[pd.DataFrame]:
        """All rows, once all are there, in pieces."""
        yield from map(self._table.shown, self._in_pieces())

    def _in_pieces(self) -> Iterator[pd.DataFrame]:
        if not self._runs:
            if self._waiting:
                yield self._in_order(self._table.together(self._waiting))
            return
        if self._waiting:
            self._runs.append(self._run(self._table.together(self._waiting)))
            self._waiting.clear()
        for number, run in enumerate(self._runs):
            if run.order != self._order():  # objects came later that have no order among these
                self._runs[number] = self._run(self._table.together([self._read(run, range(len(run.first)))]))
        yield from self._merged()

    def _merged(self) -> Iterator[pd.DataFrame]:
        firsts = self._table.together([run.first for run in self._runs])
        key, place = self._key(firsts), 0
        keys: list[Ints] = []  # of the first row of each batch of each run
        for run in self._runs:
            keys.append(key[place : place + len(run.first)])
            place += len(run.first)
        order = np.argsort(key, kind="stable")
        step = max(self._rows // self._batch, 1)
        cuts = [firsts.iloc[[place]] for place in order[step::step]]
        numbers = [int(key[place]) for place in order[step::step]]
        low: tuple[int, Any] = (-1, None)
        for number, row in [*zip(numbers, cuts, strict=True), (int(key.max()) + 1, None)]:
            if number == low[0]:
                continue
            many = low[1] is not None and numbers.count(low[0]) > 1
            if many:
                yield from self._equal(keys, *low)
            if (rows := self._between(keys, low, (number, row), above=many)) is not None:
                yield rows
                del rows
            low = (number, row)

    def _between(
        self, keys: Sequence[Ints], low: tuple[int, Any], high: tuple[int, Any], *, above: bool
    ) -> pd.DataFrame | None:
        """The rows from one to below another, in order; `above` leaves out those that are the same as the first."""
        parts = []
        for run, of_run in zip(self._runs, keys, strict=True):
            start, end = max(int(np.searchsorted(of_run, low[0])) - 1, 0), int(np.searchsorted(of_run, high[0]))
            if start < end:
                parts.append(self._read(run, range(start, end)))
        count = sum(map(len, parts))
        if not count:
            return None
        rows = self._table.together([*parts, *(row for _, row in (low, high) if row is not None)])
        key = self._key(rows)
        within = np.ones(count, dtype=bool)
        if low[1] is not None:
            within = key[:count] > key[count] if above else key[:count] >= key[count]
        if high[1] is not None:
            within &= key[:count] < key[-1]
        chosen = np.flatnonzero(within)
        return rows.take(chosen[np.argsort(key[chosen], kind="stable")]).reset_index(drop=True)

    def _equal(self, keys: Sequence[Ints], number: int, row: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """The rows that are the same as one, in the order in which they came."""
        step = max(self._rows // self._batch, 1)
        for run, of_run in zip(self._runs, keys, strict=True):
            start, end = (int(np.searchsorted(of_run, number, side)) for side in ("left", "right"))
            for place in range(max(start - 1, 0), end, step):
                rows = self._table.together([self._read(run, range(place, min(place + step, end)))])
                key = self._key(self._table.together([row, rows]))
                yield rows.take(np.flatnonzero(key[1:] == key[0])).reset_index(drop=True)

    def _run(self, rows: pd.DataFrame) -> _Run:
        rows = self._in_order(rows)
        stored = self._table.store(rows, self._batch)
        return _Run(stored, self._order(), rows.iloc[:: self._batch].copy())

    def _read(self, run: _Run, batches: Iterable[int]) -> pd.DataFrame:
        if run.opened is None:
            run.opened = self._spill.read(run.stored.path)
        return self._table.read(run.stored, run.opened, batches)

    def _order(self) -> list[tuple[bool, bool]]:
        return [kind.order for kind in self._table.kinds]

    def _key(self, rows: pd.DataFrame) -> Ints:
        found = (kind.ranks(rows.iloc[:, place]) for place, kind in enumerate(self._table.kinds))
        return combined(found, len(rows), ordered=True)

    def _in_order(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows.take(np.argsort(self._key(rows), kind="stable")).reset_index(drop=True)


def regular(pieces: Iterable[pd.DataFrame], size: int) -> Iterator[pd.DataFrame]:
    """Rows in pieces of this size, as they would be without sorting, but for the last; at least one."""
    waiting: list[pd.DataFrame] = []
    some = False
    for piece in pieces:
        start, missing = 0, size - sum(map(len, waiting))
        while len(piece) - start >= missing:
            yield pd.concat([*waiting, piece.iloc[start : start + missing]], ignore_index=True)
            waiting, start, missing, some = [], start + missing, size, True
        waiting += [piece.iloc[start:]] if start < len(piece) or not some else []
    if waiting:
        yield pd.concat(waiting, ignore_index=True)
