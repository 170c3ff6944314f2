"""The report of a run: JSON for machines, Markdown and HTML for people, and the manifest of what it left."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_reports.artifacts import ArtifactGroup
    from pamola_tasks_reports.html import as_html
    from pamola_tasks_reports.markdown import as_markdown
    from pamola_tasks_reports.reporter import TaskReporter

_HOMES = {
    "ArtifactGroup": "artifacts",
    "TaskReporter": "reporter",
    "as_html": "html",
    "as_markdown": "markdown",
}

__all__ = ["ArtifactGroup", "TaskReporter", "as_html", "as_markdown"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
