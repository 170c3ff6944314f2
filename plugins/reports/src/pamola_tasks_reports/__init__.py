"""The report of a run: JSON for machines, Markdown and HTML for people, and the manifest of what it left."""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_reports.artifacts import ArtifactGroup as ArtifactGroup
    from pamola_tasks_reports.html import as_html as as_html
    from pamola_tasks_reports.markdown import as_markdown as as_markdown
    from pamola_tasks_reports.reporter import TaskReporter as TaskReporter

__getattr__, __dir__, __all__ = lazily(
    __name__, {"artifacts": "ArtifactGroup", "html": "as_html", "markdown": "as_markdown", "reporter": "TaskReporter"}
)
