"""Strict multidimensional partitioning: Mondrian, on weighted distinct combinations, all nodes of a level at once.

K. LeFevre, D. J. DeWitt and R. Ramakrishnan: Mondrian multidimensional k-anonymity, ICDE 2006. Theirs cuts the widest
dimension at its median. Here two cuts are proposed for each dimension, the median and the one that leaves least loss in
that dimension; the most promising are then tried over all dimensions, and the one that leaves least loss is made.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from .conditions import Conditions
from .domains import Codes, Domain, Floats, Ints, Mask, Runs

CANDIDATES = 3
"""Cuts tried over all dimensions at each node. Five lose 2 % less on Adult and take a third longer."""

LARGE = 200_000
"""Combinations from which on `CANDIDATES_OF_LARGE` are tried, and dimensions are worked on in `THREADS` threads.

Time matters more there, and loss is small anyway.
"""

CANDIDATES_OF_LARGE = 2

THREADS = 2


@attrs.define(eq=False)
class _Level:
    """The nodes of one depth that may still be cut.

    Attributes:
        order: For each dimension the combinations of these nodes, grouped by node and sorted by code within it.
            All dimensions share the same grouping, so a row number means the same node in each.
        start: First row of each node.
        size: Rows of each node.
        node: Node of each row.
        weight: Records of each node.
        each: What applies a function to each dimension: `map`, or that of some threads.
    """

    order: list[Codes]
    start: Ints
    size: Ints
    node: Ints
    weight: Ints
    each: Callable[..., Iterator[Any]] = map


@attrs.frozen(eq=False)
class _Cuts:
    """One proposed cut a node: codes up to `code` in `dimension` go left. `gain` is -inf where there is none."""

    dimension: Ints
    code: Ints
    gain: Floats


def partition(
    codes: npt.NDArray[np.int32],
    weights: Ints,
    domains: Sequence[Domain],
    k: int,
    *,
    importance: Floats | None = None,
    conditions: Conditions | None = None,
    candidates: int | None = None,
    within: Ints | None = None,
    progress: Callable[[int], None] | None = None,
) -> Ints:
    """Divide combinations into classes of at least `k` records, cutting until no allowed cut is left.

    Args:
        codes: int32, shape (dimensions, combinations).
        weights: int64, records of each combination; their sum must be at least `k`.
        domains: One a dimension.
        k: Least number of records of a class.
        importance: Weight of each dimension's loss; all the same unless given.
        conditions: What else both sides of a cut have to meet; where there are any, every proposed cut may be tried.
        candidates: Cuts tried over all dimensions at each node; unless given fewer for a large table.
        within: Classes to begin with, numbered from 0, none of them empty; one that holds everything unless given.
        progress: Told after each level how many records have found their class.

    Returns:
        The class of each combination, numbered from 0.
    """
    count = codes.shape[1]
    factors = np.ones(len(codes)) if importance is None else importance
    if candidates is None:
        candidates = CANDIDATES if count <= LARGE else CANDIDATES_OF_LARGE
    if conditions is not None:
        candidates = 2 * len(codes)
    classes = np.zeros(count, dtype=np.int64)
    made = 0
    total = int(weights.sum())
    if total < 2**31:
        weights = weights.astype(np.int32)  # half the memory, of which nine columns of a large table need much
    # Cuts of least loss may peel off one extreme value at a time; past this depth only medians, which halve.
    greedy_levels = 2 * math.ceil(math.log2(max(2, total / k))) + 2 * len(codes)
    level = _first_level(codes, weights, np.zeros(count, dtype=np.int64) if within is None else within)
    depth = 0
    with contextlib.ExitStack() as stack:
        if count > LARGE:
            level.each = stack.enter_context(ThreadPoolExecutor(THREADS)).map
        while len(level.start):
            depth += 1
            greedy = depth <= greedy_levels
            runs, proposals = _proposals(codes, weights, domains, factors, level, k, greedy)
            chosen = _choose(count, domains, factors, level, runs, proposals, candidates, conditions)
            side = _sides(count, level, runs, chosen)
            made = _divide(level, chosen, side, weights, classes, made, k)
            if progress is not None:
                progress(total - int(level.weight.sum()))
    return classes


def _proposals(
    codes: npt.NDArray[np.int32],
    weights: Ints,
    domains: Sequence[Domain],
    importance: Floats,
    level: _Level,
    k: int,
    greedy: bool,
) -> tuple[list[Runs], list[_Cuts]]:
    def of_dimension(d: int) -> tuple[Runs, list[_Cuts]]:
        runs = _runs(codes[d], level.order[d], weights, level)
        return runs, _propose(d, domains[d], runs, level, k, float(importance[d]), greedy)

    found = list(level.each(of_dimension, range(len(codes))))
    return [runs for runs, _ in found], [cuts for _, proposed in found for cuts in proposed]


def _first_level(codes: npt.NDArray[np.int32], weights: Ints, within: Ints) -> _Level:
    size = np.bincount(within)
    return _Level(
        order=[np.lexsort((row, within)).astype(np.int32) for row in codes],
        start=np.cumsum(size) - size,
        size=size,
        node=np.repeat(np.arange(len(size), dtype=np.int32), size),
        weight=np.bincount(within, weights=weights).astype(np.int64),
    )


def _runs(codes: Codes, order: Codes, weights: Ints, level: _Level) -> Runs:
    code = codes[order]
    begins = np.empty(len(order), dtype=bool)
    np.not_equal(code[1:], code[:-1], out=begins[1:])
    begins[level.start] = True
    start = np.flatnonzero(begins)
    first = np.searchsorted(start, level.start)
    row_weight = weights[order]
    return Runs(
        row_weight=row_weight,
        start=start.astype(np.int32),
        node=level.node[start],
        code=code[start],
        weight=np.add.reduceat(row_weight, start, dtype=row_weight.dtype),
        first=first,
        last=np.append(first[1:], len(start)) - 1,
    )


def _propose(
    dimension: int, domain: Domain, runs: Runs, level: _Level, k: int, factor: float, greedy: bool
) -> list[_Cuts]:
    """The median of each node and, when `greedy`, the cut of least loss in this dimension."""
    sums = np.cumsum(runs.weight)
    left = sums - (sums[runs.first] - runs.weight[runs.first])[runs.node]
    whole = level.weight[runs.node]
    allowed = (left >= k) & (whole - left >= k)
    if not allowed.any():
        return []
    left_loss, right_loss, node_loss = domain.loss_of_cuts(runs)
    remaining = (left * left_loss + (whole - left) * right_loss) / whole
    measures = [np.abs(2 * left - whole) / whole] + ([remaining] if greedy else [])
    return [
        _best_cut(dimension, runs, np.where(allowed, m, np.inf), factor * node_loss, factor * remaining)
        for m in measures
    ]


def _best_cut(dimension: int, runs: Runs, measure: Floats, node_loss: Floats, remaining: Floats) -> _Cuts:
    least = np.minimum.reduceat(measure, runs.first)
    hits = np.flatnonzero((measure == least[runs.node]) & np.isfinite(measure))
    node, at = np.unique(runs.node[hits], return_index=True)
    code = np.full(len(runs.first), -1, dtype=np.int64)
    gain = np.full(len(runs.first), -np.inf)
    code[node] = runs.code[hits[at]]
    gain[node] = node_loss[node] - remaining[hits[at]]
    return _Cuts(np.full(len(code), dimension, dtype=np.int64), code, gain)


def _choose(
    count: int,
    domains: Sequence[Domain],
    importance: Floats,
    level: _Level,
    runs: list[Runs],
    proposals: list[_Cuts],
    candidates: int,
    conditions: Conditions | None,
) -> _Cuts:
    """Of each node's most promising proposals the one that leaves the least loss over all dimensions."""
    nodes = len(level.start)
    dimension = np.zeros(nodes, dtype=np.int64)
    code = np.full(nodes, -1, dtype=np.int64)
    if not proposals:
        return _Cuts(dimension, code, np.full(nodes, -np.inf))
    each = np.arange(nodes)
    gains = np.array([cuts.gain for cuts in proposals])
    dimensions = np.array([cuts.dimension for cuts in proposals])
    cut_codes = np.array([cuts.code for cuts in proposals])
    ranking = np.argsort(-gains, axis=0, kind="stable")[:candidates]
    least = np.full(nodes, np.inf)
    for rank in ranking:
        cuts = _Cuts(dimensions[rank, each], cut_codes[rank, each], gains[rank, each])
        allowed = np.isfinite(cuts.gain)
        if not allowed.any():
            break
        side = _sides(count, level, runs, cuts)
        if conditions is not None:
            allowed = allowed & _both_meet(conditions, level, side)
        loss = np.where(allowed, _loss_after(domains, importance, level, runs, side), np.inf)
        better = loss < least
        least[better] = loss[better]
        dimension[better] = cuts.dimension[better]
        code[better] = cuts.code[better]
    return _Cuts(dimension, code, -least)


