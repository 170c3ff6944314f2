"""What pamola-tasks-audit adds to the system."""

from __future__ import annotations

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """`pamola-task verify`, which does not vouch for files while a plugin that may object is missing."""
    return {
        "verify": Command(
            "pamola_tasks_audit.verify:command",
            help="Re-hash a run's inputs and outputs and report changed or missing files.",
        )
    }
