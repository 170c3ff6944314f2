"""Round places on a scale, and how numbers, shares and moments are written beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pamola_tasks_reports.formatting import value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400.0


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) between two numbers, at most so many."""
    width = high - low
    if not width > 1e-290 or not math.isfinite(width):
        return [low]
    power = 10.0 ** math.floor(math.log10(width / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20, 50) if width / (power * factor) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) if step > 1e-9 else index * step for index in range(first, last + 1)]


def short(number: float) -> str:
    """A number on an axis: `0.5`, `120`, `10k`, `2.5M`."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= size:
            return f"{number / (1e3 if sign == 'k' else size):.4g}{sign}"
    return f"{number:.4g}"


def share(number: float) -> str:
    """A share as percent: `0 %`, `<0.1 %`, `2.3 %`, `46 %`."""
    percent = 100 * number
    if 0 < percent < 0.1:
        return "<0.1 %"
    if percent >= 9.95 or percent == 0:
        return f"{percent:.0f} %" if abs(percent - round(percent)) < 0.05 else f"{percent:.1f} %"
    return f"{percent:.1f} %"


def written(number: float | None, unit: str) -> str:
    """The label of a bar's value; `–` if withheld."""
    if number is None:
        return "–"
    if unit == "share":
        return share(number)
    return value(number) if unit == "number" else f"{round(number):,}"


def of_axis(unit: str) -> Callable[[float], str]:
    """How the numbers of an axis are written."""
    return (lambda number: f"{100 * number:.4g} %") if unit == "share" else short


def tie(number: float | None) -> str:
    """A correlation: `-0.42`; `–` where there is none."""
    return "–" if number is None else f"{number:z.2f}"


def edge_of(edge: float, moments: bool) -> str:
    """An edge of a histogram as text."""
    return moment(edge) if moments else value(edge)


def moment(seconds: float) -> str:
    """A moment as text: the day, with the time where it is not midnight."""
    try:
        at = _EPOCH + timedelta(seconds=round(seconds))
    except OverflowError:
        return short(seconds)
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{at:%Y-%m-%d %H:%M}"


def moment_ticks(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """Round moments between two, at most so many, each in few signs: `1990`, `2025-03`, `03-14`, `14:00`."""
    days = (high - low) / _DAY
    if days > 60:
        found = _months(low, high, most)
    elif days > 2:
        apart = max(1, math.ceil(days / most)) * _DAY
        found = [(at, _written(at, "%m-%d")) for at in _apart(math.ceil(low / _DAY) * _DAY, high, apart)]
    else:
        steps = (1, 5, 15, 30, 60, 180, 360, 720, 1440)
        apart = next((60.0 * step for step in steps if (high - low) / (60 * step) <= most), _DAY)
        found = [(at, _written(at, "%H:%M")) for at in _apart(math.ceil(low / apart) * apart, high, apart)]
    return [(at, text) for at, text in found if low <= at <= high] or [(low, moment(low))]


def _apart(first: float, high: float, apart: float) -> list[float]:
    return [first + index * apart for index in range(math.floor((high - first) / apart) + 1)]


def _months(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """The first days of months, quarters, years, decades …"""
    begin, end = (_EPOCH + timedelta(seconds=edge) for edge in (low, high))
    first, last = begin.year * 12 + begin.month - 1, end.year * 12 + end.month - 1
    steps = (1, 2, 3, 6, *(12 * factor * 10**power for power in range(4) for factor in (1, 2, 5)))
    apart = next(step for step in steps if (last - first) / step <= most)
    found = []
    for month in range(max(12, -(-first // apart) * apart), last + 1, apart):
        at = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        found.append(((at - _EPOCH).total_seconds(), f"{at.year:04d}" if apart >= 12 else f"{at:%Y-%m}"))
    return found


def _written(seconds: float, pattern: str) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime(pattern)
