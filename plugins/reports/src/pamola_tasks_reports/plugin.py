"""What the reports plugin adds: the reporter, three formats of a report, the commands `report`, `reports`
and `compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Reporter, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """`pamola-task report TASK`, `pamola-task compare TASK` and `pamola-task reports prune`."""
    return {
        "report": Command(
            "pamola_tasks_reports.command:report",
            help="Show the report of a task's latest run.",
            writes=False,  # --open asks
        ),
        "compare": Command(
            "pamola_tasks_reports.compare_command:compare_runs",
            help="Compare two runs of a task: old, new, change.",
            writes=False,  # --open asks
        ),
        "reports": Command("pamola_tasks_reports.pruning:reports", help="Remove reports of old runs."),
    }


@hookimpl(trylast=True)
def pamola_provide_reporter(run: RunServices) -> Reporter:
    """Report what the run's record says, and what the task itself adds."""
    from pamola_tasks_reports.reporter import TaskReporter

    return TaskReporter.of_run(run)


@hookimpl
def pamola_check_plan(run: RunServices) -> list[str]:
    """Refuse to run where another plugin's format of the report cannot be written."""
    from pamola_tasks_reports.reporter import unusable

    return unusable(run)


@hookimpl
def pamola_add_views() -> dict[str, str]:
    """Pieces of the report for notebooks and other pages."""
    return {name: f"pamola_tasks_reports.views:{name}" for name in ("charts", "first_page", "style")}


@hookimpl
def pamola_add_report_writers() -> dict[str, str]:
    """JSON, Markdown and HTML: `reporter.WRITERS`, which is not imported before a report is written."""
    return {
        "json": "pamola_tasks_reports.store:as_json",
        "md": "pamola_tasks_reports.markdown:as_markdown",
        "html": "pamola_tasks_reports.html:as_html",
    }
