"""The form of a chart in JSON, which operations and plugins give, and its check.

A chart that is not in this form is not drawn, and the report says in its place what is wrong with it. The bounds keep
a page readable, and a report that was made by mistake or malice from becoming a page that no browser can show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import attrs

from pamola_tasks_reports.formatting import is_number

MOST_LABELS = 200
MOST_BARS = 500
MOST_SERIES = 3
MOST_LINES = 4
MOST_POINTS = 500
WIDEST_MATRIX = 60

UNITS = ("count", "share", "number")


class ChartError(ValueError):
    """A chart is not in the form; the message says where."""


@attrs.frozen
class Series:
    """Values of one kind, one a label; None if withheld or missing."""

    name: str
    values: Sequence[float | None]


@attrs.frozen
class Limit:
    """A line that values are held against: at a value, or before the label of a number (`columns`)."""

    at: float
    label: str


@attrs.frozen(kw_only=True)
class Chart:
    """What all charts have; the note says what the chart means, in a sentence or two."""

    title: str
    note: str = ""


@attrs.frozen(kw_only=True)
class Bars(Chart):
    """A value (or several) for each name, as horizontal bars; a `share` is 0 to 1, and shown as percent."""

    labels: Sequence[str]
    series: Sequence[Series]
    unit: str = "count"
    axis: str = ""
    limit: Limit | None = None


@attrs.frozen(kw_only=True)
class Columns(Bars):
    """Values of classes that have an order, as columns side by side; `axis` says what the classes are."""


@attrs.frozen
class Counts:
    """Records between edges: `counts[i]` from `edges[i]` to `edges[i + 1]`; moments as seconds since 1970 (UTC)."""

    name: str
    edges: Sequence[float]
    counts: Sequence[float]


@attrs.frozen(kw_only=True)
class Histogram(Chart):
    """How numbers or moments are distributed; the area of a bar is the number of its records."""

    series: Sequence[Counts]
    moments: bool = False


@attrs.frozen
class Reading:
    """One line of a gauge: a share from 0 to 1, and what it was before."""

    label: str
    value: float
    before: float | None = None


@attrs.frozen(kw_only=True)
class Gauge(Chart):
    """Shares of a whole against a limit: risks."""

    readings: Sequence[Reading]
    limit: Limit | None = None


@attrs.frozen(kw_only=True)
class Matrix(Chart):
    """A value from -1 to 1 for each pair of rows and columns; None where there is none."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]


@attrs.frozen
class Axis:
    """What is counted along an axis, from 0 on."""

    label: str
    unit: str = "number"


@attrs.frozen
class Point:
    """Two numbers of one thing, and what it is called."""

    x: float
    y: float
    label: str


@attrs.frozen
class Group:
    """Points of one kind, joined by a line in their order or not."""

    name: str
    points: Sequence[Point]
    joined: bool = False


@attrs.frozen(kw_only=True)
class Points(Chart):
    """Two numbers of many things against each other: risk and loss of settings, for instance."""

    x: Axis
    y: Axis
    series: Sequence[Group]


def chart_of(raw: Any) -> Chart:
    """The chart that a JSON value describes; a `ChartError` where it describes none."""
    _ask(isinstance(raw, Mapping), "a chart is an object")
    _ask(str(raw.get("kind")) in _KINDS, f"`kind` has to be one of {', '.join(_KINDS)}")
    return _KINDS[str(raw["kind"])](raw)


def _bars(raw: Mapping[str, Any]) -> Bars:
    columns = raw["kind"] == "columns"
    labels = _texts(raw, "labels", MOST_LABELS)
    series = []
    for item in _list(raw, "series", MOST_SERIES, Mapping, "objects"):
        values = [_maybe(value) for value in _list(item, "values")]
        _ask(len(values) == len(labels), "`values` has to have one entry for each of `labels`")
        _ask(all(value is None or value >= 0 for value in values), "a bar cannot be below 0")
        series.append(Series(_text(item, "name", ""), values))
    unit = raw.get("unit", "count")
    _ask(unit in UNITS, f"`unit` has to be one of {', '.join(UNITS)}")
    return (Columns if columns else Bars)(
        **_said(raw),
        labels=labels,
        series=series,
        unit=unit,
        axis=_text(raw, "axis", ""),
        limit=_limit(raw, "before" if columns else "at"),
    )


def _histogram(raw: Mapping[str, Any]) -> Histogram:
    moments = raw.get("scale", "number") == "moment"
    series = []
    for item in _list(raw, "series", MOST_SERIES, Mapping, "objects"):
        edges = [_moment(edge) if moments else _number(edge, "edges") for edge in _list(item, "edges", MOST_BARS + 1)]
        counts = [_number(count, "counts") for count in _list(item, "counts", MOST_BARS)]
        _ask(len(edges) == len(counts) + 1, "`edges` has to have one entry more than `counts`")
        ascend = all(low <= high for low, high in pairwise(edges))
        _ask(ascend and min(counts) >= 0, "`edges` have to ascend, and `counts` cannot be below 0")
        series.append(Counts(_text(item, "name", ""), edges, counts))
    return Histogram(**_said(raw), series=series, moments=moments)


