"""The nodes of one depth of a partitioning: the combinations in them, in the order of each dimension."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import attrs
import numpy as np

from .domains import Codes, Ints

_Found = TypeVar("_Found")


@attrs.frozen(eq=False)
class Rows:
    """One dimension of the nodes in which it has several codes: where it has one, nothing of it can be cut or lost.

    Attributes:
        order: The combinations of these nodes, grouped by node and sorted by code within it.
        nodes: The nodes, ascending; they are numbered by their place here in the `Runs` of this dimension.
        size: Combinations of each.
    """

    order: Codes
    nodes: Ints
    size: Ints

    @property
    def start(self) -> Ints:
        """First row of each node."""
        return np.cumsum(self.size) - self.size


@attrs.define(eq=False)
class Level:
    """The nodes of one depth that may still be cut.

    Attributes:
        dimensions: Their combinations, ordered by each dimension.
        units: Their combinations, ascending.
        node: Node of each of `units`.
        size: Combinations of each node.
        weight: Records of each node.
        helper: A thread that shares the work on dimensions, in a large table.
    """

    dimensions: list[Rows]
    units: Codes
    node: Codes
    size: Ints
    weight: Ints
    helper: ThreadPoolExecutor | None = None

    def each(self, function: Callable[[int], _Found]) -> list[_Found]:
        """What a function gives for each dimension.

        This thread begins with the longest one and the helper with the shortest: memory that a thread has had serves
        only threads again, and so the helper should need little.
        """
        count = len(self.dimensions)
        if self.helper is None:
            return [function(d) for d in range(count)]
        waiting = deque(sorted(range(count), key=lambda d: -len(self.dimensions[d].order)))
        found: dict[int, _Found] = {}

        def work(following: Callable[[], int]) -> None:
            while True:
                try:
                    d = following()
                except IndexError:  # none is left
                    return
                found[d] = function(d)

        other = self.helper.submit(work, waiting.pop)
        work(waiting.popleft)
        other.result()
        return [found[d] for d in range(count)]


def first_level(codes: Sequence[Codes], weights: Ints, within: Ints) -> Level:
    """Where partitioning begins.

    Args:
        codes: For each dimension the code of each combination, of any integer type; a narrow one is sorted faster.
        weights: Records of each combination.
        within: Node of each combination, numbered from 0, none of them empty.
    """
    size = np.bincount(within)
    nodes = np.arange(len(size))
    return Level(
        dimensions=[varied_rows(row, np.lexsort((row, within)).astype(np.int32), nodes, size) for row in codes],
        units=np.arange(len(within), dtype=np.int32),
        node=within.astype(np.int32),
        size=size,
        weight=np.bincount(within, weights=weights).astype(np.int64),
    )


def varied_rows(codes: Codes, order: Codes, nodes: Ints, size: Ints) -> Rows:
    """The rows of those nodes that have several codes.

    Args:
        codes: Code of each combination.
        order: Combinations, grouped by node and sorted by code within it.
        nodes: The nodes, ascending.
        size: Combinations of each node.
    """
    ends = np.cumsum(size)
    varied = codes.take(order.take(ends - size)) != codes.take(order.take(ends - 1))
    if not varied.all():
        order = order.take(np.flatnonzero(np.repeat(varied, size)))
    return Rows(order, nodes[varied], size[varied])
