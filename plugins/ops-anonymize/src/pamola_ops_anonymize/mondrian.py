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
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from .boxes import Boxes
from .conditions import Conditions
from .domains import Codes, Domain, Floats, Ints, Mask, Runs
from .levels import Level, Rows, first_level, varied_rows
from .ties import nearly_least, stops

CANDIDATES = 3
"""Cuts tried over all dimensions at each node. Five lose 2 % less on Adult and take a third longer."""

LARGE = 200_000
"""Combinations from which on `CANDIDATES_OF_LARGE` are tried, and dimensions are worked on in two threads.

Time matters more there, and loss is small anyway.
"""

CANDIDATES_OF_LARGE = 2

_LEFT, _RIGHT, _ENDED = range(3)  # where a combination goes


@attrs.frozen(eq=False)
class _Cuts:
    """One proposed cut a node.

    Attributes:
        dimension: Of each cut.
        run: The last run in this dimension that goes left, as the `Runs` of the dimension number it; -1 for no cut.
        left: Records that go left.
        gain: How much less is lost in this dimension; -inf where there is no cut.
    """

    dimension: Ints
    run: Ints
    left: Ints
    gain: Floats


def partition(
    codes: Codes,
    weights: Ints,
    domains: Sequence[Domain],
    k: int,
    *,
    importance: Floats | None = None,
    conditions: Conditions | None = None,
    candidates: int | None = None,
    within: Ints | None = None,
    boxes: Boxes | None = None,
    progress: Callable[[int], None] | None = None,
) -> Ints:
    """Divide combinations into classes of at least `k` records, cutting until no allowed cut is left.

    Args:
        codes: Signed integers, shape (dimensions, combinations).
        weights: int64, records of each combination; their sum must be at least `k`.
        domains: One a dimension.
        k: Least number of records of a class.
        importance: Weight of each dimension's loss; all the same unless given.
        conditions: What else both sides of a cut have to meet; where there are any, every proposed cut may be tried.
        candidates: Cuts tried over all dimensions at each node; unless given fewer for a large table.
        within: Classes to begin with, numbered from 0, none of them empty; one that holds everything unless given.
        boxes: Where to write down which cuts are around each class.
        progress: Called after each level with how many records have found their class.

    Returns:
        The class of each combination, numbered from 0.
    """
    count = codes.shape[1]
    if candidates is None:
        # a cut changes a box in its own dimension only
        candidates = 1 if boxes else CANDIDATES if count <= LARGE else CANDIDATES_OF_LARGE
    total = int(weights.sum())
    # narrow integers stay in the processor's cache
    search = _Search(
        codes=[row.astype(np.min_scalar_type(int(row.max(initial=0)))) for row in codes],
        weights=weights.astype(np.min_scalar_type(int(weights.max(initial=0)))),
        counts=np.int32 if total < 2**31 else np.int64,
        domains=domains,
        importance=np.ones(len(codes)) if importance is None else importance,
        k=k,
        candidates=candidates if conditions is None else 2 * len(codes),
        conditions=conditions,
        boxes=boxes,
    )
    # Cuts of least loss may peel off one extreme value at a time; past this depth only medians, which halve.
    greedy_levels = 2 * math.ceil(math.log2(max(2, total / k))) + 2 * len(codes)
    level = first_level(search.codes, weights, np.zeros(count, dtype=np.int64) if within is None else within)
    classes = np.zeros(count, dtype=np.int64)
    made = depth = 0
    with contextlib.ExitStack() as stack:
        if count > LARGE:
            level.helper = stack.enter_context(ThreadPoolExecutor(1))
        while len(level.size):
            depth += 1
            made = search.cut(level, classes, made, greedy=depth <= greedy_levels)
            if progress is not None:
                progress(total - int(level.weight.sum()))
    return classes


