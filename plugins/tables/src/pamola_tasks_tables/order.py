"""The canonical order of cells, and keys of several columns in one number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks_tables.protocol import Ints

_WIDEST = 2**62


def combined(codes: Iterable[tuple[Any, int]], rows: int, *, ordered: bool = False) -> Ints:
    """One number for each row, the same for rows with the same codes; `ordered` as the codes are, the first one first.

    Args:
        codes: For each column the codes of its cells, from 0, and how many there are.
        rows: How many rows there are.
        ordered: Whether the order of the numbers matters.
    """
    key, span = np.zeros(rows, dtype=np.int64), 1
    for each, count in codes:
        if span * count >= _WIDEST:
            numbers, distinct = pd.factorize(key, sort=ordered)
            key, span = numbers.astype(np.int64, copy=False), len(distinct)
        key *= count
        key += each
        span *= count
    return key


def ranks(cells: pd.Series[Any], *, as_text: bool = False) -> tuple[Ints, int]:
    """The rank of each cell among the column's, missing ones (0) first, and how many ranks there are.

    Args:
        cells: The cells.
        as_text: Whether they go by their text, since there are others that have no order among these.
    """
    if isinstance(cells.dtype, pd.CategoricalDtype):
        order = np.argsort(cells.cat.categories.astype(str).to_numpy(dtype=object), kind="stable")
        rank = np.empty(len(order) + 1, dtype=np.int64)
        rank[order] = np.arange(1, len(order) + 1)
        rank[-1] = 0  # of code -1
        return rank[cells.cat.codes.to_numpy()], len(order) + 1
    if not as_text:
        try:
            return _sorted(cells)
        except TypeError:  # of several types, or cells that have no order
            pass
    return _sorted(cells.map(str, na_action="ignore"))


def have_order(cells: pd.Series[Any]) -> bool:
    """Whether each of the cells comes before or after each other."""
    try:
        pd.factorize(cells, sort=True)
    except TypeError:
        return False
    return True


def _sorted(cells: pd.Series[Any]) -> tuple[Ints, int]:
    codes, values = pd.factorize(cells, sort=True)
    return np.asarray(codes, dtype=np.int64) + 1, len(values) + 1


def first_of(codes: Any, count: int) -> Ints:
    """Where each of the codes 0 to `count` - 1 occurs first."""
    first = np.empty(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first
