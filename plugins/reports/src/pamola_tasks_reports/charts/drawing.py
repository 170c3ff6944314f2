"""A chart as one picture in SVG, with a title and a description that a screen reader says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import attrs

from pamola_tasks_reports.charts.axes import (
    edge_of,
    moment_ticks,
    numbers_of,
    of_axis,
    short,
    ticks,
    written,
)
from pamola_tasks_reports.charts.form import (
    Bars,
    Chart,
    Columns,
    Counts,
    Gauge,
    Histogram,
    Limit,
    Matrix,
    Points,
    Series,
)
from pamola_tasks_reports.charts.matrix import draw_matrix, slanted
from pamola_tasks_reports.charts.svg import (
    SIZE,
    WIDTH,
    bar,
    fitting,
    image,
    label,
    line,
    path,
    place,
    text_of,
    width_of,
)
from pamola_tasks_reports.formatting import percent

_SAID_ROWS = 12
_MOST_DRAWN = 24
_GAP = 8.0
_MOST_OF_NAMES = 140.0
_LEGEND = 20.0
_PLOT = 120.0

# Colours by number of series: what was before stands back.
_COLOURS = {1: ("s1",), 2: ("s0", "s1"), 3: ("s0", "s1", "s2")}

Picture = tuple[float, float, list[str]]


def draw(chart: Chart) -> str:
    """The picture."""
    width, height, parts = _DRAWN[type(chart)](chart)
    return image(width, height, chart.title, _description(chart), "".join(parts))


def _description(chart: Chart) -> str:
    """What is to be seen, in words: the note, and the numbers of the first rows."""
    headers, rows = numbers_of(chart)
    told = [
        f"{row[0]}: {', '.join(f'{header} {cell}'.strip() for header, cell in zip(headers[1:], row[1:], strict=True))}"
        for row in rows[:_SAID_ROWS]
    ]
    more = f"; and {len(rows) - _SAID_ROWS} more, in the table of numbers" if len(rows) > _SAID_ROWS else ""
    return " ".join(filter(None, [chart.note, "; ".join(told) + more + "."]))


# ---------------------------------------------------------------- what several kinds of charts have


def _legend(series: Iterable[Series | Counts], kinds: Sequence[str], y: float = 9.0) -> Iterator[str]:
    """Swatches with the names of series, in one line; none for one series."""
    x, room = 0.0, WIDTH / len(kinds) - 30
    for one, kind in zip(series, kinds, strict=True) if len(kinds) > 1 else ():
        yield bar(kind, x, y - 8, 9, 9, corner=2) + label("t", x + 14, y, one.name, room=room)
        x += 14 + min(width_of(one.name), room) + 16


def _said(what: str, series: Series | Counts, number: str) -> str:
    """What is shown where a pointer rests on a bar."""
    return f"{what}{f', {series.name}' if series.name else ''}: {number}"


def _most(series: Sequence[Series], limit: Limit | None = None) -> float:
    told = [value for one in series for value in one.values if value is not None]
    return max([*told, limit.at if limit is not None else 0.0]) or 1.0


def _under(text: str, x: float, y: float) -> str:
    """A text in the middle under a place, and within the picture."""
    half = width_of(text) / 2
    return label("v mid", min(max(x, half), WIDTH - half), y, text)


def _value_axis(most: float, unit: str, top: float) -> tuple[list[str], float]:
    """Grid lines with their numbers at the left, and where the plot begins."""
    write = of_axis(unit)
    places = [tick for tick in ticks(0.0, most, 4) if unit != "count" or tick == int(tick)]
    left = max(width_of(write(tick)) for tick in places) + 8
    parts = []
    for tick in places:
        y = top + _PLOT * (1 - tick / most)
        parts += [line("grid", left, y, WIDTH, y), label("v end", left - 5, y + SIZE * 0.34, write(tick))]
    return parts, left


# ---------------------------------------------------------------- bars, gauges


def _bars(chart: Bars) -> Picture:
    """Horizontal bars with a name each; of many, the longest."""
    chart, left_out = _longest(chart)
    kinds = _COLOURS[len(chart.series)]
    several = len(kinds) > 1
    thick, pitch = (9.0, 11.0) if several else (12.0, 12.0)
    widest = max(map(width_of, chart.labels))
    above = 14.0 if widest > 1.15 * _MOST_OF_NAMES else 0.0  # long names stand above their bars
    row = above + pitch * len(kinds) + (8 if several else 9)
    top = _LEGEND if several else 2.0
    names = -_GAP + 1 if above else min(_MOST_OF_NAMES, widest)
    numbers = max(width_of(written(value, chart.unit)) for series in chart.series for value in series.values)
    left = names + _GAP
    room = WIDTH - left - numbers - 6
    most = _most(chart.series, chart.limit)
    parts = [*_legend(chart.series, kinds)]
    for index, name in enumerate(chart.labels):
        y = top + index * row
        beside = y + (row - 8) / 2 + SIZE * 0.36
        parts.append(label("t", 0, y + SIZE if above else beside, name, room=WIDTH if above else names))
        for number, (series, kind) in enumerate(zip(chart.series, kinds, strict=True)):
            value, begin = series.values[index], y + above + number * pitch
            length = 0.0 if value is None else room * value / most
            told = written(value, chart.unit)
            parts.append(bar(kind, left, begin, length, thick, _said(name, series, told), corner=1.5))
            parts.append(label("v", left + length + 5, begin + thick / 2 + 3.6, told))
    height = top + len(chart.labels) * row
    if not above:
        parts.append(line("axis", left, top - 2, left, height - 6))
    if chart.limit is not None:
        at = left + room * chart.limit.at / most
        parts += [line("limit", at, top - 2, at, height - 2), _under(chart.limit.label, at, height + 9)]
        height += 14
    if left_out:
        parts.append(label("v", 0, height + 10, f"and {left_out} with less, in the table of numbers"))
        height += 16
    return WIDTH, height, parts


def _longest(chart: Bars) -> tuple[Bars, int]:
    """The chart with those bars that fit on a screen, in their order, and the number of the others."""
    size = [max((s.values[i] or 0.0 for s in chart.series), default=0.0) for i in range(len(chart.labels))]
    kept = sorted(sorted(range(len(size)), key=lambda i: -size[i])[:_MOST_DRAWN])
    series = [Series(s.name, [s.values[i] for i in kept]) for s in chart.series]
    return attrs.evolve(chart, labels=[chart.labels[i] for i in kept], series=series), len(size) - len(kept)


def _gauge(chart: Gauge) -> Picture:
    """Shares against a limit: a track from 0 to 100 % for each reading."""
    row, parts = 42.0, []
    before = any(reading.before is not None for reading in chart.readings)
    top = _LEGEND if before else 0.0
    if before:
        parts += [line("was", 2, 2, 2, 12), label("t", 9, 10, "before")]
        parts += [bar("s1", 62, 2, 16, 8, corner=4), label("t", 83, 10, "after")]
    for index, reading in enumerate(chart.readings):
        y = top + index * row
        told = percent(reading.value)
        was = f" (before: {percent(reading.before)})" if reading.before is not None else ""
        risky = chart.limit is not None and reading.value > chart.limit.at
        parts.append(label("t", 0, y + 12, reading.label, room=WIDTH - width_of(told + was) - 12))
        values = f'<tspan class="strong">{told}</tspan>{was}'
        parts.append(f'<text class="v end" x="{place(WIDTH)}" y="{place(y + 12)}">{values}</text>')
        parts.append(bar("track", 0, y + 19, WIDTH, 8, corner=4))
        said = f"{reading.label}: {told}{was}"
        parts.append(bar("over" if risky else "s1", 0, y + 19, WIDTH * reading.value, 8, said, corner=4))
        if reading.before is not None:
            at = min(max(WIDTH * reading.before, 1), WIDTH - 1)
            parts.append(line("was", at, y + 16, at, y + 30))
    height = top + len(chart.readings) * row - 8
    if chart.limit is not None:
        at = WIDTH * min(max(chart.limit.at, 0.0), 1.0)
        tops = (top + index * row for index in range(len(chart.readings)))
        parts += [line("limit", at, y + 17, at, y + 29) for y in tops]
        parts.append(_under(chart.limit.label, at, height + 8))
        height += 12
    return WIDTH, height, parts


# ---------------------------------------------------------------- columns


def _columns(chart: Columns) -> Picture:
    """Columns side by side for classes that have an order."""
    kinds = _COLOURS[len(chart.series)]
    top = 30.0 if len(kinds) > 1 else 14.0
    floor = top + _PLOT
    most = _most(chart.series)
    grid, left = _value_axis(most, chart.unit, top)
    parts = [*grid, *_legend(chart.series, kinds)]
    slot = (WIDTH - left) / len(chart.labels)
    thick = min(22.0, slot * 0.78 / len(kinds))
    for index, name in enumerate(chart.labels):
        begin = left + index * slot + (slot - thick * len(kinds)) / 2
        for number, (series, kind) in enumerate(zip(chart.series, kinds, strict=True)):
            value = series.values[index]
            height = 0.0 if value is None else _PLOT * value / most
            said = _said(name, series, written(value, chart.unit))
            parts.append(bar(kind, begin + number * thick, floor - height, thick - 1, height, said))
    parts.append(line("axis", left, floor, WIDTH, floor))
    names, below = _names(chart, left, slot, floor)
    parts += names
    if chart.limit is not None:
        at = left + slot * chart.limit.at
        beyond = at + 5 + width_of(chart.limit.label) > WIDTH
        parts.append(line("limit", at, top - 12, at, floor))
        kind, x = ("v strong end", at - 5) if beyond else ("v strong", at + 5)
        parts.append(label(kind, x, top - 4, chart.limit.label))
    height = floor + below
    if chart.axis:
        parts.append(label("v mid", left + (WIDTH - left) / 2, height + 8, chart.axis, room=WIDTH - left))
        height += 12
    return WIDTH, height, parts


def _names(chart: Columns, left: float, slot: float, y: float) -> tuple[list[str], float]:
    """The names under the columns, slanted where they are wider than a column, and the room they take."""
    middles = [(left + (index + 0.5) * slot, name) for index, name in enumerate(chart.labels)]
    widest = max(map(width_of, chart.labels))
    if widest <= slot - 4:
        return [label("v mid", x, y + 14, name) for x, name in middles], 20.0
    every = max(1, -(-len(chart.labels) * 13 // int(WIDTH - left)))
    room = min(widest, 90.0)
    return [slanted("v end", x + 4, y + 12, -40, name, room) for x, name in middles[::every]], 14 + room * 0.68


# ---------------------------------------------------------------- histograms


def _histogram(chart: Histogram) -> Picture:
    """Bars that may be of different widths: their area is their number, as K. Pearson (1895) has it.

    A bar of the usual width is as high as its records; one that is twice as wide is half as high.
    """
    kinds = _COLOURS[len(chart.series)]
    low = min(series.edges[0] for series in chart.series)
    high = max(series.edges[-1] for series in chart.series)
    if not high > low:
        around = max(0.5, abs(low) * 1e-6)
        low, high = low - around, high + around
    widths = [end - begin for series in chart.series for begin, end in pairwise(series.edges) if end > begin]
    usual = median(widths) if widths else high - low
    most = max(height for series in chart.series for height in _heights(series, usual)) or 1.0
    top = 30.0 if len(kinds) > 1 else 10.0
    floor = top + _PLOT
    grid, left = _value_axis(most, "number", top)
    parts = [*grid, *_legend(chart.series, kinds)]

    def across(edge: float) -> float:
        return left + (WIDTH - left) * (edge - low) / (high - low)

    for series, kind in zip(chart.series, kinds, strict=True):
        one = len(series.counts) == 1 and not series.edges[1] > series.edges[0]
        spans = pairwise(map(across, (low, high) if one else series.edges))
        bars = [(*span, _PLOT * height / most) for span, height in zip(spans, _heights(series, usual), strict=True)]
        if kind == "s0" or len(kinds) == 1:
            names = [f"{a} to {b}" for a, b in pairwise(edge_of(edge, chart.moments) for edge in series.edges)]
            parts += [
                bar(kind, begin, floor - height, max(end - begin - 0.6, 0.4), height, _said(name, series, records))
                for (begin, end, height), name, records in zip(bars, names, _records(series), strict=True)
            ]
        else:
            parts.append(_outline(kind, bars, floor))
    scale = moment_ticks(low, high) if chart.moments else [(at, short(at)) for at in ticks(low, high, 6)]
    marks = [(across(tick), text) for tick, text in scale if low <= tick <= high]
    return WIDTH, floor + 20, [*parts, line("axis", left, floor, WIDTH, floor), *_scale(marks, floor)]


def _heights(series: Counts, usual: float) -> list[float]:
    widths = (end - begin for begin, end in pairwise(series.edges))
    return [n * (usual / width if width > 0 else 1.0) for n, width in zip(series.counts, widths, strict=True)]


def _records(series: Counts) -> Iterator[str]:
    return (written(number, "count") for number in series.counts)


def _outline(kind: str, bars: Sequence[tuple[float, float, float]], floor: float) -> str:
    steps = [
        f"L{place(begin)} {place(floor - height)}L{place(end)} {place(floor - height)}" for begin, end, height in bars
    ]
    ends = f"M{place(bars[0][0])} {place(floor)}", f"L{place(bars[-1][1])} {place(floor)}"
    return path(f"line {kind}", "".join([ends[0], *steps, ends[1]]))


def _scale(marks: Iterable[tuple[float, str]], y: float) -> Iterator[str]:
    """The places on the axis with their texts, but for those that would lie over the one before."""
    taken = -1.0
    for x, text in marks:
        half = width_of(text) / 2
        middle = min(max(x, half), WIDTH - half)
        if middle - half > taken:
            yield line("axis", x, y, x, y + 4) + label("v mid", middle, y + 5 + SIZE, text)
            taken = middle + half + 4


# ---------------------------------------------------------------- points

_KINDS = ("s1", "s2", "s3", "s0")
_R = 3.2
# Groups differ by shape, too: circle, square, diamond, triangle.
_SHAPES = (
    f"m{-_R} 0a{_R} {_R} 0 1 0 {2 * _R} 0a{_R} {_R} 0 1 0 {-2 * _R} 0z",
    "m-2.9 -2.9h5.8v5.8h-5.8z",
    "m0 -4.2l4.2 4.2l-4.2 4.2l-4.2 -4.2z",
    "m0 -4l4 7h-8z",
)


def _points(chart: Points) -> Picture:
    """Points in a plane, from 0 on; the names of the first group's points stand above them where there is room."""
    top = 15.0 * (1 + (len(chart.series) - 1) // 2) + 34
    floor = top + _PLOT
    wide, high = (max(max(getattr(p, way) for g in chart.series for p in g.points), 1e-290) for way in "xy")
    grid, left = _value_axis(high, chart.y.unit, top)
    right = WIDTH - 12
    places = [
        [(left + (right - left) * p.x / wide, floor - _PLOT * p.y / high) for p in group.points]
        for group in chart.series
    ]
    parts = [*grid, label("v", 0, top - 20, chart.y.label, room=WIDTH)]
    for number, (group, at) in enumerate(zip(chart.series, places, strict=True)):
        kind, shape = _KINDS[number], _SHAPES[number]
        if group.joined and len(at) > 1:
            parts.append(path(f"line joined {kind}", "M" + "L".join(f"{place(x)} {place(y)}" for x, y in at)))
        for point, (x, y) in zip(group.points, at, strict=True):
            told = f"{written(point.x, chart.x.unit)}, {written(point.y, chart.y.unit)}"
            said = text_of(f"{', '.join(filter(None, (group.name, point.label)))}: {told}")
            parts.append(f'<path class="{kind}" d="M{place(x)} {place(y)}{shape}"><title>{said}</title></path>')
        if len(chart.series) > 1:
            x, y = WIDTH / 2 * (number % 2), 9 + 15.0 * (number // 2)
            parts.append(f'<path class="{kind}" d="M{place(x + 5)} {place(y - 4)}{shape}"/>')
            parts.append(label("t", x + 14, y, group.name, room=WIDTH / 2 - 24))
    taken: list[float] = []
    for point, (x, _) in zip(chart.series[0].points, places[0], strict=True):
        name = fitting(point.label, _MOST_OF_NAMES)
        if name and all(abs(x - other) > width_of(name) + 2 for other in taken):
            taken.append(x)
            parts.append(_under(name, x, min(y for at in places for a, y in at if abs(a - x) < _R) - 8))
    marks = [(left + (right - left) * tick / wide, of_axis(chart.x.unit)(tick)) for tick in ticks(0.0, wide, 6)]
    under = label("v mid", left + (WIDTH - left) / 2, floor + 32, chart.x.label, room=WIDTH - left)
    return WIDTH, floor + 36, [*parts, line("axis", left, floor, WIDTH, floor), *_scale(marks, floor), under]


_DRAWN: dict[type[Chart], Callable[[Any], Picture]] = {
    Bars: _bars,
    Columns: _columns,
    Gauge: _gauge,
    Histogram: _histogram,
    Matrix: draw_matrix,
    Points: _points,
}
