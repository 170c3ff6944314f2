"""Strict multidimensional partitioning: Mondrian, on weighted distinct combinations, all nodes of a level at once.

K. LeFevre, D. J. DeWitt and R. Ramakrishnan: Mondrian multidimensional k-anonymity, ICDE 2006. Theirs cuts the widest
dimension at its median. Here two cuts are proposed for each dimension, the median and the one that leaves least loss in
that dimension; the most promising are then tried over all dimensions, and the one that leaves least loss is made.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import numpy.typing as npt

from .conditions import Conditions
from .domains import Codes, Domain, Floats, Ints, Mask, Runs
from .levels import Level, Rows, first_level, varied_rows

CANDIDATES = 3
"""Cuts tried over all dimensions at each node. Five lose 2 % less on Adult and take a third longer."""

LARGE = 200_000
"""Combinations from which on `CANDIDATES_OF_LARGE` are tried, and dimensions are worked on in two threads.

Time matters more there, and loss is small anyway.
"""

CANDIDATES_OF_LARGE = 2


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
    rows = [row.astype(np.min_scalar_type(int(row.max(initial=0)))) for row in codes]  # in the processor's cache
    level = first_level(rows, weights, np.zeros(count, dtype=np.int64) if within is None else within)
    depth = 0
    with contextlib.ExitStack() as stack:
        if count > LARGE:
            level.helper = stack.enter_context(ThreadPoolExecutor(1))
        while len(level.size):
            depth += 1
            greedy = depth <= greedy_levels
            runs, proposals = _proposals(rows, weights, domains, factors, level, k, greedy)
            chosen = _choose(count, domains, factors, level, runs, proposals, weights, candidates, conditions)
            side = _sides(count, level, runs, chosen)
            del runs, proposals
            made = _divide(level, rows, chosen, side, weights, classes, made, k)
            if progress is not None:
                progress(total - int(level.weight.sum()))
    return classes


def _proposals(
    codes: Sequence[Codes],
    weights: Ints,
    domains: Sequence[Domain],
    importance: Floats,
    level: Level,
    k: int,
    greedy: bool,
) -> tuple[list[Runs], list[_Cuts]]:
    def of_dimension(d: int) -> tuple[Runs, list[_Cuts]]:
        runs = _runs(codes[d], level.dimensions[d], weights)
        return runs, _propose(d, domains[d], runs, level, k, float(importance[d]), greedy)

    found = level.each(of_dimension)
    return [runs for runs, _ in found], [cuts for _, proposed in found for cuts in proposed]


def _runs(codes: Codes, rows: Rows, weights: Ints) -> Runs:
    code = codes.take(rows.order)
    begins = np.empty(len(code), dtype=bool)
    np.not_equal(code[1:], code[:-1], out=begins[1:])
    begins[rows.start] = True
    start = np.flatnonzero(begins)
    first = np.searchsorted(start, rows.start)
    following = _ends(first, len(start))
    return Runs(
        start=start.astype(np.int32),
        node=np.repeat(np.arange(len(first), dtype=np.int32), following - first),
        code=code[start],
        weight=_sums(weights.take(rows.order), start),
        first=first,
        last=following - 1,
    )


def _ends(start: Ints, count: int) -> Ints:
    """Where each of the stretches ends that begin at these places of `count`."""
    return np.append(start[1:], count)[: len(start)]


def _sums(values: Ints, start: Ints) -> Ints:
    """Sums of the values from each start to the next one; several times faster than `np.add.reduceat`."""
    total = np.cumsum(values, dtype=values.dtype)
    ends: Ints = total[_ends(start, len(values)) - 1]
    return np.diff(ends, prepend=ends.dtype.type(0))


def _propose(
    dimension: int, domain: Domain, runs: Runs, level: Level, k: int, factor: float, greedy: bool
) -> list[_Cuts]:
    """The median of each node and, when `greedy`, the cut of least loss in this dimension."""
    nodes = level.dimensions[dimension].nodes
    if not len(nodes):
        return []
    sums = np.cumsum(runs.weight, dtype=runs.weight.dtype)
    left = sums - (sums[runs.first] - runs.weight[runs.first])[runs.node]
    whole = np.maximum(1, level.weight[nodes])[runs.node]  # with k-map a node may hold nobody of the population
    allowed = (left >= k) & (whole - left >= k)
    if not allowed.any():
        return []
    left_loss, right_loss, node_loss = domain.loss_of_cuts(runs)
    remaining = (left * left_loss + (whole - left) * right_loss) / whole
    measures = [np.abs(2 * left - whole) / whole] + ([remaining] if greedy else [])
    return [
        _best_cut(dimension, level, runs, np.where(allowed, m, np.inf), factor * node_loss, factor * remaining)
        for m in measures
    ]


def _best_cut(dimension: int, level: Level, runs: Runs, measure: Floats, node_loss: Floats, remaining: Floats) -> _Cuts:
    least = np.minimum.reduceat(measure, runs.first)
    hits = np.flatnonzero((measure == least[runs.node]) & np.isfinite(measure))
    place, at = np.unique(runs.node[hits], return_index=True)
    nodes = len(level.size)
    code = np.full(nodes, -1, dtype=np.int64)
    gain = np.full(nodes, -np.inf)
    here = level.dimensions[dimension].nodes[place]
    code[here] = runs.code[hits[at]]
    gain[here] = node_loss[place] - remaining[hits[at]]
    return _Cuts(np.full(nodes, dimension, dtype=np.int64), code, gain)


def _choose(
    count: int,
    domains: Sequence[Domain],
    importance: Floats,
    level: Level,
    runs: list[Runs],
    proposals: list[_Cuts],
    weights: Ints,
    candidates: int,
    conditions: Conditions | None,
) -> _Cuts:
    """Of each node's most promising proposals the one that leaves the least loss over all dimensions."""
    nodes = len(level.size)
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
        loss = np.where(allowed, _loss_after(domains, importance, level, runs, side, weights), np.inf)
        better = loss < least
        least[better] = loss[better]
        dimension[better] = cuts.dimension[better]
        code[better] = cuts.code[better]
    return _Cuts(dimension, code, -least)


