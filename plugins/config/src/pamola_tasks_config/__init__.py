"""Project discovery and the cascade of configuration for pamola-tasks."""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_config.declared import DeclaredTask as DeclaredTask
    from pamola_tasks_config.declared import TaskRunner as TaskRunner
    from pamola_tasks_config.project_config import load_project_config as load_project_config
    from pamola_tasks_config.project_config import save_project_config as save_project_config
    from pamola_tasks_config.projects import find_project_root as find_project_root
    from pamola_tasks_config.projects import is_valid_project_root as is_valid_project_root
    from pamola_tasks_config.task_config import TaskConfig as TaskConfig
    from pamola_tasks_config.task_config import load_task_config as load_task_config

__getattr__, __dir__, __all__ = lazily(
    __name__,
    {
        "declared": "DeclaredTask TaskRunner",
        "project_config": "load_project_config save_project_config",
        "projects": "find_project_root is_valid_project_root",
        "task_config": "TaskConfig load_task_config",
    },
)
