"""What the directories plugin adds: where everything is, the directories of a run's task, and the lock of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, Directories, Lock, Places, Project, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    """The section `directories` of the configuration."""
    return "pamola_tasks_directories.settings:DirectoriesSettings"


@hookimpl(trylast=True)
def pamola_provide_places(project: Project, config: Config) -> Places:
    """The layout of the project."""
    from pamola_tasks_directories.places import ProjectPlaces

    return ProjectPlaces(project.files, config.data_repository, config.plugin("directories").extra)


@hookimpl(trylast=True)
def pamola_provide_directories(run: RunServices) -> Directories:
    """The directories of the run's task."""
    from pamola_tasks_directories.manager import TaskDirectoryManager

    return TaskDirectoryManager(run)


@hookimpl(trylast=True)
def pamola_provide_lock(run: RunServices) -> Lock:
    """A lock of the operating system."""
    from pamola_tasks_directories.task_lock import TaskLock

    return TaskLock(run)