def _sides(count: int, level: _Level, runs: list[Runs], cuts: _Cuts) -> Mask:
    """For every combination whether it goes right; False where there is no cut."""
    side = np.zeros(count, dtype=bool)
    for dimension in np.unique(cuts.dimension[cuts.code >= 0]).tolist():
        run = runs[dimension]
        code = np.where(cuts.dimension == dimension, cuts.code, -1)[run.node]
        goes_right = (code >= 0) & (run.code > code)
        rows = np.repeat(goes_right, np.diff(run.start, append=len(level.node)))
        side[level.order[dimension][rows]] = True
    return side


def _both_meet(conditions: Conditions, level: _Level, side: Mask) -> Mask:
    units = level.order[0].astype(np.int64)
    met = conditions.met(units, 2 * level.node + side[units], 2 * len(level.start))
    return np.asarray(met[0::2] & met[1::2])


def _loss_after(domains: Sequence[Domain], importance: Floats, level: _Level, runs: list[Runs], side: Mask) -> Floats:
    """Loss of the records of each node, summed over the dimensions, once it is cut."""

    def of_dimension(d: int) -> Floats:
        domain, run = domains[d], runs[d]
        run_left = np.add.reduceat(run.row_weight * ~side[level.order[d]], run.start)
        left = np.add.reduceat(run_left, run.first)
        left_loss = left * domain.loss_of_part(run, run_left > 0)
        right_loss = (level.weight - left) * domain.loss_of_part(run, run.weight > run_left)
        return np.asarray(importance[d] * (left_loss + right_loss))

    loss = np.zeros(len(level.start))
    for each in level.each(of_dimension, range(len(domains))):  # in the same order however many threads there are
        loss += each
    return loss


