"""What pamola-tasks-scaffold adds to the system."""

from __future__ import annotations

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """`pamola-task init` and `pamola-task new`."""
    return {
        "init": Command(
            "pamola_tasks_scaffold.init:command", help="Create a project with folders and an example task."
        ),
        "new": Command("pamola_tasks_scaffold.new:command", help="Create a task, operation, plugin or pack that runs."),
    }
