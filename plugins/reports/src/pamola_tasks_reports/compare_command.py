"""The command `compare`: two runs of a task, by their reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import EXIT_OK, EXIT_TASK_FAILED, AlreadyRunning, PamolaTaskError, ReportingError, UsageError
from pamola_tasks_reports.command import has_whole, whole_of
from pamola_tasks_reports.comparing import compare
from pamola_tasks_reports.comparison import comparison_page, without_the_same
from pamola_tasks_reports.privacy import without_values
from pamola_tasks_reports.proving import not_as_recorded
from pamola_tasks_reports.store import Reports

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, RunServices


@click.command("compare")
@click.argument("task", metavar="TASK")
@click.argument("runs", nargs=-1, metavar="[RUN RUN]")
@click.option("--all", "everything", is_flag=True, help="Show what is the same in both runs too.")
@click.option("--format", "format_", type=click.Choice(["md", "html", "json"]), help="Format to print (default: md).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--withhold", is_flag=True, help="Withhold what may quote data, as where a run encrypts.")
@click.option("--open", "open_", is_flag=True, help="Open the comparison as a page in the browser instead.")
@click.pass_obj
def compare_runs(
    cli: CommandLine,
    task: str,
    runs: tuple[str, ...],
    everything: bool,
    format_: str | None,
    as_json: bool,
    withhold: bool,
    open_: bool,
) -> int:
    """Compare two runs of TASK: verdict, claims, risk, loss, rows, roles, data, settings, warnings and versions.

    RUN RUN are the old and the new run: their ids, or the first characters of them. Unless given, the two newest runs
    that succeeded are compared. What is the same in both is counted, and shown with --all.

    Where a run encrypted and the key is not available, what its report shows without it is compared. `--json` is the
    same as `--format json`.

    Exits 1 if a report is not as the history recorded it, and says so.
    """
    if open_:
        cli.refuse_if_broken()
    if as_json and format_ not in (None, "json"):
        raise UsageError(f"--json and --format {format_} contradict each other")
    if len(runs) not in (0, 2):
        raise UsageError(f"two runs are compared, and {len(runs)} was named" if len(runs) == 1 else "name two runs")
    with cli.out.stdout_for_the_document():
        run = cli.kernel.inspect(task, upto="places")
        reports = Reports(run.places, run.record.task_id)
        if another := cli.plugins.foreign_provider("reporter", __package__):
            raise UsageError(f"{another} reports here, in a form that this command cannot compare")
        notes: list[str] = []
        if runs:
            chosen = "The runs were named."
            ids = [_named(cli, reports, each) for each in runs]
            if ids[0] == ids[1]:
                raise UsageError(f"{runs[0]} and {runs[1]} are the same run: name two")
            found = [reports.read(run.files, each) for each in ids]
        else:
            chosen = "They are the two newest runs that succeeded."
            ids, found, notes = _newest(run, reports)
        encrypted = [each for each in ids if not withhold and has_whole(run.files, reports, each)]
        paths = [*map(reports.of_run, ids), *map(reports.whole, encrypted)]
        altered, unknown = not_as_recorded(cli, run, reports, paths)
        if encrypted:
            found = _as_far_as_readable(cli, task, reports, dict(zip(ids, found, strict=True)), encrypted, notes, open_)
        if withhold:
            found = [without_values(report) for report in found]
        notes += _remarks(found) + unknown
        _name_kept(run, found)
        told = {**compare(*found), "chosen": chosen, "altered": altered, "notes": notes}
        told = told if everything else without_the_same(told)
        if open_:
            page = f"{reports.place.directories['temp']}/comparison.html"
            run.files.write(page, comparison_page(told, "html"), "report")
            if click.launch(str(run.files.root / page)) != 0:
                raise UsageError(f"no browser could be started; the page is {page}")
        elif as_json or format_ == "json":
            cli.out.print_json(told)
        else:
            cli.out.print_text(comparison_page(told, format_ or "md").decode())
        for text in altered:
            cli.out.warn(text)
        return EXIT_TASK_FAILED if altered else EXIT_OK


def _newest(run: RunServices, reports: Reports) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """The two newest runs that succeeded, older first, with their reports, and which runs were passed over."""
    ids: list[str] = []
    found: list[dict[str, Any]] = []
    passed: list[str] = []
    for run_id in reversed(reports.runs()):
        report = reports.read(run.files, run_id)
        if report.get("success") is True:
            ids.insert(0, run_id)
            found.insert(0, report)
        elif not found:
            passed.append(f"run {run_id}, which is newer, did not succeed: name it to compare it")
        if len(found) == 2:
            return ids, found, passed[:1]
    task_id = reports.task_id
    if not found:
        why = "its runs failed" if passed else f"run it with `pamola-task run {task_id}`"
        raise UsageError(f"task {task_id} has no run that succeeded and has a report: {why}")
    raise UsageError(
        f"only one run of {task_id} succeeded and has a report, {ids[0]}: there is none to compare it with yet"
    )


def _named(cli: CommandLine, reports: Reports, beginning: str) -> str:
    """The run that was named; where it has no report, what the history says of it."""
    try:
        return reports.run_of(beginning)
    except UsageError as error:
        if not re.fullmatch(r"[0-9a-fA-F-]{4,}", beginning) or " is the beginning of " in str(error):
            raise
        record = _record(cli, reports.task_id, beginning)
        if record is None:
            raise
        run_id, status = record.get("task_run_id"), record.get("status")
        if status == "running":
            raise AlreadyRunning(f"run {run_id} of {reports.task_id} has not ended: compare it when it has") from None
        if status in ("aborted", "unknown"):
            raise UsageError(
                f"run {run_id} of {reports.task_id} has no report: nothing says how it ended (its process was killed,"
                f" or ended by a library)"
            ) from None
        raise ReportingError(
            f"the report of run {run_id} of {reports.task_id} is gone, by `reports prune` or otherwise:"
            f" `pamola-task history {reports.task_id} --metrics` shows the main figures of all runs"
        ) from None


def _record(cli: CommandLine, task_id: str, beginning: str) -> Mapping[str, Any] | None:
    """What the history says of a run that has no report."""
    try:
        history = cli.kernel.services(None, upto="history").history
    except PamolaTaskError:
        return None
    ask: Any = getattr(history, "get_task_execution_history", lambda task_id, limit: [])
    known = (record for record in ask(task_id, None) if str(record.get("task_run_id")).startswith(beginning.lower()))
    return next(known, None)


def _as_far_as_readable(
    cli: CommandLine,
    task: str,
    reports: Reports,
    found: dict[str, dict[str, Any]],
    encrypted: list[str],
    notes: list[str],
    page: bool,
) -> list[dict[str, Any]]:
    """Both reports whole where they can be read; else both without what may quote data, so that like is compared."""
    if page:  # it is a file that is not encrypted
        notes.append("the page withholds what may quote data: `compare` without --open prints it")
        return [without_values(report) for report in found.values()]
    whole = {run_id: whole_of(cli, task, reports, run_id)[0] for run_id in encrypted}
    if all(whole.values()):
        return [whole.get(run_id) or report for run_id, report in found.items()]
    notes.append("what may quote data is encrypted in one run or both, and cannot be read here: it is not compared")
    return [without_values(report) for report in found.values()]


def _name_kept(run: RunServices, found: list[dict[str, Any]]) -> None:
    """Say of each output that a newer one replaced where it is kept."""
    ask: Any = getattr(run.places, "kept", lambda path: [])
    for output in (row for report in found for row in report.get("outputs") or () if row.get("path")):
        kept = (name for name in ask(output["path"]) if run.files.sha256(name) == output.get("sha256"))
        output["kept"] = next(kept, "")


def _remarks(found: list[dict[str, Any]]) -> list[str]:
    """What has to be known of the two runs before their figures are read."""
    notes = []
    for report, which in zip(found, ("old", "new"), strict=True):
        if report.get("success") is not True:
            notes.append(f"the {which} run did not succeed ({report.get('status')}): what it did not reach is missing")
    if str(found[0]["run"].get("started")) > str(found[1]["run"].get("started")):
        notes.append("the run that was named first is the newer one")
    return notes
