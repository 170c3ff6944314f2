"""What pamola-tasks-dashboard adds to the system."""

from __future__ import annotations

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """`pamola-task dashboard`."""
    about = "Show running tasks, history and reports on a local page."
    return {"dashboard": Command("pamola_tasks_dashboard.command:dashboard", help=about, writes=False)}
