"""Progress of a run: bars on stderr for people, counts for everybody."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_progress.manager import ProgressContext, TaskProgressManager, create_task_progress_manager
    from pamola_tasks_progress.tracker import NoOpProgressTracker, ProgressTracker

_HOMES = {
    "NoOpProgressTracker": "tracker",
    "ProgressContext": "manager",
    "ProgressTracker": "tracker",
    "TaskProgressManager": "manager",
    "create_task_progress_manager": "manager",
}

__all__ = [
    "NoOpProgressTracker",
    "ProgressContext",
    "ProgressTracker",
    "TaskProgressManager",
    "create_task_progress_manager",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
