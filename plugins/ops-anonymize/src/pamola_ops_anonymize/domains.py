"""A column as a domain: integer codes for its values, and what merging several of them loses.

Everything that partitions, measures or publishes works on these codes; only here are dtypes looked at.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = npt.NDArray[np.signedinteger[Any]]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MOST_MARKS = 50_000_000


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array, through which nothing can be written."""
    view = array.view()
    view.flags.writeable = False
    return view


@attrs.frozen(eq=False)
class Runs:
    """Rows grouped by node and, within a node, sorted by code: one entry for each (node, code).

    Attributes:
        end: The row after each run; the next one begins there.
        node: Node of each run, ascending.
        code: Code of each run, ascending within a node.
        weight: Number of records in each run.
        first: First run of each node.
        last: Last run of each node.
    """

    end: Ints
    node: Ints
    code: Codes
    weight: Ints
    first: Ints
    last: Ints


@attrs.frozen(eq=False)
class Domain:
    """The distinct values of one column; code `size` means a missing value, and is the highest.

    Losses are the normalized certainty penalty (Xu, Wang, Pei, Wang, Shi and Fu: Utility-based anonymization using
    local recoding, KDD 2006): 0 for one value, 1 for the whole domain. A group that mixes missing with present
    values can only be published as suppressed, and so loses 1.
    """

    name: str
    size: int

    @property
    def kind(self) -> str:
        """`numeric` for numbers and dates, `categorical` for everything else."""
        raise NotImplementedError

    def loss_of_cuts(self, runs: Runs, at: Ints) -> tuple[Floats, Floats]:
        """What cutting after each of the runs `at`, none of them the last of its node, would leave: left and right."""
        raise NotImplementedError

    def loss_of_nodes(self, runs: Runs) -> Floats:
        """The loss of each node."""
        raise NotImplementedError

    def loss_of_part(self, runs: Runs, present: Mask) -> Floats:
        """The loss of each node if only the runs marked `present` were in it; 0 where none is."""
        raise NotImplementedError

    def texts(self, codes: Sequence[int] | Codes | Ints) -> list[str]:
        """Values as they are written, for codes below `size`."""
        raise NotImplementedError


@attrs.frozen(eq=False)
class OrderedDomain(Domain):
    """Numbers and dates: a group is an interval, its loss (max - min) / range.

    Attributes:
        values: Distinct values, ascending.
        positions: Where each value is between 0 (least) and 1 (greatest); 2 for a missing value, so that a
            span with one in it comes out above 1.
        style: How a value is written: `plain`, `integral` (whole numbers that missing values turned into
            floats), `day` or `instant`.
        zone: The column's time zone, for `instant` and `day`.
    """

    values: npt.NDArray[Any]
    positions: Floats
    style: str = "plain"
    zone: datetime.tzinfo | None = None

    @property
    def kind(self) -> str:
        return "numeric"

    def loss_of_cuts(self, runs: Runs, at: Ints) -> tuple[Floats, Floats]:
        node = runs.node.take(at)
        left, right = self._position(runs, at), self._position(runs, runs.last).take(node)
        left -= self._position(runs, runs.first).take(node)
        right -= self._position(runs, at + 1)
        return left, np.minimum(right, 1.0, out=right)

    def loss_of_nodes(self, runs: Runs) -> Floats:
        return np.minimum(self._position(runs, runs.last) - self._position(runs, runs.first), 1.0)

    def loss_of_part(self, runs: Runs, present: Mask) -> Floats:
        there = np.flatnonzero(present)
        begin = np.searchsorted(there, runs.first)
        end = np.append(begin[1:], len(there))
        loss = np.zeros(len(begin))
        some = np.flatnonzero(begin < end)
        span = self._position(runs, there.take(end[some] - 1)) - self._position(runs, there.take(begin[some]))
        loss[some] = np.minimum(span, 1.0)
        return loss

    def _position(self, runs: Runs, which: Ints) -> Floats:
        return self.positions.take(runs.code.take(which))

    def texts(self, codes: Sequence[int] | Codes | Ints) -> list[str]:
        chosen = self.values[np.asarray(codes, dtype=np.int64)]
        if self.style == "integral":
            return [str(int(value)) for value in chosen]
        if self.style == "plain":
            return [str(value) for value in chosen]
        if self.style == "day":
            written: list[str] = np.datetime_as_string(self.moments(codes).to_numpy(), unit="D").tolist()
            return written
        return [stamp.isoformat() for stamp in self._stamps(codes)]

    def moments(self, codes: Sequence[int] | Codes | Ints) -> pd.DatetimeIndex:
        """Dates and times as the clocks of their zone show them."""
        return self._stamps(codes).tz_localize(None)

    def _stamps(self, codes: Sequence[int] | Codes | Ints) -> pd.DatetimeIndex:
        stamps = pd.DatetimeIndex(self.values[np.asarray(codes, dtype=np.int64)])
        return stamps if self.zone is None else stamps.tz_localize("UTC").tz_convert(self.zone)