@attrs.frozen(eq=False, kw_only=True)
class _Search:
    """The table that is divided, and which cuts are looked for; the same for all nodes.

    Attributes:
        codes: For each dimension the code of each combination.
        weights: Records of each combination.
        counts: Type that holds how many records there are.
        domains: One a dimension.
        importance: Weight of each dimension's loss.
        k: Least number of records on both sides of a cut.
        candidates: Proposed cuts that are tried over all dimensions.
        conditions: What else both sides have to meet.
        boxes: Where cuts are written down.
    """

    codes: Sequence[Codes]
    weights: Ints
    counts: type[np.signedinteger[Any]]
    domains: Sequence[Domain]
    importance: Floats
    k: int
    candidates: int
    conditions: Conditions | None
    boxes: Boxes | None

    def cut(self, level: Level, classes: Ints, made: int, *, greedy: bool) -> int:
        """Cut every node and turn `level` into the next one; what cannot be cut again gets its class.

        Args:
            level: The nodes.
            classes: The class of each combination, written here.
            made: How many classes there are.
            greedy: Whether cuts of least loss are proposed beside medians.

        Returns:
            How many classes there are now.
        """
        runs, proposals = self._proposals(level, greedy)
        chosen = self._chosen(level, runs, proposals)
        side = self._sides(level, runs, chosen)
        if self.boxes is not None:
            self.boxes.cut(runs, chosen.dimension, chosen.run)
        del runs, proposals
        return self._divide(level, chosen, side, classes, made)

    def _proposals(self, level: Level, greedy: bool) -> tuple[list[Runs], list[_Cuts]]:
        def of_dimension(d: int) -> tuple[Runs, list[_Cuts]]:
            runs = _runs(self.codes[d], level.dimensions[d], self.weights, self.counts)
            return runs, self._proposed(level, d, runs, greedy)

        found = level.each(of_dimension)
        return [runs for runs, _ in found], [cuts for _, proposed in found for cuts in proposed]

    def _proposed(self, level: Level, dimension: int, runs: Runs, greedy: bool) -> list[_Cuts]:
        """The median of each node and, when `greedy`, the cut of least loss in this dimension."""
        nodes = level.dimensions[dimension].nodes
        sums = np.cumsum(runs.weight)
        before = sums.take(runs.first) - runs.weight.take(runs.first)
        whole = level.weight[nodes]
        # allowed are the cuts after the runs from one of these to before the other
        begin = np.searchsorted(sums, before + self.k)
        end = np.maximum(begin, np.searchsorted(sums, before + whole - self.k, side="right"))
        possible = np.flatnonzero(begin < end)
        if not len(possible):
            return []
        before, whole, begin, end = (of_node[possible] for of_node in (before, whole, begin, end))
        node_loss = self.domains[dimension].loss_of_nodes(runs)[possible]

        def remaining(at: Ints, count: Ints | int = 1) -> Floats:
            lost, lost_right = self.domains[dimension].loss_of_cuts(runs, at)
            left = sums.take(at) - np.repeat(before, count)
            lost *= left
            lost_right *= np.repeat(whole, count) - left
            lost += lost_right  # in place: these are the longest arrays that there are
            lost /= np.repeat(whole, count)
            return lost

        def cuts(at: Ints, lost: Floats) -> _Cuts:
            found = _Cuts(
                np.full(len(level.size), dimension, dtype=np.int64),
                np.full(len(level.size), -1, dtype=np.int64),
                level.weight.copy(),
                np.full(len(level.size), -np.inf),
            )
            here = nodes[possible]
            found.run[here] = at
            found.left[here] = sums.take(at) - before
            found.gain[here] = self.importance[dimension] * node_loss - self.importance[dimension] * lost
            return found

        median = _medians(sums, before, whole, begin)
        proposed = [cuts(median, remaining(median))]
        if greedy:
            count = end - begin
            every = _ranges(begin, count)
            lost = remaining(every, count)
            best = _first_least(lost, count)
            proposed.append(cuts(every.take(best), lost.take(best)))
        return proposed

    def _chosen(self, level: Level, runs: list[Runs], proposals: list[_Cuts]) -> _Cuts:
        """Of each node's most promising proposals the one that leaves the least loss over all dimensions."""
        nodes = len(level.size)
        none = np.zeros(nodes, dtype=np.int64)
        chosen = _Cuts(none, none - 1, level.weight.copy(), np.full(nodes, -np.inf))
        if not proposals:
            return chosen
        each = np.arange(nodes)
        dimensions, run, left, gains = (
            np.array([getattr(cuts, name) for cuts in proposals]) for name in ("dimension", "run", "left", "gain")
        )
        losses: list[Floats] = []
        ranks = np.argsort(-gains, axis=0, kind="stable")[: self.candidates]
        for rank in ranks:
            cuts = _Cuts(dimensions[rank, each], run[rank, each], left[rank, each], gains[rank, each])
            allowed = cuts.run >= 0
            if not allowed.any():
                break
            side = self._sides(level, runs, cuts)
            if self.conditions is not None:
                allowed = allowed & _both_meet(self.conditions, level, side)
            gain = np.where(allowed, -self._loss_after(level, runs, cuts, side), -np.inf)
            losses.append(-gain)
            better = gain > chosen.gain
            for name, values in (("dimension", cuts.dimension), ("run", cuts.run), ("left", cuts.left), ("gain", gain)):
                getattr(chosen, name)[better] = values[better]
        if self.conditions is not None and self.conditions.random and losses:
            some = np.array(losses)
            rank = ranks[nearly_least(some, level.weight, self.k), each]
            possible = np.isfinite(some).any(axis=0) & ~stops(level.weight, self.k)
            run_at, left_at = run[rank, each], left[rank, each]
            return _Cuts(
                dimensions[rank, each],
                np.where(possible, run_at, -1),
                np.where(possible, left_at, level.weight),
                chosen.gain,
            )
        return chosen

    def _sides(self, level: Level, runs: list[Runs], cuts: _Cuts) -> Mask:
        """For every combination whether it goes right; False where there is no cut."""
        side = np.zeros(len(self.weights), dtype=bool)
        for dimension in np.unique(cuts.dimension[cuts.run >= 0]).tolist():
            run, rows = runs[dimension], level.dimensions[dimension]
            last = cuts.run[np.flatnonzero((cuts.dimension == dimension) & (cuts.run >= 0))]
            begin = run.end.take(last)
            end = run.end.take(run.last.take(run.node.take(last)))
            side[rows.order.take(_ranges(begin, end - begin))] = True
        return side

    def _loss_after(self, level: Level, runs: list[Runs], cuts: _Cuts, side: Mask) -> Floats:
        """Loss of the records of each node, summed over the dimensions, once it is cut."""
        left, right = cuts.left, level.weight - cuts.left

        def of_dimension(d: int) -> Floats:
            domain, run, rows = self.domains[d], runs[d], level.dimensions[d]
            found = np.zeros(len(level.size))
            if len(rows.nodes):
                units_right = _sums(side.take(rows.order), run.end, np.int32)
                units = np.diff(run.end, prepend=0)
                left_loss = left[rows.nodes] * domain.loss_of_part(run, units_right < units)
                right_loss = right[rows.nodes] * domain.loss_of_part(run, units_right > 0)
                found[rows.nodes] = self.importance[d] * (left_loss + right_loss)
            return found

        loss = np.zeros(len(level.size))
        for each in level.each(of_dimension):  # in the same order however many threads there are
            loss += each
        return loss

    def _divide(self, level: Level, chosen: _Cuts, side: Mask, classes: Ints, made: int) -> int:
        # a node that is not cut is its own left child, with an empty right one
        child = 2 * level.node + side.take(level.units)
        size = np.bincount(child, minlength=2 * len(level.size))
        weight = np.column_stack([chosen.left, level.weight - chosen.left]).ravel()
        goes_on = np.repeat(chosen.run >= 0, 2) & (weight >= 2 * self.k) & (size > 1)
        ends = (size > 0) & ~goes_on
        number = np.cumsum(ends) - 1 + made
        ending = np.flatnonzero(ends.take(child))
        ended = level.units.take(ending)
        classes[ended] = number.take(child.take(ending))
        state = side.view(np.uint8)
        state[ended] = _ENDED
        going = np.flatnonzero(goes_on.take(child))
        self._descend(level, state, goes_on, child.take(going), going, size, weight)
        return made + int(ends.sum())

    def _descend(
        self,
        level: Level,
        state: npt.NDArray[np.uint8],
        goes_on: Mask,
        child: Codes,
        going: Ints,
        size: Ints,
        weight: Ints,
    ) -> None:
        # Left children come first, then right ones, so that rows, which keep their order, are divided without sorting.
        children = np.concatenate([np.flatnonzero(goes_on[0::2]) * 2, np.flatnonzero(goes_on[1::2]) * 2 + 1])
        if self.boxes is not None:
            self.boxes.go_on(np.flatnonzero((size > 0) & ~goes_on), children)
        number = np.empty(len(goes_on), dtype=np.int64)
        number[children] = np.arange(len(children))

        def descend(d: int) -> None:
            rows = level.dimensions[d]
            states = state.take(rows.order)
            order = [rows.order.take(np.flatnonzero(states == side)) for side in (_LEFT, _RIGHT)]
            nodes = [2 * rows.nodes + side for side in (_LEFT, _RIGHT)]
            here = np.concatenate([each[goes_on[each]] for each in nodes])
            level.dimensions[d] = varied_rows(self.codes[d], np.concatenate(order), number[here], size[here])

        level.each(descend)
        level.units = level.units.take(going)
        level.node = number.take(child).astype(np.int32)
        level.size = size[children]
        level.weight = weight[children]


