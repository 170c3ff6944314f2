"""Profiles of tables that disclose no person.

No value that is published rests on fewer than `min_count` records: rarer ones are not listed, quantiles are means of
`min_count` neighbouring values, bars of a histogram are joined until each holds as many, and what is listed leaves none
or as many of each bar. How many records miss a value, or have a rare one, is exact. `min_count=1` lifts that.
A mean still follows an extreme value: top-code the column first where its size must not show.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import numpy as np
import pandas as pd

from .counting import ColumnCounts, HashCounts, Ints, RowSample, most_values, of_rows
from .distribution import Ordered, as_numbers, inseparable, kind_of, spread_of
from .patterns import patterns_of
from .table_profile import ColumnProfile, CommonValue, Exposure, TableProfile

RoleOf = Callable[[str, Any], tuple[str, str] | None]

AsRead = Callable[[Any], Any]

SAMPLE = 100_000  # records by which it is judged what columns look like, and what columns of many values hold


def profile_table(
    frame: pd.DataFrame,
    *,
    min_count: int = 10,
    top: int = 20,
    bins: int = 20,
    role_of: RoleOf | None = None,
    as_read: AsRead | None = None,
    progress: Callable[[int], None] | None = None,
) -> TableProfile:
    """Profile a table in memory, by the threshold rule of Hundepool et al. 2012; arguments as for `profile_pieces`.

    Args:
        frame: With unique column names.
        min_count: Least number of records that a number may rest on, 1 or more.
        top: How many of the most frequent values are listed.
        bins: Bars of a histogram before those of few records are joined.
        role_of: Gives, for the name and the values of a column, what it looks like and why, or None.
        as_read: Gives for texts an array in which those that a reader cannot distinguish are equal.
        progress: Called with how many records are done.
    """
    how = Shown(min_count, top, bins, as_read)
    return profile_pieces([frame], how, lambda _: role_of, lambda columns: class_sizes(frame, columns), progress)


@attrs.frozen
class Shown:
    """What a profile shows: see `profile_table`."""

    min_count: int = 10
    top: int = 20
    bins: int = 20
    as_read: AsRead | None = None


def profile_pieces(
    pieces: Iterable[pd.DataFrame],
    how: Shown,
    roles: Callable[[pd.DataFrame], RoleOf | None],
    class_sizes: Callable[[list[str]], tuple[Ints, Ints]],
    progress: Callable[[int], None] | None = None,
) -> TableProfile:
    """Profile a table that comes in pieces, each read once; the same however it is divided.

    Counts are exact while a column has no more distinct values than `counting.most_values`, which is four million for
    all columns together. Beyond, numbers of values are of a random part of their hashes, exact up to 2,097,152 values
    unless two have the same hash, and all else is of a random sample of 100,000 records (`ColumnProfile.approximate`).

    Args:
        pieces: With unique column names, the same in all.
        how: What is shown.
        roles: Given a random sample of 100,000 records, or all of a smaller table (its `attrs["records"]` is how many
            the table has), what says for the name and the values of a column what it looks like.
        class_sizes: For some columns the sizes of the classes of records that are alike in them, and how many classes
            have each.
        progress: Called with how many records are done.
    """
    profile = _of_columns(pieces, how, roles, progress)  # whose counts are forgotten before classes are counted
    quasi = [column.name for column in profile.columns if column.role == "quasi-identifier"]
    if not quasi or not profile.records:
        return profile
    return attrs.evolve(profile, exposure=_exposure(quasi, *class_sizes(quasi)))


def _of_columns(
    pieces: Iterable[pd.DataFrame],
    how: Shown,
    roles: Callable[[pd.DataFrame], RoleOf | None],
    progress: Callable[[int], None] | None,
) -> TableProfile:
    """The profile without what columns reveal in combination."""
    columns: dict[str, ColumnCounts] = {}
    rows, sample = HashCounts(), RowSample(SAMPLE)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # counting and sorting let other threads run
        for piece in pieces:
            columns = columns or {name: ColumnCounts(most_values(len(piece.columns))) for name in piece.columns}
            hashes = pool.map(lambda each, of=piece: each[1].add(of[each[0]]), columns.items())
            rows.add(of_rows(list(hashes), len(piece)))
            sample.add(piece)
            if progress is not None:
                progress(sample.rows)
        frame = sample.frame()
        frame.attrs["records"] = sample.rows
        role_of = roles(frame)

        def profiled(name: str) -> ColumnProfile:
            return _profiled(columns[name], frame[name], how, role_of)

        found = list(pool.map(profiled, columns))
    return TableProfile(
        records=sample.rows,
        duplicate_records=rows.times * int((rows.counts - 1).sum()),
        missing_cells=sum(column.missing for column in found),
        memory_bytes=sum(counted.bytes for counted in columns.values()),
        min_count=how.min_count,
        columns=found,
        exposure=None,
    )


def profile_column(
    values: pd.Series[Any],
    *,
    min_count: int = 10,
    top: int = 20,
    bins: int = 20,
    role_of: RoleOf | None = None,
    as_read: AsRead | None = None,
) -> ColumnProfile:
    """Profile one column; arguments as for `profile_table`."""
    counted = ColumnCounts(most_values(1))
    counted.add(values)
    return _profiled(counted, values, Shown(min_count, top, bins, as_read), role_of)


def _profiled(counted: ColumnCounts, sample: pd.Series[Any], how: Shown, role_of: RoleOf | None) -> ColumnProfile:
    """The profile of a column, of all its values or where there are too many of them of a sample of the records."""
    name, min_count = str(sample.name), how.min_count
    present, times = counted.values()
    of_sample = 1.0
    if counted.hashes is not None:
        part = ColumnCounts(len(sample))
        part.add(sample)
        present, times = part.values()
        of_sample = (counted.records - counted.missing) / max(1, int(times.sum()))
    kind = "text" if counted.is_category and len(present) else kind_of(present)
    numbers = as_numbers(present, kind)
    if numbers is not None:
        order = np.argsort(numbers, kind="stable")
        present, times, numbers = present.iloc[order], times[order], numbers[order]
    counts = pd.Series(times, index=pd.Index(present))
    if present.dtype == object:
        counts = counts.groupby(level=0, sort=False).sum()  # 1 and True
    common = counts[counts >= min_count]
    role, reason = (role_of(name, sample) if role_of is not None else None) or ("", "")
    spread: dict[str, Any] = {}
    listed = _most_frequent(common, how.top)
    if numbers is not None:
        ordered = Ordered.of(numbers, times)
        spread, inner = spread_of(ordered, kind, min_count, how.bins)
        listed = inseparable(listed, kind, ordered, inner, min_count)
    if spread and of_sample != 1:
        spread["histogram"] = [attrs.evolve(bar, count=round(bar.count * of_sample)) for bar in spread["histogram"]]
    values = counts.to_numpy() if counted.hashes is None else counted.hashes.counts
    each = 1 if counted.hashes is None else counted.hashes.times
    rare = values[values < min_count]
    return ColumnProfile(
        name=name,
        dtype=counted.dtype,
        kind=kind,
        records=counted.records,
        missing=counted.missing,
        distinct=each * len(values),
        rare_values=each * len(rare),
        rare_records=min(each * int(rare.sum()), counted.records - counted.missing),
        common_values=[CommonValue(str(value), round(count * of_sample)) for value, count in listed.items()],
        patterns=patterns_of(counts, min_count, how.top) if kind == "text" and counted.hashes is None else [],
        role=role,
        reason=reason,
        read_alike=_read_alike(counts, how.as_read) if kind in ("text", "empty") and counted.hashes is None else None,
        approximate="" if counted.hashes is None else _told(counted.hashes, len(sample)),
        **spread,
    )


def _told(hashes: HashCounts, sample: int) -> str:
    """How near the facts about a column of many values are, in 95 of 100 cases: see `ColumnProfile.approximate`."""
    ranks = math.sqrt(math.log(2 / 0.05) / (2 * sample))  # A. Dvoretzky, J. Kiefer and J. Wolfowitz, 1956
    exact = "exact, unless two have one hash of 64 bits" if not hashes.error else f"within {hashes.error:.2%}"
    return (
        f"numbers of distinct and rare values are {exact}; values, counts, quantiles, mean, deviation and histogram are"
        f" those of a random sample of {sample:,} records: shares of records are within {ranks:.2%}"
    )


def _read_alike(counts: pd.Series[int], as_read: AsRead | None) -> int | None:
    """How many values a reader takes for another; None where nobody says which."""
    if as_read is None:
        return None
    texts = [str(value).encode("utf-8", "replace").decode() for value in counts.index]
    number = np.bincount(pd.factorize(np.asarray(as_read(texts), dtype=object))[0])
    return int(number[number > 1].sum())


def _most_frequent(counts: pd.Series[int], top: int) -> pd.Series[int]:
    """The `top` highest counts, highest first, equal ones in the order of their values' text."""
    # only what may be listed needs its text
    first = counts.sort_values(ascending=False, kind="stable").iloc[: max(top, 1000)]
    text = np.asarray(first.index.map(str), dtype=object).astype(str)
    order = np.lexsort((text, -first.to_numpy()))
    return first.iloc[order[:top]]


def class_sizes(frame: pd.DataFrame, columns: list[str]) -> tuple[Ints, Ints]:
    """The sizes of the classes of records that are alike in some columns, and how many classes have each."""
    sizes = frame.groupby(columns, dropna=False, observed=True, sort=False).size().to_numpy()
    size, classes = np.unique(sizes, return_counts=True)
    return size.astype(np.int64), classes.astype(np.int64)


def _exposure(columns: Sequence[str], sizes: Ints, classes: Ints) -> Exposure:
    return Exposure(
        columns=list(columns),
        records=int((sizes * classes).sum()),
        classes=int(classes.sum()),
        smallest_class=int(sizes.min()),
        unique_records=int(classes[sizes == 1].sum()),
    )
