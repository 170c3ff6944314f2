"""Classes of a local recoding made better: records change their class as long as less is lost by it.

Three changes are tried: a unit (records that are the same) moves to another class; two units of different classes
change places; a unit moves to a class from which another one moves on to a third. Classes stay as they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from .conditions import Conditions
from .domains import Codes, Domain, Floats, Ints, Mask
from .hierarchies import Hierarchy
from .lookups import joint, together
from .mondrian import partition
from .spans import Scale, Spans

TARGETS = 4
"""Classes that each unit may want to go to: those that lose least by it. Six lose 0.5 % less and take longer."""

ROUNDS = 16

BLOCK = 25_000
"""Units that may change places with each other: work rises with its square, so a larger table is divided."""

_ENTRIES = 30_000_000  # of the tables of a block: what each class would lose with each code of a column
_TOGETHER = 128  # combinations of places that are looked up at once
_TRIALS = 50_000
_SLACK = 2.0  # a unit that leaves may cost so many times what it saves, if another one that leaves makes up for it
_CACHED = 200_000  # costs that are added up at a time: so many stay in the processor's cache
_LEAST_GAIN = 1e-6

# What is lost by ranges and sets counts so many times what is lost by hierarchies at first, and less, by this factor,
# whenever hierarchies lose this much more than they did before: that way both lose less in the end.
SETS = 2.0
_SETS_LESS = 0.7
_CEILING = 1.005

Singles = npt.NDArray[np.float32]


def improved(
    codes: Codes,
    classes: Ints,
    domains: Sequence[Domain],
    hierarchies: Sequence[Hierarchy],
    importance: Floats,
    conditions: Conditions,
    sets: float = SETS,
) -> Ints:
    """Divide classes that are large enough, then let units change places.

    Args:
        codes: Signed integers, shape (dimensions, units).
        classes: The class of each unit, below 0 for one that has none, and stays so.
        domains: One a dimension.
        hierarchies: One a dimension.
        importance: Weight of each dimension's loss.
        conditions: What a class has to meet, and already meets.
        sets: How many times what is lost by ranges and sets counts beside what is lost by hierarchies.

    Returns:
        The class of each unit.
    """
    outside = classes < 0
    divided = _divided(codes, np.where(outside, classes.max(initial=-1) + 1, classes), domains, importance, conditions)
    result = np.full(len(classes), -1, dtype=np.int64)
    made = 0
    for units in _blocks(codes, divided, np.flatnonzero(~outside).astype(np.int64), domains):
        _, local = np.unique(divided[units], return_inverse=True)
        exchange = _Exchange(codes, units, local.astype(np.int64), domains, hierarchies, importance, conditions, sets)
        result[units] = exchange.run() + made
        made += exchange.count
    return result


def _divided(
    codes: Codes, classes: Ints, domains: Sequence[Domain], importance: Floats, conditions: Conditions
) -> Ints:
    """Classes of 2k and more cut where less is lost: a part of a class has no wider a common label than the whole."""
    return partition(
        codes,
        conditions.weights,
        domains,
        conditions.k,
        importance=importance,
        conditions=None if conditions.only_k else conditions,
        within=classes,
    )


def _blocks(codes: Codes, classes: Ints, units: Ints, domains: Sequence[Domain]) -> list[Ints]:
    """These units in blocks of whole classes that lie near each other."""
    if not len(units):
        return []
    _, first, class_of, size = np.unique(classes[units], return_index=True, return_inverse=True, return_counts=True)
    width = sum(min(domain.size + 1, BLOCK) for domain in domains)
    most = min(BLOCK, int(_ENTRIES * len(units) / (width * len(first))))
    if len(units) <= most or len(first) < 2:
        return [units]
    ones = np.ascontiguousarray(codes[:, units[first]])
    block = partition(ones, size.astype(np.int64), domains, max(1, most // 2))[class_of]
    order = np.argsort(block, kind="stable")
    return np.split(units[order], np.flatnonzero(np.diff(block[order])) + 1)


@attrs.frozen(eq=False)
class _Changes:
    """Possible changes: `unit` moves to `goal`, from which `other` moves to `next`; -1 where nothing moves on."""

    gain: Floats
    unit: Ints
    goal: Ints
    other: Ints
    next: Ints

    def best_first(self) -> list[tuple[int, int, int, int]]:
        order = np.argsort(-self.gain, kind="stable")
        columns = (self.unit, self.goal, self.other, self.next)
        return list(zip(*(column[order].tolist() for column in columns), strict=True))


class _Exchange:
    """The units of a block, round by round."""

    def __init__(
        self,
        codes: Codes,
        units: Ints,
        classes: Ints,
        domains: Sequence[Domain],
        hierarchies: Sequence[Hierarchy],
        importance: Floats,
        conditions: Conditions,
        sets: float,
    ) -> None:
        self._scales = [
            Scale.of(row[units], domain, hierarchy, float(factor))
            for row, domain, hierarchy, factor in zip(codes, domains, hierarchies, importance, strict=True)
        ]
        places = [scale.places for scale in self._scales]
        self._groups = together(places, _TOGETHER)
        self._looked_up = [joint([scale.codes for scale in self._scales], places, group) for group in self._groups]
        self._units = units
        self._weights = conditions.weights[units].astype(np.float64)
        self._conditions = conditions
        self._classes = classes
        self.count = int(classes.max()) + 1
        self._sets = sets
        self._refused: set[tuple[int, int, int, int]] = set()
        self._forget_targets()
        self._measure()

    def run(self) -> Ints:
        """The class of each unit once nothing is gained any more, or the rounds are over."""
        ceiling = _CEILING * self._by_labels
        best = self._classes.copy()
        for _ in range(ROUNDS):
            if self.count < 2:
                break
            self._find_targets()
            self._stale = self._make(self._changes())
            if not self._stale.any():
                break
            self._measure()
            if self._by_labels <= ceiling:
                best = self._classes.copy()
            else:
                self._sets *= _SETS_LESS
                self._forget_targets()
                self._measure()
        return best

    def _forget_targets(self) -> None:
        self._target = np.zeros((len(self._units), 0), dtype=np.int64)
        self._cost: Singles = np.zeros((len(self._units), 0), dtype=np.float32)
        self._stale = np.ones(self.count, dtype=bool)

    def _loss(self, scale: Scale, low: Ints, high: Ints, distinct: Ints) -> Floats:
        by_label, by_set = scale.losses(low, high, distinct)
        return by_label + self._sets * by_set

    def _measure(self) -> None:
        """What each class loses, and what it would lose without each of its units."""
        classes = self._classes
        self._spans = [Spans.of(scale, classes, self.count) for scale in self._scales]
        self._weight = np.bincount(classes, weights=self._weights, minlength=self.count)
        by_label, by_set, without = np.zeros(self.count), np.zeros(self.count), np.zeros(len(classes))
        for scale, spans in zip(self._scales, self._spans, strict=True):
            label, spread = scale.losses(spans.low, spans.high, spans.distinct)
            by_label, by_set = by_label + label, by_set + spread
            left = spans.distinct[classes] - spans.alone
            without += self._loss(scale, spans.low_without, spans.high_without, left)
        self._total = self._weight * (by_label + self._sets * by_set)
        self._by_labels = float((self._weight * by_label).sum())
        self._saved = self._total[classes] - (self._weight[classes] - self._weights) * without

    def _find_targets(self) -> None:
        """For each unit the classes it would join at least cost; only those that have changed are looked at."""
        columns = np.flatnonzero(self._stale)
        tables = [self._costs(group, columns) for group in self._groups]
        here = np.full(self.count, -1)
        here[columns] = np.arange(len(columns))
        own = here[self._classes]
        weight, total = self._weight[columns].astype(np.float32), self._total[columns].astype(np.float32)
        wanted = min(TARGETS, len(columns))
        found = np.empty((len(own), wanted), dtype=np.int64)
        price = np.empty((len(own), wanted), dtype=np.float32)
        rows = max(1, _CACHED // len(columns))
        for begin in range(0, len(own), rows):
            some = slice(begin, begin + rows)
            cost = tables[0][self._looked_up[0][some]]
            for table, codes in zip(tables[1:], self._looked_up[1:], strict=True):
                cost += table[codes[some]]
            cost *= weight + self._weights[some, None].astype(np.float32)
            cost -= total
            each = np.arange(len(cost))
            inside = own[some] >= 0
            cost[each[inside], own[some][inside]] = np.inf
            for place in range(wanted):  # some times the least is many times faster than a partial sort
                least = cost.argmin(axis=1)
                found[some, place], price[some, place] = least, cost[each, least]
                cost[each, least] = np.inf
        kept = np.where(self._stale[self._target], np.float32(np.inf), self._cost)
        price = np.concatenate([kept, price], axis=1)
        found = np.concatenate([self._target, columns[found]], axis=1)
        order = np.argsort(price, axis=1, kind="stable")[:, :TARGETS]
        self._cost, self._target = np.take_along_axis(price, order, axis=1), np.take_along_axis(found, order, axis=1)

    def _costs(self, dimensions: Sequence[int], columns: npt.NDArray[np.intp]) -> Singles:
        """What each of these classes loses with each combination of places in some dimensions."""
        first, *more = (self._joined(self._scales[d], self._spans[d], columns) for d in dimensions)
        for table in more:
            first = (first[:, None] + table[None]).reshape(-1, len(columns))
        return first

    def _joined(self, scale: Scale, spans: Spans, columns: npt.NDArray[np.intp]) -> Singles:
        """What each of these classes loses with each place of a dimension, shape (places, classes)."""
        table = np.empty((scale.places, len(columns)), dtype=np.float32)
        low, high, distinct = spans.low[columns], spans.high[columns], spans.distinct[columns]
        rows = max(1, 1_000_000 // len(columns))
        for begin in range(0, scale.places, rows):
            code = np.arange(begin, min(begin + rows, scale.places))[:, None]
            new = ~spans.has[begin : begin + rows, columns]
            table[begin : begin + rows] = self._loss(
                scale, np.minimum(low, code), np.maximum(high, code), distinct + new
            )
        return table

    def _changes(self) -> _Changes:
        """Changes by which less is lost, among those that a class which changed has part in."""
        promised = self._saved[:, None] - self._cost
        near = (self._saved[:, None] > _LEAST_GAIN) & (promised > -_SLACK * self._saved[:, None])
        unit, place = np.nonzero(near & (self._stale[self._classes][:, None] | self._stale[self._target]))
        goal, gain = self._target[unit, place].astype(np.int64), promised[unit, place].astype(np.float64)
        spare = self._weight[self._classes[unit]] - self._weights[unit] >= self._conditions.k
        nobody = np.full(len(unit), -1, dtype=np.int64)
        moves = _chosen(spare & (gain > _LEAST_GAIN), gain, unit, goal, nobody, nobody)
        trials = self._trials(unit, goal, gain)
        found = [moves, self._moving_on(*trials), self._exchanged(*trials)]
        return _Changes(
            np.concatenate([each.gain for each in found]),
            np.concatenate([each.unit for each in found]),
            np.concatenate([each.goal for each in found]),
            np.concatenate([each.other for each in found]),
            np.concatenate([each.next for each in found]),
        )

    def _trials(self, unit: Ints, goal: Ints, gain: Floats) -> tuple[Ints, Ints, Ints, Floats]:
        """Each unit with each one of the class it wants to go to, and what that class saves if they change places."""
        members = np.argsort(self._classes, kind="stable")
        size = np.bincount(self._classes, minlength=self.count)
        start = np.cumsum(size) - size
        best = np.argsort(-gain, kind="stable")
        best = best[np.cumsum(size[goal[best]]) <= _TRIALS]
        length = size[goal[best]]
        offset = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        unit, goal = np.repeat(unit[best], length), np.repeat(goal[best], length)
        other = members[start[goal] + offset]
        after = self._weight[goal] + self._weights[unit] - self._weights[other]
        fits = (size[goal] > 1) & (after >= self._conditions.k)
        unit, goal, other, after = unit[fits], goal[fits], other[fits], after[fits]
        return unit, goal, other, self._total[goal] - after * self._loss_with(unit, other)

    def _moving_on(self, unit: Ints, goal: Ints, other: Ints, saved: Floats) -> _Changes:
        home = self._classes[unit]
        second = np.where(self._target[other, 0] == home, min(1, self._target.shape[1] - 1), 0)
        following = self._target[other, second]
        gain = self._saved[unit] + saved - self._cost[other, second]
        spare = self._weight[home] - self._weights[unit] >= self._conditions.k
        return _chosen(spare & (following != home) & (gain > _LEAST_GAIN), gain, unit, goal, other, following)

    def _exchanged(self, unit: Ints, goal: Ints, other: Ints, saved: Floats) -> _Changes:
        home = self._classes[unit]
        after = self._weight[home] - self._weights[unit] + self._weights[other]
        # what comes in costs something, so more cannot be saved than by leaving
        hopeful = (after >= self._conditions.k) & (self._saved[unit] + saved > _LEAST_GAIN)
        unit, goal, other, home = unit[hopeful], goal[hopeful], other[hopeful], home[hopeful]
        saved, after = saved[hopeful], after[hopeful]
        gain = saved + self._total[home] - after * self._loss_with(other, unit)
        return _chosen(gain > _LEAST_GAIN, gain, unit, goal, other, home)

    def _loss_with(self, comes: Ints, goes: Ints) -> Floats:
        """What the class of a unit that goes loses with another one in its place."""
        home = self._classes[goes]
        loss = np.zeros(len(goes))
        for scale, spans in zip(self._scales, self._spans, strict=True):
            code = scale.codes[comes]
            low = np.minimum(spans.low_without[goes], code)
            high = np.maximum(spans.high_without[goes], code)
            alone = spans.alone[goes]
            new = ~spans.has[code, home] | (alone & (code == scale.codes[goes]))
            loss += self._loss(scale, low, high, spans.distinct[home] - alone + new)
        return loss

    def _make(self, changes: _Changes) -> Mask:
        """Make the best changes, one a class at most; returns which classes are others now."""
        before = self._classes.tolist()
        maker = [-1] * self.count  # the change that touched a class
        made: list[tuple[int, int, int, int]] = []
        for change in changes.best_first():
            unit, goal, other, following = change
            home = before[unit]
            if maker[home] >= 0 or maker[goal] >= 0 or (other >= 0 and maker[following] >= 0):
                continue
            if change in self._refused:
                continue
            maker[home] = maker[goal] = len(made)
            self._classes[unit] = goal
            if other >= 0:
                maker[following] = len(made)
                self._classes[other] = following
            made.append(change)
        touched = np.array(maker)
        if made and not self._conditions.only_k:
            met = self._conditions.met(self._units, self._classes, self.count)
            for place in np.unique(touched[~met & (touched >= 0)]).tolist():
                unit, _, other, _ = made[place]
                self._refused.add(made[place])
                self._classes[unit] = before[unit]
                if other >= 0:
                    self._classes[other] = before[other]
        return touched >= 0


def _chosen(which: Mask, gain: Floats, unit: Ints, goal: Ints, other: Ints, following: Ints) -> _Changes:
    return _Changes(gain[which], unit[which], goal[which], other[which], following[which])
