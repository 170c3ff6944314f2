"""What pamola-tasks-cli adds to the system."""

from __future__ import annotations

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1

_HELP = {
    "run": "Run tasks in dependency order, skipping steps that are up to date.",
    "list": "List the project's tasks.",
    "show": "Show a task's plan: its steps and datasets, and what would run or be skipped.",
    "status": "Show running tasks and how each task ended.",
    "plugins": "List plugins and who provides which service.",
    "hooks": "List hooks, their contracts and implementers.",
    "ops": "List operations and their parameters.",
    "clean": "Remove temporary files; never outputs.",
    "doctor": "Report installed, missing and damaged components.",
    "completion": "Print shell completion for bash, zsh or fish.",
}


_WITH_OTHERS = {"list": "status:list_command", "hooks": "plugins:hooks_command"}


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """The commands that belong to no other component."""
    targets = {name: f"pamola_tasks_cli.{_WITH_OTHERS.get(name, f'{name}:command')}" for name in _HELP}
    return {name: Command(targets[name], help=text, writes=name in ("run", "clean")) for name, text in _HELP.items()}
