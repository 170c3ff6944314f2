"""Published cells read back: which values of the original column each of them covers, and what that loses.

The notation is that of `notation`: a value, an interval, `{Divorced|Separated}`, `*`, or a label of a hierarchy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks.errors import DataError

from .distributions import Distribution
from .domains import Domain, Floats, Ints, OrderedDomain
from .hierarchies import Hierarchy
from .notation import INTERVAL, ISO_MOMENT, SUPPRESSED, members

_MICROSECONDS = "datetime64[us]"  # nanoseconds would end in 2262, and float64 holds no more digits of them


@attrs.frozen
class Covered:
    """What one cell means.

    Attributes:
        low: The first code of the original domain that it covers; the missing value is the last code.
        high: The last one; `low - 1` where it covers nothing. All between are covered, too, but for `codes`.
        loss: Its part of the domain as published.
        codes: The codes, ascending, where these are not all from `low` to `high`.
        suppressed: Whether it is `*`.
    """

    low: int
    high: int
    loss: float = 0.0
    codes: Ints | None = None
    suppressed: bool = False


class Reader:
    """Reads the published cells of one column.

    NCP-set of an interval is (max - min) / range, of a set (distinct - 1) / (domain - 1); NCP-hier is (leaves
    under the lowest common ancestor - 1) / (leaves - 1). J. Xu, W. Wang, J. Pei, X. Wang, B. Shi and A. W.-C. Fu:
    Utility-based anonymization using local recoding, KDD 2006.

    Args:
        domain: The original column.
        hierarchy: Its hierarchy over the same codes.
    """

    def __init__(self, domain: Domain, hierarchy: Hierarchy) -> None:
        self._domain = domain
        self._hierarchy = hierarchy
        self._has_dates = isinstance(domain, OrderedDomain) and domain.style in ("day", "instant")
        self._places = _numbers_of(domain)
        self._told = self._places if self._places is None else _numbers_as_told(domain, self._places)
        self._labels = self._levels_of_labels()
        self._in_order: dict[int, tuple[npt.NDArray[np.intp], Ints]] = {}

    def missing(self) -> Covered:
        """What a missing cell means."""
        return Covered(self._domain.size, self._domain.size)

    def read(self, cell: str) -> Covered | None:
        """What a cell means; None where it cannot be read."""
        if cell == SUPPRESSED:
            return Covered(0, self._domain.size - 1, 1.0, suppressed=True)
        code = self._code_of(cell)
        if code is not None:
            return Covered(code, code)
        label = self._codes_under(cell)
        if label is not None and self._has_dates:  # `[2020,2029]` is a decade, and ends with its last day
            return self._these(label, self._spread_of(label))
        ends = self._ends(cell)
        if ends is not None:
            return self._interval(cell, *ends)
        named = self._members(cell)
        if named is not None:
            return self._these(named, (len(named) - 1) / max(1, self._domain.size - 1))
        if label is not None:
            return self._these(label, self._spread_of(label))
        return self._representative(cell)

    def losses_in_hierarchy(self, cells: Sequence[Covered]) -> Floats:
        """The part of the domain that each cell loses by the lowest label that holds all of it."""
        low, high = (np.array([getattr(cell, end) for cell in cells], dtype=np.int64) for end in ("low", "high"))
        some = np.array([cell.low <= cell.high and not cell.suppressed for cell in cells], dtype=bool)
        low, high = np.where(some, low, self._domain.size), np.where(some, high, self._domain.size)
        apart = {at: cell.codes for at, cell in enumerate(cells) if cell.codes is not None}
        found = np.ones(len(cells))
        for groups, loss in zip(self._hierarchy.groups[::-1], self._hierarchy.loss[::-1], strict=True):
            # where all from one code to another are in one group, none of them begins another
            begun = np.append(0, np.cumsum(groups[1:] != groups[:-1]))
            together = begun[low] == begun[high]
            for at, codes in apart.items():
                together[at] = bool((groups[codes] == groups[codes[0]]).all())
            found[together] = loss[high[together]]
        return np.where(some, found, 1.0)

    def _these(self, codes: Ints, loss: float) -> Covered:
        if not len(codes):
            return Covered(0, -1, min(1.0, loss))
        low, high = int(codes[0]), int(codes[-1])
        return Covered(low, high, min(1.0, loss), None if len(codes) == high - low + 1 else codes)

    def _spread_of(self, codes: Ints) -> float:
        if self._places is None:
            return (len(codes) - 1) / max(1, self._domain.size - 1)
        return self._spread(self._places[codes[0]], self._places[codes[-1]])

    def _spread(self, low: float, high: float) -> float:
        assert self._places is not None
        width = float(self._places[-1] - self._places[0])
        return (high - low) / width if width > 0 else 0.0

    def _ends(self, cell: str) -> tuple[float, float] | None:
        """Where an interval begins and ends; an open one ends with the column."""
        found = INTERVAL.fullmatch(cell)
        if found is None or self._places is None or not len(self._places):
            return None
        low = float(self._places[0]) if found[4] == "<" else self._number(found[1] or found[5])
        high = float(self._places[-1]) if found[4] == ">=" else self._number(found[2] or found[5])
        return None if low is None or high is None else (low, high)

    def _interval(self, cell: str, low: float, high: float) -> Covered:
        assert self._places is not None
        without_end = cell.startswith("<") or cell.endswith(")")
        begin = int(np.searchsorted(self._places, low))
        end = int(np.searchsorted(self._places, high, side="left" if without_end else "right"))
        return Covered(begin, max(end, begin) - 1, min(1.0, self._spread(low, high)))

    def _members(self, cell: str) -> Ints | None:
        named = members(cell)
        if named is None:
            return None
        codes = [self._code_of(member) for member in named]
        return None if None in codes else np.array(sorted(code for code in codes if code is not None), dtype=np.int64)

    def _representative(self, cell: str) -> Covered | None:
        """A mean or median that stands for its class: the value next to it, nothing known of the class's width."""
        place = self._number(cell)
        if place is None or self._places is None or not len(self._places):
            return None
        above = min(int(np.searchsorted(self._places, place)), len(self._places) - 1)
        below = max(above - 1, 0)
        nearest = below if place - self._places[below] <= abs(self._places[above] - place) else above
        return Covered(nearest, nearest)

    def _code_of(self, text: str) -> int | None:
        """The code of a value."""
        number = self._number(text)
        if number is None or self._told is None:
            return self._code.get(text)
        at = int(np.searchsorted(self._told, number, side="right")) - 1
        return at if at >= 0 and self._told[at] == number else None

    @functools.cached_property
    def _code(self) -> dict[str, int]:
        """The codes of values by their text, where `_number` knows no number for it."""
        codes = np.arange(self._domain.size)
        if isinstance(self._domain, OrderedDomain):
            values = self._domain.values
            if self._has_dates:  # of years beyond 9999, and fractions of microseconds
                codes = codes[(values.astype(_MICROSECONDS) != values) | (values >= np.datetime64("9999-12-31"))]
            else:
                codes = codes[:0]
        return dict(zip(self._domain.texts(codes), codes.tolist(), strict=True))

    def _number(self, text: str) -> float | None:
        if not isinstance(self._domain, OrderedDomain):
            return None
        try:
            if self._domain.style in ("plain", "integral"):
                number = float(text)
                return None if math.isnan(number) else number
            stamp = pd.Timestamp(text) if ISO_MOMENT.fullmatch(text) else None
        except ValueError:
            return None
        if stamp is None:
            return None
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert("UTC").tz_localize(None)
        return float(stamp.to_datetime64().astype(_MICROSECONDS).astype(np.int64))

    def _levels_of_labels(self) -> dict[str, tuple[int, int]]:
        """The lowest level at which each label stands, and its group there."""
        found: dict[str, tuple[int, int]] = {}
        for level, labels in enumerate(self._hierarchy.labels[1:] if self._domain.size else (), start=1):
            for group in np.unique(self._hierarchy.groups[level][:-1]).tolist():
                found.setdefault(labels[group], (level, group))
        return found

    def _codes_under(self, label: str) -> Ints | None:
        """The codes under a label of the hierarchy, ascending."""
        at = self._labels.get(label)
        if at is None:
            return None
        level, group = at
        if level not in self._in_order:
            of_code = self._hierarchy.groups[level][:-1]
            self._in_order[level] = np.argsort(of_code, kind="stable"), np.append(0, np.cumsum(np.bincount(of_code)))
        order, begin = self._in_order[level]
        return order[begin[group] : begin[group + 1]]


