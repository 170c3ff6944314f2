"""Charts in the page: each a picture with its note, and its numbers folded under it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from pamola_tasks_reports.blocks import Table
from pamola_tasks_reports.charts.drawing import draw
from pamola_tasks_reports.charts.form import Chart
from pamola_tasks_reports.charts.numbers import numbers_of
from pamola_tasks_reports.formatting import printable


def gallery(charts: Sequence[Chart], grid: Callable[[Table], Markup]) -> Markup:
    """The charts, side by side.

    Args:
        charts: Which.
        grid: Shows a table.
    """
    return Markup('<div class="charts">\n%s</div>\n') % Markup("").join(_figure(chart, grid) for chart in charts)


def _figure(chart: Chart, grid: Callable[[Table], Markup]) -> Markup:
    headers, rows = numbers_of(chart)
    return Markup(
        '<figure class="chart %s">\n<figcaption>%s</figcaption>\n<div class="drawn">%s</div>\n%s'
        "<details><summary>Numbers</summary>\n%s</details>\n</figure>\n"
    ) % (
        type(chart).__name__.lower(),
        printable(chart.title),
        Markup(draw(chart)),
        Markup('<p class="note">%s</p>\n') % printable(chart.note) if chart.note else "",
        grid(Table(headers, rows, frozenset(range(1, len(headers))))),
    )
