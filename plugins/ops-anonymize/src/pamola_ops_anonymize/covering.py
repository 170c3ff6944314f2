"""Published cells read back: which values of the original column each of them covers, and what that loses.

The notation is that of `notation`: a value, an interval, `{Divorced|Separated}`, `*`, or a label of a hierarchy.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks.errors import DataError

from .distributions import Distribution
from .domains import Codes, Domain, Floats, Ints, OrderedDomain
from .hierarchies import Hierarchy
from .notation import INTERVAL, ISO_MOMENT, SUPPRESSED, members

_MICROSECONDS = "datetime64[us]"  # nanoseconds would end in 2262, and float64 holds no more digits of them


@attrs.frozen
class Covered:
    """What one cell means.

    Attributes:
        codes: Codes of the original domain that it covers; the missing value is the last code.
        loss_set: Its part of the domain as published.
        loss_hierarchy: Its part of the domain as a hierarchy has it.
    """

    codes: npt.NDArray[np.int64]
    loss_set: float
    loss_hierarchy: float


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
        self._all = np.arange(domain.size, dtype=np.int64)
        self._places = _numbers_of(domain)
        self._code = {self._key(text): code for code, text in enumerate(domain.texts(self._all))}
        self._labels = self._codes_of_labels()

    def missing(self) -> Covered:
        """What a missing cell means."""
        return Covered(np.array([self._domain.size]), 0.0, 0.0)

    def read(self, cell: str) -> Covered | None:
        """What a cell means; None where it cannot be read."""
        if cell == SUPPRESSED:
            return Covered(self._all, 1.0, 1.0)
        code = self._code.get(self._key(cell))
        if code is not None:
            return Covered(np.array([code]), 0.0, 0.0)
        label = self._labels.get(cell)
        if label is not None and self._has_dates:  # `[2020,2029]` is a decade, and ends with its last day
            return self._covered(label, self._spread_of(label))
        ends = self._ends(cell)
        if ends is not None:
            return self._covered(self._in_interval(cell, ends), self._spread(*ends))
        named = self._members(cell)
        if named is not None:
            return self._covered(named, (len(named) - 1) / max(1, self._domain.size - 1))
        if label is not None:
            return self._covered(label, self._spread_of(label))
        return self._representative(cell)

    def _covered(self, codes: Ints, loss: float) -> Covered:
        return Covered(codes, min(1.0, loss), self._loss_in_hierarchy(codes))

    def _loss_in_hierarchy(self, codes: Ints) -> float:
        if not len(codes):
            return 1.0
        for groups, loss in zip(self._hierarchy.groups, self._hierarchy.loss, strict=True):
            if (groups[codes] == groups[codes[0]]).all():
                return float(loss[codes[0]])
        return 1.0

    def _spread_of(self, codes: Ints) -> float:
        if self._places is None:
            return (len(codes) - 1) / max(1, self._domain.size - 1)
        return self._spread(self._places[codes].min(), self._places[codes].max())

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

    def _in_interval(self, cell: str, ends: tuple[float, float]) -> Ints:
        assert self._places is not None
        low, high = ends
        without_end = cell.startswith("<") or cell.endswith(")")
        inside = (self._places >= low) & ((self._places < high) if without_end else (self._places <= high))
        return np.flatnonzero(inside).astype(np.int64)

    def _members(self, cell: str) -> Ints | None:
        named = members(cell)
        if named is None:
            return None
        codes = [self._code.get(self._key(member)) for member in named]
        return None if None in codes else np.array(sorted(code for code in codes if code is not None), dtype=np.int64)

    def _representative(self, cell: str) -> Covered | None:
        """A mean or median that stands for its class: the value next to it, nothing known of the class's width."""
        place = self._number(cell)
        if place is None or self._places is None or not len(self._places):
            return None
        return Covered(np.array([int(np.abs(self._places - place).argmin())]), 0.0, 0.0)

    def _key(self, text: str) -> Any:
        number = self._number(text)
        return text if number is None else number

    def _number(self, text: str) -> float | None:
        if not isinstance(self._domain, OrderedDomain):
            return None
        try:
            if self._domain.style in ("plain", "integral"):
                return float(text)
            stamp = pd.Timestamp(text) if ISO_MOMENT.fullmatch(text) else None
        except ValueError:
            return None
        if stamp is None:
            return None
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert("UTC").tz_localize(None)
        return float(stamp.to_datetime64().astype(_MICROSECONDS).astype(np.int64))

    def _codes_of_labels(self) -> dict[str, Ints]:
        """The codes under each label of the hierarchy; a label that stands at several levels means the lowest."""
        found: dict[str, Ints] = {}
        for groups, labels in zip(self._hierarchy.groups[1:], self._hierarchy.labels[1:], strict=True):
            of_code = groups[: self._domain.size]
            if not len(of_code):
                continue
            order = np.argsort(of_code, kind="stable")
            for codes in np.split(order, np.flatnonzero(np.diff(of_code[order])) + 1):
                found.setdefault(labels[int(of_code[codes[0]])], np.sort(codes).astype(np.int64))
        return found


