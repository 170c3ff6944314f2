"""The command `checkpoints`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import AlreadyRunning, UsageError
from pamola_tasks.protocols import RunServices
from pamola_tasks.record import rfc3339
from pamola_tasks_checkpoints.entries import DROPPED
from pamola_tasks_checkpoints.manager import TaskContextManager

if TYPE_CHECKING:
    from pamola_tasks.protocols import Checkpoints, CommandLine
    from pamola_tasks.record import SavedStep


HEADERS = ("checkpoint", "kind", "when (UTC)", "size", "run")


@click.command()
@click.argument("task")
@click.option("--clear", is_flag=True, help="Delete them all; the next run starts from the beginning.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def checkpoints(cli: CommandLine, task: str, clear: bool, as_json: bool) -> None:
    """List the finished steps of TASK: when they finished, the size of their outputs, and the run."""
    run = cli.kernel.services(task, upto="checkpoints")
    manager = run.checkpoints
    if not manager.enabled:
        why = "no plugin keeps any" if run.config.enable_checkpoints else "enable_checkpoints is false"
        raise UsageError(f"checkpoints of {run.record.task_id} are off ({why}): none is read, and none deleted")
    rows = listed(run, manager) if isinstance(manager, TaskContextManager) else finished_steps(manager)
    if clear:
        cli.refuse_if_broken()
        _clear(run, manager)
    if as_json:
        cli.out.print_json({"task": run.record.task_id, "cleared": clear, "checkpoints": rows})
    elif clear:
        click.echo(f"deleted {len(rows)} checkpoints of {run.record.task_id}")
    elif rows:
        cli.out.print_table([_row(row, cli.out.size(row["bytes"])) for row in rows], HEADERS)
    else:
        cli.out.note(f"{run.record.task_id} has no checkpoints: no step is finished")


def listed(run: RunServices, manager: TaskContextManager) -> list[dict[str, Any]]:
    """Finished steps and named states, newest first."""
    steps = manager.load()
    found = []
    for name, moment in manager.get_checkpoints():
        path = manager.directory / f"{name}.json"
        if name in steps and not run.files.exists(path):
            facts = _of_step(steps[name])
        else:
            facts = {"kind": "state", "run": None, "bytes": run.files.stat(path).size, "files": [run.files.name(path)]}
        found.append({"name": name, "time": rfc3339(moment), **facts})
    return found


def finished_steps(checkpoints: Checkpoints) -> list[dict[str, Any]]:
    """What any provider of checkpoints remembers, newest first."""
    steps = sorted(checkpoints.load().values(), key=lambda saved: saved.time, reverse=True)
    return [{"name": saved.step_id, "time": saved.time, **_of_step(saved)} for saved in steps]


def _of_step(saved: SavedStep) -> dict[str, Any]:
    return {
        "kind": "step",
        "run": saved.run_id,
        "bytes": sum(output.bytes for output in saved.outputs if output.kind != DROPPED),
        "files": [output.path for output in saved.outputs if output.kind != DROPPED],
    }


def _clear(run: RunServices, manager: Checkpoints) -> None:
    """Forget everything, unless the task runs, and would lose what it stands on."""
    if not run.files.exists(run.places.of(run.record.task_id).state):
        return  # nothing to forget
    try:
        with run.lock.keeping_out(run.record.task_id):
            manager.clear()
    except AlreadyRunning as error:
        raise AlreadyRunning(f"{error}: its checkpoints are in use and stay") from None


def _row(row: dict[str, Any], size: str) -> list[str]:
    when = f"{row['time'][:10]} {row['time'][11:19]}"
    return [row["name"], row["kind"], when, size, row["run"] or ""]
