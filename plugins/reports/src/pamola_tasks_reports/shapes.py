"""Facts of any shape, as operations and plugins give them: names and values, tables where they are some, charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks_reports.formatting import flat, named, value

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart
    from pamola_tasks_reports.pieces import Pieces

_WIDEST = 9


def facts_of(facts: Mapping[str, Any], page: Pieces) -> Iterator[str]:
    """Names and values; what is a table by its shape (rows of like facts, by name or in a list) becomes one."""
    single: dict[str, Any] = {}
    tables: list[str] = []
    alike: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, item in facts.items():
        rows = _rows(item)
        if rows:
            tables.append(_table(str(key), rows, page, by_name=isinstance(item, Mapping)))
        elif (
            isinstance(item, Mapping)
            and len(item) > 1
            and not any(isinstance(v, (Mapping, list)) for v in item.values())
        ):
            alike.setdefault(tuple(map(str, item)), {})[str(key)] = item
        else:
            single[key] = item
    if single:
        yield page.facts((name, value(item)) for name, item in flat(single))
    yield from tables
    yield from (_columns(names, members, page) for names, members in alike.items())


def _columns(names: tuple[str, ...], members: Mapping[str, Mapping[str, Any]], page: Pieces) -> str:
    """Values of the same names, each member a column: losses by column of the data, for instance."""
    columns = [list(member.values()) for member in members.values()]
    rows = [[name, *map(value, cells)] for name, *cells in zip(names, *columns, strict=True)]
    right = [place for place, column in enumerate(columns, start=1) if all(map(_is_number, column))]
    return page.table(["", *map(named, members)], rows, right)


def _rows(item: Any) -> dict[str, Mapping[str, Any]]:
    """The rows of what is a table, by name or number; none of what is not."""
    rows = item if isinstance(item, Mapping) else dict(enumerate(item)) if isinstance(item, list) else {}
    keys = {key for row in rows.values() if isinstance(row, Mapping) for key in row}
    fits = 0 < len(keys) <= _WIDEST and all(isinstance(row, Mapping) for row in rows.values())
    return {str(name): row for name, row in rows.items()} if fits else {}


def _table(name: str, rows: Mapping[str, Mapping[str, Any]], page: Pieces, *, by_name: bool) -> str:
    keys = list(dict.fromkeys(key for row in rows.values() for key in row))
    names = [[name] if by_name else [] for name in rows]
    cells = [[value(row[key]) if key in row else "" for key in keys] for row in rows.values()]
    right = [i for i, key in enumerate(keys, start=by_name) if all(_is_number(row.get(key)) for row in rows.values())]
    headers = [*([""] if by_name else []), *(named(str(key)) for key in keys)]
    return page.table(headers, [[*n, *c] for n, c in zip(names, cells, strict=True)], right, named(name))


def _is_number(item: Any) -> bool:
    return item is None or (isinstance(item, (int, float)) and not isinstance(item, bool))


def charts_of(raw: Any, page: Pieces) -> Iterator[str]:
    """The charts of a JSON list; what is none is said to be none, in its place."""
    from pamola_tasks_reports.charts.form import ChartError, chart_of  # most reports have no chart

    drawn: list[Chart] = []
    problems: list[str] = []
    for number, item in enumerate(raw if isinstance(raw, list) else [raw], start=1):
        try:
            drawn.append(chart_of(item))
        except ChartError as error:
            title = item.get("title") if isinstance(item, Mapping) else None
            problems.append(f"{f'The chart {title}' if title else f'Chart {number}'} cannot be drawn: {error}")
    if drawn:
        yield page.charts(drawn)
    if problems:
        yield page.bullets(problems, "odd")
