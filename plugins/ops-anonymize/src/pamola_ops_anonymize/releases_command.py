"""`pamola-task releases`: what the register of releases has, and how a release is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .register import Entry, Register, register_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, KernelView


@click.group("releases")
def command() -> None:
    """List the project's releases, or withdraw one that was never handed out.

    Each table that AnonymizeOperation publishes is compared with all earlier releases of the same persons.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def list_releases(cli: CommandLine, as_json: bool) -> None:
    """List the releases: when, by which task, of how many persons."""
    found = [_told(entry) for entry in _register(cli.kernel).entries()]
    if as_json:
        cli.out.print_json({"schema": 1, "releases": found})
    elif not found:
        cli.out.note("no release is in the register")
    else:
        rows = [
            (
                str(told["release"]),
                told["status"],
                f"{str(told['time'])[:16].replace('T', ' ')}",
                str(told["task_id"]),
                str(told["dataset"]),
                f"{told['persons']:,}",
                f"{told['classes']:,}",
            )
            for told in found
        ]
        cli.out.print_table(rows, ("release", "status", "time (UTC)", "task", "dataset", "persons", "classes"))


@command.command("withdraw")
@click.argument("number", type=int)
@click.option("--reason", default="", help="Why, for the register.")
@click.pass_obj
def withdraw(cli: CommandLine, number: int, reason: str) -> None:
    """Take release NUMBER out, if it was never handed out: later releases are no longer compared with it."""
    entry = _register(cli.kernel).withdraw(number, reason)
    cli.out.note(f"{entry} is withdrawn: later releases are not compared with it. Delete {entry.file or 'its file'}")


def _register(kernel: KernelView) -> Register:
    return register_of(kernel.services(None, upto="encryption"))


def _told(entry: Entry) -> dict[str, Any]:
    names = ("time", "task_id", "run_id", "step", "input", "dataset", "persons", "records", "classes", "settings")
    about = {name: entry.facts.get(name) for name in names}
    more = {"file": entry.file, "sha256": entry.sha256, "reason": entry.reason}
    return {"release": entry.number, "status": entry.status, **about, **more}