@attrs.frozen(eq=False)
class UnorderedDomain(Domain):
    """Categories: a group is a set, its loss (distinct - 1) / (domain - 1).

    Attributes:
        values: Each category as it is written, most frequent first: cutting along that order sets the common
            values apart first, which loses least (measured on Adult: a tenth to a fifth less than alphabetical).
        units: 1 for each category, more than all of them for a missing value.
    """

    values: npt.NDArray[Any]
    units: Ints

    @property
    def kind(self) -> str:
        return "categorical"

    def loss_of_cuts(self, runs: Runs, at: Ints) -> tuple[Floats, Floats]:
        total = np.cumsum(self.units.take(runs.code))
        node = runs.node.take(at)
        left = total.take(at) - self._before(runs, total).take(node)
        return self._loss(left), self._loss(total.take(runs.last.take(node)) - total.take(at))

    def loss_of_nodes(self, runs: Runs) -> Floats:
        total = np.cumsum(self.units.take(runs.code))
        return self._loss(total.take(runs.last) - self._before(runs, total))

    def loss_of_part(self, runs: Runs, present: Mask) -> Floats:
        total = np.cumsum(self.units.take(runs.code) * present)
        return self._loss(total.take(runs.last) - np.append(0, total.take(runs.last[:-1])))

    def _before(self, runs: Runs, total: Ints) -> Ints:
        """Of these running sums what is in the nodes before each one."""
        return np.append(0, total.take(runs.last[:-1]))

    def _loss(self, units: Ints) -> Floats:
        spread = np.clip((units - 1) / max(1, self.size - 1), 0.0, 1.0)
        alone_missing = units == self.size + 1
        return np.where(alone_missing, 0.0, spread)

    def texts(self, codes: Sequence[int] | Codes | Ints) -> list[str]:
        return [str(value) for value in self.values[np.asarray(codes, dtype=np.int64)]]


def encode(column: pd.Series[Any], times: Ints | None = None) -> tuple[Domain, Codes]:
    """Turn a column into a domain and the code of every row, in the narrowest signed type that holds them.

    Booleans, text, `category` and whatever has no natural distance are categories (unused levels of a categorical
    are not part of the domain; an empty string is a category like any other). Integers, floats, decimals and dates
    are ordered. `None`, `NaN`, `NaT` and `NA` are missing. Where a row represents several records, `times` says for how
    many.
    """
    name = str(column.name)
    missing = column.isna().to_numpy(dtype=bool)
    each = None if times is None else times[~missing]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _categories_of_levels(name, column, missing, each)
    if pd.api.types.is_bool_dtype(column.dtype):
        return _categories(name, column[~missing].astype(bool).astype(str).to_numpy(dtype=object), missing, each)
    if pd.api.types.is_integer_dtype(column.dtype) or pd.api.types.is_float_dtype(column.dtype):
        return _ordered(name, column[~missing].to_numpy(), missing)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _moments(name, column[~missing], missing)
    if isinstance(column.dtype, pd.StringDtype):
        return _categories(name, column[~missing], missing, each)
    return _objects(name, column, missing, each)