def _numbers_of(domain: Domain) -> Floats | None:
    """The values of a domain as numbers, dates in microseconds; None for categories."""
    if not isinstance(domain, OrderedDomain):
        return None
    if domain.style in ("plain", "integral"):
        return domain.values.astype(np.float64)
    return domain.values.astype(_MICROSECONDS).astype(np.int64).astype(np.float64)


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
    domain: Domain, original: Codes, published: pd.Series[Any], hierarchy: Hierarchy, texts: tuple[Ints, list[str]]
) -> tuple[ColumnUtility, Distribution]:
    """Compare a published column with its original.

    A cell that covers several values counts as each of them with the same probability. Total variation, Hellinger and
    earth mover's distance as in A. L. Gibbs and F. E. Su: On choosing and bounding probability metrics, International
    Statistical Review 70(3), 2002.

    Args:
        domain: The original column.
        original: Code of each original record.
        published: The published column; records that are not in it were suppressed.
        hierarchy: The column's hierarchy.
        texts: Of the published column which distinct text each record has, -1 for a missing cell, and the texts.

    Returns:
        The comparison, and both distributions.

    Raises:
        DataError: A cell is neither a value, an interval or set of the column, nor a label of its hierarchy.
    """
    reader = Reader(domain, hierarchy)
    which, distinct = texts
    cells = [reader.read(text) for text in distinct]
    unread = sum(cell is None for cell in cells)
    if unread:
        raise DataError(
            f"column {published.name} has {unread:,} different cells that are neither values, intervals or sets of"
            f" the original column: are they labels of a hierarchy? Name it in `hierarchies`"
        )
    covered = [*(cell for cell in cells if cell is not None), reader.missing()]
    count = np.bincount(np.where(which < 0, len(distinct), which), minlength=len(covered)).astype(np.float64)
    suppressed = len(original) - len(published)
    losses = np.array([[cell.loss_set, cell.loss_hierarchy] for cell in covered])
    ncp_set, ncp_hier = ((count[:, None] * losses).sum(axis=0) + suppressed) / len(original)

    width = domain.size + 1
    records = np.bincount(original, minlength=width)
    mass, told = np.zeros(width), np.zeros(width)
    for cell, text, times in zip(covered, [*distinct, ""], count, strict=True):
        if len(cell.codes):
            mass[cell.codes] += times / len(cell.codes)
            if text != SUPPRESSED:
                told[cell.codes] += times / len(cell.codes)
    before, after = records / len(original), mass / max(1.0, mass.sum())
    utility = ColumnUtility(
        float(ncp_set),
        float(ncp_hier),
        float(np.abs(before - after).sum() / 2),
        float(np.sqrt(((np.sqrt(before) - np.sqrt(after)) ** 2).sum() / 2)),
        _moved(domain, before[:-1], after[:-1]),
    )
    return utility, Distribution(domain, records, told, float(mass.sum() - told.sum()))


def _moved(domain: Domain, before: Floats, after: Floats) -> float | None:
    places = _numbers_of(domain)
    if places is None or not before.sum() or not after.sum():
        return None
    width = places[-1] - places[0]
    if not width > 0 or not np.isfinite(width):
        return 0.0
    apart = np.cumsum(before / before.sum() - after / after.sum())
    return float((np.abs(apart[:-1]) * np.diff(places)).sum() / width)
