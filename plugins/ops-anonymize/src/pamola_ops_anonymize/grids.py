"""Round bounds for a whole column: what an interval is rounded out to, independent of classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pandas as pd

from .domains import Floats, Ints, Mask, OrderedDomain

PARTS = 20
"""Parts that a column is divided into at most: each holds about this part of the records, or more."""

_DIGITS = 15  # that a float keeps whatever it is


@attrs.frozen(eq=False)
class Grid:
    """The bounds of a column, chosen without looking at classes. Before the first and after the last there is no end.

    Attributes:
        begin: For each part of the column the first code in it, ascending, 0 first.
        texts: What is written for where each part begins; nothing for the first.
        positions: Where each part begins between 0 (least value) and 1 (greatest), and 1 at the end.
        attained: Whether the bound of each part is itself a value of the column.
        reached: Whether the value before the bound is the last that there can be (19 before 20), likewise.
    """

    begin: Ints
    texts: list[str]
    positions: Floats
    attained: Mask
    reached: Mask

    @classmethod
    def of(cls, domain: OrderedDomain, held: Floats, least: float) -> Grid:
        """The roundest bounds that leave so many records between them.

        The extremes of a column, which few have, are thus in one part, which is coded at the bottom or top: open.

        Args:
            domain: The column.
            held: How many records (persons) have each of its values.
            least: How many each part has to hold at least.
        """
        values, roundest = _scale(domain)
        total = np.cumsum(held)
        begin: list[int] = []
        bounds: list[Any] = []
        start = 0
        while domain.size:
            wanted = (total[start - 1] if start else 0.0) + least - 1e-9
            first = int(np.searchsorted(total, wanted)) + 1
            # the next part, too, has to hold enough
            last = int(np.searchsorted(total, total[-1] - least + 1e-9, side="right"))
            if first > last or first >= domain.size:
                break
            far = min(last, max(first, int(np.searchsorted(total, wanted + least / 2))))
            bound = roundest(values[first - 1], values[far])
            start = first + int(np.searchsorted(values[first : far + 1], bound))
            begin.append(start)
            bounds.append(bound)
        return cls._of_bounds(domain, values, begin, bounds)

    @classmethod
    def of_cuts(cls, domain: OrderedDomain, before: Ints, behind: Ints) -> tuple[Grid, Ints]:
        """The roundest bound of each cut between two codes, and which part begins at it."""
        values, roundest = _scale(domain)
        cuts = zip(before.tolist(), behind.tolist(), strict=True)
        found = [roundest(values[low], values[high]) for low, high in cuts]
        bounds = sorted(set(found))
        begin = [int(np.searchsorted(values, bound)) for bound in bounds]
        number = {bound: part for part, bound in enumerate(bounds, 1)}
        grid = cls._of_bounds(domain, values, begin, bounds)
        return grid, np.array([number[bound] for bound in found], dtype=np.int64)

    @classmethod
    def _of_bounds(cls, domain: OrderedDomain, values: Any, begin: list[int], bounds: list[Any]) -> Grid:
        step = least_step(domain)
        attained = [bool(values[at] == bound) for at, bound in zip(begin, bounds, strict=True)]
        reached = [
            step is not None and bool(bound - values[at - 1] == step) for at, bound in zip(begin, bounds, strict=True)
        ]
        return cls(
            begin=np.array([0, *begin], dtype=np.int64),
            texts=["", *_texts(domain, bounds)],
            positions=np.array([0.0, *_places(domain, values, begin, bounds), 1.0]),
            attained=np.array([False, *attained]),
            reached=np.array([False, *reached]),
        )

    @property
    def parts(self) -> int:
        return len(self.begin)

    def part_of(self, codes: Ints) -> Ints:
        """The part that each code is in."""
        return np.asarray(np.searchsorted(self.begin, codes, side="right") - 1)

    def text(self, low: int, high: int) -> str:
        """What is written for the parts from one to another: `<20`, `[20,40)`, `>=75`."""
        if low == 0:
            return f"<{self.texts[high + 1]}"
        return f">={self.texts[low]}" if high == self.parts - 1 else f"[{self.texts[low]},{self.texts[high + 1]})"


def _scale(domain: OrderedDomain) -> tuple[Any, Callable[[Any, Any], Any]]:
    """The values of a domain, and what finds the roundest one above one and not above another."""
    if domain.style in ("day", "instant"):
        return domain.values, lambda low, high: _roundest_moment(low, high, domain)
    if whole_numbers(domain):
        values = np.empty(domain.size, dtype=object)
        values[:] = [int(value) for value in domain.values]
        return values, _roundest_whole
    if domain.values.dtype.kind == "f":
        # as they are written: of float32, the text of 0.7 is another number
        return np.array(domain.texts(np.arange(domain.size)), dtype=np.float64), _roundest_number
    return domain.values, _roundest_number


def whole_numbers(domain: OrderedDomain) -> bool:
    """Whether all values are whole numbers, so that there is a next one."""
    if domain.style in ("day", "instant"):
        return False
    if domain.values.dtype.kind in "iu":
        return True
    return all(isinstance(value, int) or bool(math.isfinite(value) and value == int(value)) for value in domain.values)


def least_step(domain: OrderedDomain) -> Any:
    """How far apart values are at least, where that is known."""
    if domain.style == "day":
        return np.timedelta64(1, "D")
    return 1 if whole_numbers(domain) else None


def _roundest_whole(low: int, high: int) -> int:
    power: int = 10 ** len(str(max(abs(low), abs(high))))
    while power:
        for step in (power, power // 2, power // 5):
            if step and high // step * step > low:
                return high // step * step
        power //= 10
    return high


def _roundest_number(low: Any, high: Any) -> Any:
    largest = max(abs(float(low)), abs(float(high)))
    if math.isfinite(largest):
        top = math.floor(math.log10(largest)) + 1
        for power in range(top, max(top - _DIGITS - 1, -300), -1):
            for digit in (10, 5, 2):
                step = float(f"{digit}e{power - 1}")
                found = float(f"{math.floor(float(high) / step) * step:.{_DIGITS}g}")
                if low < found <= high:
                    return found + 0.0
    return high


def _roundest_moment(low: Any, high: Any, domain: OrderedDomain) -> Any:
    """The first moment of a century, decade, year … hour, minute or second."""
    moment = pd.Timestamp(high)
    local = moment if domain.zone is None else moment.tz_localize("UTC").tz_convert(domain.zone).tz_localize(None)
    for start in _starts(local):
        try:
            there = start if domain.zone is None else start.tz_localize(domain.zone).tz_convert("UTC").tz_localize(None)
        except ValueError:  # a time that a change of clocks leaves out, or repeats
            continue
        found = there.to_datetime64().astype(domain.values.dtype)
        if low < found <= high:
            return found
    return high


def _starts(moment: pd.Timestamp) -> list[pd.Timestamp]:
    first = moment.normalize()
    years = [moment.year // 100 * 100, moment.year // 10 * 10, moment.year]
    found = [first.replace(year=year, month=1, day=1) for year in years if year > 0]
    return [
        *found,
        first.replace(month=(moment.month - 1) // 3 * 3 + 1, day=1),
        first.replace(day=1),
        first,
        *(moment.floor(unit) for unit in ("h", "min", "s")),
    ]


def _texts(domain: OrderedDomain, bounds: list[Any]) -> list[str]:
    if domain.style in ("day", "instant"):
        stated = attrs.evolve(domain, values=np.array(bounds, dtype=domain.values.dtype), size=len(bounds))
        return stated.texts(np.arange(len(bounds)))
    return [_number_text(bound) for bound in bounds]


def _number_text(bound: Any) -> str:
    if not isinstance(bound, float):
        return str(bound)
    short = f"{bound:.{_DIGITS}g}"
    return short if float(short) == bound else repr(float(bound))


def _places(domain: OrderedDomain, values: Any, begin: list[int], bounds: list[Any]) -> list[float]:
    places: list[float] = []
    for at, bound in zip(begin, bounds, strict=True):
        below, above = float(domain.positions[at - 1]), float(domain.positions[at])
        low, high, there = (_as_float(value) for value in (values[at - 1], values[at], bound))
        apart = high - low
        part = (there - low) / apart if math.isfinite(apart) and apart > 0 else 1.0
        places.append(below + part * (above - below))
    return places


def _as_float(value: Any) -> float:
    return float(value.astype(np.int64)) if isinstance(value, np.datetime64) else float(value)