def _objects(name: str, column: pd.Series[Any], missing: Mask, each: Ints | None) -> tuple[Domain, Codes]:
    present = column.astype(object)[~missing]
    found = pd.api.types.infer_dtype(present, skipna=False)
    if found == "string":
        return _categories(name, present, missing, each)
    if found in ("integer", "floating", "mixed-integer-float", "decimal"):
        try:
            present.to_numpy(dtype=np.float64)
        except OverflowError:  # numbers of more than 308 digits are names of something, not amounts
            return _categories(name, [str(value) for value in present], missing, each)
        return _ordered(name, present.to_numpy(), missing)
    if found in ("date", "datetime", "datetime64"):
        try:
            return _moments(name, pd.to_datetime(present), missing)
        except (ValueError, TypeError, OverflowError):
            # dates outside what the installed pandas can hold, or a mixture of time zones: no common scale
            return _categories(name, [str(value) for value in present], missing, each)
    return _categories(name, [str(value) for value in present], missing, each)


def _ordered(name: str, present: npt.NDArray[Any], missing: Mask) -> tuple[Domain, Codes]:
    if present.dtype.kind in "iuf":
        values, inverse = ranked(present)
        values = values + values.dtype.type(0)  # turns -0.0 into 0.0: which of the two came first must not show
    else:
        values, inverse = np.unique(present, return_inverse=True)
    whole = (
        bool(missing.any())
        and values.dtype.kind == "f"
        and bool(np.isfinite(values).all())
        and bool(((values == np.trunc(values)) & (np.abs(values) < 2**53)).all())  # beyond, floats have gaps
    )
    numbers = values.astype(np.float64)
    domain = OrderedDomain(
        name, len(values), values=values, positions=_positions(numbers), style="integral" if whole else "plain"
    )
    return domain, _spread_codes(inverse, missing, len(values))


def _moments(name: str, present: pd.Series[Any], missing: Mask) -> tuple[Domain, Codes]:
    stamps = in_minutes(pd.DatetimeIndex(present))
    days = bool((stamps == stamps.normalize()).all())
    instants = stamps.tz_convert("UTC").tz_localize(None) if stamps.tz is not None else stamps
    values, inverse = np.unique(instants.to_numpy(), return_inverse=True)
    domain = OrderedDomain(
        name,
        len(values),
        values=values,
        positions=_positions(values.astype(np.int64).astype(np.float64)),
        style="day" if days else "instant",
        zone=stamps.tz,
    )
    return domain, _spread_codes(inverse, missing, len(values))


