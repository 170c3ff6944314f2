"""Columns as numbers where they are some, and how these are distributed, without a value of few records."""

from __future__ import annotations

import datetime
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from .table_profile import Bar

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DAY = 86_400.0
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # the years 1 to 9999, in seconds since 1970

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


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


@attrs.frozen(eq=False)
class Ordered:
    """Numbers in ascending order.

    Attributes:
        values: Those that occur and are finite.
        times: How often each occurs.
        up_to: How many there are up to each.
    """

    values: Floats
    times: Ints
    up_to: Ints

    @classmethod
    def of(cls, values: Floats, times: Ints) -> Ordered:
        """The finite ones of some ascending numbers, and how often each occurs."""
        there = np.isfinite(values)
        return cls(values[there], times[there], np.cumsum(times[there]))

    def __len__(self) -> int:
        return int(self.up_to[-1]) if len(self.up_to) else 0

    def between(self, first: int, last: int) -> Floats:
        """The numbers of these ranks, `last` not included."""
        return self.values[np.searchsorted(self.up_to, np.arange(first, last), side="right")]

    def below(self, limits: Floats) -> Ints:
        """How many are below each of these."""
        return np.append(0, self.up_to)[np.searchsorted(self.values, limits, side="left")]

    def mean(self) -> float:
        """Their mean."""
        return float((self.values * self.times).sum() / len(self))

    def deviation(self) -> float:
        """Their sample standard deviation."""
        if len(self) < 2:
            return 0.0
        return float(np.sqrt((self.times * (self.values - self.mean()) ** 2).sum() / (len(self) - 1)))


def inseparable(
    listed: pd.Series[int], kind: str, ordered: Ordered, inner: Floats | None, min_count: int
) -> pd.Series[int]:
    """Those values to list that leave no few others to be derived from a bar of the histogram, or from the mean.

    What a bar holds less what is listed of it, and the sum of all less that of what is listed, are numbers too. So the
    rarest values of a bar are not listed until none, or `min_count` records, of it are left.
    """
    edges = np.zeros(0) if inner is None else inner
    values = as_numbers(pd.Series(listed.index), kind) if len(listed) else np.zeros(0)
    assert values is not None
    rest = np.diff(np.concatenate([[0], ordered.below(edges), [len(ordered)]]))
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


def spread_of(ordered: Ordered, kind: str, min_count: int, bins: int) -> tuple[dict[str, Any], Floats | None]:
    """Mean, quantiles and histogram of numbers, where there are enough of them.

    Returns:
        The facts, and the edges between the bars of the histogram.
    """
    if len(ordered) < max(min_count, 1):
        return {}, None

    def told(number: float) -> float | str:
        return number if kind == "number" else str(np.datetime64(round(min(max(number, _FIRST), _LAST)), "s"))

    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond floats is no number, and becomes null
        low = float(ordered.between(0, min_count).mean())
        high = max(
            low, float(ordered.between(len(ordered) - min_count, len(ordered)).mean())
        )  # below it by rounding, where both are of all records
        edges = _edges(ordered.values, low, high, 1.0 if kind == "number" else _DAY, bins)
        quantiles = {f"{share:g}": told(_quantile(ordered, share, min_count)) for share in QUANTILES}
        mean, deviation = ordered.mean(), ordered.deviation()
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


def _quantile(ordered: Ordered, share: float, min_count: int) -> float:
    """Mean of the `min_count` values round a quantile; of one, that is the nearest-rank quantile."""
    rank = min(len(ordered) - 1, int(share * len(ordered)))
    first = min(max(0, rank - min_count // 2), len(ordered) - min_count)
    return float(ordered.between(first, first + min_count).mean())


def _bars(ordered: Ordered, edges: Floats, min_count: int) -> list[tuple[float, float, int]]:
    """Values between the edges, and beyond them in the first and last bar; joined until each bar holds `min_count`."""
    counts = np.diff(np.concatenate([[0], ordered.below(edges[1:-1]), [len(ordered)]]))
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
