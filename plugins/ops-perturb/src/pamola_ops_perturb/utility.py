"""What a perturbed table of numbers keeps: moments, ranks, correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .columns import Floats, Ints, Mask

SAMPLE = 100_000


def sampled(rows: int, rng: np.random.Generator) -> Ints:
    """The records that utility is measured on: all of a small table, and a random sample of 100,000 of a large one."""
    chosen = np.arange(rows) if rows <= SAMPLE else np.sort(rng.choice(rows, SAMPLE, replace=False))
    return chosen.astype(np.int64)


def ordering(values: Floats) -> Ints:
    """Where each value is in the order of the values, NaN last and ties as they come: a stable `argsort`.

    One that need not be stable is several times as fast, and gives the same where no values are tied.
    """
    order = np.argsort(values)
    ordered = values[order]
    distinct = bool((ordered[1:] > ordered[:-1]).all())  # false with NaN, too
    return order if distinct else np.argsort(values, kind="stable")


def ranks(values: Floats) -> Floats:
    """Ranks from 1, ties at their mean; NaN where a value is missing."""
    if len(np.unique(values[:1000])) <= 100:  # few values are counted rather than sorted
        codes, distinct = pd.factorize(values)
        order = np.argsort(distinct)
        counts = np.bincount(codes[codes >= 0], minlength=len(order))
        of_value = np.empty(len(order))
        of_value[order] = np.cumsum(counts[order]) - (counts[order] - 1) / 2
        return np.append(of_value, np.nan)[codes]
    found = np.full(len(values), np.nan)
    there = np.flatnonzero(~np.isnan(values))
    order = np.argsort(values[there])  # the order of ties does not matter
    ordered = values[there][order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    ends = np.append(starts[1:], len(ordered))[: len(starts)]
    found[there[order]] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return found


def figures(names: Sequence[str], before: Floats, after: Floats, rng: np.random.Generator) -> dict[str, Any]:
    """Utility of perturbed numbers, by column and of all pairs; ranks of a large table on a random sample.

    Args:
        names: The columns.
        before: The original, float64 of shape (rows, columns), NaN where missing.
        after: The perturbed table, of the same shape.
        rng: Draws the sample.

    Returns:
        `records`, how many it was measured on. By column the changes of `mean` (in standard deviations) and
        `standard_deviation` (relative), `rank_correlation` (Spearman, of original and perturbed values), `correlation`
        (Pearson, likewise) and `il1s` (W. Yancey, W. Winkler and R. Creecy, PSD 2002: the mean absolute change over √2
        standard deviations); of pairs of columns the greatest changes of both correlations,
        `greatest_change_of_correlation` and `greatest_change_of_rank_correlation`.
    """
    chosen = sampled(len(before), rng)
    before, after = before[chosen], after[chosen]
    ranks_before, ranks_after = (np.stack([ranks(column) for column in values.T], axis=1) for values in (before, after))
    by_column = {
        name: _of_column(before[:, n], after[:, n], ranks_before[:, n], ranks_after[:, n])
        for n, name in enumerate(names)
    }
    pairs: dict[str, Any] = {}
    if len(names) > 1 and len(before) > 1:
        for what, one, other in (("", before, after), ("rank_", ranks_before, ranks_after)):
            change = np.abs(correlations(other) - correlations(one))
            pairs[f"greatest_change_of_{what}correlation"] = float(change.max())
    return {"records": len(chosen), "columns": by_column, **pairs}


def correlations(values: Floats) -> Floats:
    """Pearson correlations of columns, of the records that are complete; 0 with a column of a single value."""
    missing = np.isnan(values).any(axis=1)
    complete = values[~missing] if missing.any() else values
    if len(complete) < 2:
        return np.eye(values.shape[1])
    centred = complete - complete.mean(axis=0)
    size = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    size[size == 0] = 1.0
    centred /= size
    found = centred.T @ centred
    np.fill_diagonal(found, 1.0)
    return np.asarray(np.clip(found, -1.0, 1.0))


def _of_column(before: Floats, after: Floats, ranks_before: Floats, ranks_after: Floats) -> dict[str, Any]:
    there: Mask = ~(np.isnan(before) | np.isnan(after))
    before, after = before[there], after[there]
    if not len(before):
        return {}
    spread = float(before.std())
    told: dict[str, Any] = {"il1s": float(np.abs(after - before).mean() / (np.sqrt(2) * spread)) if spread else 0.0}
    if spread:
        told["mean"] = float((after.mean() - before.mean()) / spread)
        told["standard_deviation"] = float(after.std() / spread - 1)
        told["correlation"] = float(correlations(np.stack([before, after], axis=1))[0, 1])
        told["rank_correlation"] = float(
            correlations(np.stack([ranks_before[there], ranks_after[there]], axis=1))[0, 1]
        )
    return told
