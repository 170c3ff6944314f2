"""Project discovery and the cascade of configuration for pamola-tasks. Names are resolved when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_config.declared import DeclaredTask, TaskRunner
    from pamola_tasks_config.projects import find_project_root, is_valid_project_root
    from pamola_tasks_config.standing import (
        clear_config_cache,
        create_default_project_structure,
        get_project_paths,
        load_project_config,
        load_task_config,
        save_project_config,
    )
    from pamola_tasks_config.task_config import TaskConfig

_HOMES = {
    "DeclaredTask": "declared",
    "TaskConfig": "task_config",
    "TaskRunner": "declared",
    "clear_config_cache": "standing",
    "create_default_project_structure": "standing",
    "find_project_root": "projects",
    "get_project_paths": "standing",
    "is_valid_project_root": "projects",
    "load_project_config": "standing",
    "load_task_config": "standing",
    "save_project_config": "standing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pamola_tasks_config' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"pamola_tasks_config.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "DeclaredTask",
    "TaskConfig",
    "TaskRunner",
    "clear_config_cache",
    "create_default_project_structure",
    "find_project_root",
    "get_project_paths",
    "is_valid_project_root",
    "load_project_config",
    "load_task_config",
    "save_project_config",
]
