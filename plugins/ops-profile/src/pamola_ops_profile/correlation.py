"""What goes together in a table: a measure for each pair of columns, by their kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from .distribution import as_numbers, kind_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_CATEGORIES = 200


@attrs.frozen(kw_only=True)
class Correlation:
    """How strongly two columns go together: K. Pearson 1895, C. Spearman 1904, H. Cramér 1946, R. A. Fisher 1925.

    Attributes:
        left: A column.
        right: Another.
        measure: `pearson` (two columns of numbers), `cramers_v` (two of categories), `correlation_ratio` (one of each).
        value: -1 to 1 for `pearson`, 0 to 1 for the others; None where there is none: too few records that have
            both, or only one value on one side.
        spearman: Rank correlation, -1 to 1, for two columns of numbers.
        records: Records that have both.
    """

    left: str
    right: str
    measure: str
    value: float | None
    records: int
    spearman: float | None = None

    @property
    def strength(self) -> float:
        """The greatest of the measures without its sign; 0 where there is none."""
        return max(abs(self.value or 0.0), abs(self.spearman or 0.0))


@attrs.frozen
class LeftOut:
    """A column that no measure was made of, and why."""

    column: str
    reason: str


@attrs.frozen(eq=False)
class _Column:
    """Numbers (NaN where missing), or codes of categories (-1 where missing)."""

    name: str
    numbers: Floats | None = None
    codes: Ints | None = None
    size: int = 0

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        if self.numbers is not None:
            return np.isfinite(self.numbers)
        assert self.codes is not None
        return self.codes >= 0


def correlate(
    frame: pd.DataFrame,
    columns: Sequence[str] | None = None,
    *,
    min_records: int = 10,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Correlation], list[LeftOut]]:
    """Correlate all pairs of columns; dates count as numbers, truth values and text as categories.

    Pearson's (1895) and Spearman's (1904) correlation, Cramér's V (1946), the correlation ratio (Fisher 1925).

    Args:
        frame: With unique column names.
        columns: Which of them; all unless given.
        min_records: Least number of records that a measure may rest on.
        progress: Called with how many pairs of how many are done.

    Returns:
        The pairs in the table's order, and the columns that were left out.
    """
    usable: list[_Column] = []
    left_out: list[LeftOut] = []
    for name in frame.columns if columns is None else columns:
        column = _column(frame[name])
        if isinstance(column, LeftOut):
            left_out.append(column)
        else:
            usable.append(column)
    pairs = list(combinations(usable, 2))
    found = []
    for done, (left, right) in enumerate(pairs, start=1):
        found.append(_pair(left, right, min_records))
        if progress is not None:
            progress(done, len(pairs))
    return found, left_out


def _column(values: pd.Series[Any]) -> _Column | LeftOut:
    name = str(values.name)
    present = values.dropna()
    kind = kind_of(present)
    if kind == "empty":
        return LeftOut(name, "it has no values")
    numbers = as_numbers(present, kind)
    if numbers is not None:
        if bool((numbers == numbers[0]).all()):
            return LeftOut(name, "it has a single value")
        spread = np.full(len(values), np.nan)
        spread[values.notna().to_numpy()] = numbers
        return _Column(name, numbers=spread)
    text = values if kind != "text" or values.dtype != object else values.map(str, na_action="ignore")
    try:
        codes, levels = pd.factorize(text)
    except (TypeError, NotImplementedError):  # cells of Arrow that cannot be hashed
        codes, levels = pd.factorize(values.map(str, na_action="ignore"))
    if len(levels) < 2:
        return LeftOut(name, "it has a single value")
    if len(levels) > MOST_CATEGORIES:
        return LeftOut(name, f"it has {len(levels):,} distinct values, more than {MOST_CATEGORIES}")
    return _Column(name, codes=codes.astype(np.int64), size=len(levels))


def _pair(left: _Column, right: _Column, min_records: int) -> Correlation:
    both = left.present & right.present
    records = int(both.sum())
    enough = records >= max(2, min_records)
    spearman = None
    value = None
    if left.numbers is not None and right.numbers is not None:
        measure = "pearson"
        if enough:
            x, y = left.numbers[both], right.numbers[both]
            value, spearman = pearson(x, y), pearson(ranks(x), ranks(y))
    elif left.codes is not None and right.codes is not None:
        measure = "cramers_v"
        if enough:
            value = cramers_v(left.codes[both], right.codes[both], left.size, right.size)
    else:
        measure = "correlation_ratio"
        numbers, codes = (left.numbers, right.codes) if left.numbers is not None else (right.numbers, left.codes)
        assert numbers is not None
        assert codes is not None
        if enough:
            value = correlation_ratio(numbers[both], codes[both])
    return Correlation(
        left=left.name, right=right.name, measure=measure, value=value, spearman=spearman, records=records
    )


def pearson(x: Floats, y: Floats) -> float | None:
    """Product-moment correlation (K. Pearson 1895); None where one side has a single value."""
    x, y = _centred(x), _centred(y)
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip((x @ y) / scale, -1.0, 1.0)) if scale > 0 else None


def _centred(x: Floats) -> Floats:
    # dividing by the greatest value, and then by the greatest deviation, keeps sums and squares within a float
    largest = float(np.abs(x).max())
    x = x / largest if largest > 1e150 else x
    x = x - x.mean()
    greatest = float(np.abs(x).max())
    return x / greatest if greatest > 0 else x


def ranks(x: Floats) -> Floats:
    """Ranks from 1, equal values sharing the mean of theirs: their Pearson correlation is Spearman's (1904)."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Floats = (last - (counts - 1) / 2.0)[inverse]
    return shared


def cramers_v(left: Ints, right: Ints, left_size: int, right_size: int) -> float | None:
    """Association of two categorical columns (H. Cramér, Mathematical methods of statistics, 1946, 21.9).

    V = sqrt(chi² / (n (min(r, c) - 1))) over the r and c categories that occur; None where one side has only one.
    """
    table = np.bincount(left * right_size + right, minlength=left_size * right_size).reshape(left_size, right_size)
    table = table[table.any(axis=1)][:, table.any(axis=0)].astype(np.float64)
    smaller = min(table.shape) - 1
    if smaller < 1:
        return None
    total = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    chi_square = float(((table - expected) ** 2 / expected).sum())
    return float(min(1.0, np.sqrt(chi_square / (total * smaller))))


def correlation_ratio(numbers: Floats, codes: Ints) -> float | None:
    """Eta (R. A. Fisher, Statistical methods for research workers, 1925): sqrt(between-group / total sum of squares).

    None where all numbers are the same, or only one category occurs.
    """
    numbers = _centred(numbers)
    total = float(numbers @ numbers)
    counts = np.bincount(codes)
    if total <= 0 or int((counts > 0).sum()) < 2:
        return None
    sums = np.bincount(codes, weights=numbers)
    occurring = counts > 0
    between = float((sums[occurring] ** 2 / counts[occurring]).sum())
    return float(np.sqrt(min(1.0, between / total)))
