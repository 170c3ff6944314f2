"""The rows of a table in parts on the disk, each of which can be read by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pandas as pd

from pamola_tasks_tables.stored import Rows, Stored, order_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pamola_tasks_tables.protocol import Ints
    from pamola_tasks_tables.spilling import Spill


class Parted:
    """Divides the rows of a table that comes in pieces.

    Args:
        spill: Where rows wait.
        parts: How many parts there are.
        rows: How many rows wait in memory at most; the part that has most of them is then stored.
    """

    def __init__(self, spill: Spill, parts: int, rows: int) -> None:
        self._spill = spill
        self._rows = Rows(spill)
        self._most = rows
        self._waiting: list[list[pd.DataFrame]] = [[] for _ in range(parts)]
        self._stored: list[list[Stored]] = [[] for _ in range(parts)]
        self._in_memory = [0] * parts
        self.sizes = [0] * parts  #: rows of each part

    def add(self, piece: pd.DataFrame, part: Ints) -> None:
        """Take rows, and the part of each."""
        held = self._rows.hold(piece)
        order, bounds = order_of(part, len(self.sizes))
        held = held.take(order).reset_index(drop=True)
        for number in range(len(self.sizes)):
            rows = held.iloc[int(bounds[number]) : int(bounds[number + 1])]
            if len(rows):
                self._waiting[number].append(rows)
                self._in_memory[number] += len(rows)
                self.sizes[number] += len(rows)
        while sum(self._in_memory) > self._most:
            self._store(max(range(len(self.sizes)), key=lambda number: self._in_memory[number]))

    def pieces(self, number: int) -> Iterator[pd.DataFrame]:
        """The rows of a part in their order, once all rows are there."""
        for stored in self._stored[number]:
            with self._spill.reading(stored.path) as opened:
                for batch in range(stored.batches):
                    yield self._shown([self._rows.read(stored, opened, [batch])])
        if self._waiting[number]:
            yield self._shown(self._waiting[number])

    def _shown(self, rows: Sequence[pd.DataFrame]) -> pd.DataFrame:
        return self._rows.shown(self._rows.together(rows))

    def _store(self, number: int) -> None:
        rows = self._rows.together(self._waiting[number])
        self._stored[number].append(self._rows.store(rows, max(1, self._most // 8)))
        self._waiting[number].clear()
        self._in_memory[number] = 0


@attrs.frozen
class Part:
    """One part of a table (see `protocol.Part`)."""

    rows: int
    pieces: Callable[[], Iterator[pd.DataFrame]]
    combinations: Callable[[Sequence[str]], Any]
