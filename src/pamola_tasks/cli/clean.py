"""`pamola-task clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pamola_tasks import files as durable
from pamola_tasks.cli.app import State, pass_state
from pamola_tasks.cli.output import json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.files import Files


@click.command("clean")
@click.argument("task", required=False)
@json_option
@pass_state
def command(state: State, task: str | None, as_json: bool) -> None:
    """Remove temporary files: of one task, or of the whole project. Never outputs, never a task that is running."""
    kernel = state.kernel
    run = kernel.services(None, upto="config")
    files, processed = run.files, f"{run.config.data_repository}/processed"
    tasks = [kernel.task(task).task_id] if task else [n for n, s in _entries(files, processed) if s == "directory"]
    removed: list[str] = []
    running: list[str] = []
    for task_id in tasks:
        home = f"{processed}/{task_id}"
        if not _idle(files, f"{home}/.state/lock"):
            running.append(task_id)
            continue
        for name, kind in _entries(files, f"{home}/temp"):
            _remove(files, f"{home}/temp/{name}", kind)
            removed.append(f"{home}/temp/{name}")
        for name, _ in _entries(files, f"{home}/.state/steps"):
            if name.endswith(".new"):
                files.remove_tree(f"{home}/.state/steps/{name}", missing_ok=True)
                removed.append(f"{home}/.state/steps/{name}")
        removed += _remove_unpublished(files, home)
    if not task and not running:
        for folder in ("configs", f"{run.config.data_repository}/reports", "logs"):
            removed += _remove_unpublished(files, folder)
    if as_json:
        print_json({"removed": removed, "running": running})
        return
    for name in removed:
        click.echo(name)
    click.echo(f"{len(removed)} removed")
    for name in running:
        click.secho(f"{name} is running and was left alone", fg="yellow", err=True)


def _entries(files: Files, folder: str) -> list[tuple[str, str]]:
    if not files.exists(folder):
        return []
    return [(name, stat.kind) for name, stat in files.iter(folder)]


def _remove(files: Files, name: str, kind: str) -> None:
    if kind == "directory":
        files.remove_tree(name, missing_ok=True)
    else:
        files.unlink(name, missing_ok=True)


def _remove_unpublished(files: Files, folder: str) -> list[str]:
    """Remove what a killed process had begun to write beside a file's place."""
    found = list(_unpublished(files, folder))
    for name in found:
        files.unlink(name, missing_ok=True)
    return found


def _unpublished(files: Files, folder: str) -> Iterator[str]:
    for name, kind in _entries(files, folder):
        path = f"{folder}/{name}"
        if kind == "directory":
            yield from _unpublished(files, path)
        elif durable.is_temporary(name):
            yield path


def _idle(files: Files, lock: str) -> bool:
    """Whether nobody holds a task's lock."""
    if not files.exists(lock):
        return True
    with files.append(lock) as file:
        free = durable.lock(file.fileno(), wait=False)
        if free:
            durable.unlock(file.fileno())
        return free
