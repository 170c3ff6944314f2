"""What the directories plugin adds: the layout of a task's directories, and its one setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Directories, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    """The section `directories` of the configuration."""
    return "pamola_tasks_directories.settings:DirectoriesSettings"


@hookimpl(trylast=True)
def pamola_provide_directories(run: RunServices) -> Directories:
    """The directories of the run's task."""
    from pamola_tasks_directories.manager import TaskDirectoryManager

    return TaskDirectoryManager.of_run(run)
