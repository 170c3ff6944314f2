"""Horizontal bars with a name each, and gauges: shares against a limit."""

from __future__ import annotations

from collections.abc import Sequence

from pamola_tasks_reports.charts.axes import share, written
from pamola_tasks_reports.charts.form import Bars, Gauge, Limit, Series
from pamola_tasks_reports.charts.svg import SIZE, WIDTH, bar, label, line, place, width_of

_GAP = 8.0
_MOST_OF_NAMES = 140.0
_LEGEND = 20.0

# Colours by number of series: what was before stands back.
COLOURS = {1: ("s1",), 2: ("s0", "s1"), 3: ("s0", "s1", "s2")}


def legend(names: Sequence[str], kinds: Sequence[str], y: float = 9.0) -> str:
    """Swatches with the names of series, in one line."""
    parts, x, room = [], 0.0, WIDTH / len(names) - 30
    for name, kind in zip(names, kinds, strict=True):
        parts.append(bar(kind, x, y - 8, 9, 9, corner=2) + label("t", x + 14, y, name, room=room))
        x += 14 + min(width_of(name), room) + 16
    return "".join(parts)


def draw_bars(chart: Bars) -> tuple[float, float, str]:
    """Width, height and content of the picture."""
    kinds = COLOURS[len(chart.series)]
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
    parts = [legend([series.name for series in chart.series], kinds)] if several else []
    for index, name in enumerate(chart.labels):
        y = top + index * row
        if above:
            parts.append(label("t", 0, y + SIZE, name, room=WIDTH))
        else:
            parts.append(label("t", 0, y + (row - 8) / 2 + SIZE * 0.36, name, room=names))
        for number, (series, kind) in enumerate(zip(chart.series, kinds, strict=True)):
            value, begin = series.values[index], y + above + number * pitch
            length = 0.0 if value is None else room * value / most
            said = f"{name}{f', {series.name}' if series.name else ''}: {written(value, chart.unit)}"
            parts.append(bar(kind, left, begin, length, thick, said, corner=1.5))
            parts.append(label("v", left + length + 5, begin + thick / 2 + 3.6, written(value, chart.unit)))
    height = top + len(chart.labels) * row
    if not above:
        parts.append(line("axis", left, top - 2, left, height - 6))
    if chart.limit is not None:
        at = left + room * chart.limit.at / most
        parts.append(line("limit", at, top - 2, at, height - 2))
        parts.append(_under(chart.limit.label, at, height + 9))
        height += 14
    return WIDTH, height, "".join(parts)


def _most(series: Sequence[Series], limit: Limit | None) -> float:
    told = [value for one in series for value in one.values if value is not None]
    return max([*told, limit.at if limit is not None else 0.0]) or 1.0


def _under(text: str, x: float, y: float) -> str:
    half = width_of(text) / 2
    return label("v mid", min(max(x, half), WIDTH - half), y, text)


def draw_gauge(chart: Gauge) -> tuple[float, float, str]:
    """Width, height and content of the picture: a track from 0 to 100 % for each reading."""
    row, parts = 42.0, []
    before = any(reading.before is not None for reading in chart.readings)
    top = _LEGEND if before else 0.0
    if before:
        parts.append(
            line("was", 2, 2, 2, 12)
            + label("t", 9, 10, "before")
            + bar("s1", 62, 2, 16, 8, corner=4)
            + label("t", 83, 10, "after")
        )
    for index, reading in enumerate(chart.readings):
        y = top + index * row
        told = share(reading.value)
        was = f" (before: {share(reading.before)})" if reading.before is not None else ""
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
    return WIDTH, height, "".join(parts)
