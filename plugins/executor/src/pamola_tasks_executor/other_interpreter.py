"""Whether a step runs in another interpreter: asked of every step, so nothing of it is imported where none does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pamola_tasks_executor.settings import stated_interpreter

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_executor.settings import ExecutorSettings

_WORKING = f"{__package__}.in_interpreter"


def placed(settings: ExecutorSettings, step: Step) -> Step:
    """The step, or one like it whose work is done by the interpreter that was stated."""
    if not (python := stated_interpreter(settings, step)):
        return step
    from pamola_tasks_executor import in_interpreter

    return in_interpreter.placed(step, python)


def idle_pids() -> set[int]:
    """Numbers of the processes of other interpreters that wait for work."""
    found = sys.modules.get(_WORKING)
    return found.idle.pids() if found is not None else set()


def end_idle(run: RunServices) -> None:
    """End those of a run."""
    if (found := sys.modules.get(_WORKING)) is not None:
        found.idle.end(run.id)
