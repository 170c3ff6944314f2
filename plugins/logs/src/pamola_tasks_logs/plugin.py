"""What the logs plugin adds: the logging service, and the settings of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import Logging, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    """The section `logs`: when files are rotated."""
    return "pamola_tasks_logs.settings:LogSettings"


@hookimpl(trylast=True)
def pamola_provide_logging(run: RunServices) -> Logging:
    """Log to `logs/project.log`, `logs/<task_id>.log` and stderr."""
    from pamola_tasks_logs.service import RunLogs

    return RunLogs(run)