def _divide(level: _Level, chosen: _Cuts, side: Mask, weights: Ints, classes: Ints, made: int, k: int) -> int:
    """Give what cannot be cut again its class, and turn `level` into the next one. Returns the classes made so far."""
    rows = level.order[0]
    cut = np.isfinite(chosen.gain)
    goes_right = side[rows]
    left_weight = np.add.reduceat(np.where(goes_right, 0, weights[rows]), level.start)
    left_size = level.size - np.add.reduceat(goes_right.astype(np.int64), level.start)
    # a node that is not cut is its own left child, with an empty right one
    weight = np.stack([left_weight, level.weight - left_weight], axis=1).ravel()
    size = np.stack([left_size, level.size - left_size], axis=1).ravel()
    goes_on = np.repeat(cut, 2) & (weight >= 2 * k) & (size > 1)
    ends = (size > 0) & ~goes_on
    number = np.cumsum(ends) - 1 + made
    child = 2 * level.node + goes_right
    ending = ends[child]
    classes[rows[ending]] = number[child[ending]]
    _descend(level, side, goes_on, size[goes_on], weight[goes_on])
    return made + int(ends.sum())


def _descend(level: _Level, side: Mask, goes_on: Mask, size: Ints, weight: Ints) -> None:
    # Rows of a node keep their order among those that go to the same child, so filling all left children in turn,
    # then all right ones, is a stable partition without sorting.
    is_right = np.repeat(np.flatnonzero(goes_on) % 2 == 1, size)
    left_place, right_place = np.flatnonzero(~is_right), np.flatnonzero(is_right)
    keeps_left, keeps_right = goes_on[0::2][level.node], goes_on[1::2][level.node]

    def of_dimension(order: Codes) -> Codes:
        goes_right = side[order]
        following = np.empty(len(is_right), dtype=np.int32)
        following[left_place] = order[keeps_left & ~goes_right]
        following[right_place] = order[keeps_right & goes_right]
        return following

    level.order = list(level.each(of_dimension, level.order))
    level.start = np.cumsum(size) - size
    level.size = size
    level.node = np.repeat(np.arange(len(size), dtype=np.int32), size)
    level.weight = weight
