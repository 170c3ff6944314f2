"""What the paths plugin adds: the guard of a project's files, and what `doctor` says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Diagnosis, PathGuard, Project

PAMOLA_HOOK_API = 1


@hookimpl(trylast=True)
def pamola_provide_path_guard(project: Project) -> PathGuard:
    """Guard the project's root."""
    from pamola_tasks_paths.guard import ProjectGuard

    return ProjectGuard(project.root)


@hookimpl
def pamola_add_diagnoses(project: Project | None) -> list[Diagnosis]:
    """How strong the guard in use is on this system, where it is one of ours."""
    from pamola_tasks_paths.guard import ProjectGuard, diagnose

    return diagnose(project) if project and isinstance(project.files.guard, ProjectGuard) else []
