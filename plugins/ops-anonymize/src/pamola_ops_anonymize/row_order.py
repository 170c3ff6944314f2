"""The order of released rows: by their cells alone, so that it reveals no more than these do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .domains import Ints

_WIDEST = 2**62


def by_cells(frame: pd.DataFrame) -> Ints:
    """Positions of the rows, sorted by their cells, the first column first.

    Rows that are the same in every cell follow each other, in an order that makes no difference.
    """
    key, span = np.zeros(len(frame), dtype=np.int64), 1
    for position in range(frame.shape[1]):
        codes, count = _ranks(frame.iloc[:, position])
        if span * count >= _WIDEST:
            distinct, key = np.unique(key, return_inverse=True)
            span = len(distinct)
        key = key * count + codes
        span *= count
    return np.argsort(key, kind="stable")


def _ranks(column: pd.Series[Any]) -> tuple[Ints, int]:
    """The rank of each cell among the column's, missing ones first, and how many ranks there are."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        order = np.argsort(column.cat.categories.astype(str).to_numpy(dtype=object), kind="stable")
        rank = np.empty(len(order) + 1, dtype=np.int64)
        rank[order] = np.arange(1, len(order) + 1)
        rank[-1] = 0  # of code -1
        return rank[column.cat.codes.to_numpy()], len(order) + 1
    try:
        codes, values = pd.factorize(column, sort=True)
    except TypeError:  # of several types, or cells that have no order
        codes, values = pd.factorize(column.map(str, na_action="ignore"), sort=True)
    return np.asarray(codes, dtype=np.int64) + 1, len(values) + 1
