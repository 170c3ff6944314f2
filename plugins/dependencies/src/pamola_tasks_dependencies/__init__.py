"""Dependencies: whether the tasks that a task needs have succeeded, and what they left."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_dependencies.manager import TaskDependencyManager as TaskDependencyManager
    from pamola_tasks_dependencies.manager import UnknownMetricError as UnknownMetricError

_HOMES = {"TaskDependencyManager": "manager", "UnknownMetricError": "manager"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"pamola_tasks_dependencies.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_HOMES)