def _numbers_of(domain: Domain) -> Floats | None:
    """The values of a domain as numbers, dates in microseconds; None for categories."""
    if not isinstance(domain, OrderedDomain):
        return None
    if domain.style in ("plain", "integral"):
        return domain.values.astype(np.float64)
    return domain.values.astype(_MICROSECONDS).astype(np.int64).astype(np.float64)


def _numbers_as_told(domain: Domain, places: Floats) -> Floats:
    """The same as the texts of the values say them: a day has no zone."""
    assert isinstance(domain, OrderedDomain)
    if domain.style != "day" or domain.zone is None:
        return places
    return domain.moments(np.arange(domain.size)).to_numpy().astype(_MICROSECONDS).astype(np.int64).astype(np.float64)


@attrs.frozen
class ColumnUtility:
    """What a published column keeps of its original.

    Attributes:
        ncp_set: Mean loss of its cells as intervals and sets; a suppressed record loses 1.
        ncp_hier: The same as a hierarchy has it.
        total_variation: Half the sum of the differences of the two distributions.
        hellinger: Hellinger's distance of them.
        earth_movers: For numbers and dates: how far the distribution was moved, as a part of the range.
    """

    ncp_set: float
    ncp_hier: float
    total_variation: float
    hellinger: float
    earth_movers: float | None


