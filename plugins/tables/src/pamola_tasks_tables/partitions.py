"""Counted rows on the disk, in parts that have no combination in common: each can be counted by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from pamola_tasks_tables.protocol import Ints
    from pamola_tasks_tables.spilling import Spill

    Codes = npt.NDArray[np.int32]
    Table = tuple[list[Codes], Ints]  # the codes of each column, and weights

BITS = 6
_MIX = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: Knuth, The Art of Computer Programming 3, 6.4


class Partitions:
    """Codes and weights, in 64 files by a hash of some of the codes.

    Args:
        spill: Where they are.
        columns: How many columns there are.
        by: The places of those that decide where a row goes.
        rows: How many rows wait in memory at most.
    """

    def __init__(self, spill: Spill, columns: int, by: Sequence[int], rows: int) -> None:
        self._spill = spill
        self._by = list(by)
        self._rows = max(rows >> BITS, 1)
        names = [*(f"c{place}" for place in range(columns)), "weight"]
        self._schema = pa.schema([(name, pa.int32()) for name in names[:-1]] + [("weight", pa.int64())])
        self._waiting: list[list[Any]] = [[] for _ in range(1 << BITS)]
        self._open = contextlib.ExitStack()
        self._written = [self._open.enter_context(spill.writing(self._schema)) for _ in self._waiting]

    def add(self, table: Table) -> None:
        """Take rows."""
        codes, weights = table
        hashed = np.zeros(len(weights), dtype=np.uint64)
        for place in self._by:
            hashed = (hashed ^ codes[place].astype(np.uint64)) * _MIX
            hashed ^= hashed >> np.uint64(32)
        part = (hashed >> np.uint64(64 - BITS)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        ends = np.searchsorted(part[order], np.arange((1 << BITS) + 1))
        columns: list[Any] = [*codes, weights]
        rows = pa.RecordBatch.from_arrays([each[order] for each in columns], schema=self._schema)
        for number, waiting in enumerate(self._waiting):
            start, end = int(ends[number]), int(ends[number + 1])
            if start < end:
                waiting.append(rows.slice(start, end - start))
                if sum(map(len, waiting)) >= self._rows:
                    self._write(number)

    def tables(self) -> Iterator[Table]:
        """The rows of each part, once all are there."""
        for number in range(len(self._waiting)):
            self._write(number)
        self._open.close()
        for written in self._written:
            rows = self._spill.read(written.path).read_all()
            *codes, weights = [column.to_numpy() for column in rows.columns]
            yield codes, weights

    def _write(self, number: int) -> None:
        for batch in self._waiting[number]:
            self._written[number].write(batch)
        self._waiting[number].clear()
