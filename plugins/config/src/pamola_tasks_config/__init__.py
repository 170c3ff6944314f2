"""Project discovery and the cascade of configuration for pamola-tasks."""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_config.declared import DeclaredTask as DeclaredTask
    from pamola_tasks_config.projects import find_project_root as find_project_root
    from pamola_tasks_config.task_config import TaskConfig as TaskConfig
    from pamola_tasks_config.task_config import load_task_config as load_task_config

__getattr__, __dir__, __all__ = lazily(
    __name__,
    {
        "declared": "DeclaredTask",
        "projects": "find_project_root",
        "task_config": "TaskConfig load_task_config",
    },
)
