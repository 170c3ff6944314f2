"""Facts of any shape, as operations and plugins give them: names and values, tables where they are some, charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks_reports.blocks import Block, Bullets, Cell, Charts, Facts, Table
from pamola_tasks_reports.formatting import flat, named, value

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart

_WIDEST = 9


def facts_of(facts: Mapping[str, Any]) -> Iterator[Block]:
    """Names and values; what is a table by its shape (rows of like facts, by name or in a list) becomes one."""
    single: dict[str, Any] = {}
    tables: list[Block] = []
    alike: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, item in facts.items():
        table = _as_table(str(key), item)
        if table is not None:
            tables.append(table)
        elif isinstance(item, Mapping) and len(item) > 1 and all(map(_is_single, item.values())):
            alike.setdefault(tuple(map(str, item)), {})[str(key)] = item
        else:
            single[key] = item
    tables += [_as_columns(members) for members in alike.values()]
    if single:
        yield Facts([(name, value(item)) for name, item in flat(single)])
    yield from tables


def _as_columns(members: Mapping[str, Mapping[str, Any]]) -> Table:
    """Values of the same names, each member a column: losses by column of the data, for instance."""
    names = list(next(iter(members.values())))
    rows: list[list[Cell]] = [[str(name), *(value(member[name]) for member in members.values())] for name in names]
    right = frozenset(i for i, member in enumerate(members.values(), start=1) if all(map(_is_number, member.values())))
    return Table(["", *map(named, members)], rows, right)


def _is_single(item: Any) -> bool:
    return not isinstance(item, (Mapping, list))


def _as_table(name: str, item: Any) -> Table | None:
    if isinstance(item, Mapping):
        names, rows = [str(key) for key in item], list(item.values())
    elif isinstance(item, list):
        names, rows = [], item
    else:
        return None
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        return None
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not keys or len(keys) > _WIDEST:
        return None
    headers = ([""] if names else []) + [named(str(key)) for key in keys]
    cells: list[list[Cell]] = [[value(row[key]) if key in row else "" for key in keys] for row in rows]
    if names:
        cells = [[name, *row] for name, row in zip(names, cells, strict=True)]
    first = len(headers) - len(keys)
    right = frozenset(first + i for i, key in enumerate(keys) if all(_is_number(row.get(key)) for row in rows))
    return Table(headers, cells, right, named(name))


def _is_number(item: Any) -> bool:
    return item is None or (isinstance(item, (int, float)) and not isinstance(item, bool))


def charts_of(raw: Any) -> Iterator[Block]:
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
        yield Charts(drawn)
    if problems:
        yield Bullets(problems, "odd")