def _runs(codes: Codes, rows: Rows, weights: Ints, counts: type[np.signedinteger[Any]]) -> Runs:
    code = codes.take(rows.order)
    begins = np.empty(len(code), dtype=bool)
    np.not_equal(code[1:], code[:-1], out=begins[1:])
    begins[rows.start] = True
    start = np.flatnonzero(begins)
    first = np.searchsorted(start, rows.start)
    following = np.append(first[1:], len(start))[: len(first)]
    end = np.append(start[1:], len(code))[: len(start)]
    return Runs(
        end=end,
        node=np.repeat(np.arange(len(first)), following - first),
        code=code.take(start),
        weight=_sums(weights.take(rows.order), end, counts),
        first=first,
        last=following - 1,
    )


def _sums(values: Ints | Mask, end: Ints, dtype: type[np.signedinteger[Any]]) -> Ints:
    """Sums of the values up to each end from the one before it; several times faster than `np.add.reduceat`."""
    total = np.cumsum(values, dtype=dtype).take(end - 1)
    return np.diff(total, prepend=dtype(0))


def _ranges(begin: Ints, count: Ints) -> Ints:
    """So many numbers from each of these, one after the other."""
    skipped = np.cumsum(count) - count
    return np.repeat(begin - skipped, count) + np.arange(int(count.sum()))


