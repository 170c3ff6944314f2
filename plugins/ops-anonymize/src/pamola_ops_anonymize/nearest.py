"""The nearest records of another table, in the columns that an attacker knows; each query looks at all of them once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
import numpy as np

from .attacked import AttackedTables
from .domains import Floats, Ints, combinations

_CELLS = 4_000_000  # of a block of distances
_EQUAL = 1e-9

Block = Callable[[Ints], Floats]


@attrs.frozen(eq=False)
class Alike:
    """The records of a table, those that are alike in some columns together.

    Attributes:
        ids: For each column what each group of records has.
        order: The records, group by group.
        start: Where each group begins, and the end.
    """

    ids: list[Ints]
    order: Ints
    start: Ints

    @classmethod
    def of(cls, ids: Sequence[Ints]) -> Alike:
        """Group records by numbers that they have in each column."""
        first, group, count = combinations(ids, [int(column.max(initial=0)) + 1 for column in ids])
        order = np.argsort(group, kind="stable")
        return cls([column[first] for column in ids], order, np.append(0, np.cumsum(count)))

    @property
    def sizes(self) -> Ints:
        return np.diff(self.start)

    def records(self, group: int) -> Ints:
        """The records of a group."""
        return np.asarray(self.order[self.start[group] : self.start[group + 1]])


def block_size(tables: AttackedTables, names: Sequence[str], among: Alike) -> int:
    """How many queries are looked at together, so that memory is bounded."""
    widths = [max(len(tables.columns[name].cells.low), tables.columns[name].domain.size + 1) for name in names]
    return max(1, _CELLS // max(1, len(among.sizes), *widths))


def distances(tables: AttackedTables, names: Sequence[str], queries: Ints, side: str, among: Alike) -> Iterator[Floats]:
    """How far each query is from each group of records of the other side, a block of queries at a time.

    Args:
        tables: The tables.
        names: The columns.
        queries: Numbers of records.
        side: What the queries are records of: `original` or `control`, with `among` the release; or `released`, with
            `among` one of the others.
        among: The records to search, by the same columns.

    Yields:
        Arrays of shape (queries, groups): the sum over the columns, each at most 1.
    """
    ids = tables.ids(names, side)
    step = block_size(tables, names, among)
    for begin in range(0, len(queries), step):
        block = queries[begin : begin + step]
        total = np.zeros((len(block), len(among.sizes)))
        for name, own, theirs in zip(names, ids, among.ids, strict=True):
            column = tables.columns[name]
            asked, which = np.unique(own[block], return_inverse=True)
            rows = column.to_values(asked) if side == "released" else column.to_cells(asked)
            total += rows[:, theirs][which] if len(asked) < len(block) / 2 else rows[which][:, theirs]
        yield total


def nearest_record(
    tables: AttackedTables, names: Sequence[str], queries: Ints, side: str, among: Alike, rng: np.random.Generator
) -> Ints:
    """For each query one of the nearest records, any of several with the same probability."""
    found = []
    for block in distances(tables, names, queries, side, among):
        least = block.min(axis=1, keepdims=True)
        for row in block <= least + _EQUAL:
            groups = np.flatnonzero(row)
            many = np.cumsum(among.sizes[groups])
            drawn = int(rng.integers(many[-1]))
            place = int(np.searchsorted(many, drawn, side="right"))
            found.append(among.records(int(groups[place]))[many[place] - drawn - 1])
    return np.array(found, dtype=np.int64)


def nearest_distances(
    tables: AttackedTables, names: Sequence[str], queries: Ints, side: str, among: Alike
) -> tuple[Floats, Floats]:
    """For each query how far the nearest record is, and the second nearest."""
    first, second = [np.zeros(0)], [np.zeros(0)]
    for block in distances(tables, names, queries, side, among):
        place = block.argmin(axis=1)
        least = block[np.arange(len(block)), place]
        alone = among.sizes[place] == 1
        block[np.arange(len(block)), place] = np.inf
        first.append(least)
        second.append(np.where(alone & (block.shape[1] > 1), block.min(axis=1), least))
    return np.concatenate(first), np.concatenate(second)
