"""How objects show themselves in a notebook: small tables, and the views of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MOST, _LONG = 40, 200  # rows of a table, characters of a cell


def table(headers: Sequence[str], rows: Sequence[Iterable[object]]) -> str:
    """A table of texts in HTML, at most a screen of it."""
    from html import escape

    def row(kind: str, cells: Iterable[object]) -> str:
        return f"<tr>{''.join(f'<{kind}>{escape(shortened(cell))}</{kind}>' for cell in cells)}</tr>"

    more = f"<caption>the first {_MOST} of {len(rows)}</caption>" if len(rows) > _MOST else ""
    body = "".join(row("td", cells) for cells in rows[:_MOST])
    return f"<table>{more}<thead>{row('th', headers)}</thead><tbody>{body}</tbody></table>"


def shortened(value: object) -> str:
    """A value as text of one line, cut where it is long."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def of_kernel(kernel: Any) -> str:
    """The tasks of a kernel's project and its plugins."""
    tasks = table((f"tasks of {kernel.project.root}",), [(task,) for task in kernel.tasks.known()])
    plugins = [(plugin.name, plugin.version, plugin.status) for plugin in kernel.plugins.records]
    return tasks + table(("plugin", "version", "status"), plugins)


def first_page(kernel: Any, report: Mapping[str, Any]) -> str:
    """The first page of a report in a frame of its own, by the plugin that draws it; empty where none does."""
    from html import escape

    views = kernel.contributions("pamola_add_views", "the view")
    if "first_page" not in views:
        return ""
    page = escape(views["first_page"](report))
    return f'<iframe srcdoc="{page}" title="report" sandbox style="width:100%;height:40em;border:0"></iframe>'
