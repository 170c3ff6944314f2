"""`pamola-task clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import AlreadyRunning, UsageError
from pamola_tasks.storage import leftovers
from pamola_tasks_cli.output import print_json

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, RunServices
    from pamola_tasks_cli.app import Invocation


@click.command("clean")
@click.argument("task", required=False)
@click.option("--outputs", is_flag=True, help="Remove outputs of earlier runs that the newest run did not make too.")
@click.option("--force", is_flag=True, help="With --outputs, also those that were edited since.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, task: str | None, outputs: bool, force: bool, as_json: bool) -> None:
    """Remove temporary files of TASK or of the whole project; never what the newest run made or a running task uses.

    With --outputs, files that were edited since a run left them, and files that no run of the task made, stay and are
    named.
    """
    if force and not outputs:
        raise UsageError("--force is for --outputs, which names what was edited and stays without it")
    kernel = cli.kernel
    removed: list[str] = []
    running: list[str] = []
    kept: list[dict[str, str]] = []
    for task_id in [task] if task else kernel.task_ids():
        run = kernel.inspect(task_id)
        place = run.places.of(run.record.task_id)
        if not run.files.exists(place.home):  # it never ran
            continue
        try:
            with run.lock.keeping_out(place.task_id):
                removed += _emptied(run.files, place.directories["temp"])
                removed += leftovers.remove_of_task(run.files, place)
                removed += leftovers.remove_unpublished(run.files, place.home)  # in finished steps: by `keys rekey`
                removed += _earlier_outputs(run, kept, force=force) if outputs else []
        except AlreadyRunning:
            running.append(place.task_id)
    if not task and not running:
        run = kernel.services(None, upto="places")
        for kind in sorted({"configs", "raw", "reports", "project_logs", "releases"} & {*run.places.folders}):
            removed += leftovers.remove_unpublished(run.files, run.places.folders[kind])
        removed += leftovers.remove_unpublished(run.files, ".pamola")
    if as_json:
        print_json({"removed": removed, "running": running, "kept": kept})
        return
    for name in removed:
        click.echo(name)
    click.echo(f"{len(removed)} removed")
    for each in kept:
        click.secho(f"{each['path']} {each['why']}", fg="yellow", err=True)
    for name in running:
        click.secho(f"{name} is running and was left alone", fg="yellow", err=True)


def _earlier_outputs(run: RunServices, kept: list[dict[str, str]], *, force: bool) -> list[str]:
    """Remove what earlier runs of the task left in its output directory; what is not as a run left it is `kept`."""
    task_id, removed = run.record.task_id, []
    ask = getattr(run.history, "origin_of", lambda path, task_id: ("foreign", ""))
    record = run.history.find_latest_execution(task_id, success_only=False)
    for path in leftovers.outdated(run.files, run.places.of(task_id), record):
        origin, run_id = ask(path, task_id)
        if origin == "left" or (origin == "edited" and force):
            run.files.unlink(path, missing_ok=True)
            removed.append(path)
            continue
        why = f"was not left by a run of {task_id} and was left alone: remove it yourself, or move it elsewhere"
        if origin == "edited":
            why = f"was edited since run {run_id} left it and was left alone: --force removes it"
        kept.append({"path": path, "why": why})
    return removed


def _emptied(files: Files, folder: str) -> list[str]:
    found = {f"{folder}/{name}": kind for name, kind in leftovers.entries(files, folder)}
    for name, kind in found.items():
        (files.remove_tree if kind == "directory" else files.unlink)(name, missing_ok=True)
    return list(found)
