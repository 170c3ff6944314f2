"""What pamola-tasks-scaffold adds to the system."""

from __future__ import annotations

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """`pamola-task init`, `pamola-task new` and `pamola-task check-plugin`."""
    about = {
        "init": "Create a project with folders and an example task.",
        "new": "Create a task, operation, plugin or pack that runs.",
    }
    found = {name: Command(f"pamola_tasks_scaffold.{name}:command", help=text) for name, text in about.items()}
    checks = "Run the contract kit against a plugin: which promises it keeps."
    return {**found, "check-plugin": Command("pamola_tasks_scaffold.check_plugin:command", help=checks, writes=False)}


@hookimpl
def pamola_add_templates() -> dict[str, Command]:
    """What `pamola-task new` creates unless plugins add more."""
    about = {
        "task": "Create a task: a class with an operation of its own.",
        "operation": "Create an operation for this project.",
        "plugin": "Create a plugin to install.",
        "pack": "Create a pack of operations to install.",
    }
    return {name: Command(f"pamola_tasks_scaffold.templates:new_{name}", help=text) for name, text in about.items()}
