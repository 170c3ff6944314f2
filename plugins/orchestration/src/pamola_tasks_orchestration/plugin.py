"""What pamola-tasks-orchestration adds: the scheduler, the command `graph`, and a check of selected steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import RunServices, Scheduler

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    about = "Draw the tasks and their dependencies, or the steps of one."
    return {"graph": Command("pamola_tasks_orchestration.graph:command", help=about, writes=False)}


@hookimpl(trylast=True)
def pamola_provide_scheduler(kernel: Kernel) -> Scheduler:
    """Run tasks in dependency order, or at the same time in processes of their own."""
    from pamola_tasks_orchestration.scheduler import TaskScheduler

    return TaskScheduler(kernel)


@hookimpl
def pamola_check_plan(run: RunServices) -> list[str]:
    """Refuse selected steps that need what was left out and was never made. A dry run shows them."""
    if run.dry or not run.options.selection:
        return []
    from pamola_tasks_orchestration.dry_run import selection_problems

    return selection_problems(run)
