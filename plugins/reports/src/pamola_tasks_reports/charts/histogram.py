"""Histograms whose bars may be of different widths: their area is their number, as K. Pearson (1895) has it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from pamola_tasks_reports.charts.axes import moment, moment_ticks, short, ticks, written
from pamola_tasks_reports.charts.bars import COLOURS, legend
from pamola_tasks_reports.charts.columns import PLOT, value_axis
from pamola_tasks_reports.charts.form import Counts, Histogram
from pamola_tasks_reports.charts.svg import SIZE, WIDTH, bar, label, line, path, place, width_of
from pamola_tasks_reports.formatting import value


def draw_histogram(chart: Histogram) -> tuple[float, float, str]:
    """Width, height and content of the picture.

    A bar of the usual width is as high as its records; one that is twice as wide is half as high.
    """
    kinds = COLOURS[len(chart.series)]
    low = min(series.edges[0] for series in chart.series)
    high = max(series.edges[-1] for series in chart.series)
    if not high > low:
        around = max(0.5, abs(low) * 1e-6)
        low, high = low - around, high + around
    usual = usual_width(chart.series) or high - low
    most = max(_height(series, index, usual) for series in chart.series for index in range(len(series.counts))) or 1.0
    top = 30.0 if len(kinds) > 1 else 10.0
    grid, left = value_axis(most, "number", top)
    parts = [grid]
    if len(kinds) > 1:
        parts.append(legend([series.name for series in chart.series], kinds))

    def across(edge: float) -> float:
        return left + (WIDTH - left) * (edge - low) / (high - low)

    for series, kind in zip(chart.series, kinds, strict=True):
        bars = [
            (across(begin), across(end), PLOT * _height(series, index, usual) / most)
            for index, (begin, end) in enumerate(_spans(series, low, high))
        ]
        if kind == "s0" or len(kinds) == 1:
            parts += [
                bar(kind, begin, top + PLOT - height, max(end - begin - 0.6, 0.4), height, _said(chart, series, index))
                for index, (begin, end, height) in enumerate(bars)
            ]
        else:
            parts.append(_outline(kind, bars, top + PLOT))
    parts.append(line("axis", left, top + PLOT, WIDTH, top + PLOT))
    parts.append(_scale(chart, low, high, left, top + PLOT))
    return WIDTH, top + PLOT + 20, "".join(parts)


def usual_width(series: Sequence[Counts]) -> float:
    """The width that most bars have; 0 where no bar has any."""
    widths = [end - begin for one in series for begin, end in pairwise(one.edges) if end > begin]
    return median(widths) if widths else 0.0


def _spans(series: Counts, low: float, high: float) -> list[tuple[float, float]]:
    if len(series.counts) == 1 and not series.edges[1] > series.edges[0]:
        return [(low, high)]
    return list(pairwise(series.edges))


def _height(series: Counts, index: int, usual: float) -> float:
    width = series.edges[index + 1] - series.edges[index]
    return series.counts[index] * (usual / width if width > 0 else 1.0)


def _outline(kind: str, bars: Sequence[tuple[float, float, float]], floor: float) -> str:
    steps = [f"M{place(bars[0][0])} {place(floor)}"]
    for begin, end, height in bars:
        steps.append(f"L{place(begin)} {place(floor - height)}L{place(end)} {place(floor - height)}")
    steps.append(f"L{place(bars[-1][1])} {place(floor)}")
    return path(f"line {kind}", "".join(steps))


def _said(chart: Histogram, series: Counts, index: int) -> str:
    begin, end = (edge_of(edge, chart.moments) for edge in series.edges[index : index + 2])
    records = written(series.counts[index], "count")
    return f"{begin} to {end}{f', {series.name}' if series.name else ''}: {records}"


def edge_of(edge: float, moments: bool) -> str:
    """An edge as text."""
    return moment(edge) if moments else value(edge)


def _scale(chart: Histogram, low: float, high: float, left: float, y: float) -> str:
    if chart.moments:
        places = moment_ticks(low, high)
    else:
        places = [(tick, short(tick)) for tick in ticks(low, high, 6) if low <= tick <= high]
    parts, taken = [], -1.0
    for tick, text in places:
        x, half = left + (WIDTH - left) * (tick - low) / (high - low), width_of(text) / 2
        middle = min(max(x, half), WIDTH - half)
        if middle - half > taken:
            parts.append(line("axis", x, y, x, y + 4) + label("v mid", middle, y + 5 + SIZE, text))
            taken = middle + half + 4
    return "".join(parts)