def _gauge(raw: Mapping[str, Any]) -> Gauge:
    readings = []
    for item in _list(raw, "readings", MOST_LABELS, Mapping, "objects"):
        value = _number(item.get("value"), "value")
        before = None if item.get("before") is None else _number(item["before"], "value")
        _ask(all(0 <= share <= 1 for share in (value, before or 0)), "a reading must be between 0 and 1")
        readings.append(Reading(_text(item, "label"), value, before))
    return Gauge(**_said(raw), readings=readings, limit=_limit(raw, "at"))


def _matrix(raw: Mapping[str, Any]) -> Matrix:
    rows, columns = _texts(raw, "rows", WIDEST_MATRIX), _texts(raw, "columns", WIDEST_MATRIX)
    values = [[_maybe(cell) for cell in row] if isinstance(row, list) else [] for row in _list(raw, "values")]
    fits = len(values) == len(rows) and all(len(row) == len(columns) for row in values)
    _ask(fits, "`values` has to have a list for each of `rows`, with a value for each of `columns`")
    ties = all(cell is None or abs(cell) <= 1 for row in values for cell in row)
    _ask(ties, "`values` of a matrix must be between -1 and 1")
    return Matrix(**_said(raw), rows=rows, columns=columns, values=values)


def _points(raw: Mapping[str, Any]) -> Points:
    groups = []
    for item in _list(raw, "series", MOST_LINES, Mapping, "objects"):
        points = [
            Point(_number(each.get("x"), "x"), _number(each.get("y"), "y"), _text(each, "label", ""))
            for each in _list(item, "points", MOST_POINTS, Mapping, "objects")
        ]
        _ask(all(each.x >= 0 and each.y >= 0 for each in points), "a point cannot be below 0")
        groups.append(Group(_text(item, "name", ""), points, item.get("joined") is True))
    return Points(**_said(raw), x=_axis(raw, "x"), y=_axis(raw, "y"), series=groups)


def _axis(raw: Mapping[str, Any], key: str) -> Axis:
    found = raw.get(key)
    _ask(isinstance(found, Mapping), f"`{key}` is an object")
    assert isinstance(found, Mapping)
    unit = found.get("unit", "number")
    _ask(unit in UNITS, f"`unit` has to be one of {', '.join(UNITS)}")
    return Axis(_text(found, "label"), unit)


_KINDS: dict[str, Callable[[Mapping[str, Any]], Chart]] = {
    "bars": _bars,
    "columns": _bars,
    "histogram": _histogram,
    "gauge": _gauge,
    "matrix": _matrix,
    "points": _points,
}


def _ask(fits: object, problem: str) -> None:
    if not fits:
        raise ChartError(problem)


def _said(raw: Mapping[str, Any]) -> dict[str, str]:
    return {"title": _text(raw, "title"), "note": _text(raw, "note", "")}


def _text(raw: Mapping[str, Any], key: str, default: str | None = None) -> str:
    found = raw.get(key, default)
    _ask(isinstance(found, str), f"`{key}` has to be text")
    return str(found)


def _list(raw: Mapping[str, Any], key: str, most: int = 0, of: type = object, what: str = "") -> list[Any]:
    found: Any = raw.get(key)
    _ask(isinstance(found, list) and found, f"`{key}` has to be a list with something in it")
    _ask(not most or len(found) <= most, f"`{key}` has {len(found)} entries, and at most {most} are drawn")
    _ask(all(isinstance(item, of) for item in found), f"`{key}` is a list of {what}")
    return list(found)


def _texts(raw: Mapping[str, Any], key: str, most: int) -> list[str]:
    return _list(raw, key, most, str, "texts")


def _limit(raw: Mapping[str, Any], place: str) -> Limit | None:
    found = raw.get("limit")
    if found is None:
        return None
    _ask(isinstance(found, Mapping), "`limit` is an object")
    return Limit(_number(found.get(place), f"limit.{place}"), _text(found, "label"))


def _number(value: Any, where: str) -> float:
    _ask(is_number(value), f"`{where}` has to be a number")
    # An int of any size can be compared; `float` of one that is too large could not be made.
    _ask(abs(value) <= 1e300, f"`{where}` has to be a number that can be drawn")
    return float(value)


def _maybe(value: Any) -> float | None:
    return None if value is None else _number(value, "values")


def _moment(edge: Any) -> float:
    try:
        moment = datetime.fromisoformat(edge)
    except (TypeError, ValueError):
        raise ChartError("`edges` of moments are ISO 8601 texts") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
