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


@hookimpl
def pamola_add_templates() -> dict[str, Command]:
    """What `pamola-task new` creates unless plugins add more."""
    return {
        "task": Command("pamola_tasks_scaffold.templates:new_task", help="Create a task: a declaration or a class."),
        "operation": Command(
            "pamola_tasks_scaffold.templates:new_operation", help="Create an operation for this project."
        ),
        "plugin": Command("pamola_tasks_scaffold.templates:new_plugin", help="Create a plugin to install."),
        "pack": Command("pamola_tasks_scaffold.templates:new_pack", help="Create a pack of operations to install."),
    }
