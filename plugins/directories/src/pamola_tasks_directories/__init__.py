"""The directories of a task: where inputs, outputs, dictionaries, temporary files and reports lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_directories.manager import DirectoryManager as DirectoryManager
    from pamola_tasks_directories.manager import TaskDirectoryManager as TaskDirectoryManager


def __getattr__(name: str) -> Any:
    if name in ("DirectoryManager", "TaskDirectoryManager"):
        from pamola_tasks_directories import manager

        return getattr(manager, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
