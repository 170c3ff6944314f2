"""What the demo plugin adds: the command `demo`."""

from __future__ import annotations

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """The command `demo`."""
    about = "Run a whole privacy task on synthetic patients or your own table."
    return {"demo": Command("pamola_tasks_demo.command:demo", help=about)}
