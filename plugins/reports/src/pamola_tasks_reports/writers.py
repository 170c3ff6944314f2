"""The formats of a report: those of this distribution, and those that other plugins add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks.errors import PluginError

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

WRITERS = {
    "json": "pamola_tasks_reports.store:as_json",
    "md": "pamola_tasks_reports.markdown:as_markdown",
    "html": "pamola_tasks_reports.html:as_html",
}


def unusable(run: RunServices) -> list[str]:
    """Why formats that other plugins add cannot be written; ours are imported when the report is written."""
    writers = run.kernel.contributions("pamola_add_report_writers", "report format")
    problems = []
    if "json" not in writers or writers.target("json") != WRITERS["json"]:
        whose = writers.owner("json").label if "json" in writers else "a format of another name"
        problems.append(f"the report format 'json' is replaced by {whose}: programs read it, so it cannot be")
    for extension in writers:
        if writers.target(extension) != WRITERS.get(extension):
            try:
                writers[extension]
            except PluginError as error:
                problems.append(str(error))
    return problems
