"""Pieces of the report for notebooks and for pages of other plugins (`pamola_add_views`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pamola_tasks_reports import document
from pamola_tasks_reports.html import html_page, html_pieces, style
from pamola_tasks_reports.parts import rows
from pamola_tasks_reports.pieces import charts_of

if TYPE_CHECKING:
    from pamola_tasks_reports.pieces import Pieces

__all__ = ["charts", "first_page", "style"]


def charts(charts: Sequence[Any]) -> str:
    """Charts of a step as figures with their numbers, without the style that they need (`style`)."""
    return "".join(charts_of(list(charts), html_pieces()))


def first_page(report: Mapping[str, Any]) -> str:
    """The first page of a report, with charts and figures of its steps: one HTML page without script."""

    def sections(page: Pieces) -> Iterator[str]:
        shown = [(title, list(pieces)) for title, pieces in document.first_sections(report, page)]
        entries = rows(report, "operations")
        shown += [(str(step.get("step", "")), list(document.step_details(step, page))) for step in entries]
        yield from (page.section(title, pieces) for title, pieces in shown if pieces)

    return html_page(document.top_of(report), "report", sections).decode("utf-8")