def in_minutes(stamps: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Times in UTC where their zone is off by seconds, as zones were before 1900: ISO 8601 has no such offsets."""
    if stamps.tz is None:
        return stamps
    local, utc = (each.tz_localize(None).as_unit("us").asi8 for each in (stamps, stamps.tz_convert("UTC")))
    return stamps.tz_convert("UTC") if ((local - utc) % 60_000_000).any() else stamps


def _positions(numbers: Floats) -> Floats:
    """Places between 0 and 1; by rank where the range is not a finite number (infinities, overflow)."""
    if len(numbers) < 2:
        places = np.zeros(len(numbers))
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            width = numbers[-1] - numbers[0]
            places = (numbers - numbers[0]) / width if width > 0 else numbers
        if not (np.isfinite(width) and width > 0):
            places = np.linspace(0.0, 1.0, len(numbers))
    return np.append(places, 2.0)


def _categories(name: str, present: Any, missing: Mask, each: Ints | None) -> tuple[Domain, Codes]:
    codes, values = pd.factorize(np.asarray(present, dtype=object) if isinstance(present, list) else present)
    return _by_frequency(name, codes.astype(np.int64), np.asarray(values, dtype=object), missing, each)


def _categories_of_levels(name: str, column: pd.Series[Any], missing: Mask, each: Ints | None) -> tuple[Domain, Codes]:
    # two levels may be written alike (1 and "1"): whoever reads the release cannot tell them apart, nor may we
    written, levels = pd.factorize(np.array([str(level) for level in column.cat.categories], dtype=object))
    codes = written[column.cat.codes.to_numpy()[~missing]].astype(np.int64)
    return _by_frequency(name, codes, np.asarray(levels, dtype=object), missing, each)


def _by_frequency(
    name: str, codes: Ints, values: npt.NDArray[Any], missing: Mask, each: Ints | None
) -> tuple[Domain, Codes]:
    count = counted(codes, len(values), each)
    alphabetical = np.argsort(values, kind="stable")
    order = alphabetical[np.argsort(-count[alphabetical], kind="stable")]
    order = order[count[order] > 0]
    rank = np.zeros(len(values), dtype=np.int64)
    rank[order] = np.arange(len(order))
    units = np.append(np.ones(len(order), dtype=np.int64), len(order) + 1)
    domain = UnorderedDomain(name, len(order), values=values[order], units=units)
    return domain, _spread_codes(rank[codes], missing, len(order))


def _spread_codes(present: Ints, missing: Mask, size: int) -> Codes:
    # no wider than they must be: a large table is mostly codes; signed, so that their differences are right
    codes = np.full(len(missing), size, dtype=np.min_scalar_type(-size - 1))
    codes[~missing] = present
    return codes


def counted(codes: Codes | Ints, size: int, times: Ints | None = None) -> Ints:
    """How many records have each code, int64 of shape (size,) or more; a row represents as many as `times` says."""
    if times is None:
        return np.bincount(codes, minlength=size).astype(np.int64, copy=False)
    return np.bincount(codes, weights=times, minlength=size).astype(np.int64)


def counted_keys(keys: Ints, times: Ints | None = None) -> tuple[Ints, Ints]:
    """The distinct keys, ascending, and how many records have each; a row represents as many as `times` says."""
    if times is None:
        found, count = np.unique(keys, return_counts=True)
        return found, count.astype(np.int64, copy=False)
    found, which = np.unique(keys, return_inverse=True)
    return found, counted(which, len(found), times)


def distinct_keys(keys: Ints, count: int) -> Ints:
    """The distinct ones of keys below `count`, ascending; marking them is several times faster than sorting."""
    if count > _MOST_MARKS:
        keys = np.sort(keys)  # and this than `np.unique`, which hashes
        distinct: Ints = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
        return distinct
    marked = np.zeros(count, dtype=bool)
    marked[keys] = True
    return np.flatnonzero(marked)


def ranked(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Ints]:
    """The distinct ones of some numbers, ascending, and for each number which of them it is.

    What `np.unique` gives, by hashing, which is several times faster than sorting all of them.
    """
    number, found = pd.factorize(values)
    order = np.argsort(found)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return found[order], rank[number]


def combinations(codes: Sequence[Codes], sizes: Sequence[int], times: Ints | None = None) -> tuple[Ints, Ints, Ints]:
    """Distinct combinations of codes over the columns.

    Args:
        codes: For each column of the table the code of each record.
        sizes: Number of codes each column may have, the missing value included.
        times: How many records each row represents, one unless given.

    Returns:
        The index of a record that has each combination, the combination of every record, and the number of
        records of each combination; combinations in ascending order of their codes, whatever the records' order.
    """
    key = np.zeros(len(codes[0]), dtype=np.int64)
    span = 1
    for row, size in zip(codes, sizes, strict=True):
        if span * size >= 2**62:
            # the product of the sizes would overflow: number the combinations so far instead
            distinct, key = ranked(key)
            span = len(distinct)
        key = key * size + row
        span *= size
    found, combination = ranked(key)
    records = np.arange(len(key) - 1, -1, -1)
    first = np.empty(len(found), dtype=np.int64)
    first[combination[::-1]] = records  # of records of one combination the first in the table is written last
    return first, combination, counted(combination, len(found), times)
