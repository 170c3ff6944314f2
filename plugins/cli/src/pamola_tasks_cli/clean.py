"""`pamola-task clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pamola_tasks.storage import leftovers
from pamola_tasks.storage.leftovers import entries
from pamola_tasks_cli.output import print_json
from pamola_tasks_directories.places import place_of, places

if TYPE_CHECKING:
    from pamola_tasks.storage.files import Files
    from pamola_tasks_cli.app import Invocation


@click.command("clean")
@click.argument("task", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, task: str | None, as_json: bool) -> None:
    """Remove temporary files: of one task, or of the whole project. Never outputs, never a task that is running."""
    kernel = cli.kernel
    run = kernel.services(None, upto="config")
    files = run.files
    found = [place_of(kernel, run, task)] if task else list(places(kernel, run).values())
    removed: list[str] = []
    running: list[str] = []
    for place in found:
        home = place.home
        if place.is_running():
            running.append(place.task_id)
            continue
        for name, kind in entries(files, f"{home}/temp"):
            _remove(files, f"{home}/temp/{name}", kind)
            removed.append(f"{home}/temp/{name}")
        removed += leftovers.remove_of_task(files, home)
    if not task and not running:
        for folder in ("configs", f"{run.config.data_repository}/reports", "logs"):
            removed += leftovers.remove_unpublished(files, folder)
    if as_json:
        print_json({"removed": removed, "running": running})
        return
    for name in removed:
        click.echo(name)
    click.echo(f"{len(removed)} removed")
    for name in running:
        click.secho(f"{name} is running and was left alone", fg="yellow", err=True)


def _remove(files: Files, name: str, kind: str) -> None:
    if kind == "directory":
        files.remove_tree(name, missing_ok=True)
    else:
        files.unlink(name, missing_ok=True)
