"""What the checkpoints plugin adds: the checkpoint service and the command `checkpoints`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Checkpoints, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    """The section `checkpoints`."""
    return "pamola_tasks_checkpoints.settings:CheckpointsSettings"


@hookimpl
def pamola_on_run_finished(run: RunServices) -> None:
    """Delete intermediate datasets, where a successful run of all steps is to leave none."""
    if not run.record.success or run.options.selection or run.config.plugin("checkpoints").keep_intermediate:
        return  # a run that failed early has no checkpoints
    if drop := getattr(run.checkpoints, "drop_intermediate", None):
        drop()


@hookimpl(trylast=True)
def pamola_provide_checkpoints(run: RunServices) -> Checkpoints:
    """Remember finished steps in a journal of the task."""
    from pamola_tasks_checkpoints.manager import for_run

    return for_run(run)


@hookimpl
def pamola_check_plan(run: RunServices) -> list[str]:
    """Refuse to keep older tables where the layout has no place for them."""
    from pamola_tasks_checkpoints.earlier import problems

    return list(problems(run, run.config.plugin("checkpoints").keep_releases))


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    about = "List a task's finished steps, or delete their checkpoints."
    target = "pamola_tasks_checkpoints.command:checkpoints"
    return {"checkpoints": Command(target, help=about, writes=False)}  # --clear asks
