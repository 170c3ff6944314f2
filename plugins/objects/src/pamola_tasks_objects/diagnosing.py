"""What `pamola-task doctor` says of object stores: drivers that are missing and, with --data, whether they answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks_objects.stores import missing_driver, opened

if TYPE_CHECKING:
    from pamola_tasks.protocols import KernelView, Project
    from pamola_tasks_objects.settings import ObjectsSettings


def diagnose(project: Project | None, kernel: KernelView, data: bool) -> Iterator[Diagnosis]:
    """One finding for each root of the project file."""
    if project is None:
        return
    try:
        settings: ObjectsSettings = kernel.services(None, upto="config").config.plugin("objects")
    except PamolaTaskError:  # said of the configuration
        return
    for name, root in settings.roots.items():
        subject = f"objects.roots.{name}"
        try:
            scheme = root.address.scheme
            if needed := missing_driver(scheme):
                yield Diagnosis("error", subject, f"no driver: {needed}", "install it")
            elif data:
                with opened(name, root) as store:
                    store.reach()
                yield Diagnosis("ok", subject, f"{root.url} answers")
        except PamolaTaskError as problem:
            yield Diagnosis("error", subject, str(problem), "see the manual, Object stores")
