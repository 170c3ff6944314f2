"""Checkpoints: finished steps are remembered, verified, and not done again."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_checkpoints.manager import ContextManager as ContextManager
    from pamola_tasks_checkpoints.manager import TaskContextManager as TaskContextManager
    from pamola_tasks_checkpoints.manager import create_task_context_manager as create_task_context_manager
    from pamola_tasks_checkpoints.steps import FinishedSteps as FinishedSteps

_HOMES = {
    "ContextManager": "manager",
    "FinishedSteps": "steps",
    "TaskContextManager": "manager",
    "create_task_context_manager": "manager",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"pamola_tasks_checkpoints.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_HOMES)
