"""Columns of few values that are looked up together, as one: what adds up over the columns is added up less often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .domains import Codes, Ints


def together(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Columns in groups that have no more than `most` combinations of codes each, small ones first.

    Args:
        sizes: Codes that each column may have.
        most: A column that has more alone is a group of its own.
    """
    groups: list[list[int]] = []
    width = 0
    for column in np.argsort(sizes, kind="stable").tolist():
        if groups and width * sizes[column] <= most:
            groups[-1].append(column)
            width *= sizes[column]
        else:
            groups.append([column])
            width = sizes[column]
    return groups


def joint(codes: Sequence[Codes] | Codes, sizes: Sequence[int], group: Sequence[int]) -> Ints:
    """For each row the number of its combination of codes in the columns of a group."""
    found = codes[group[0]].astype(np.int64)
    for column in group[1:]:
        found = found * sizes[column] + codes[column]
    return found
