"""Local suppression with the least loss that there is, by branch and bound: for small tables."""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs
import numpy as np

from pamola_tasks.errors import DataRefused

from .domains import Codes, Floats, Ints
from .local_suppression import suppression_costs

MOST_STEPS = 1_000_000
"""Classes that are tried before the search is given up."""

_SLACK = 1e-9

State = tuple[int, ...]


def suppressed_optimally(codes: Codes, importance: Floats, k: int, found: Ints) -> Ints:
    """Group records so that the weighted number of suppressed cells is the least that there is.

    Optimal k-anonymity by suppression is NP-hard (A. Meyerson and R. Williams, PODS 2004). A class need not have more
    than 2k - 1 records, since a part of it loses no more than the whole; the search tries all classes that the first
    record left can be in, and bounds what the others lose by the cheapest set of columns in which k records agree.

    Args:
        codes: Signed integers, shape (columns, records); `k` records or more.
        importance: Weight of each column's cells.
        k: Least number of records of a class.
        found: Classes of the records to start with, of a greedy search.

    Returns:
        The class of each record.

    Raises:
        DataRefused: The search does not end within `MOST_STEPS` steps.
    """
    distinct, unit, count = np.unique(codes, axis=1, return_inverse=True, return_counts=True)
    unit = unit.reshape(-1)
    search = _Search.of(distinct, count.astype(np.int64), importance, k)
    search.best = loss_of(codes, importance, found) + _SLACK
    search.extend(tuple(count.tolist()), 0.0, [])
    if search.classes is None:
        return found
    classes = np.empty(len(unit), dtype=np.int64)
    waiting = [np.flatnonzero(unit == each).tolist() for each in range(len(count))]
    for number, members in enumerate(search.classes):
        for each in members:
            classes[waiting[each].pop()] = number
    return classes


def loss_of(codes: Codes, importance: Floats, classes: Ints) -> float:
    """The weighted number of cells in which classes differ."""
    total = 0.0
    for each in np.unique(classes).tolist():
        inside = codes[:, classes == each]
        total += inside.shape[1] * float(importance[(inside != inside[:, :1]).any(axis=1)].sum())
    return total


@attrs.define(eq=False)
class _Search:
    """The records by their distinct combinations, and the best classes so far.

    Attributes:
        k: Least number of records of a class.
        differs: For each two combinations the columns in which they differ, as bits.
        cost: What a record loses by each set of columns, by its bits.
        least: What a record of each combination loses at least.
        best: The least loss so far.
        classes: The combinations of the records of each class that has it.
        seen: The least loss with which records were left, by how many of each combination are.
        steps: How many classes were tried.
    """

    k: int
    differs: list[list[int]]
    cost: list[float]
    least: list[float]
    best: float = math.inf
    classes: list[list[int]] | None = None
    seen: dict[State, float] = attrs.Factory(dict)
    steps: int = 0

    @classmethod
    def of(cls, codes: Codes, count: Ints, importance: Floats, k: int) -> _Search:
        sets, cost = suppression_costs(importance)
        bits = 1 << np.arange(len(importance))
        differs = ((codes[:, :, None] != codes[:, None, :]) * bits[:, None, None]).sum(axis=0)
        least = np.full(codes.shape[1], math.inf)
        for chosen, price in zip(sets, cost.tolist(), strict=True):
            alike = count @ ((differs & int((bits * ~chosen).sum())) == 0) >= k
            least[alike] = np.minimum(least[alike], price)
        by_bits = np.empty(len(cost))
        by_bits[sets @ bits] = cost
        return cls(k, differs.tolist(), by_bits.tolist(), least.tolist())

    def extend(self, left: State, loss: float, classes: list[list[int]]) -> None:
        """Try all classes of the first combination that is left, and go on with the others."""
        size = sum(left)
        if not size:
            self.best, self.classes = loss - _SLACK, [list(each) for each in classes]
            return
        if loss >= self.seen.get(left, math.inf):
            return
        self.seen[left] = loss
        bound = sum(n * least for n, least in zip(left, self.least, strict=True) if n)
        if loss + bound >= self.best:
            return
        # of those left, the one that loses most first: few classes are worth trying with it
        first = max((each for each, n in enumerate(left) if n), key=lambda each: self.least[each])
        order = sorted(
            (each for each, n in enumerate(left) if n), key=lambda each: self.cost[self.differs[first][each]]
        )
        for cost, members in sorted(self._candidates(first, order, left, loss + bound), key=lambda each: each[0]):
            rest = list(left)
            for each in members:
                rest[each] -= 1
            self.extend(tuple(rest), loss + cost, [*classes, members])

    def _candidates(self, first: int, order: list[int], left: State, bound: float) -> Iterator[tuple[float, list[int]]]:
        """Classes with a record of the first combination that could lead to less loss, with their loss."""
        total = sum(left)
        largest = min(2 * self.k - 1, total)

        def grown(members: list[int], place: int, columns: int, floor: float) -> Iterator[tuple[float, list[int]]]:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise DataRefused(
                    f"the exact search for the fewest suppressed cells tries more than {MOST_STEPS:,} classes: the"
                    f" table is too large for it. Leave out `exact`, or use a smaller k or fewer quasi-identifiers"
                )
            size = len(members)
            rest = total - size
            if size >= self.k and (not rest or rest >= self.k):
                yield size * self.cost[columns], list(members)
            if size == largest:
                return
            for at in range(place, len(order)):
                each = order[at]
                if members.count(each) == left[each]:
                    continue
                more = columns | self.differs[first][each]
                least = floor + self.least[each]
                if bound - least + max(size + 1, self.k) * self.cost[more] >= self.best:
                    continue
                yield from grown([*members, each], at, more, least)

        yield from grown([first], 0, 0, self.least[first])
