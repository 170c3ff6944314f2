"""The command `report`: the report of a task's newest run, or of a given one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.cli.app import State, pass_state
from pamola_tasks.cli.output import json_option, note, print_json, stdout_for_the_document
from pamola_tasks.errors import PamolaTaskError, PathSecurityError, ReportingError, UsageError
from pamola_tasks_reports.charts.attached import with_charts, withholds_charts
from pamola_tasks_reports.html import as_html
from pamola_tasks_reports.markdown import as_markdown
from pamola_tasks_reports.store import Places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import RunServices

_FORMATS = {"md": as_markdown, "html": as_html}


@click.command()
@click.argument("task", metavar="TASK")
@click.option("--run", "run_id", metavar="ID", help="The report of this run; the beginning of its id is enough.")
@click.option("--format", "format_", type=click.Choice([*_FORMATS, "json"]), help="What to print; md unless given.")
@json_option
@click.option("--open", "open_", is_flag=True, help="Show the HTML report in the browser instead.")
@pass_state
def report(state: State, task: str, run_id: str | None, format_: str | None, as_json: bool, open_: bool) -> None:
    """Show the report of the newest run of TASK, or of a given run.

    `--json` is the same as `--format json`.
    """
    if as_json and format_ not in (None, "json"):
        raise UsageError(f"--json and --format {format_} contradict each other")
    with stdout_for_the_document():  # whatever the format: what plugins print is no part of it
        run = state.kernel.services(None, upto="config")
        places = _places(state, run, task)
        found = places.read(run.files, run_id)
        identity = str(found.get("run", {}).get("id") or "")
        name = places.newest() if run_id is None else places.of_run(identity)
        if open_:  # the page will lie on the disk in clear: charts of an encrypted run stay out
            page = places.newest("html") if run_id is None else places.of_run(identity, "html")
            run.files.write(page, _rendered("html", found, name), "report")
            if click.launch(str(run.files.root / page)) != 0:
                raise UsageError(f"no browser could be started; the page is {page}")
            return
        shown = _with_withheld(state, found)
        if as_json or format_ == "json":
            print_json(shown)
            return
        document = _rendered(format_ or "md", shown, name).decode()
    click.echo(document, nl=False)


def _with_withheld(state: State, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The report with the charts that it withholds because the run encrypts, where the key is at hand."""
    if not withholds_charts(found):
        return found
    task = None
    with contextlib.suppress(PamolaTaskError):
        task = state.kernel.task(str(found.get("task", {}).get("id")))
    try:
        run = state.kernel.services(task, upto="encryption")
    except PamolaTaskError as error:
        note(f"charts are not shown: {error}")
        return found
    shown, problems = with_charts(found, run.files)
    if problems:
        note(problems[0] + (f" (and {len(problems) - 1} more files)" if len(problems) > 1 else ""))
    return shown


def _rendered(format_: str, found: Mapping[str, Any], name: str) -> bytes:
    try:
        return _FORMATS[format_](found)
    except (TypeError, ValueError, AttributeError) as error:
        raise ReportingError(f"{name} was changed by hand and cannot be shown as {format_}: {error}") from error


def _places(state: State, run: RunServices, task: str) -> Places:
    """The reports of a task named by its id, also when the task is gone; else by all that can be run."""
    reports = f"{run.config.data_repository}/reports"
    with contextlib.suppress(PathSecurityError):  # no plain name: `module:Class`, or a path to a task's file
        places = Places(reports, task)
        if run.files.exists(places.newest()):
            return places
    return Places(reports, state.kernel.task(task).task_id)