def _medians(sums: Ints, before: Ints, whole: Ints, begin: Ints) -> Ints:
    """The run after which a cut divides each node most evenly, the first of them.

    Args:
        sums: Records up to each run, of all nodes.
        before: Records before each node.
        whole: Records of each node.
        begin: The first run of each node after which a cut is allowed; if any is, then the one at the median is.
    """
    above = np.searchsorted(sums, before + (whole + 1) // 2)
    below = np.maximum(above - 1, begin)
    nearer = whole - 2 * (sums.take(below) - before) <= 2 * (sums.take(above) - before) - whole
    # runs without records (of k-map) have the sums of the run before them
    return np.where(nearer, np.maximum(np.searchsorted(sums, sums.take(below)), begin), above)


def _first_least(values: Floats, count: Ints) -> Ints:
    """Where in each stretch of so many values the least one is, the first of them."""
    least = np.minimum.reduceat(values, np.cumsum(count) - count)
    hits = np.flatnonzero(values == np.repeat(least, count))
    stretch = np.repeat(np.arange(len(count)), count).take(hits)
    return hits[np.diff(stretch, prepend=-1) > 0]


def _both_meet(conditions: Conditions, level: Level, side: Mask) -> Mask:
    units = level.units.astype(np.int64)
    met = conditions.met(units, 2 * level.node.astype(np.int64) + side[units], 2 * len(level.size))
    return np.asarray(met[0::2] & met[1::2])
