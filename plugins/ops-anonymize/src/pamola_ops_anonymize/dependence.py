"""Which columns are functions of others, or nearly so, and which are one category written as several columns.

A column is a function of another where records that agree on the other agree on it, more than chance has them agree
(the normalized proportional reduction of error: L. A. Goodman and W. H. Kruskal: Measures of association for cross
classifications, JASA 49, 1954; as a measure of approximate functional dependence G. Piatetsky-Shapiro and C. J.
Matheus, AAAI workshop on knowledge discovery in databases, 1993). Pairs of records are counted, so that a column of
which every value is different determines nothing. Where values hardly repeat, order and shape decide: logs, powers, a
change of units and years of birth have the order of what they come from; products and sums are fitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

AGREEMENT = 0.99
SAME_ORDER = 0.98
SAME_SHAPE = 0.9999
SURPRISES = 20.0
FEW = 300
PAIRED = 12
MANY = 5
FINER = 20
CODES, ORDER, SHAPE = range(3)  # how a column may be a function


@attrs.frozen(eq=False)
class Coded:
    """A column of the records that are looked at.

    Attributes:
        codes: Its values as numbers from 0; a missing value is a value.
        values: How many there are.
        numbers: Its values as floats, missing ones as NaN; None for other kinds.
    """

    codes: Ints
    values: int
    numbers: Floats | None

    @classmethod
    def of(cls, column: pd.Series[Any]) -> Coded:
        """Encode a column."""
        try:
            codes, found = pd.factorize(column, use_na_sentinel=False)
        except (TypeError, NotImplementedError):  # cells that cannot be hashed: what can be read of them decides
            codes, found = pd.factorize(column.map(str), use_na_sentinel=False)
        return cls(np.asarray(codes, dtype=np.int64), len(found), _numbers(column))

    @property
    def is_binary(self) -> bool:
        """Whether it says yes or no as 1 and 0."""
        return self.values == 2 and self.numbers is not None and set(np.unique(self.numbers)) == {0.0, 1.0}

    def taken(self, rows: Any) -> Coded:
        """The same column, of these records."""
        return Coded(self.codes[rows], self.values, None if self.numbers is None else self.numbers[rows])


def _numbers(column: pd.Series[Any]) -> Floats | None:
    kind = getattr(column.dtype, "kind", "O")
    if kind == "M":
        stamps = pd.to_datetime(column, utc=True)
        return np.where(stamps.isna(), np.nan, stamps.astype("int64").to_numpy(dtype=np.float64))
    if kind not in "biuf":
        return None
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def functions_of(columns: Mapping[Any, Coded], judged: Sequence[Any], sources: Sequence[Any]) -> dict[Any, str]:
    """Which of the judged columns are (nearly) functions of sources, of one or of two, or determine one; how, in words.

    Args:
        columns: All of one table's records, by name.
        judged: Names of those that may be functions.
        sources: Names of those that they may be functions of.
    """
    varied = [name for name in sources if columns[name].values > 1]
    found: dict[Any, str] = {}
    names = [name for name in judged if columns[name].values > 1]
    few, few_sources = _Few.of(columns, names), _Few.of(columns, varied)
    maybe: dict[Any, list[tuple[Any, int]]] = {}
    for source in varied:
        other = columns[source]
        for kind, fits in enumerate(
            (few.may_depend(other.codes), few.may_have_order(other), few.may_have_shape([other]))
        ):
            for name in fits:
                maybe.setdefault(name, []).append((source, kind))
    for name in names:
        determined = few_sources.may_depend(columns[name].codes)
        reason = next(_of_one(columns, name, maybe.get(name, []), determined), None)
        if reason:
            found[name] = reason
    finest = sorted(varied, key=lambda name: -columns[name].values)[:PAIRED]
    for one, other_one in combinations(finest, 2):
        pair = [columns[one], columns[other_one]]
        both = pair[0].codes * pair[1].values + pair[1].codes
        for name in few.may_depend(both):
            if name not in found and depends(columns[name], both):
                found[name] = f"a function of {one} and {other_one}"
        for name in few.may_have_shape(pair):
            if name not in found and has_shape(columns[name], pair):
                found[name] = f"a function of {one} and {other_one}"
    return found


def _of_one(
    columns: Mapping[Any, Coded], name: Any, maybe: Sequence[tuple[Any, int]], determined: Sequence[Any]
) -> Iterator[str]:
    """How a column goes with one source, of those that a few records do not exclude; `maybe` says in which way."""
    column = columns[name]
    for source, kind in maybe:
        other = columns[source]
        if source == name:
            continue
        if kind == ORDER and same_order(column, other):
            yield f"nearly in one order with {source}, as a function of it is"
        elif (kind == CODES and depends(column, other.codes)) or (kind == SHAPE and has_shape(column, [other])):
            yield f"a function of {source}"
    sure = [
        source
        for source in determined
        if source != name
        and (columns[source].values >= MANY or column.values <= FINER)
        and depends(columns[source], column.codes)
    ]
    if 0 < len(sure) <= 2:  # what determines more goes with persons, of whom each has several records
        yield f"it determines {' and '.join(map(str, sure))}"


@attrs.frozen(eq=False)
class _Few:
    """The first records of several columns, which exclude most functions at once: all columns are looked at together.

    Attributes:
        names: Of the columns.
        codes: Their codes, a column each.
        differ: How often two records differ in each.
        numeric: Names of those of numbers that are all present.
        numbers: These, a column each.
        ranks: Their ranks, less the mean.
    """

    names: list[Any]
    codes: Ints
    differ: Floats
    numeric: list[Any]
    numbers: Floats
    ranks: Floats

    @classmethod
    def of(cls, columns: Mapping[Any, Coded], names: list[Any]) -> _Few:
        few = {name: columns[name].taken(slice(FEW)) for name in names}
        numbers = {name: column.numbers for name, column in few.items() if column.numbers is not None}
        numbers = {name: each for name, each in numbers.items() if columns[name].values >= MANY}
        codes = np.column_stack([column.codes for column in few.values()]) if names else np.zeros((0, 0), np.int64)
        sizes = [np.bincount(column) for column in codes.T]
        records = max(len(codes), 2)
        differ = [1 - (size * (size - 1.0)).sum() / (records * (records - 1.0)) for size in sizes]
        whole = np.column_stack(list(numbers.values())) if numbers else np.zeros((len(codes), 0))
        return cls(names, codes, np.array(differ), list(numbers), whole, _ranks(whole))

    def may_depend(self, by: Ints) -> list[Any]:
        """Those in which neighbours among the records with equal `by` seldom differ."""
        order = np.argsort(by[: len(self.codes)], kind="stable")
        group = by[order]
        alike = np.flatnonzero(group[1:] == group[:-1])
        if not len(alike):
            return self.names
        unequal = (self.codes[order[alike]] != self.codes[order[alike + 1]]).mean(axis=0)
        return [name for name, fits in zip(self.names, unequal <= 0.1 * self.differ, strict=True) if fits]

    def may_have_order(self, other: Coded) -> list[Any]:
        """Those of much the same order as a column, or the opposite one; and those with missing numbers."""
        if other.numbers is None or other.values < MANY or not self.numeric:
            return []
        ranks = _ranks(other.numbers[: len(self.numbers), None])
        size = np.sqrt((self.ranks**2).sum(axis=0) * (ranks**2).sum())
        alike = np.abs(ranks[:, 0] @ self.ranks) >= 0.8 * size
        fits = (
            alike | ~np.isfinite(self.numbers).all(axis=0) | (not np.isfinite(other.numbers[: len(self.numbers)]).all())
        )
        return [name for name, fit in zip(self.numeric, fits, strict=True) if fit]

    def may_have_shape(self, others: Sequence[Coded]) -> list[Any]:
        """Those that a fit to one or two columns, or their logs, leaves little of; and those with missing numbers."""
        parts = [other.numbers[: len(self.codes)] for other in others if other.numbers is not None]
        if not self.numeric or len(parts) < len(others):
            return []
        fits = ~np.isfinite(self.numbers).all(axis=0) | _fits(self.numbers, parts, 0.01)
        fits |= _fits(_logs(self.numbers), [_logs(part) for part in parts], 0.01)
        return [name for name, fit in zip(self.numeric, fits, strict=True) if fit]


def _ranks(numbers: Floats) -> Floats:
    ranks = pd.DataFrame(numbers).rank()
    return (ranks - ranks.mean()).fillna(0.0).to_numpy(dtype=np.float64)


def depends(column: Coded, by: Ints) -> bool:
    """Whether records with equal `by` have equal values of a column, where chance would often have them differ."""
    agreement, surprises = _agreement(column, by)
    return surprises >= SURPRISES and agreement >= AGREEMENT


def _agreement(column: Coded, by: Ints) -> tuple[float, float]:
    """Goodman and Kruskal's tau over pairs of records, and how many values by chance would differ from their group's.

    Where no two records have equal `by`, the tau is 1 and nothing surprises.
    """
    groups = group_sizes(by)
    both = group_sizes(by * column.values + column.codes)
    values = np.bincount(column.codes)
    records = len(by)
    differ = 1.0 - float((values * (values - 1.0)).sum()) / max(records * (records - 1.0), 1.0)
    pairs = float((groups * (groups - 1.0)).sum())
    if pairs == 0 or differ == 0:
        return 1.0, 0.0
    agree = float((both * (both - 1.0)).sum()) / pairs
    return 1.0 - (1.0 - agree) / differ, (records - len(groups)) * differ


def group_sizes(codes: Ints) -> Ints:
    """How many records have each of the codes, in the order of the codes."""
    ordered = np.sort(codes)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(codes) else np.zeros(0, dtype=np.int64)
    return np.diff(ends, prepend=-1)


def same_order(column: Coded, other: Coded) -> bool:
    """Whether two columns of numbers have one order, or the opposite one: Spearman's rank correlation (1904)."""
    if column.numbers is None or other.numbers is None or column.values < MANY or other.values < MANY:
        return False
    present = np.isfinite(column.numbers) & np.isfinite(other.numbers)
    if present.sum() < max(30, 0.5 * np.isfinite(other.numbers).sum()):
        return False
    one, two = (pd.Series(numbers[present]).rank().to_numpy() for numbers in (column.numbers, other.numbers))
    if one.std() == 0 or two.std() == 0:
        return False
    return abs(float(np.corrcoef(one, two)[0, 1])) >= SAME_ORDER


