"""Statistics with noise: how much each needs, calibrated before anything is drawn, and the figures that it gives.

All noise is added to whole numbers: values are rounded to multiples of a unit, a power of two that is about a
thousand-millionth of the bounds, before they are added. Sums of floats depend on their order, by more than the noise
accounts for (S. Casacuberta, M. Shoemate, S. Vadhan and C. Wagaman, CCS 2022); sums of whole numbers do not.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataError

from .bounded import Bounded, codes_of
from .calibration import Calibrated, agreed, gaussian_of_rho, laplace, opendp
from .columns import text_of
from .domains import Ints
from .spending import Mechanism
from .statistics_asked import QUARTILES, Statistic

BITS = 30  # of the greatest value in units
ROUNDING = 1e-12  # relative: OpenDP rounds what a scale costs up


@attrs.frozen(kw_only=True)
class Figure:
    """One figure.

    Attributes:
        group: The number of its group.
        of: Its bin, category or quantile; empty for a figure that is alone.
        value: It.
        accuracy: By how much noise moves it at most, at the confidence asked for: units of the column, or of a quantile
            records.
        low: The lower end of the interval that follows; None for quantiles.
        high: The upper end.
        scale: Of its noise.
    """

    group: int
    of: str = ""
    value: int | float
    accuracy: float
    low: int | float | None
    high: int | float | None
    scale: float


@attrs.frozen(kw_only=True)
class Bound:
    """What a person contributes at most, and how figures are reported.

    Attributes:
        mechanism: Of the noise.
        records: Records of a person in a group.
        groups: Groups of a person.
        confidence: Of the intervals.
        clamp: Whether figures that cannot be below 0 are set to 0.
    """

    mechanism: Mechanism
    records: int
    groups: int
    confidence: float
    clamp: bool

    def noise(self, each: float, loss: float) -> Calibrated:
        """Noise for whole numbers, to one of which a person adds at most `each` in a group."""
        if self.mechanism == "laplace":
            return laplace(each * self.groups, loss, whole=True)
        return gaussian_of_rho(each * math.sqrt(self.groups), loss, whole=True)

    def accuracy(self, scale: float, failing: float | None = None) -> int:
        """What noise of a scale exceeds with a probability of at most `failing` (1 - confidence unless given).

        Of the discrete Laplace distribution exactly; the discrete Gaussian is at most 1 beyond the continuous one
        (Canonne, Kamath and Steinke 2020, proposition 25).
        """
        failing = 1 - self.confidence if failing is None else failing
        if self.mechanism == "laplace":
            return max(0, math.ceil(scale * math.log(2 / (failing * (1 + math.exp(-1 / scale))))) - 1)
        return math.ceil(statistics.NormalDist().inv_cdf(1 - failing / 2) * scale)


class Noisy(Protocol):
    """A statistic, calibrated.

    Attributes:
        scale: Of its noise.
    """

    scale: float

    def exact(self, data: Bounded) -> Exact:
        """What noise is added to, of a part of the table: everything that can fail."""

    def draw(self, exact: Any) -> Iterator[Figure]:
        """The figures, with noise, of what `added` gives for all parts."""


Exact = Ints | list[list[Any]]


def added(one: Any, other: Any) -> Any:
    """What noise is added to, of two parts of a table together."""
    if isinstance(one, list):
        return [of_group + more for of_group, more in zip(one, other, strict=True)]
    return one + other


def figures_of(asked: Statistic, loss: float, bound: Bound, *, whole: bool) -> Noisy:
    """A statistic, calibrated.

    Args:
        asked: Its parameters.
        loss: What it costs: epsilon of Laplace noise, rho of Gaussian.
        bound: What a person contributes.
        whole: Whether its column holds whole numbers.
    """
    if asked.kind == "sum":
        return Sums(asked, loss, bound, whole)
    if asked.kind == "mean":
        return Means(asked, loss, bound)
    if asked.kind == "quantiles":
        return Quantiles(asked, loss, bound, whole)
    return Counts(asked, loss, bound)


class Counts:
    """Counts of records, cells, persons, and of histograms: a person adds to each group as many as records count."""

    def __init__(self, asked: Statistic, loss: float, bound: Bound) -> None:
        self._asked, self._bound = asked, bound
        self._noise = bound.noise(1 if asked.kind == "persons" else bound.records, loss)
        self.scale = self._noise.scale

    def draw(self, exact: Ints) -> Iterator[Figure]:
        """The figures, with noise."""
        labels = self._labels()
        accuracy = self._bound.accuracy(self.scale)
        for place, value in enumerate(_released(self._noise, exact)):
            least = 0 if self._bound.clamp else None
            group, of = divmod(place, len(labels))
            yield _figure(group, value, accuracy, self.scale, of=labels[of], least=least)

    def _labels(self) -> list[str]:
        """What the cells of a group are called."""
        if self._asked.categories is not None:
            return list(map(str, self._asked.categories))
        if self._asked.edges is None:
            return [""]
        edges = list(map(text_of, self._asked.edges))
        named = [f"[{low},{high})" for low, high in itertools.pairwise(edges)]
        return [*named[:-1], f"{named[-1][:-1]}]"]

    def exact(self, data: Bounded) -> Ints:
        """The counts without noise."""
        asked = self._asked
        if asked.kind == "persons":
            return np.bincount(data.persons_of, minlength=data.groups).astype(np.int64)
        if asked.column is None:
            return data.counted(np.zeros(len(data.frame), dtype=np.int64), 1)
        column = data.frame[asked.column]
        if asked.categories is not None:
            codes = codes_of(column, asked.categories)
            there = codes >= 0
            return data.counted(codes[there], len(asked.categories), there)
        there = column.notna().to_numpy()
        if asked.edges is None:
            return data.counted(np.zeros(int(there.sum()), dtype=np.int64), 1, there)
        edges = np.array(asked.edges, dtype=np.float64)
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        there = there & (values >= edges[0]) & (values <= edges[-1])
        bins = np.minimum(np.searchsorted(edges, values[there], side="right") - 1, len(edges) - 2)
        return data.counted(bins.astype(np.int64), len(edges) - 1, there)


class Sums:
    """Sums of a column: a person adds as many times the value farthest from 0 as records count."""

    def __init__(self, asked: Statistic, loss: float, bound: Bound, whole: bool) -> None:
        assert asked.bounds is not None
        self._asked, self._bound = asked, bound
        self._low, self._high = _within(asked, whole)
        greatest = max(abs(self._low), abs(self._high))
        self._unit = _unit(greatest)
        if whole:
            self._unit = max(1.0, self._unit)
        self._noise = bound.noise(bound.records * math.ceil(greatest / self._unit), loss)
        self.scale = self._noise.scale * self._unit

    def exact(self, data: Bounded) -> Ints:
        """The sums without noise, in units."""
        values, group = _numbers(data, self._asked)
        units = np.rint(np.clip(values, self._low, self._high) / self._unit).astype(np.int64)
        return _sums(units, group, data.groups)

    def draw(self, exact: Ints) -> Iterator[Figure]:
        """The figures, with noise."""
        accuracy = self._bound.accuracy(self._noise.scale) * self._unit
        least = 0 if self._bound.clamp and self._low >= 0 else None
        for number, value in enumerate(_released(self._noise, exact)):
            yield _figure(number, _plain(value * self._unit), _plain(accuracy), self.scale, least=least)


class Means:
    """Means of a column: half of the loss for the sum of distances from the middle of the bounds, half for the count.

    A person adds as many times half the distance of the bounds as records count. The interval takes the ends of both.
    """

    def __init__(self, asked: Statistic, loss: float, bound: Bound) -> None:
        assert asked.bounds is not None
        self._asked, self._bound = asked, bound
        self._low, self._high = asked.bounds
        self._middle, half = (self._low + self._high) / 2, (self._high - self._low) / 2
        self._unit = _unit(half)
        self._sums = bound.noise(bound.records * math.ceil(half / self._unit), loss / 2)
        self._counts = bound.noise(bound.records, loss / 2)
        self.scale = self._sums.scale * self._unit

    def exact(self, data: Bounded) -> Ints:
        """The sums without noise, in units, and the counts: shape (2, groups)."""
        values, group = _numbers(data, self._asked)
        distances = np.clip(values, self._low, self._high) - self._middle
        units = np.rint(distances / self._unit).astype(np.int64)
        return np.stack([_sums(units, group, data.groups), np.bincount(group, minlength=data.groups)])

    def draw(self, exact: Ints) -> Iterator[Figure]:
        """The figures, with noise."""
        sums, counts = _released(self._sums, exact[0]), _released(self._counts, exact[1])
        failing = (1 - self._bound.confidence) / 2
        of_sum = self._bound.accuracy(self._sums.scale, failing)
        of_count = self._bound.accuracy(self._counts.scale, failing)
        for number, (total, count) in enumerate(zip(sums, counts, strict=True)):
            value = self._mean(total, count)
            divisors = max(1, count - of_count), max(1, count + of_count)
            low = min(self._mean(total - of_sum, divisor) for divisor in divisors)
            high = max(self._mean(total + of_sum, divisor) for divisor in divisors)
            accuracy = max(value - low, high - value)
            yield Figure(group=number, value=value, accuracy=accuracy, low=low, high=high, scale=self.scale)

    def _mean(self, total: int, count: int) -> float:
        return min(max(self._middle + total * self._unit / max(1, count), self._low), self._high)


class Quantiles:
    """Quantiles of a column, each chosen from candidates by how far their rank is from the wanted one.

    A. Smith, STOC 2011, with the selection of R. McKenna and D. Sheldon, NeurIPS 2020, or the exponential mechanism.
    """

    def __init__(self, asked: Statistic, loss: float, bound: Bound, whole: bool) -> None:
        dp = opendp()
        self._asked, self._bound = asked, bound
        low, high = _within(asked, whole)
        number = asked.candidates or 101
        if whole and high - low < number:
            self._candidates = np.arange(low, high + 1, dtype=np.float64)
        else:
            self._candidates = np.linspace(low, high, number)
            self._candidates = np.unique(np.rint(self._candidates)) if whole else self._candidates
        self._whole = whole
        self._wanted = asked.quantiles or QUARTILES
        each = loss / (len(self._wanted) * bound.groups)
        space = dp.vector_domain(dp.atom_domain(T=float, nan=False)), dp.symmetric_distance()
        measure = dp.max_divergence() if bound.mechanism == "laplace" else dp.zero_concentrated_divergence()
        pure = bound.mechanism == "laplace"
        self._chosen = []
        for wanted in self._wanted:
            make = partial(dp.m.make_private_quantile, *space, measure, self._candidates.tolist(), alpha=wanted)
            # the loss is 2 d / scale, or (2 d / scale)² / 8 by zCDP, where d is what a person changes in a score
            of_one = make(scale=1.0).map(bound.records)
            changed = of_one / 2 if pure else math.sqrt(8 * of_one) / 2
            scale = 2 * changed / (each if pure else math.sqrt(8 * each)) * (1 + ROUNDING)
            choose = make(scale=scale)
            agreed(choose.map(bound.records), each, "epsilon" if pure else "rho")
            ranks = max(wanted, 1 - wanted) * bound.records / changed  # of a unit of the scores
            error = ranks * scale * math.log(len(self._candidates) / (1 - bound.confidence))
            self._chosen.append((wanted, choose, scale, math.ceil(error)))
        self.scale = self._chosen[0][2]

    def exact(self, data: Bounded) -> list[list[Any]]:
        """The values of each group, in pieces."""
        values, group = _numbers(data, self._asked)
        order = np.argsort(group, kind="stable")
        of_group = np.split(values[order], np.searchsorted(group[order], np.arange(1, data.groups)))
        return [[values] for values in of_group]

    def draw(self, exact: list[list[Any]]) -> Iterator[Figure]:
        """The figures, chosen at random."""
        for number, pieces in enumerate(exact):
            records = np.concatenate(pieces)
            for wanted, choose, scale, error in self._chosen:
                value = float(choose(records))
                yield Figure(
                    group=number,
                    of=text_of(wanted),
                    value=_plain(value) if self._whole else value,
                    accuracy=error,
                    low=None,
                    high=None,
                    scale=scale,
                )


# ---------------------------------------------------------------- how it is done


def _within(asked: Statistic, whole: bool) -> tuple[float, float]:
    assert asked.bounds is not None
    low, high = asked.bounds
    if whole and math.ceil(low) >= math.floor(high):
        raise DataError(
            f"column {asked.column} holds whole numbers, and its bounds hold no two of them: nothing was entered as"
            f" spent"
        )
    return (math.ceil(low), math.floor(high)) if whole else (low, high)


def _unit(greatest: float) -> float:
    """A power of two, of which the greatest value is about 2^30."""
    return float(2.0 ** (math.frexp(greatest)[1] - BITS))


def _numbers(data: Bounded, asked: Statistic) -> tuple[Any, Ints]:
    """The values of a column that are there, and their groups."""
    column: pd.Series[Any] = data.frame[asked.column]
    there = column.notna().to_numpy()
    return column[there].to_numpy(dtype=np.float64), data.group[there]


def _sums(units: Ints, group: Ints, groups: int) -> Ints:
    sums = np.zeros(groups, dtype=np.int64)
    np.add.at(sums, group, units)  # bincount would add floats
    return sums


def _released(noise: Calibrated, values: Ints) -> list[int]:
    assert noise.release is not None
    return list(map(int, noise.release(values)))


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _figure(
    group: int, value: float, accuracy: float, scale: float, *, of: str = "", least: float | None = None
) -> Figure:
    low, high = value - accuracy, value + accuracy
    if least is not None:
        value, low, high = max(value, least), max(low, least), max(high, least)
    return Figure(group=group, of=of, value=value, accuracy=accuracy, low=low, high=high, scale=scale)
