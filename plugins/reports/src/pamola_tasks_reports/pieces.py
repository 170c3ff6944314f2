"""What the pages of a report are put together from: pieces in a markup, and facts of any shape as such pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pamola_tasks_reports.formatting import flat, is_number, named, value

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart
    from pamola_tasks_reports.lineage import Lineage

_WIDEST = 9
_LONGEST = 30  # rows of a table of facts that is not folded
_TONES = {
    **dict.fromkeys(("success", "completed", "loaded"), "good"),
    **dict.fromkeys(("warning", "partial_success", "blocked", "interrupted", "aborted"), "odd"),
    **dict.fromkeys(("error", "failed", "incompatible"), "bad"),
}


class Pieces(Protocol):
    """A page in one markup. A cell is text, which is escaped, or what `badge`, `code` and others make of it."""

    passed_over: str  # a pattern, of one group, of what is markup or code, where terms are not looked for

    def verdict(self, word: str, tone: str, sentence: str) -> str: ...
    def badge(self, text: str, tone: str) -> str: ...  # a word with a colour: `good`, `odd`, `bad` or `quiet`
    def code(self, text: str) -> str: ...  # a path or name
    def codes(self, texts: Iterable[str]) -> str: ...  # names
    def file(self, path: str, sha256: str) -> str: ...  # a path, and the whole hash to copy
    def remark(self, text: str, more: str) -> str: ...  # a text, and in small what else there is to say of it
    def share(self, text: str, share: float) -> str: ...  # a number with its share (0 to 1) of a whole
    def blank(self) -> str: ...  # room to write by hand
    def facts(self, pairs: Iterable[tuple[str, str]]) -> str: ...  # names and values
    def table(
        self, headers: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[int] = (), caption: str = ""
    ) -> str: ...  # the columns in `right` are aligned to the right
    def bullets(self, items: Iterable[str], tone: str = "quiet") -> str: ...
    def paragraph(self, text: str) -> str: ...  # a sentence or two, without markup
    def prose(self, markdown: str) -> str: ...  # paragraphs, lists and tables in Markdown
    def callout(self, title: str, text: str) -> str: ...  # what must be seen first: why the run failed
    def verbatim(self, text: str) -> str: ...  # a traceback
    def charts(self, charts: Sequence[Chart]) -> str: ...
    def lineage(self, lineage: Lineage) -> str: ...
    def folded(self, title: str, pieces: Iterable[str]) -> str: ...  # what is only for who asks for it
    def contents(self, places: Iterable[tuple[str, str]]) -> str: ...  # titles and anchors of sections
    def term(self, found: str, term: str, meaning: str) -> str: ...  # a term of the glossary where it occurs
    def glossary(self, terms: Mapping[str, str]) -> str: ...
    def section(self, title: str, pieces: Iterable[str], level: int = 2, anchor: str = "", fold: str = "") -> str: ...


def table_of(
    page: Pieces,
    rows: Iterable[Mapping[str, Any]],
    columns: Mapping[str, Callable[[Mapping[str, Any]], str]],
    right: Iterable[int] = (),
) -> Iterator[str]:
    """A table with a row for each entry, where there are any; `columns` say what is in each column."""
    cells = [[cell(row) for cell in columns.values()] for row in rows]
    if cells:
        yield page.table([*columns], cells, right)


def tone_of(status: str) -> str:
    """The colour of a status."""
    return _TONES.get(status, "quiet")


def status_of(entry: Mapping[str, Any], page: Pieces) -> str:
    """The status of an entry, with its colour."""
    status = str(entry.get("status", ""))
    return page.badge(status, tone_of(status)) if status else ""


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
    right = [place for place, column in enumerate(columns, start=1) if _are_numbers(column)]
    return _long("", ["", *map(named, members)], rows, right, page)


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
    right = [i for i, key in enumerate(keys, start=by_name) if _are_numbers(row.get(key) for row in rows.values())]
    headers = [*([""] if by_name else []), *(named(str(key)) for key in keys)]
    return _long(named(name), headers, [[*n, *c] for n, c in zip(names, cells, strict=True)], right, page)


def _long(name: str, headers: list[str], rows: list[list[str]], right: list[int], page: Pieces) -> str:
    """A table; folded where it is long."""
    table = page.table(headers, rows, right, name)
    return table if len(rows) <= _LONGEST else page.folded(f"{name or headers[-1]}: {len(rows):,} rows", [table])


def _are_numbers(items: Iterable[Any]) -> bool:
    return all(item is None or is_number(item) for item in items)


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
