"""What follows from two groupings of the same records: which values can be moved, and which cannot.

Each record is in a class of the first release (or in none), in a class of the second (or in none), and has a value. An
attacker knows the class of each person, and for each class how often each value occurs in it. Blocks are the records
that have both classes in common; how many of a block have a value are the numbers of a transportation problem whose
margins are published. What is true is one of its solutions, and in all of them a number is the same if and only if its
edge is in no cycle of the residual graph (R. K. Ahuja, T. L. Magnanti and J. B. Orlin: Network Flows, 1993, section
9.3). So the components of that graph show exactly, for each value alone, what follows for certain: by intersection, by
subtraction of classes, and by subtraction of any union of them. Records that are in one release only are in margins
that are unknown: one more node of the graph.
"""

from __future__ import annotations

import attrs
import numpy as np

from .domains import Ints, Mask

NOWHERE = -1
_ROUNDS = 50


@attrs.frozen(eq=False)
class Candidates:
    """The values that records of each block can have, as far as follows from two releases.

    Attributes:
        block: The block of each record.
        first: The class of each block in the first release, `NOWHERE` where its records are not in it.
        second: The same in the second.
        pairs: Sorted: block * `values` + value of all that is possible.
        values: How many values there are.
    """

    block: Ints
    first: Ints
    second: Ints
    pairs: Ints
    values: int

    @property
    def certain(self) -> Mask:
        """Of each record, whether only one value is possible."""
        left = np.bincount(self.pairs // self.values, minlength=len(self.first))
        return np.asarray(left[self.block] == 1)

    def of_record(self, records: Ints) -> tuple[Ints, Ints]:
        """The values that these records can have: positions in `records`, and for each a value."""
        block = self.block[records]
        start = np.searchsorted(self.pairs, block * self.values)
        count = np.searchsorted(self.pairs, (block + 1) * self.values) - start
        return np.repeat(np.arange(len(records)), count), self.pairs[_ranges(start, count)] % self.values

    def possible(self, records: Ints, value: Ints) -> Mask:
        """Whether each of these records can have a value."""
        return _is_in(self.block[records] * self.values + value, self.pairs)


def candidates(first: Ints, second: Ints, value: Ints) -> Candidates:
    """What records of two releases can have for a value.

    Args:
        first: The class of each record in the first release, from 0; `NOWHERE` for those that are not in it.
        second: The same in the second release.
        value: The true value of each record, from 0, how often it occurs in each class being known.
    """
    values = int(value.max(initial=0)) + 1
    key = (first + 1) * (int(second.max(initial=NOWHERE)) + 2) + second + 1
    _, start, block = np.unique(key, return_index=True, return_inverse=True)
    of_first, of_second = first[start], second[start]
    size = np.bincount(block)
    there = [np.unique(side[side >= 0] * values + value[side >= 0]) for side in (first, second)]
    pairs = _possible(of_first, of_second, there, values)
    true, times = np.unique(block * values + value, return_counts=True)
    count = np.zeros(len(pairs), dtype=np.int64)
    count[np.searchsorted(pairs, true)] = times
    owner, worth = pairs // values, pairs % values
    one, other = (
        np.where(
            side[owner] >= 0,
            np.searchsorted(nodes, side[owner] * values + worth) + offset,
            len(there[0]) + len(there[1]) + worth,
        )
        for side, nodes, offset in ((of_first, there[0], 0), (of_second, there[1], len(there[0])))
    )
    nodes = len(there[0]) + len(there[1]) + values
    alive = np.ones(len(pairs), dtype=bool)
    for _ in range(_ROUNDS):
        more, fewer = alive & (count < size[owner]), alive & (count > 0)
        component = components(nodes, np.append(one[more], other[fewer]), np.append(other[more], one[fewer]))
        fixed = component[one] != component[other]
        alive &= ~(fixed & (count == 0))
        settled = np.zeros(len(size), dtype=bool)
        settled[owner[alive & fixed & (count == size[owner])]] = True
        rest = alive & settled[owner] & (count == 0)  # their records have another value
        if not rest.any():
            break
        alive &= ~rest
    return Candidates(block, of_first, of_second, pairs[alive], values)


def _possible(first: Ints, second: Ints, there: list[Ints], values: int) -> Ints:
    """Block * values + value, sorted, of what is in both classes of a block, or in the one that it has."""
    sides = [(first, there[0]), (second, there[1])]
    starts = [np.searchsorted(nodes, side * values) for side, nodes in sides]
    counts = [np.searchsorted(nodes, (side + 1) * values) - starts[place] for place, (side, nodes) in enumerate(sides)]
    of_second = (first == NOWHERE) | ((second != NOWHERE) & (counts[1] < counts[0]))  # where there is less to look at
    found = []
    for place, chosen in ((0, ~of_second), (1, of_second)):
        blocks = np.flatnonzero(chosen)
        count = counts[place][blocks]
        owner = np.repeat(blocks, count)
        value = there[place][_ranges(starts[place][blocks], count)] % values
        other, nodes = sides[1 - place]
        kept = (other[owner] == NOWHERE) | _is_in(other[owner] * values + value, nodes)
        found.append(owner[kept] * values + value[kept])
    return np.sort(np.concatenate(found))


def _ranges(start: Ints, count: Ints) -> Ints:
    """start, start + 1, … of each, `count` of them, one behind the other."""
    ends = np.cumsum(count)
    return np.asarray(np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(start - (ends - count), count))


def _is_in(keys: Ints, among: Ints) -> Mask:
    """Whether each key is among these, which are sorted."""
    if not len(among):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(among, keys), len(among) - 1)
    return np.asarray(among[place] == keys)


def components(nodes: int, source: Ints, target: Ints) -> Ints:
    """Strongly connected components of a directed graph: for each node a number.

    R. E. Tarjan: Depth-first search and linear graph algorithms, SIAM Journal on Computing 1(2), 1972. Nodes without an
    edge to them or from them are a component each, and are taken away first, as often as there are some: mostly, hardly
    anything is left.
    """
    number = np.arange(nodes, dtype=np.int64)
    while len(source):
        inner = (np.bincount(source, minlength=nodes) > 0) & (np.bincount(target, minlength=nodes) > 0)
        kept = inner[source] & inner[target]
        if kept.all():
            break
        source, target = source[kept], target[kept]
    if not len(source):
        return number
    order = np.argsort(source, kind="stable")
    start = np.searchsorted(source[order], np.arange(nodes + 1)).tolist()
    follows = target[order].tolist()
    index: list[int] = [0] * nodes
    low: list[int] = [0] * nodes
    found: list[int] = number.tolist()
    settled = bytearray(nodes)
    stack: list[int] = []
    counter = 0
    for root in np.unique(source).tolist():
        if index[root]:
            continue
        work = [root]
        place = {root: start[root]}
        counter += 1
        index[root] = low[root] = counter
        stack.append(root)
        while work:
            node = work[-1]
            at = place[node]
            if at < start[node + 1]:
                place[node] = at + 1
                next_node = follows[at]
                if not index[next_node]:
                    counter += 1
                    index[next_node] = low[next_node] = counter
                    stack.append(next_node)
                    work.append(next_node)
                    place[next_node] = start[next_node]
                elif not settled[next_node] and index[next_node] < low[node]:
                    low[node] = index[next_node]
                continue
            work.pop()
            if work and low[node] < low[work[-1]]:
                low[work[-1]] = low[node]
            if low[node] == index[node]:
                while True:
                    member = stack.pop()
                    settled[member] = 1
                    found[member] = node
                    if member == node:
                        break
    return np.array(found, dtype=np.int64)
