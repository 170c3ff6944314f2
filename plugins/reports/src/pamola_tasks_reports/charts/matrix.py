"""A heat map: how strongly rows and columns go together."""

from __future__ import annotations

from pamola_tasks_reports.charts.axes import tie as written
from pamola_tasks_reports.charts.form import Matrix
from pamola_tasks_reports.charts.svg import SIZE, WIDTH, label, place, text_of, width_of

_MOST_OF_NAMES = 150.0
_ROOM_FOR_NUMBERS = 30.0


def draw_matrix(chart: Matrix) -> tuple[float, float, str]:
    """Width, height and content of the picture: a deep colour is a strong tie, its hue the sign."""
    names = min(_MOST_OF_NAMES, max(map(width_of, chart.rows)))
    above = min(_MOST_OF_NAMES, max(map(width_of, chart.columns)))
    left = names + 8
    cell = max(18.0, min(44.0, (2 * WIDTH - left) / len(chart.columns)))
    slant = 0.72
    top = above * slant + 14
    parts = []
    for index, name in enumerate(chart.columns):
        x = place(left + (index + 0.5) * cell + 3)
        text = label("v", 0, 0, name, room=above)
        parts.append(f'<g transform="translate({x} {place(top - 6)}) rotate(-46)">{text}</g>')
    for number, (name, row) in enumerate(zip(chart.rows, chart.values, strict=True)):
        y = top + number * cell
        parts.append(label("t", 0, y + cell / 2 + SIZE * 0.36, name, room=names))
        for index, tie in enumerate(row):
            parts.append(_cell(left + index * cell, y, cell, tie, f"{name} – {chart.columns[index]}"))
    width = left + len(chart.columns) * cell + above * slant
    return max(width, WIDTH), top + len(chart.rows) * cell + 2, "".join(parts)


def _cell(x: float, y: float, size: float, tie: float | None, said: str) -> str:
    kind = "none" if tie is None else "minus" if tie < 0 else "plus"
    depth = "" if tie is None else f' fill-opacity="{place(abs(tie))}"'
    told = written(tie)
    shape = (
        f'<rect class="cell {kind}" x="{place(x)}" y="{place(y)}" width="{place(size - 1.5)}"'
        f' height="{place(size - 1.5)}" rx="2"{depth}><title>{text_of(f"{said}: {told}")}</title></rect>'
    )
    if size < _ROOM_FOR_NUMBERS or tie is None:
        return shape
    deep = " deep" if abs(tie) > 0.55 else ""
    return shape + label(f"t mid{deep}", x + size / 2 - 0.75, y + size / 2 + 3.2, told)
