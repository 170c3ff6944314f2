"""Round places on a scale, how numbers and moments are written beside them, and a chart's numbers as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from pamola_tasks_reports.charts.form import Bars, Chart, Gauge, Histogram, Matrix, Point, Points
from pamola_tasks_reports.formatting import percent, value

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


def written(number: float | None, unit: str) -> str:
    """The label of a bar's value; `–` if withheld."""
    if number is None:
        return "–"
    if unit == "share":
        return percent(number)
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


# ---------------------------------------------------------------- a chart in numbers

Rows = list[Sequence[str]]


def numbers_of(chart: Chart) -> tuple[list[str], Rows]:
    """Headers and rows; the first column names what the others are numbers of."""
    match chart:
        case Bars():
            rows: Rows = [
                [name, *(written(series.values[index], chart.unit) for series in chart.series)]
                for index, name in enumerate(chart.labels)
            ]
            return ["", *(series.name or _WORDS[chart.unit] for series in chart.series)], rows
        case Histogram():
            return _of_histogram(chart)
        case Gauge():
            if all(reading.before is None for reading in chart.readings):
                return ["", "share"], [[reading.label, percent(reading.value)] for reading in chart.readings]
            rows = [
                [reading.label, "–" if reading.before is None else percent(reading.before), percent(reading.value)]
                for reading in chart.readings
            ]
            return ["", "before", "after"], rows
        case Matrix():
            rows = [[name, *map(tie, row)] for name, row in zip(chart.rows, chart.values, strict=True)]
            return ["", *chart.columns], rows
        case Points():
            rows = [
                [": ".join(filter(None, (group.name, point.label))), *_placed(chart, point)]
                for group in chart.series
                for point in group.points
            ]
            return ["", chart.x.label, chart.y.label], rows
    raise TypeError(f"{type(chart).__name__} has no numbers")


def _placed(chart: Points, point: Point) -> tuple[str, str]:
    return written(point.x, chart.x.unit), written(point.y, chart.y.unit)


_WORDS = {"count": "records", "share": "share", "number": "value"}


def _of_histogram(chart: Histogram) -> tuple[list[str], Rows]:
    edges = chart.series[0].edges
    rows: Rows = []
    if any(series.edges != edges for series in chart.series):
        for series in chart.series:
            for span, count in zip(_spans(chart, series.edges), series.counts, strict=True):
                rows.append([f"{series.name}: {span}", written(count, "count")])
        return ["", "records"], rows
    for index, span in enumerate(_spans(chart, edges)):
        rows.append([span, *(written(series.counts[index], "count") for series in chart.series)])
    return ["", *(series.name or "records" for series in chart.series)], rows


def _spans(chart: Histogram, edges: Sequence[float]) -> list[str]:
    return [f"{low} to {high}" for low, high in pairwise(edge_of(edge, chart.moments) for edge in edges)]