def has_shape(column: Coded, others: Sequence[Coded]) -> bool:
    """Whether a column of numbers is a power of another, or a sum, product or quotient of two, up to constants."""
    parts = [other.numbers for other in others if other.numbers is not None]
    if column.numbers is None or column.values < MANY or len(parts) < len(others):
        return False
    for wanted, given in ((column.numbers, parts), (_logs(column.numbers), [_logs(part) for part in parts])):
        present = np.isfinite(wanted)
        enough = present.sum() >= max(30, len(wanted) / 2)
        if enough and _fits(wanted[present, None], [part[present] for part in given], 1 - SAME_SHAPE)[0]:
            return True
    return False


def _logs(numbers: Floats) -> Floats:
    return np.log(np.where(numbers > 0, numbers, np.nan))


def _fits(wanted: Floats, parts: Sequence[Floats], most: float) -> npt.NDArray[np.bool_]:
    """Which columns a fit by least squares leaves at most a share of, where all their numbers are present.

    Fitted are a constant, and a column and its square, or two columns and their product.
    """
    finite = [np.where(np.isfinite(part), part, np.nan) for part in parts]
    scaled = [part / max(float(np.nanmax(np.abs(part), initial=0.0)), 1e-300) for part in finite]
    terms = np.column_stack([np.ones(len(wanted)), *scaled, scaled[0] * scaled[-1]])
    present = np.isfinite(terms).all(axis=1)
    wanted, terms = wanted[present], terms[present]
    whole = np.isfinite(wanted).all(axis=0)
    if len(wanted) < 30 or not whole.any():
        return np.zeros(wanted.shape[1], dtype=np.bool_)
    wanted = np.where(whole, wanted, 0.0)
    wanted = wanted / np.maximum(np.abs(wanted).max(axis=0), 1e-300)
    solution, *_ = np.linalg.lstsq(terms, wanted, rcond=None)
    spread = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
    left = ((wanted - terms @ solution) ** 2).sum(axis=0)
    return np.asarray(whole & (spread > 0) & (left <= most * spread))


def one_of_several(columns: Mapping[Any, Coded], judged: Sequence[Any], sources: Sequence[Any]) -> dict[Any, str]:
    """Which of the judged columns of 1 and 0 belong to one category with sources: never two of them are 1 in a record.

    That none is has to surprise: independent columns would be 1 together in ten records or more.
    """
    found: dict[Any, str] = {}
    known = [name for name in sources if columns[name].is_binary]
    yes = {name: np.asarray(columns[name].numbers) == 1 for name in {*known, *judged} if columns[name].is_binary}
    known.sort(key=lambda name: -int(yes[name].sum()))
    for name in judged:
        if name not in yes:
            continue
        mine, union, partners = yes[name], np.zeros(len(yes[name]), dtype=bool), []
        for other in known:
            if not (yes[other] & (mine | union)).any():
                union = union | yes[other]
                partners.append(str(other))
        if float(mine.sum()) * float(union.sum()) >= 10.0 * len(mine):
            shown = ", ".join(partners[:3])
            found[name] = f"it is never 1 where {shown} is, as if they were one category"
    return found
