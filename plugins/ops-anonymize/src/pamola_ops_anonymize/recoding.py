"""Recoding by hierarchies: the best level for the whole table, or for each class the lowest that reaches what is asked.

A node is one level for each quasi-identifier; its expected loss is the mean loss of its cells over the records. Nodes
are tried in ascending order of it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from .conditions import Conditions
from .domains import Codes, Floats, Ints, Mask
from .hierarchies import Hierarchy
from .ties import Costs, merged, skipped

Unsigned = npt.NDArray[np.uint64]

OUTSIDE = -1
"""The class of what is suppressed."""

_RESORT = 0.95  # nodes are sorted anew when this share of the records is left: 1 to 2 % less loss than once for all
MOST_NODES = 2_000_000
"""Nodes that are still tried: every one is held in memory and may be looked at."""

_MOST_SINGLE_LEFTOVERS = 300


def node_count(hierarchies: Sequence[Hierarchy]) -> int:
    """Number of nodes of the lattice."""
    count = 1
    for hierarchy in hierarchies:
        count *= hierarchy.levels
    return count


@attrs.define(eq=False)
class _Rows:
    """Units that have no class yet, with their keys at each level of each dimension.

    Attributes:
        units: Their numbers.
        keys: By dimension and level.
        weights: Records of each that are released or suppressed.
        counted: Records of each that count for k.
    """

    units: Ints
    keys: list[list[Unsigned]]
    weights: Ints
    counted: Floats

    @classmethod
    def of(cls, codes: Codes, weights: Ints, hierarchies: Sequence[Hierarchy], conditions: Conditions) -> _Rows:
        units = np.arange(codes.shape[1], dtype=np.int64)
        return cls(units, _keys(codes, hierarchies), weights, conditions.weights.astype(np.float64))

    def keep(self, which: Mask) -> None:
        self.units = self.units[which]
        self.weights = self.weights[which]
        self.counted = self.counted[which]
        self.keys = [[level[which] for level in levels] for levels in self.keys]

    def key(self, node: npt.NDArray[np.intp]) -> Unsigned:
        """A number for each unit, the same where the units are the same at this node.

        Linear in the groups, modulo 2^64, with odd multipliers: two groups may share a number by chance, which would
        make one class of them and is no harm, since cells are made from what is in a class.
        """
        total: Unsigned = self.keys[0][node[0]].copy()
        for levels, level in zip(self.keys[1:], node[1:], strict=True):
            total += levels[level]
        return total


def local_recoding(
    codes: Codes,
    weights: Ints,
    hierarchies: Sequence[Hierarchy],
    importance: Floats,
    conditions: Conditions,
    suppress_at_most: int,
    progress: Callable[[int], None] | None = None,
) -> Ints:
    """Accept, node by node, the classes that meet the conditions, and continue with the other records.

    What is left over in the end is suppressed where that is allowed, else joins the classes that lose least by it.

    With k-map there are units that hold records of the population only. They help others to reach k, and what is left
    of them joins nothing.

    Args:
        codes: Signed integers, shape (dimensions, units).
        weights: Records of each unit that are released or suppressed.
        hierarchies: One a dimension.
        importance: Weight of each dimension's loss.
        conditions: What a class has to meet.
        suppress_at_most: Records that may be suppressed.
        progress: Called with how many records have found their class.

    Returns:
        The class of each unit, `OUTSIDE` for what is suppressed.
    """
    count = codes.shape[1]
    classes = np.full(count, OUTSIDE, dtype=np.int64)
    rows = _Rows.of(codes, weights, hierarchies, conditions)
    nodes = _nodes(hierarchies)
    made, at, sorted_with = 0, 0, np.inf
    while at < len(nodes) and len(rows.units):
        if len(rows.units) < _RESORT * sorted_with:
            sorted_with = len(rows.units)
            expected = _expected(codes[:, rows.units], rows.weights, hierarchies, importance)
            # a node that was tried has no class among fewer records either
            nodes, at = _ascending(nodes[at:], expected), 0
            if progress is not None:
                progress(int(weights.sum() - rows.weights.sum()))
        accepted, number, new = _accept(rows, rows.key(nodes[at]), conditions)
        at += 1
        if new:
            classes[rows.units[accepted]] = number + made
            made += new
            kept = np.ones(len(rows.units), dtype=bool)
            kept[accepted] = False
            rows.keep(kept)
    if int(rows.weights.sum()) > suppress_at_most:
        classes = join_leftovers(codes, weights, classes, hierarchies, importance, conditions)
        classes[(np.bincount(classes, weights=weights) == 0)[classes]] = OUTSIDE
    return classes


def _nodes(hierarchies: Sequence[Hierarchy]) -> npt.NDArray[np.intp]:
    return np.indices([hierarchy.levels for hierarchy in hierarchies]).reshape(len(hierarchies), -1).T


def _keys(codes: Codes, hierarchies: Sequence[Hierarchy]) -> list[list[Unsigned]]:
    keys = []
    for dimension, (row, hierarchy) in enumerate(zip(codes, hierarchies, strict=True)):
        # multipliers that have nothing to do with each other, and are the same in every run
        digest = hashlib.sha256(f"dimension {dimension}".encode()).digest()
        multiplier = np.uint64(int.from_bytes(digest[:8], "big") | 1)
        keys.append([hierarchy.groups[level][row].astype(np.uint64) * multiplier for level in range(hierarchy.levels)])
    return keys


def _expected(codes: Codes, weights: Ints, hierarchies: Sequence[Hierarchy], importance: Floats) -> list[Floats]:
    """Per dimension the mean loss at each level, weighted, over the records of these units."""
    total = max(1, int(weights.sum()))
    expected = []
    for row, hierarchy, factor in zip(codes, hierarchies, importance, strict=True):
        records = np.bincount(row, weights=weights, minlength=hierarchy.loss.shape[1])
        expected.append(factor * (hierarchy.loss * records).sum(axis=1) / total)
    return expected


def _ascending(nodes: npt.NDArray[np.intp], expected: list[Floats]) -> npt.NDArray[np.intp]:
    loss = np.zeros(len(nodes))
    for dimension, levels in enumerate(expected):
        loss += levels[nodes[:, dimension]]
    return nodes[np.argsort(loss, kind="stable")]


def _accept(rows: _Rows, key: Unsigned, conditions: Conditions) -> tuple[Ints, Ints, int]:
    """Rows whose class at this node meets the conditions, the number of the class of each, and how many there are."""
    # Few classes reach k, and sorting is slow: first throw keys into four times as many buckets as there are rows.
    # A bucket below k has no class of k.
    bits = max(4, (4 * len(key)).bit_length())
    bucket = (key >> np.uint64(64 - bits)).view(np.int64)
    full = np.bincount(bucket, weights=rows.counted, minlength=1 << bits) >= conditions.k
    likely = np.flatnonzero(full.take(bucket))
    none = np.zeros(0, dtype=np.int64)
    if not len(likely):
        return none, none, 0
    distinct, group = np.unique(key[likely], return_inverse=True)
    met = conditions.met(rows.units[likely], group.astype(np.int64), len(distinct))
    met &= np.bincount(group, weights=rows.weights[likely]) > 0
    number = np.cumsum(met) - 1
    accepted = met[group]
    return likely[accepted], number[group[accepted]], int(met.sum())


def join_leftovers(
    codes: Codes,
    weights: Ints,
    classes: Ints,
    hierarchies: Sequence[Hierarchy],
    importance: Floats,
    conditions: Conditions,
) -> Ints:
    """Let what has no class, and then every class that no longer meets the conditions, join where least is lost.

    Merging all would meet the conditions, since the table does, and each of them holds for a union of classes where
    it holds for both.
    """
    classes = classes.copy()
    outside = np.flatnonzero(classes == OUTSIDE)
    made = int(classes.max(initial=-1)) + 1
    single = np.arange(len(outside))
    joining = weights[outside] > 0
    if joining.sum() > _MOST_SINGLE_LEFTOVERS:
        single[joining] = len(outside)
    classes[outside] = made + single
    return met_by_joining(codes, weights, classes, hierarchies, importance, conditions)


def met_by_joining(
    codes: Codes,
    weights: Ints,
    classes: Ints,
    hierarchies: Sequence[Hierarchy],
    importance: Floats,
    conditions: Conditions,
) -> Ints:
    """Let every class that does not meet the conditions join where least is lost; `OUTSIDE` stays so while it can."""
    inside = np.flatnonzero(classes != OUTSIDE)

    def violating(of: Ints, count: int) -> Mask:
        present = np.bincount(of, weights=weights[inside], minlength=count) > 0
        return np.asarray(~conditions.met(inside, of, count) & present)

    def costs(of: Ints, count: int) -> Costs:
        table = _Classes.of(codes[:, inside], weights[inside], of, count, hierarchies, importance)
        return table.cost_of_joining

    result = np.full(len(classes), OUTSIDE, dtype=np.int64)
    if len(inside):
        result[inside] = merged(classes[inside], violating, costs, at_random=conditions.random)
        if violating(result[inside], int(result.max()) + 1).any():  # not even all that are left do
            result[:] = 0
    return result


@attrs.frozen(eq=False)
class _Classes:
    """Classes as their common groups: per dimension the lowest common level and one member's code."""

    hierarchies: Sequence[Hierarchy]
    importance: Floats
    level: list[Ints]
    member: list[Ints]
    weight: Floats
    loss: Floats

    @classmethod
    def of(
        cls,
        codes: Codes,
        weights: Ints,
        classes: Ints,
        count: int,
        hierarchies: Sequence[Hierarchy],
        importance: Floats,
    ) -> _Classes:
        loss = np.zeros(count)
        levels, members = [], []
        for row, hierarchy, factor in zip(codes, hierarchies, importance, strict=True):
            level, member = hierarchy.common(row.astype(np.int64), classes, count)
            levels.append(level)
            members.append(member)
            loss += factor * hierarchy.loss[level, member]
        weight = np.bincount(classes, weights=weights, minlength=count).astype(np.float64)
        return cls(hierarchies, importance, levels, members, weight, loss)

    def cost_of_joining(self, each: int) -> Floats:
        """By how much the loss of all records rises if this class joins each of the others."""
        together = np.zeros(len(self.weight))
        for hierarchy, factor, level, member in zip(
            self.hierarchies, self.importance, self.level, self.member, strict=True
        ):
            joined = np.full(len(level), hierarchy.levels - 1)
            for lower in range(hierarchy.levels - 2, -1, -1):
                groups = hierarchy.groups[lower]
                fits = (groups[member] == groups[member[each]]) & (level <= lower) & (level[each] <= lower)
                joined[fits] = lower
            together += factor * hierarchy.loss[joined, member]
        own = self.weight * self.loss
        return np.asarray((self.weight + self.weight[each]) * together - own - own[each])


