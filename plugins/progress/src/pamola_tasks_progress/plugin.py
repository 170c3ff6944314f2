"""What the progress plugin adds: the progress service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Progress, RunServices

PAMOLA_HOOK_API = 1


@hookimpl(trylast=True)
def pamola_provide_progress(run: RunServices) -> Progress:
    """Show bars on stderr, on a terminal."""
    from pamola_tasks_progress.manager import TaskProgressManager, nobody_looks

    quiet = run.options.quiet or nobody_looks()
    return TaskProgressManager(run.record.task_id, quiet=quiet, redact=run.redact)