def column_utility(
    domain: Domain, records: Ints, cells: Sequence[str], count: Ints, hierarchy: Hierarchy
) -> tuple[ColumnUtility, Distribution]:
    """Compare a published column with its original.

    A cell that covers several values counts as each of them with the same probability. Total variation, Hellinger and
    earth mover's distance as in A. L. Gibbs and F. E. Su: On choosing and bounding probability metrics, International
    Statistical Review 70(3), 2002.

    Args:
        domain: The original column.
        records: Of each of its codes how many records have it.
        cells: The distinct cells of the published column; records that are not in it were suppressed.
        count: How many records have each of them, those with a missing cell last.
        hierarchy: The column's hierarchy.

    Returns:
        The comparison, and both distributions.

    Raises:
        DataError: A cell is neither a value, an interval or set of the column, nor a label of its hierarchy.
    """
    reader = Reader(domain, hierarchy)
    read = [reader.read(cell) for cell in cells]
    covered = [*(cell for cell in read if cell is not None), reader.missing()]
    unread = len(cells) + 1 - len(covered)
    if unread:
        raise DataError(
            f"column {domain.name} has {unread:,} different cells that are neither values, intervals or sets of"
            f" the original column: are they labels of a hierarchy? Name it in `hierarchies`"
        )
    total = int(records.sum())
    suppressed = total - int(count.sum())
    ncp_set = (float(np.dot(count, [cell.loss for cell in covered])) + suppressed) / total
    ncp_hier = (float(np.dot(count, reader.losses_in_hierarchy(covered))) + suppressed) / total

    told, untold = _mass(domain.size, covered, count)
    mass = told + np.append(np.full(domain.size, untold / max(1, domain.size)), 0.0)
    before, after = records / total, mass / max(1.0, mass.sum())
    utility = ColumnUtility(
        ncp_set,
        ncp_hier,
        float(np.abs(before - after).sum() / 2),
        float(np.sqrt(((np.sqrt(before) - np.sqrt(after)) ** 2).sum() / 2)),
        _moved(domain, before[:-1], after[:-1]),
    )
    return utility, Distribution(domain, records, told, untold)


def _mass(size: int, covered: Sequence[Covered], count: Ints) -> tuple[Floats, float]:
    """Records by code, each in equal parts on all that its cell covers; and those whose cell tells nothing."""
    mass, steps, untold = np.zeros(size + 1), np.zeros(size + 2), 0.0
    for cell, times in zip(covered, count.tolist(), strict=True):
        if cell.suppressed:
            untold += times if size else 0.0
        elif cell.codes is not None:
            mass[cell.codes] += times / len(cell.codes)
        elif cell.low == cell.high:
            mass[cell.low] += times
        elif cell.low < cell.high:
            each = times / (cell.high - cell.low + 1)
            steps[cell.low] += each
            steps[cell.high + 1] -= each
    return mass + np.maximum(np.cumsum(steps)[:-1], 0.0), untold


def _moved(domain: Domain, before: Floats, after: Floats) -> float | None:
    places = _numbers_of(domain)
    if places is None or not before.sum() or not after.sum():
        return None
    width = places[-1] - places[0]
    if not width > 0 or not np.isfinite(width):
        return 0.0
    apart = np.cumsum(before / before.sum() - after / after.sum())
    return float((np.abs(apart[:-1]) * np.diff(places)).sum() / width)
