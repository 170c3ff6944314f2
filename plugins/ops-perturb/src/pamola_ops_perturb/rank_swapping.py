"""The operation that swaps values of near ranks: rank swapping."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext, writes
from pamola_tasks.errors import ParameterError
from pamola_tasks.validators import number, some_columns

from .columns import Floats, Ints, numbers_of, with_numbers
from .linking import link_numbers
from .perturbing import PerturbOperation
from .utility import figures, ordering

R0 = 0.95
_TRIES = 12


class RankSwapOperation(PerturbOperation):
    """Swap the values of a number with those of records near in rank: rank swapping.

    R. Moore: Controlled data-swapping techniques for masking public use microdata sets, U.S. Bureau of the Census,
    RR 96-04, 1996; parameters as of sdcMicro's `rankSwap`. Each column is swapped for itself: records are sorted, and
    each is swapped once with one chosen at random among those not yet swapped whose ranks are at most `p` percent of
    the records above it. So the values of a column stay the same ones, apart from the largest and the lowest, which
    become the mean of their group first. Missing values stay missing.

    State one of `p`, `r0` and `k0`; without any, `r0` is 0.95.

    Args:
        input_dataset: The table.
        output_dataset: What the perturbed table is called.
        columns: Columns of numbers. Whole numbers stay whole.
        p: The rank range, in percent of the records that have a value and are in neither group.
        r0: The multivariate preservation factor: correlations of two columns after swapping are to be at least `r0`
            times those before. From it follows `p`, by Moore's formula for evenly distributed values.
        k0: The subset-mean preservation factor: means of subsets of N records are to change by at most 2 `k0` / √N of
            themselves, about. From it follows `p`, likewise.
        top_percent: How many percent of the largest values become their mean.
        bottom_percent: How many percent of the lowest values do.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_swapped")
    columns: list[str] = attrs.field(validator=some_columns)
    p: float | None = attrs.field(default=None, validator=number(0, 100))
    r0: float | None = attrs.field(default=None, validator=number(0, 1))
    k0: float | None = attrs.field(default=None, validator=number(0))
    top_percent: float = attrs.field(default=5.0, validator=number(0, 50))
    bottom_percent: float = attrs.field(default=5.0, validator=number(0, 50))

    done: ClassVar[str] = "values swapped"

    def __attrs_post_init__(self) -> None:
        stated = [name for name in ("p", "r0", "k0") if getattr(self, name) is not None]
        if len(stated) > 1:
            raise ParameterError(f"RankSwapOperation: {' and '.join(stated)} both say how far to swap: state one")

    def changed(self) -> list[str]:
        """Those of `columns`."""
        return list(self.columns)

    def perturb(self, ctx: OperationContext, frame: pd.DataFrame) -> tuple[dict[str, pd.Series[Any]], dict[str, Any]]:
        """Swap column by column, each with a generator of its own."""
        seeds = ctx.rng.integers(2**63, size=len(self.columns) + 1)
        before, after, ranges = [], [], {}
        for name, seed in zip(self.columns, seeds.tolist(), strict=False):
            values = numbers_of(self.input_dataset, frame[name], "columns")
            grouped = self._grouped(values, whole=pd.api.types.is_integer_dtype(frame[name].dtype))
            swapped, ranges[name] = self._swapped(values, grouped, np.random.default_rng(seed))
            before.append(values)
            after.append(swapped)
            ctx.progress(len(after), len(self.columns), "columns")
        ctx.stage("measuring")
        measuring = np.random.default_rng(int(seeds[-1]))
        old, new = np.stack(before, axis=1), np.stack(after, axis=1)
        written = {name: with_numbers(frame[name], after[n]) for n, name in enumerate(self.columns)}
        return written, {
            "method": "rank swapping",
            "p": ranges,
            "record_linkage": link_numbers(old, new, measuring),
            "utility": figures(self.columns, old, new, measuring),
        }

    def _grouped(self, values: Floats, *, whole: bool) -> tuple[Ints, Floats, int, int]:
        """Records in the order of their values, without missing ones; these values with groups at both ends replaced by
        their means; and where the part between the groups begins and ends."""
        order = ordering(values)[: int((~np.isnan(values)).sum())]
        ordered = values[order]
        low = int(len(order) * self.bottom_percent / 100)
        high = len(order) - int(len(order) * self.top_percent / 100)
        for group in (slice(0, low), slice(high, len(order))):
            if len(ordered[group]):
                mean = ordered[group].mean()
                ordered[group] = np.rint(mean) if whole else mean
        return order, ordered, low, high

    def _swapped(
        self, values: Floats, grouped: tuple[Ints, Floats, int, int], rng: np.random.Generator
    ) -> tuple[Floats, float]:
        """The new column, and the rank range in percent."""
        order, ordered, low, high = grouped
        middle = ordered[low:high]
        percent = self._percent(values[order], middle, low, high)
        swapped = values.copy()
        ordered = ordered.copy()
        ordered[low:high] = middle[partners(len(middle), int(len(middle) * percent / 100), rng)]
        swapped[order] = ordered
        return swapped, percent

    def _percent(self, sorted_values: Floats, middle: Floats, low: int, high: int) -> float:
        """The rank range in percent: stated, or from the factor that is to be kept."""
        if self.p is not None:
            return self.p
        if len(middle) < 2:
            return 0.0
        width = abs(float(sorted_values[min(high, len(sorted_values) - 1)] - sorted_values[max(low - 1, 0)]))
        if not width:
            return 0.0
        if self.k0 is not None:
            reach = np.sqrt(8 / 3) * self.k0 * abs(float(middle.mean())) / width
        else:
            factor = R0 if self.r0 is None else self.r0
            reach = np.sqrt(2 * float(middle.var()) * (1 - factor)) / width
        return float(min(100.0, 100.0 * reach))


def partners(count: int, reach: int, rng: np.random.Generator) -> Ints:
    """Whom each of `count` records, in the order of their ranks, is swapped with; itself where no other is left.

    In the order of ranks, each record that is not swapped yet gets one of those at most `reach` ranks above it that are
    not either, all with the same probability.

    Returns:
        int64 of shape (count,): a permutation that is its own inverse.
    """
    partner = np.arange(count, dtype=np.int64)
    if reach < 1:
        return partner
    free = bytearray(b"\1" * count + b"\0" * reach)  # the end: ranks that no record has
    is_free = np.frombuffer(free, dtype=np.bool_)
    above = [0] * count  # whom each of the lower ones is swapped with
    drawn: list[int] = []
    begin = 0
    while begin < count - 1:
        if len(drawn) < _TRIES:
            drawn = rng.integers(1, reach + 1, 100_000).tolist()
        end = min(begin + len(drawn) // _TRIES, count - 1)  # so many ranks have enough to draw from
        for rank in range(begin, end):
            if not free[rank]:
                continue
            other = rank + drawn.pop()
            if not free[other]:
                for _ in range(_TRIES - 1):  # about three of four are free: a list of those would take longer to make
                    other = rank + drawn.pop()
                    if free[other]:
                        break
                else:
                    there = np.flatnonzero(is_free[rank + 1 : rank + reach + 1])
                    if not len(there):
                        continue
                    other = rank + 1 + int(there[rng.integers(len(there))])
            free[other] = 0
            above[rank] = other
        begin = end
    upper = np.array(above, dtype=np.int64)
    lower = np.flatnonzero(upper)
    partner[lower], partner[upper[lower]] = upper[lower], lower
    return partner
