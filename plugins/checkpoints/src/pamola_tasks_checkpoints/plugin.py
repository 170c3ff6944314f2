"""What the checkpoints plugin adds: the checkpoint service and the command `checkpoints`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Checkpoints, RunServices

PAMOLA_HOOK_API = 1


@hookimpl(trylast=True)
def pamola_provide_checkpoints(run: RunServices) -> Checkpoints:
    """Remember finished steps in a journal of the task."""
    from pamola_tasks_checkpoints.manager import for_run

    return for_run(run)


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    about = "List a task's finished steps, or delete their checkpoints."
    target = "pamola_tasks_checkpoints.command:checkpoints"
    return {"checkpoints": Command(target, help=about, writes=False)}  # --clear asks
