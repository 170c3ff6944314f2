"""Local suppression: single cells become `*`, as few and of as unimportant columns as a greedy search finds.

A class holds records that are the same in the columns that it keeps; a suppressed cell is a value of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from .domains import Codes, Floats, Ints, Mask

MOST_COLUMNS = 16
"""Sets of columns that are tried double with each column."""

UNASSIGNED = -1


def suppression_costs(importance: Floats) -> tuple[npt.NDArray[np.bool_], Floats]:
    """All sets of columns to suppress, in ascending order of what a record loses by it.

    Args:
        importance: Weight of each column.

    Returns:
        bool of shape (sets, columns), and the loss of a record by each.
    """
    columns = len(importance)
    sets = (np.arange(2**columns)[:, None] >> np.arange(columns) & 1).astype(bool)
    cost = sets @ importance
    order = np.argsort(cost, kind="stable")
    return sets[order], cost[order]


def suppressed_locally(codes: Codes, importance: Floats, k: int, progress: Callable[[int], None] | None = None) -> Ints:
    """Group records so that few cells differ within a class, at least `k` of them in each.

    Records that are `k` times in the table keep their cells; those of them that are more can help others. The others
    take, again and again, the set of columns by which each of them loses least, counted with the loss of those that
    help (a greedy weighted set cover; M. Templ, A. Kowarik and B. Meindl, Journal of Statistical Software 67(4), 2015,
    suppress greedily, too).

    Args:
        codes: Signed integers, shape (columns, records); `k` records or more.
        importance: Weight of each column's cells.
        k: Least number of records of a class.
        progress: Called with how many records have found their class.

    Returns:
        The class of each record.
    """
    state = _Greedy.of(codes, k)
    sets, cost = suppression_costs(importance)
    for chosen, least in _offers(cost, k):
        if not len(state.left):
            break
        if state.accept(~sets[chosen], least) and progress is not None:
            progress(codes.shape[1] - len(state.left))
    return state.complete(importance)


def _offers(cost: Floats, k: int) -> Iterator[tuple[int, int]]:
    """Sets of columns with the least number of records that take it, in ascending order of the loss of each of them.

    Where p records take a set and k - p others help, the p lose k / p times its cost. The p are k, and halves of that.
    """
    least = k
    takers = []
    while least:
        takers.append(least)
        least //= 2
    loss = np.concatenate([cost[1:] * k / each for each in takers])
    chosen = np.tile(np.arange(1, len(cost)), len(takers))
    number = np.repeat(np.array(takers), len(cost) - 1)
    order = np.argsort(loss, kind="stable")
    yield from zip(chosen[order].tolist(), number[order].tolist(), strict=True)


@attrs.define(eq=False)
class _Greedy:
    """Which records have a class.

    Attributes:
        codes: The records.
        k: Least number of records of a class.
        classes: The class of each record.
        left: Records that have none.
        spare: Records that keep their cells, in classes that are large enough without them.
        made: How many classes there are.
    """

    codes: Codes
    k: int
    classes: Ints
    left: Ints
    spare: Ints
    made: int

    @classmethod
    def of(cls, codes: Codes, k: int) -> _Greedy:
        group = _groups(codes)
        size = np.bincount(group)
        whole = size >= k
        classes = np.where(whole[group], (np.cumsum(whole) - 1)[group], UNASSIGNED)
        place = pd.Series(group).groupby(group).cumcount().to_numpy()
        return cls(
            codes,
            k,
            classes.astype(np.int64),
            np.flatnonzero(classes == UNASSIGNED),
            np.flatnonzero((classes != UNASSIGNED) & (place >= k)),
            int(whole.sum()),
        )

    def accept(self, kept: Mask, least: int) -> bool:
        """Make classes of records that are the same in these columns, where at least so many have none."""
        rows = np.concatenate([self.left, self.spare])
        group = _groups(self.codes[kept][:, rows]) if kept.any() else np.zeros(len(rows), dtype=np.int64)
        takers, helpers = group[: len(self.left)], group[len(self.left) :]
        groups = int(group.max(initial=-1)) + 1
        number, helping = np.bincount(takers, minlength=groups), np.bincount(helpers, minlength=groups)
        accepted = (number >= least) & (number + helping >= self.k)
        if not accepted.any():
            return False
        class_of = np.cumsum(accepted) - 1 + self.made
        needed = np.where(accepted, np.maximum(0, self.k - number), 0)
        place = pd.Series(helpers).groupby(helpers).cumcount().to_numpy()
        joins, helps = accepted[takers], place < needed[helpers]
        self.classes[self.left[joins]] = class_of[takers[joins]]
        self.classes[self.spare[helps]] = class_of[helpers[helps]]
        self.left, self.spare = self.left[~joins], self.spare[~helps]
        self.made += int(accepted.sum())
        return True

    def complete(self, importance: Floats) -> Ints:
        """Put the few that are left, together, into the class that loses least by it."""
        if not len(self.left):
            return self.classes
        inside = np.flatnonzero(self.classes != UNASSIGNED)
        own = self.classes[inside]
        first = np.zeros(self.made, dtype=np.int64)
        first[own] = inside
        size = np.bincount(own, minlength=self.made)
        loss, together = np.zeros(self.made), np.zeros(self.made)
        for row, weight in zip(self.codes, importance, strict=True):
            differs = np.bincount(own, weights=row[inside] != row[first[own]], minlength=self.made) > 0
            fits = (row[self.left] == row[self.left[0]]).all() & (row[first] == row[self.left[0]])
            loss += weight * differs
            together += weight * (differs | ~fits)
        self.classes[self.left] = np.argmin((size + len(self.left)) * together - size * loss)
        return self.classes


def _groups(codes: Codes) -> Ints:
    """A number for each record, the same for the same codes."""
    key = np.zeros(codes.shape[1], dtype=np.int64)
    span = 1
    for row in codes:
        width = int(row.max(initial=0)) + 1
        if span * width >= 2**62:
            key, distinct = pd.factorize(key)
            span = len(distinct)
        key = key * width + row
        span *= width
    return np.asarray(pd.factorize(key)[0], dtype=np.int64)
