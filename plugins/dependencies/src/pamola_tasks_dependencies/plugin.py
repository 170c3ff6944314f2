"""What the dependencies plugin adds: the service that knows what other tasks left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Dependencies, RunServices

PAMOLA_HOOK_API = 1


@hookimpl(trylast=True)
def pamola_provide_dependencies(run: RunServices) -> Dependencies:
    """Look at the reports and the history of the tasks that this one depends on."""
    from pamola_tasks_dependencies.manager import TaskDependencyManager

    return TaskDependencyManager(run.config, files=run.files, places=run.places, history=run.history, warn=run.warn)
