"""Profiles of tables that disclose no person.

No value that is published rests on fewer than `min_count` records: rarer ones are not listed, quantiles are means of
`min_count` neighbouring values, bars of a histogram are joined until each holds as many, and what is listed leaves none
or as many of each bar. How many records miss a value, or have a rare one, is exact. `min_count=1` lifts that.
A mean still follows an extreme value: top-code the column first where its size must not show.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .patterns import patterns_of
from .table_profile import Bar, ColumnProfile, CommonValue, Exposure, TableProfile

Floats = npt.NDArray[np.float64]

RoleOf = Callable[[str, Any], tuple[str, str] | None]

AsRead = Callable[[Any], Any]

_DAY = 86_400.0
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # the years 1 to 9999, in seconds since 1970

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


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
    """Profile a table, by the threshold rule of A. Hundepool et al.: Statistical Disclosure Control, Wiley 2012.

    Args:
        frame: With unique column names.
        min_count: Least number of records that a number may rest on, 1 or more.
        top: How many of the most frequent values are listed.
        bins: Bars of a histogram before those of few records are joined.
        role_of: Gives, for the name and the values of a column, what it looks like and why, or None.
        as_read: Gives for texts an array in which those that a reader cannot distinguish are equal.
        progress: Called with how many columns are done.
    """
    columns = []

    def profiled(values: pd.Series[Any]) -> ColumnProfile:
        return profile_column(values, min_count=min_count, top=top, bins=bins, role_of=role_of, as_read=as_read)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # counting and sorting let other threads run
        for done, column in enumerate(pool.map(profiled, [frame[name] for name in frame.columns]), start=1):
            columns.append(column)
            if progress is not None:
                progress(done)
    quasi = [column.name for column in columns if column.role == "quasi-identifier"]
    return TableProfile(
        records=len(frame),
        duplicate_records=_duplicates(frame, [column.distinct for column in columns]),
        missing_cells=sum(column.missing for column in columns),
        memory_bytes=int(frame.memory_usage(deep=True).sum()),
        min_count=min_count,
        columns=columns,
        exposure=_exposure(frame, quasi) if quasi and len(frame) else None,
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
    name = str(values.name)
    present = values.dropna()
    kind = kind_of(present)
    ordered: Floats | None = None
    if isinstance(present.dtype, np.dtype) and present.dtype.kind in "iuf":
        in_order = np.sort(present.to_numpy())
        if in_order.dtype == np.float16:  # no index can hold these
            in_order = in_order.astype(np.float32)
        ordered, counts = in_order.astype(np.float64), _counts_of_sorted(in_order)
    else:
        numbers = as_numbers(present, kind)
        ordered, counts = None if numbers is None else np.sort(numbers), _counts(present)
    common = counts[counts >= min_count]
    role, reason = (role_of(name, values) if role_of is not None else None) or ("", "")
    spread, inner = ({}, None) if ordered is None else _spread(ordered, kind, min_count, bins)
    listed = _most_frequent(common, top)
    if ordered is not None:
        listed = _inseparable(listed, kind, ordered[np.isfinite(ordered)], inner, min_count)
    return ColumnProfile(
        name=name,
        dtype=str(values.dtype),
        kind=kind,
        records=len(values),
        missing=len(values) - len(present),
        distinct=len(counts),
        rare_values=len(counts) - len(common),
        rare_records=int(counts.sum() - common.sum()),
        common_values=[CommonValue(str(value), int(count)) for value, count in listed.items()],
        patterns=patterns_of(counts, min_count, top) if kind == "text" else [],
        role=role,
        reason=reason,
        read_alike=_read_alike(counts, as_read) if kind in ("text", "empty") else None,
        **spread,
    )


def kind_of(present: pd.Series[Any]) -> str:
    """`number`, `moment`, `truth`, `text`, or `empty`."""
    dtype = present.dtype
    if present.empty:
        return "empty"
    if isinstance(dtype, pd.CategoricalDtype):
        return "text"
    if pd.api.types.is_bool_dtype(dtype):
        return "truth"
    if pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "moment"
    if pd.api.types.is_object_dtype(dtype):
        return _KINDS_OF_OBJECTS.get(pd.api.types.infer_dtype(present), "text")
    return "text"


_KINDS_OF_OBJECTS = {
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "boolean": "truth",
    "date": "moment",
    "datetime": "moment",
}


def as_numbers(present: pd.Series[Any], kind: str) -> Floats | None:
    """Numbers as they are, moments as seconds since 1970 (UTC); None for other kinds, and what no float holds."""
    if kind == "number":
        try:
            return present.to_numpy(dtype=np.float64)
        except OverflowError:  # whole numbers of more than 308 digits
            return None
    if kind == "moment":
        return _microseconds(present) / 1e6
    return None


def _microseconds(present: pd.Series[Any]) -> Floats:
    """Since 1970 (UTC); nanoseconds would end in 2262."""
    if pd.api.types.is_datetime64_any_dtype(present.dtype):
        stamps = pd.DatetimeIndex(present).as_unit("us")
        return np.asarray(stamps.asi8, dtype=np.float64)  # these are in UTC
    zoned = (getattr(value, "tzinfo", None) for value in present)
    plain = [
        value.astimezone(datetime.UTC).replace(tzinfo=None) if zone else value
        for value, zone in zip(present, zoned, strict=True)
    ]
    return np.array(plain, dtype="datetime64[us]").astype(np.int64).astype(np.float64)


def _counts(present: pd.Series[Any]) -> pd.Series[int]:
    """How often each value occurs."""
    try:
        counts = present.value_counts(sort=False)
    except (TypeError, NotImplementedError):
        # cells that cannot be hashed, such as lists: what can be read of them decides
        counts = present.map(str).value_counts(sort=False)
    return counts[counts > 0]


def _read_alike(counts: pd.Series[int], as_read: AsRead | None) -> int | None:
    """How many values a reader takes for another; None where nobody says which."""
    if as_read is None:
        return None
    texts = [str(value).encode("utf-8", "replace").decode() for value in counts.index]
    number = np.bincount(pd.factorize(np.asarray(as_read(texts), dtype=object))[0])
    return int(number[number > 1].sum())


def _counts_of_sorted(ordered: npt.NDArray[Any]) -> pd.Series[int]:
    """The same of numbers in their order, which have to be sorted anyway."""
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, dtype=int)
    sizes: Any = np.diff(np.append(first, len(ordered)))
    return pd.Series(sizes, index=ordered[first])


def _most_frequent(counts: pd.Series[int], top: int) -> pd.Series[int]:
    """The `top` highest counts, highest first, equal ones in the order of their values' text."""
    # only what may be listed needs its text
    first = counts.sort_values(ascending=False, kind="stable").iloc[: max(top, 1000)]
    text = np.asarray(first.index.map(str), dtype=object).astype(str)
    order = np.lexsort((text, -first.to_numpy()))
    return first.iloc[order[:top]]


