"""`pamola-task reports prune`: remove the reports of old runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from pamola_tasks.errors import EXIT_OK, EXIT_TASK_FAILED, PamolaTaskError, UsageError
from pamola_tasks.storage.leftovers import entries
from pamola_tasks.storage.system import user_name
from pamola_tasks_reports.proving import with_history
from pamola_tasks_reports.store import PRUNED, Reports

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, Files

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@click.group("reports")
def reports() -> None:
    """Remove reports of old runs."""


def _age(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """The moment that was so long ago."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,4})([hdw])", text)
    if not found:
        raise click.BadParameter(f"{text!r} is not an age: write 12h, 90d or 8w")
    return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})


@reports.command("prune")
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the reports of each task's newest N runs.")
@click.option("--older-than", "before", metavar="AGE", callback=_age, help="Keep those younger than AGE: 12h, 90d, 8w.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def prune(
    cli: CommandLine, tasks: tuple[str, ...], keep: int | None, before: datetime | None, dry_run: bool, as_json: bool
) -> int:
    """Remove reports of old runs of TASK or of all tasks. The reports of the newest run and success always stay.

    With both options, a report is removed if neither keeps it. The history says which were removed, when and by whom,
    so that any other that is gone is missing. Exits 1 if a file could not be removed.
    """
    if keep is None and before is None:
        raise UsageError("say what is to be kept: --keep N, --older-than AGE, or both")
    if another := cli.plugins.foreign_provider("reporter", __package__):
        raise UsageError(f"{another} reports here, and its reports are not removed by this command")
    run = with_history(cli)
    if not dry_run and hasattr(run.history, "lacks_key") and run.history.lacks_key():
        raise UsageError(
            "the history is authenticated with the project's key, which is not available, and has to record what is"
            " removed: give the key, as for a run"
        )
    names = [cli.kernel.inspect(task, upto="places").record.task_id for task in tasks] or run.places.left()
    found, failed = [], []
    for name in dict.fromkeys(names):
        kept = Reports(run.places, name)
        old = _old(run.files, kept, keep, before)
        if old and not dry_run and hasattr(run.history, "note"):  # first: what is removed is never without it
            run.record.task_id = name
            run.history.note(run, PRUNED, {"task": name, "runs": old, "user": user_name()})
        for path in _files_of(run.files, kept, old):
            try:
                size = run.files.stat(path).size
                if not dry_run:
                    run.files.unlink(path, missing_ok=True)
                found.append({"task": name, "path": path, "bytes": size})
            except (PamolaTaskError, OSError) as problem:
                failed.append({"task": name, "path": path, "reason": str(problem)})
    if as_json:
        cli.out.print_json({"dry_run": dry_run, "removed": found, "failed": failed})
    else:
        _print(cli, found, failed, dry_run)
    return EXIT_TASK_FAILED if failed else EXIT_OK


def _old(files: Files, kept: Reports, keep: int | None, before: datetime | None) -> list[str]:
    """The runs whose reports go, oldest first."""
    runs = sorted(kept.runs())
    old = [run_id for run_id in runs[: -(keep or 1)] if before is None or _before(run_id, before)]
    newest_success = next((run_id for run_id in reversed(runs) if _succeeded(files, kept, run_id)), None)
    return [run_id for run_id in old if run_id != newest_success]


def _before(run_id: str, moment: datetime) -> bool:
    """Whether a run began before; its id, a UUID of version 7, begins with the time (RFC 9562)."""
    try:
        found = UUID(run_id)
    except ValueError:
        return False
    return found.version == 7 and (found.int >> 80) / 1000 < moment.timestamp()


def _succeeded(files: Files, kept: Reports, run_id: str) -> bool:
    try:
        return kept.read(files, run_id).get("success") is True
    except (PamolaTaskError, OSError):
        return False


def _files_of(files: Files, kept: Reports, runs: list[str]) -> list[str]:
    """All files of these runs, the JSON, by which a run is found, as the last of each."""
    names = [name for name, kind in entries(files, kept.place.run_reports) if kind == "file"]
    of_run: dict[str, list[str]] = {run_id: [] for run_id in runs}
    for name in sorted(names, key=lambda name: name.endswith(".json")):
        if (run_id := name.partition(".")[0]) in of_run:
            of_run[run_id].append(f"{kept.place.run_reports}/{name}")
    return [path for paths in of_run.values() for path in paths]


def _print(cli: CommandLine, found: list[dict[str, Any]], failed: list[dict[str, Any]], dry_run: bool) -> None:
    for each in found if dry_run else ():
        click.echo(each["path"])
    size = cli.out.size(sum(each["bytes"] for each in found))
    files = "1 file" if len(found) == 1 else f"{len(found)} files"
    click.echo(f"{files} {'would be ' if dry_run else ''}removed, {size}")
    for each in failed:
        cli.out.warn(f"{each['path']} could not be removed: {each['reason']}")
