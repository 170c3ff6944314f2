"""A chart as one picture in SVG, with a title and a description that a screen reader says."""

from __future__ import annotations

from pamola_tasks_reports.charts.bars import draw_bars, draw_gauge
from pamola_tasks_reports.charts.columns import draw_columns
from pamola_tasks_reports.charts.form import Bars, Chart, Columns, Gauge, Histogram, Matrix
from pamola_tasks_reports.charts.histogram import draw_histogram
from pamola_tasks_reports.charts.matrix import draw_matrix
from pamola_tasks_reports.charts.numbers import numbers_of
from pamola_tasks_reports.charts.svg import image

_SAID_ROWS = 12


def draw(chart: Chart) -> str:
    """The picture."""
    match chart:
        case Columns():
            drawn = draw_columns(chart)
        case Bars():
            drawn = draw_bars(chart)
        case Histogram():
            drawn = draw_histogram(chart)
        case Gauge():
            drawn = draw_gauge(chart)
        case Matrix():
            drawn = draw_matrix(chart)
        case _:
            raise TypeError(f"{type(chart).__name__} cannot be drawn")
    width, height, content = drawn
    return image(width, height, chart.title, description(chart), content)


def description(chart: Chart) -> str:
    """What is to be seen, in words: the note, and the numbers of the first rows."""
    headers, rows = numbers_of(chart)
    told = [
        f"{row[0]}: {', '.join(f'{header} {cell}'.strip() for header, cell in zip(headers[1:], row[1:], strict=True))}"
        for row in rows[:_SAID_ROWS]
    ]
    more = f"; and {len(rows) - _SAID_ROWS} more, in the table of numbers" if len(rows) > _SAID_ROWS else ""
    return " ".join(filter(None, [chart.note, "; ".join(told) + more + "."]))
