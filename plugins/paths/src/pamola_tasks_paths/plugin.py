"""What the paths plugin adds: the guard of a project's files, and what `doctor` says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl
from pamola_tasks.errors import PamolaTaskError

if TYPE_CHECKING:
    from pamola_tasks.protocols import Diagnosis, KernelView, PathGuard, Project

PAMOLA_HOOK_API = 1


@hookimpl(trylast=True)
def pamola_provide_path_guard(project: Project) -> PathGuard:
    """Guard the project's root."""
    from pamola_tasks_paths.guard import ProjectGuard

    return ProjectGuard(project.root)


@hookimpl
def pamola_add_diagnoses(project: Project | None, kernel: KernelView) -> list[Diagnosis]:
    """How strong the guard in use is on this system, where it is one of ours, and which inputs others can read."""
    from pamola_tasks_paths.guard import ProjectGuard, diagnose

    if project is None or not isinstance(project.files.guard, ProjectGuard):
        return []
    try:
        raw = kernel.services(None, upto="places").places.folders["raw"]
    except PamolaTaskError:  # a diagnosis of its own
        raw = ""
    return diagnose(project, raw)