def full_domain(
    codes: Codes,
    weights: Ints,
    hierarchies: Sequence[Hierarchy],
    importance: Floats,
    conditions: Conditions,
    suppress_at_most: int,
) -> tuple[Ints, list[int]]:
    """The node of least loss at which every class meets the conditions, but for what may be suppressed.

    A record that is suppressed loses 1 in every column. Without suppression, nodes at which two columns alone have a
    class below k are left out first (K. LeFevre, D. J. DeWitt and R. Ramakrishnan: Incognito, SIGMOD 2005).

    Returns:
        The class of each unit, `OUTSIDE` for what is suppressed, and the level of each dimension. The topmost node
        always meets the conditions where the table does.
    """
    rows = _Rows.of(codes, weights, hierarchies, conditions)
    expected = _expected(codes, weights, hierarchies, importance)
    nodes = _nodes(hierarchies)
    if not suppress_at_most:
        nodes = nodes[_possible(codes, weights, hierarchies, conditions)[tuple(nodes.T)]]
    best_loss, best = np.inf, np.zeros(codes.shape[1], dtype=np.int64)
    levels_of_best = [hierarchy.levels - 1 for hierarchy in hierarchies]
    total, whole = int(weights.sum()), float(importance.sum())
    for node in _ascending(nodes, expected):
        if conditions.random and skipped():
            continue
        floor = sum(float(levels[level]) for levels, level in zip(expected, node, strict=True))
        if floor >= best_loss:
            break  # suppressing only adds to the expected loss of a node
        distinct, group = np.unique(rows.key(node), return_inverse=True)
        met = conditions.met(rows.units, group.astype(np.int64), len(distinct))
        met |= np.bincount(group, weights=weights) == 0  # records of the population only are not released
        out = ~met[group]
        suppressed = int(weights[out].sum())
        if suppressed > suppress_at_most or suppressed == total:
            continue
        kept = ~out
        inside = _expected(codes[:, kept], weights[kept], hierarchies, importance)
        share = suppressed / total
        loss = (1 - share) * sum(float(levels[level]) for levels, level in zip(inside, node, strict=True))
        loss += share * whole
        if loss < best_loss:
            best_loss = loss
            best = np.where(out, OUTSIDE, (np.cumsum(met) - 1)[group])
            levels_of_best = [int(level) for level in node]
    return best, levels_of_best


def _possible(codes: Codes, weights: Ints, hierarchies: Sequence[Hierarchy], conditions: Conditions) -> Mask:
    """Over the lattice, False where two columns alone show a class below k."""
    possible = np.ones([hierarchy.levels for hierarchy in hierarchies], dtype=bool)
    for one, other in itertools.combinations(range(len(hierarchies)), 2):
        for level, level_of_other in itertools.product(
            range(hierarchies[one].levels), range(hierarchies[other].levels)
        ):
            left, right = hierarchies[one].groups[level], hierarchies[other].groups[level_of_other]
            width = int(right.max()) + 1
            if (int(left.max()) + 1) * width > 50 * codes.shape[1] + 1000:
                continue  # counting would cost more than the node itself
            pair = left[codes[one]] * width + right[codes[other]]
            size = np.bincount(pair, weights=conditions.weights)
            present = np.bincount(pair, weights=weights) > 0
            if (size[present] < conditions.k).any():
                where: list[slice | int] = [slice(None)] * len(hierarchies)
                where[one], where[other] = level, level_of_other
                possible[tuple(where)] = False
    return possible
