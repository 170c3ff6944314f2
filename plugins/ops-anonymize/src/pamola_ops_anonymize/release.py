"""From a table to one that may be released: partition, generalize, put together, account for every row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataRefused

from .domains import combinations, encode
from .generalization import generalize
from .measures import Grouping
from .mondrian import partition


@attrs.frozen(eq=False)
class Release:
    """A generalized table, and what making it cost.

    Attributes:
        frame: The records that are released, in the input's order, with the input's row labels.
        suppressed: Records that are left out.
        k_before: Records of the smallest class of the input.
        classes_before: Classes of the input.
        loss: For each quasi-identifier the normalized certainty penalty over the input's records (a record that
            was left out loses 1).
    """

    frame: pd.DataFrame
    suppressed: int
    k_before: int
    classes_before: int
    loss: dict[str, float]

    @property
    def information_loss(self) -> float:
        """NCP-set: the mean of the losses over the quasi-identifiers, 0 (as the input) to 1 (nothing is left)."""
        return sum(self.loss.values()) / len(self.loss)


def k_anonymous(
    frame: pd.DataFrame,
    quasi_identifiers: Sequence[str],
    k: int,
    progress: Callable[[int], None] | None = None,
) -> Release:
    """Generalize the quasi-identifiers until at least `k` records share each combination of them.

    A table of fewer than `k` records cannot be released at all: every record is suppressed. Otherwise none is.

    Args:
        frame: At least one record; column names are unique.
        quasi_identifiers: At least one column of it.
        k: At least 2.
        progress: Told how many records have found their class.
    """
    encoded = [encode(frame[column]) for column in quasi_identifiers]
    domains = [domain for domain, _ in encoded]
    codes = np.stack([column_codes for _, column_codes in encoded])
    first, combination, weights = combinations(codes, [domain.size + 1 for domain in domains])
    k_before, classes_before = int(weights.min()), len(weights)

    columns: dict[str, pd.Series[str]] = {}
    if len(frame) < k:
        released = frame.iloc[:0]
        for column in quasi_identifiers:
            columns[column] = pd.Series([], dtype="string", index=released.index)
        loss = dict.fromkeys(quasi_identifiers, 1.0)
    else:
        released = frame
        distinct = np.ascontiguousarray(codes[:, first])
        classes = partition(distinct, weights, domains, k, progress=progress)
        sizes = np.bincount(classes, weights=weights)
        loss = {}
        for column, domain, column_codes in zip(quasi_identifiers, domains, distinct, strict=True):
            generalized = generalize(domain, column_codes, classes, len(sizes))
            columns[column] = generalized.cells(classes[combination], frame.index)
            loss[column] = float((generalized.loss * sizes).sum() / sizes.sum())
    return Release(
        frame=released.assign(**columns),
        suppressed=len(frame) - len(released),
        k_before=k_before,
        classes_before=classes_before,
        loss=loss,
    )


def check_release(
    released: pd.DataFrame, quasi_identifiers: Sequence[str], k: int, rows_in: int, suppressed: int
) -> Grouping:
    """Hold a table against what is claimed of it, by counting what is written in it.

    Returns:
        Its classes.

    Raises:
        DataRefused: Fewer than `k` records share a combination, or records are unaccounted for.
    """
    if len(released) + suppressed != rows_in:
        raise DataRefused(
            f"{rows_in} records came in, but {len(released)} go out and {suppressed} were suppressed:"
            f" the table is not released. This is a fault of the operation, please report it",
            rows_in=rows_in,
            rows_out=len(released),
            rows_suppressed=suppressed,
        )
    grouping = Grouping.of(released, quasi_identifiers)
    if grouping.k is not None and grouping.k < k:
        raise DataRefused(
            f"k={k} was asked for, but the generalized table reaches only k={grouping.k}: it is not released."
            f" This is a fault of the operation, please report it",
            k_claimed=k,
            k_measured=grouping.k,
        )
    return grouping
