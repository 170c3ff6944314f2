"""What pamola-tasks-cli adds to the system."""

from __future__ import annotations

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """The commands that belong to no other component."""
    return {
        "run": Command(
            "pamola_tasks_cli.run:command", help="Run tasks in dependency order, skipping steps that are up to date."
        ),
        "list": Command("pamola_tasks_cli.list:command", help="List the project's tasks.", writes=False),
        "show": Command(
            "pamola_tasks_cli.show:command",
            help="Show a task's plan: its steps and datasets, and what would run or be skipped.",
            writes=False,
        ),
        "status": Command(
            "pamola_tasks_cli.status:command", help="Show what is running and how each task ended.", writes=False
        ),
        "plugins": Command(
            "pamola_tasks_cli.plugins:command", help="List plugins and who provides which service.", writes=False
        ),
        "hooks": Command(
            "pamola_tasks_cli.hooks:command", help="List hooks, their contracts and implementers.", writes=False
        ),
        "ops": Command("pamola_tasks_cli.ops:command", help="List operations and their parameters.", writes=False),
        "clean": Command("pamola_tasks_cli.clean:command", help="Remove temporary files; never outputs."),
        "doctor": Command(
            "pamola_tasks_cli.doctor:command", help="Report what is installed, missing or damaged.", writes=False
        ),
        "completion": Command(
            "pamola_tasks_cli.completion:command", help="Print shell completion for bash, zsh or fish.", writes=False
        ),
    }