def _sides(count: int, level: Level, runs: list[Runs], cuts: _Cuts) -> Mask:
    """For every combination whether it goes right; False where there is no cut."""
    side = np.zeros(count, dtype=bool)
    for dimension in np.unique(cuts.dimension[cuts.code >= 0]).tolist():
        run, rows = runs[dimension], level.dimensions[dimension]
        code = np.where(cuts.dimension == dimension, cuts.code, -1)[rows.nodes][run.node]
        goes_right = (code >= 0) & (run.code > code)
        places = np.flatnonzero(np.repeat(goes_right, _ends(run.start, len(rows.order)) - run.start))
        side[rows.order.take(places)] = True
    return side


def _both_meet(conditions: Conditions, level: Level, side: Mask) -> Mask:
    units = level.units.astype(np.int64)
    met = conditions.met(units, 2 * level.node.astype(np.int64) + side[units], 2 * len(level.size))
    return np.asarray(met[0::2] & met[1::2])


def _loss_after(
    domains: Sequence[Domain], importance: Floats, level: Level, runs: list[Runs], side: Mask, weights: Ints
) -> Floats:
    """Loss of the records of each node, summed over the dimensions, once it is cut."""
    right = np.bincount(
        level.node, weights=weights.take(level.units) * side.take(level.units), minlength=len(level.size)
    )
    left = level.weight - right

    def of_dimension(d: int) -> Floats:
        domain, run, rows = domains[d], runs[d], level.dimensions[d]
        found = np.zeros(len(level.size))
        if len(rows.nodes):
            units_right = _sums(side.take(rows.order).astype(np.int32), run.start)
            units = _ends(run.start, len(rows.order)) - run.start
            left_loss = left[rows.nodes] * domain.loss_of_part(run, units_right < units)
            right_loss = right[rows.nodes] * domain.loss_of_part(run, units_right > 0)
            found[rows.nodes] = importance[d] * (left_loss + right_loss)
        return found

    loss = np.zeros(len(level.size))
    for each in level.each(of_dimension):  # in the same order however many threads there are
        loss += each
    return loss


def _divide(
    level: Level,
    codes: Sequence[Codes],
    chosen: _Cuts,
    side: Mask,
    weights: Ints,
    classes: Ints,
    made: int,
    k: int,
) -> int:
    """Give what cannot be cut again its class, and turn `level` into the next one. Returns the classes made so far."""
    # a node that is not cut is its own left child, with an empty right one
    child = 2 * level.node + side.take(level.units)
    children = 2 * len(level.size)
    weight = np.bincount(child, weights=weights.take(level.units), minlength=children).astype(np.int64)
    size = np.bincount(child, minlength=children)
    goes_on = np.repeat(np.isfinite(chosen.gain), 2) & (weight >= 2 * k) & (size > 1)
    ends = (size > 0) & ~goes_on
    number = np.cumsum(ends) - 1 + made
    ending = np.flatnonzero(ends.take(child))
    classes[level.units.take(ending)] = number.take(child.take(ending))
    going = np.flatnonzero(goes_on.take(child))
    _descend(level, codes, side, goes_on, child.take(going), going, size, weight)
    return made + int(ends.sum())


def _descend(
    level: Level,
    codes: Sequence[Codes],
    side: Mask,
    goes_on: Mask,
    child: Codes,
    going: Ints,
    size: Ints,
    weight: Ints,
) -> None:
    # Left children come first, then right ones, so that rows, which keep their order, are divided without sorting.
    children = np.concatenate([np.flatnonzero(goes_on[0::2]) * 2, np.flatnonzero(goes_on[1::2]) * 2 + 1])
    number = np.empty(len(goes_on), dtype=np.int64)
    number[children] = np.arange(len(children))

    def of_dimension(d: int) -> Rows:
        rows = level.dimensions[d]
        goes_right = side.take(rows.order)
        parts, nodes = [], []
        for right, taken in enumerate((~goes_right, goes_right)):
            kept = 2 * rows.nodes + right
            stays = goes_on[kept]
            parts.append(rows.order.take(np.flatnonzero(taken & np.repeat(stays, rows.size))))
            nodes.append(kept[stays])
        here = np.concatenate(nodes)
        return varied_rows(codes[d], np.concatenate(parts), number[here], size[here])

    level.dimensions = level.each(of_dimension)
    level.units = level.units.take(going)
    level.node = number.take(child).astype(np.int32)
    level.size = size[children]
    level.weight = weight[children]
