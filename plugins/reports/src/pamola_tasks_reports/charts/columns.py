"""Columns side by side for classes that have an order."""

from __future__ import annotations

from pamola_tasks_reports.charts.axes import of_axis, ticks, written
from pamola_tasks_reports.charts.bars import COLOURS, legend
from pamola_tasks_reports.charts.form import Columns
from pamola_tasks_reports.charts.svg import SIZE, WIDTH, bar, label, line, place, text_of, width_of

PLOT = 120.0


def draw_columns(chart: Columns) -> tuple[float, float, str]:
    """Width, height and content of the picture."""
    kinds = COLOURS[len(chart.series)]
    top = 30.0 if len(kinds) > 1 else 14.0
    most = max([value for series in chart.series for value in series.values if value is not None], default=0.0) or 1.0
    grid, left = value_axis(most, chart.unit, top)
    parts = [grid]
    if len(kinds) > 1:
        parts.append(legend([series.name for series in chart.series], kinds))
    slot = (WIDTH - left) / len(chart.labels)
    thick = min(22.0, slot * 0.78 / len(kinds))
    for index, name in enumerate(chart.labels):
        begin = left + index * slot + (slot - thick * len(kinds)) / 2
        for number, (series, kind) in enumerate(zip(chart.series, kinds, strict=True)):
            value = series.values[index]
            height = 0.0 if value is None else PLOT * value / most
            said = f"{name}{f', {series.name}' if series.name else ''}: {written(value, chart.unit)}"
            parts.append(bar(kind, begin + number * thick, top + PLOT - height, thick - 1, height, said))
    parts.append(line("axis", left, top + PLOT, WIDTH, top + PLOT))
    names, below = _names(chart, left, slot, top + PLOT)
    parts.append(names)
    if chart.limit is not None:
        at = left + slot * chart.limit.at
        beyond = at + 5 + width_of(chart.limit.label) > WIDTH
        parts.append(line("limit", at, top - 12, at, top + PLOT))
        kind, x = ("v strong end", at - 5) if beyond else ("v strong", at + 5)
        parts.append(label(kind, x, top - 4, chart.limit.label))
    height = top + PLOT + below
    if chart.axis:
        parts.append(label("v mid", left + (WIDTH - left) / 2, height + 8, chart.axis, room=WIDTH - left))
        height += 12
    return WIDTH, height, "".join(parts)


def _names(chart: Columns, left: float, slot: float, y: float) -> tuple[str, float]:
    """The names under the columns, slanted where they are wider than a column, and the room they take."""
    widest = max(map(width_of, chart.labels))
    if widest <= slot - 4:
        return "".join(
            label("v mid", left + (index + 0.5) * slot, y + 14, name) for index, name in enumerate(chart.labels)
        ), 20.0
    every = max(1, -(-len(chart.labels) * 13 // int(WIDTH - left)))
    room = min(widest, 90.0)
    parts = []
    for index, name in enumerate(chart.labels):
        if index % every == 0:
            x, below = place(left + (index + 0.5) * slot + 4), place(y + 12)
            text = label("v end", 0, 0, name, room=room)
            parts.append(f'<g transform="translate({x} {below}) rotate(-40)">{text}</g>')
    return "".join(parts), 14 + room * 0.68


def value_axis(most: float, unit: str, top: float, caption: str = "") -> tuple[str, float]:
    """Grid lines with their numbers at the left, and where the plot begins."""
    write = of_axis(unit)
    places = [tick for tick in ticks(0.0, most, 4) if unit != "count" or tick == int(tick)]
    left = max(width_of(write(tick)) for tick in places) + 8
    parts = [f'<text class="v" x="0" y="{place(top - 12)}">{text_of(caption)}</text>'] if caption else []
    for tick in places:
        y = top + PLOT * (1 - tick / most)
        parts.append(line("grid", left, y, WIDTH, y))
        parts.append(label("v end", left - 5, y + SIZE * 0.34, write(tick)))
    return "".join(parts), left