def _inseparable(
    listed: pd.Series[int], kind: str, ordered: Floats, inner: Floats | None, min_count: int
) -> pd.Series[int]:
    """Those values to list that leave no few others to be told from a bar of the histogram, or from the mean.

    What a bar holds less what is listed of it, and the sum of all less that of what is listed, are numbers too. So the
    rarest values of a bar are not listed until none, or `min_count` records, of it are left.
    """
    edges = np.zeros(0) if inner is None else inner
    values = as_numbers(pd.Series(listed.index), kind) if len(listed) else np.zeros(0)
    assert values is not None
    rest = np.diff(np.concatenate([[0], np.searchsorted(ordered, edges, side="left"), [len(ordered)]]))
    bar = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), -1)
    stays = np.ones(len(listed), dtype=bool)
    for place, count in zip(bar.tolist(), listed.tolist(), strict=True):
        if place >= 0:
            rest[place] -= count
    for at in range(len(listed) - 1, -1, -1):
        if bar[at] >= 0 and 0 < rest[bar[at]] < min_count:
            stays[at] = False
            rest[bar[at]] += int(listed.iloc[at])
    return listed[stays]


def _spread(ordered: Floats, kind: str, min_count: int, bins: int) -> tuple[dict[str, Any], Floats | None]:
    """Mean, quantiles and histogram of the finite ones of sorted numbers, where there are enough of them.

    Returns:
        What is told, and the edges between the bars of the histogram.
    """
    ordered = ordered[np.isfinite(ordered)]
    if len(ordered) < max(min_count, 1):
        return {}, None

    def told(number: float) -> float | str:
        return number if kind == "number" else str(np.datetime64(round(min(max(number, _FIRST), _LAST)), "s"))

    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond floats is no number, and becomes null
        low = float(ordered[:min_count].mean())
        high = max(low, float(ordered[-min_count:].mean()))  # below it by rounding, where both are of all records
        edges = _edges(ordered, low, high, 1.0 if kind == "number" else _DAY, bins)
        quantiles = {f"{share:g}": told(_quantile(ordered, share, min_count)) for share in QUANTILES}
        mean, deviation = float(ordered.mean()), float(ordered.std(ddof=1)) if len(ordered) > 1 else 0.0
    bars = _bars(ordered, edges, min_count) if np.isfinite(edges).all() else []
    facts = {
        "lowest": told(low),
        "highest": told(high),
        "quantiles": quantiles,
        "mean": told(mean),
        "deviation": deviation,
        "histogram": [Bar(told(a), told(b), count) for a, b, count in bars],
    }
    return facts, np.array([a for a, _, _ in bars[1:]])


