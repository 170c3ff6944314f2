"""Record linkage: how often an intruder who has the original values finds a person's record by its nearest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import Floats, Ints, codes_of

SAMPLE = 1_000
_COMPARED = 200_000_000  # cells, for categories
_LOOK = 50_000  # records among which a nearer one is looked for first
_ONE_BY_ONE = 100  # for so few, each is compared with all records rather than a tree of them made

Generator = np.random.Generator


def link_numbers(before: Floats, after: Floats, rng: Generator) -> dict[str, Any]:
    """Distance-based record linkage (J. Domingo-Ferrer and V. Torra: in Confidentiality, Disclosure and Data Access,
    2001) of a random sample of records with all original ones.

    Columns are divided by their standard deviation in the original. Of several nearest records, one is chosen at
    random: each counts by its chance.

    Args:
        before: The original, float64 of shape (rows, columns); records with NaN are left out.
        after: The perturbed table, of the same shape.
        rng: Draws the sample.

    Returns:
        `true_match_rate`, 0 to 1; `by_chance`, what guessing gives; `linked`, how many records were tried; `among`,
        with how many.
    """
    from scipy.spatial import KDTree

    complete = ~(np.isnan(before).any(axis=1) | np.isnan(after).any(axis=1))
    before, after = before[complete], after[complete]
    rows = len(before)
    if not rows:
        return _none()
    scale = before.std(axis=0)
    scale[scale == 0] = 1.0
    before, after = before / scale, after / scale
    chosen = _sample(rows, SAMPLE, rng)
    targets = after[chosen]
    own = np.sqrt(((before[chosen] - targets) ** 2).sum(axis=1))
    some = KDTree(before[:: max(1, rows // _LOOK)], balanced_tree=False, compact_nodes=False)
    near = own <= _just_above(some.query(targets)[0])  # of the others, another record is nearer
    targets, own = targets[near], own[near]
    if len(own) <= _ONE_BY_ONE:
        first = np.ascontiguousarray(before[:, 0])
        return _rate(sum(_chance(before, first, *each) for each in zip(targets, own, strict=True)), chosen, rows)
    _, times, firsts = _distinct([before[:, place] for place in range(before.shape[1])])
    tree = KDTree(before[firsts], balanced_tree=False, compact_nodes=False)
    nearest, _ = tree.query(targets)
    found = np.flatnonzero(own <= _just_above(nearest))
    balls = tree.query_ball_point(targets[found], _just_above(nearest[found]))
    return _rate(sum(1.0 / times[ball].sum() for ball in balls), chosen, rows)


def _just_above(distance: Any) -> Any:
    """A distance, and what computing it may have lost."""
    return distance * (1 + 1e-9) + 1e-12


def _chance(before: Floats, first: Floats, target: Floats, own: float) -> float:
    """How probable a record is chosen as the nearest to its own perturbed one, which is at this distance from it.

    `first` is the first column of `before`.
    """
    reach = _just_above(own)
    close = np.flatnonzero((first >= target[0] - reach) & (first <= target[0] + reach))
    apart = np.sqrt(((before[close] - target) ** 2).sum(axis=1))
    limit = _just_above(apart.min())
    return 1.0 / int((apart <= limit).sum()) if own <= limit else 0.0


def link_categories(before: Sequence[Ints], after: Sequence[Ints], rng: Generator) -> dict[str, Any]:
    """The same for columns of categories: nearest are the records that differ in the fewest columns.

    Args:
        before: For each column the category of each record, int64 of shape (rows,).
        after: The same of the perturbed table.
        rng: Draws the sample.
    """
    rows = len(before[0])
    if not rows:
        return _none()
    _, times, first = _distinct(before)
    points = np.stack([column[first] for column in before], axis=1)
    size = max(50, min(SAMPLE, _COMPARED // points.size))
    chosen = _sample(rows, size, rng)
    total = 0.0
    for record in chosen:
        target = np.array([column[record] for column in after])
        apart = (points != target).sum(axis=1)
        own = sum(int(column[record] != there) for column, there in zip(before, target, strict=True))
        if own == apart.min():
            total += 1.0 / times[apart == own].sum()
    return _rate(total, chosen, rows)


def _distinct(columns: Sequence[npt.NDArray[Any]]) -> tuple[Ints, Ints, Ints]:
    """For each record its combination, for each combination how often it occurs, and the first record with it."""
    import pandas as pd

    key, count = codes_of([pd.Series(column) for column in columns], len(columns[0]))
    first = np.empty(count, dtype=np.int64)
    first[key[::-1]] = np.arange(len(key))[::-1]
    return key, np.bincount(key, minlength=count).astype(np.int64), first


def _sample(rows: int, size: int, rng: Generator) -> Ints:
    chosen = np.arange(rows) if rows <= size else rng.choice(rows, size, replace=False)
    return np.sort(chosen).astype(np.int64)


def _rate(matches: float, chosen: Ints, rows: int) -> dict[str, Any]:
    rate = float(matches) / len(chosen)
    return {"true_match_rate": rate, "by_chance": 1.0 / rows, "linked": len(chosen), "among": rows}


def _none() -> dict[str, Any]:
    return {"true_match_rate": 0.0, "by_chance": 0.0, "linked": 0, "among": 0}
