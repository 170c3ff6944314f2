"""The report as one HTML file: no script, nothing from the network, for screen (light and dark) and paper.

The page is `templates/report.html.jinja`, which escapes every text; charts and prose escape their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from pamola_tasks_reports.blocks import Table
from pamola_tasks_reports.charts.drawing import draw
from pamola_tasks_reports.charts.form import Chart
from pamola_tasks_reports.charts.numbers import numbers_of
from pamola_tasks_reports.charts.svg import text_of
from pamola_tasks_reports.document import document_of
from pamola_tasks_reports.formatting import printable

_MOST_CHARTS = 24  # shown side by side; more are folded away

# The browser is told to load nothing and to run nothing, whatever stands in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def as_html(report: Mapping[str, Any]) -> bytes:
    """A JSON report as one HTML file."""
    return _page().render(document=document_of(report)).encode("utf-8", "backslashreplace")


@cache
def _page() -> Template:
    here = resources.files("pamola_tasks_reports")
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_visible, keep_trailing_newline=True)
    environment.globals = {
        "policy": Markup(_POLICY),
        "style": Markup(here.joinpath("report.css").read_text("utf-8")),
        "most_charts": _MOST_CHARTS,
    }
    environment.filters |= {
        "breakable": lambda path: escape(printable(path)).replace("/", Markup("/<wbr>")),
        "draw": lambda chart: Markup(draw(chart)),
        "inline": _inline,
        "kind": lambda item: type(item).__name__,
        "numbers": _numbers,
        "percent": lambda share: f"{100 * min(max(share, 0.0), 1.0):.1f}%",
        "prose": _prose,
    }
    return environment.from_string(here.joinpath("templates/report.html.jinja").read_text("utf-8"))


def _visible(item: Any) -> Any:
    """What is not printed is shown as its escape."""
    return printable(item) if isinstance(item, str) and not isinstance(item, Markup) else item


def _numbers(chart: Chart) -> Table:
    headers, rows = numbers_of(chart)
    return Table(headers, rows, frozenset(range(1, len(headers))))


def _inline(text: str) -> Markup:
    """A message: `code` and **bold** are shown as such, everything else as it is written."""
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", text_of(text))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", shown))


def _prose(text: str) -> Markup:
    from pamola_tasks_reports.prose import rendered  # only where a plugin wrote some

    return Markup(rendered(text))
