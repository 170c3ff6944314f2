"""How strongly columns go together, as a grid of cells; and slanted texts."""

from __future__ import annotations

from pamola_tasks_reports.charts.axes import tie
from pamola_tasks_reports.charts.form import Matrix
from pamola_tasks_reports.charts.svg import SIZE, WIDTH, label, place, text_of, width_of

_ROOM_FOR_NUMBERS = 30.0


def draw_matrix(chart: Matrix) -> tuple[float, float, list[str]]:
    """How strongly rows and columns go together: a deep colour is a strong tie, its hue the sign."""
    names, above = (min(150.0, max(map(width_of, texts))) for texts in (chart.rows, chart.columns))
    left = names + 8
    size = max(18.0, min(44.0, (2 * WIDTH - left) / len(chart.columns)))
    slant = 0.72
    top = above * slant + 14
    parts = [
        slanted("v", left + (index + 0.5) * size + 3, top - 6, -46, name, above)
        for index, name in enumerate(chart.columns)
    ]
    for number, (name, row) in enumerate(zip(chart.rows, chart.values, strict=True)):
        y = top + number * size
        parts.append(label("t", 0, y + size / 2 + SIZE * 0.36, name, room=names))
        for index, value in enumerate(row):
            parts.append(_cell(left + index * size, y, size, value, f"{name} – {chart.columns[index]}"))
    width = left + len(chart.columns) * size + above * slant
    return max(width, WIDTH), top + len(chart.rows) * size + 2, parts


def _cell(x: float, y: float, size: float, value: float | None, said: str) -> str:
    kind = "none" if value is None else "minus" if value < 0 else "plus"
    depth = "" if value is None else f' fill-opacity="{place(abs(value))}"'
    told = tie(value)
    shape = (
        f'<rect class="cell {kind}" x="{place(x)}" y="{place(y)}" width="{place(size - 1.5)}"'
        f' height="{place(size - 1.5)}" rx="2"{depth}><title>{text_of(f"{said}: {told}")}</title></rect>'
    )
    if size < _ROOM_FOR_NUMBERS or value is None:
        return shape
    deep = " deep" if abs(value) > 0.55 else ""
    return shape + label(f"t mid{deep}", x + size / 2 - 0.75, y + size / 2 + 3.2, told)


def slanted(kind: str, x: float, y: float, degrees: int, text: str, room: float) -> str:
    """A text that begins at a place and goes up or down, cut where it has no room."""
    turned = f'transform="translate({place(x)} {place(y)}) rotate({degrees})"'
    return f"<g {turned}>{label(kind, 0, 0, text, room=room)}</g>"