def _edges(ordered: Floats, low: float, high: float, unit: float, bins: int) -> Floats:
    """At most `bins` bars of one width, but for the last; where all values are whole units, so are the edges.

    Bars that hold four ages here and three there would show a comb where there is none.
    """
    if not high > low:
        return np.array([low, high])
    if (high - low) / unit > 2**50 or bool((ordered % unit != 0).any()):
        return np.linspace(low, high, bins + 1)
    first, last = np.floor(low / unit), np.ceil(high / unit) + 1
    width = np.ceil((last - first) / bins)
    edges: Floats = np.append(np.arange(first, last, width), last)
    if len(edges) > 2 and edges[-1] - edges[-2] < width / 2:
        edges = np.delete(edges, -2)
    return edges * unit


def _quantile(ordered: Floats, share: float, min_count: int) -> float:
    """Mean of the `min_count` values round a quantile; of one, that is the nearest-rank quantile."""
    rank = min(len(ordered) - 1, int(share * len(ordered)))
    first = min(max(0, rank - min_count // 2), len(ordered) - min_count)
    return float(ordered[first : first + min_count].mean())


def _bars(ordered: Floats, edges: Floats, min_count: int) -> list[tuple[float, float, int]]:
    """Values between the edges, and beyond them in the first and last bar; joined until each bar holds `min_count`."""
    inner = np.searchsorted(ordered, edges[1:-1], side="left")
    counts = np.diff(np.concatenate([[0], inner, [len(ordered)]]))
    bars: list[tuple[float, float, int]] = []
    begin, waiting = 0, 0
    for position, count in enumerate(counts.tolist()):
        waiting += count
        if waiting == 0 or waiting >= min_count:
            bars.append((float(edges[begin]), float(edges[position + 1]), waiting))
            begin, waiting = position + 1, 0
    while waiting:
        # too few are left at the end: they join the bar before, and that one's predecessor where it was empty
        start, _, count = bars.pop()
        waiting += count
        if waiting >= min_count:
            bars.append((start, float(edges[-1]), waiting))
            break
    return bars


def _duplicates(frame: pd.DataFrame, distinct: Sequence[int]) -> int:
    """Rows that are equal to an earlier one.

    Rows are told apart column by column, those of many values first, until no two are alike: most often one column is
    enough, where looking at whole rows costs more than all the rest of a profile.

    Args:
        distinct: For each column how many values it has.
    """
    records, groups = len(frame), min(1, len(frame))
    if records in distinct:
        return 0
    group = np.zeros(records, dtype=np.int64)
    for position in sorted(range(len(distinct)), key=lambda position: -distinct[position]):
        if groups == records:
            break
        values = frame.iloc[:, position]
        try:
            codes, found = pd.factorize(values)
        except (TypeError, NotImplementedError):  # as in `_counts`
            codes, found = pd.factorize(values.map(str))
        group, kept = pd.factorize(group * (len(found) + 1) + codes + 1)
        groups = len(kept)
    return records - groups


def _exposure(frame: pd.DataFrame, columns: Sequence[str]) -> Exposure:
    sizes = frame.groupby(list(columns), dropna=False, observed=True, sort=False).size()
    return Exposure(
        columns=list(columns),
        classes=len(sizes),
        smallest_class=int(sizes.min()),
        unique_records=int((sizes == 1).sum()),
    )
