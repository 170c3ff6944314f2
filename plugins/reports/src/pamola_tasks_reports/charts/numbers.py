"""The numbers of a chart as a table: for who cannot see it, for Markdown, and to copy from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pamola_tasks_reports.charts.axes import edge_of, share, tie, written
from pamola_tasks_reports.charts.form import Bars, Chart, Gauge, Histogram, Matrix

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
                return ["", "share"], [[reading.label, share(reading.value)] for reading in chart.readings]
            rows = [
                [reading.label, "–" if reading.before is None else share(reading.before), share(reading.value)]
                for reading in chart.readings
            ]
            return ["", "before", "after"], rows
        case Matrix():
            rows = [[name, *map(tie, row)] for name, row in zip(chart.rows, chart.values, strict=True)]
            return ["", *chart.columns], rows
    raise TypeError(f"{type(chart).__name__} has no numbers")


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
