"""Microaggregation: records close to each other make a class of k to 2k - 1 (MDAV)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .conditions import Conditions
from .domains import Domain, Floats, Ints, OrderedDomain
from .mondrian import partition

BLOCK = 8192
"""Records that are compared with each other. Work rises with the square of it; larger tables are first divided."""

_MOST_INDICATORS = 64  # a column of more categories is compared by rank of frequency

Points = npt.NDArray[np.float32]


def microaggregate(
    codes: npt.NDArray[np.int32],
    domains: Sequence[Domain],
    importance: Floats,
    conditions: Conditions,
    progress: Callable[[int], None] | None = None,
) -> Ints:
    """Group records by maximum distance to average vector.

    J. Domingo-Ferrer and V. Torra: Ordinal, continuous and heterogeneous k-anonymity through microaggregation, Data
    Mining and Knowledge Discovery 11, 2005. Numbers and dates lie between 0 and 1, categories are 1 apart, a missing
    value lies outside. A class that does not meet the conditions joins the nearest one until all do.

    Args:
        codes: int32, shape (dimensions, records).
        domains: One a dimension.
        importance: Weight of each dimension.
        conditions: What a class has to meet; its units are the records.
        progress: Told how many records have found their class.

    Returns:
        The class of each record.
    """
    points = _points(codes, domains, importance)
    classes = np.zeros(len(points), dtype=np.int64)
    made = done = 0
    for block in _blocks(codes, domains, importance, conditions.k):
        made = _mdav(points, block, conditions.k, classes, made)
        done += len(block)
        if progress is not None:
            progress(done)
    return _merged(points, classes, made, conditions)


def _blocks(codes: npt.NDArray[np.int32], domains: Sequence[Domain], importance: Floats, k: int) -> list[Ints]:
    """The records, divided by partitioning where there are too many to compare all with all."""
    records = codes.shape[1]
    if records <= BLOCK:
        return [np.arange(records, dtype=np.int64)]
    ones = np.ones(records, dtype=np.int64)
    block = partition(codes, ones, domains, max(BLOCK // 2, 2 * k), importance=importance)
    order = np.argsort(block, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(block[order])) + 1)


def _points(codes: npt.NDArray[np.int32], domains: Sequence[Domain], importance: Floats) -> Points:
    columns: list[Points] = []
    for row, domain, factor in zip(codes, domains, importance, strict=True):
        scale = np.sqrt(factor)
        if isinstance(domain, OrderedDomain):
            columns.append((domain.positions[row] * scale).astype(np.float32)[:, None])
        elif domain.size <= _MOST_INDICATORS:
            # two indicators differ, so each counts half of the squared distance
            indicators = np.eye(domain.size + 1, dtype=np.float32) * np.float32(scale / np.sqrt(2))
            columns.append(indicators[row])
        else:
            rank = np.append(np.linspace(0.0, 1.0, domain.size), 2.0)
            columns.append((rank[row] * scale).astype(np.float32)[:, None])
    return np.ascontiguousarray(np.concatenate(columns, axis=1))


def _mdav(points: Points, block: Ints, k: int, classes: Ints, made: int) -> int:
    """Class the records of a block; returns the number of classes made so far."""
    left, where = points[block], block
    squares = np.einsum("ij,ij->i", left, left)

    def distance(center: Points) -> npt.NDArray[np.float32]:
        return np.asarray(squares - 2 * (left @ center))

    def take(center: Points) -> None:
        nonlocal left, where, squares, made
        nearest = np.argpartition(distance(center), k - 1)[:k]
        classes[where[nearest]] = made
        made += 1
        kept = np.ones(len(left), dtype=bool)
        kept[nearest] = False
        left, where, squares = left[kept], where[kept], squares[kept]

    while len(left) >= 3 * k:
        far = left[int(np.argmax(distance(left.mean(axis=0))))].copy()
        opposite = left[int(np.argmax(distance(far)))].copy()
        take(far)
        take(opposite)
    if len(left) >= 2 * k:
        take(left[int(np.argmax(distance(left.mean(axis=0))))].copy())
    if len(left):
        classes[where] = made
        made += 1
    return made


def _merged(points: Points, classes: Ints, made: int, conditions: Conditions) -> Ints:
    """Merge each class that does not meet the conditions with the nearest one, round by round."""
    everyone = np.arange(len(classes), dtype=np.int64)
    while made > 1:
        bad = np.flatnonzero(~conditions.met(everyone, classes, made))
        if not len(bad):
            break
        size = np.bincount(classes, minlength=made)
        order = np.argsort(classes, kind="stable")
        starts = np.cumsum(size) - size
        center = np.add.reduceat(points[order].astype(np.float64), starts, axis=0) / size[:, None]
        target = np.arange(made)
        touched = np.zeros(made, dtype=bool)
        for each in bad.tolist():
            if touched[each]:
                continue
            away = ((center - center[each]) ** 2).sum(axis=1)
            away[touched] = np.inf
            away[each] = np.inf
            nearest = int(np.argmin(away))
            if np.isfinite(away[nearest]):
                target[each] = nearest
                touched[[each, nearest]] = True
        _, classes = np.unique(target[classes], return_inverse=True)
        classes = classes.astype(np.int64)
        made = int(classes.max()) + 1
    return classes
