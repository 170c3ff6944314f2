"""Microaggregation: records close to each other make a class of k to 2k - 1 (MDAV)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .conditions import Conditions
from .domains import Codes, Domain, Floats, Ints, Mask, OrderedDomain
from .lookups import joint, together
from .mondrian import partition
from .ties import Costs, merged

BLOCK = 8192
"""Records that are compared with each other. Work rises with the square of it; larger tables are first divided."""

_MOST_TOGETHER = 1000
_MOST_INDICATORS = 64  # a column of more categories is compared by rank of frequency

Points = npt.NDArray[np.float32]


def microaggregate(
    codes: Codes,
    domains: Sequence[Domain],
    importance: Floats,
    conditions: Conditions,
    progress: Callable[[int], None] | None = None,
) -> Ints:
    """Group records by maximum distance to average vector.

    J. Domingo-Ferrer and V. Torra: Ordinal, continuous and heterogeneous k-anonymity through microaggregation, Data
    Mining and Knowledge Discovery 11, 2005. Numbers and dates are between 0 and 1, categories are 1 apart, a missing
    value is outside. A class that does not meet the conditions joins the nearest one until all do.

    Args:
        codes: Signed integers, shape (dimensions, records).
        domains: One a dimension.
        importance: Weight of each dimension.
        conditions: What a class has to meet; its units are the records.
        progress: Called with how many records have found their class.

    Returns:
        The class of each record.
    """
    classes = np.zeros(codes.shape[1], dtype=np.int64)
    made = done = 0
    for block in _blocks(codes, domains, importance, conditions.k):
        of_block, count = _Block(codes[:, block], domains, importance).classes(conditions.k)
        classes[block] = of_block + made
        made += count
        done += len(block)
        if progress is not None:
            progress(done)
    everyone = np.arange(len(classes), dtype=np.int64)
    if not conditions.random and conditions.met(everyone, classes, made).all():
        return classes
    return _merged(_points(codes, domains, importance), classes, conditions)


def _blocks(codes: Codes, domains: Sequence[Domain], importance: Floats, k: int) -> list[Ints]:
    """The records, divided by partitioning where there are too many to compare all with all."""
    records = codes.shape[1]
    if records <= BLOCK:
        return [np.arange(records, dtype=np.int64)]
    ones = np.ones(records, dtype=np.int64)
    block = partition(codes, ones, domains, max(BLOCK // 2, 2 * k), importance=importance)
    order = np.argsort(block, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(block[order])) + 1)


def _points(codes: Codes, domains: Sequence[Domain], importance: Floats) -> Points:
    columns: list[Points] = []
    for row, domain, factor in zip(codes, domains, importance, strict=True):
        scale = np.sqrt(factor)
        if _has_numbers(domain):
            columns.append((_numbers(domain)[row] * scale).astype(np.float32)[:, None])
        else:
            # two indicators differ, so each counts half of the squared distance
            indicators = np.eye(domain.size + 1, dtype=np.float32) * np.float32(scale / np.sqrt(2))
            columns.append(indicators[row])
    return np.ascontiguousarray(np.concatenate(columns, axis=1))


class _Block:
    """Records that are compared with each other, as codes.

    Squared distances to a center add up over the dimensions, and in each of them there are only as many as there are
    codes: they are looked up. Columns of few values are looked up together, as one.
    """

    def __init__(self, codes: Codes, domains: Sequence[Domain], importance: Floats) -> None:
        sizes = np.array([domain.size + 1 for domain in domains])
        self._start = np.cumsum(sizes) - sizes
        self._flat = codes.astype(np.int64) + self._start[:, None]
        self._number = np.concatenate([_numbers(domain) for domain in domains])
        self._categories = np.repeat([not _has_numbers(domain) for domain in domains], sizes)
        self._dimension = np.repeat(np.arange(len(sizes)), sizes)
        self._factor = np.repeat(importance, sizes)
        self._groups = together(sizes.tolist(), _MOST_TOGETHER)
        self._looked_up = [joint(codes, sizes.tolist(), group) for group in self._groups]
        self._slices = [slice(int(at), int(at + size)) for at, size in zip(self._start, sizes, strict=True)]

    def classes(self, k: int) -> tuple[Ints, int]:
        """The class of each record, and how many there are."""
        left = self._flat.shape[1]
        classes = np.zeros(left, dtype=np.int64)
        where = np.arange(left)
        looked_up = [codes.copy() for codes in self._looked_up]
        count = np.bincount(self._flat.ravel(), minlength=len(self._number)).astype(np.float64)
        made = 0

        def distances(parts: Floats) -> Floats:
            tables = self._tables(parts)
            total = tables[0][looked_up[0][:left]]
            for table, codes in zip(tables[1:], looked_up[1:], strict=True):
                total += table[codes[:left]]
            return np.asarray(total)

        def of_record(place: int) -> Floats:
            parts = np.zeros(len(count))
            parts[self._flat[:, where[place]]] = 1.0
            return parts

        def take(nearest: npt.NDArray[np.intp]) -> None:
            nonlocal left, made
            taken = where[nearest]
            classes[taken] = made
            made += 1
            np.subtract.at(count, self._flat[:, taken].ravel(), 1.0)
            # those at the end take the places that are free now
            rest = left - len(nearest)
            holes = nearest[nearest < rest]
            tail = np.arange(rest, left)
            tail = tail[~np.isin(tail, nearest)]
            where[holes] = where[tail]
            for codes in looked_up:
                codes[holes] = codes[tail]
            left = rest

        while left >= 3 * k:
            far = of_record(int(np.argmax(distances(count / left))))
            away = distances(far)
            opposite = of_record(int(np.argmax(away)))
            take(np.argpartition(away, k - 1)[:k])
            take(np.argpartition(distances(opposite), k - 1)[:k])
        if left >= 2 * k:
            far = of_record(int(np.argmax(distances(count / left))))
            take(np.argpartition(distances(far), k - 1)[:k])
        if left:
            classes[where[:left]] = made
            made += 1
        return classes, made

    def _tables(self, parts: Floats) -> list[Floats]:
        """Squared distances of every code to a center, by columns that are looked up together.

        Args:
            parts: For each code its part of the center: of a category how much, of a number how often.
        """
        mean = np.add.reduceat(parts * self._number, self._start)[self._dimension]
        squares = np.add.reduceat(parts * parts, self._start)[self._dimension]
        apart = np.where(self._categories, (1.0 - 2.0 * parts + squares) / 2, (self._number - mean) ** 2)
        apart *= self._factor
        tables = []
        for group in self._groups:
            table = apart[self._slices[group[0]]]
            for dimension in group[1:]:
                table = (table[:, None] + apart[self._slices[dimension]]).ravel()
            tables.append(table)
        return tables


def _has_numbers(domain: Domain) -> bool:
    return isinstance(domain, OrderedDomain) or domain.size > _MOST_INDICATORS


def _numbers(domain: Domain) -> Floats:
    """Where each code lies: numbers and dates between 0 and 1, many categories by their rank; missing ones outside."""
    if isinstance(domain, OrderedDomain):
        return domain.positions
    if domain.size > _MOST_INDICATORS:
        return np.append(np.linspace(0.0, 1.0, domain.size), 2.0)
    return np.zeros(domain.size + 1)


def _merged(points: Points, classes: Ints, conditions: Conditions) -> Ints:
    """Merge each class that does not meet the conditions with the nearest one, round by round."""
    everyone = np.arange(len(classes), dtype=np.int64)

    def violating(of: Ints, count: int) -> Mask:
        return ~conditions.met(everyone, of, count)

    def costs(of: Ints, count: int) -> Costs:
        size = np.bincount(of, minlength=count)
        order = np.argsort(of, kind="stable")
        starts = np.cumsum(size) - size
        center = np.add.reduceat(points[order].astype(np.float64), starts, axis=0) / size[:, None]
        return lambda each: np.asarray(((center - center[each]) ** 2).sum(axis=1))

    return merged(classes, violating, costs, at_random=conditions.random)
