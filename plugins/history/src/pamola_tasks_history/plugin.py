"""What the history plugin adds: the history service and the command `history`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import History, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    """The section `history` of the configuration."""
    return "pamola_tasks_history.settings:HistorySettings"


@hookimpl(trylast=True)
def pamola_provide_history(run: RunServices) -> History:
    """Record runs in `configs/execution_log.jsonl`, or where PAMOLA_EXECUTION_LOG_PATH says."""
    from pamola_tasks.storage.journal import key_of
    from pamola_tasks_history.log import ExecutionLog
    from pamola_tasks_history.settings import MIB

    path = os.environ.get("PAMOLA_EXECUTION_LOG_PATH", "")
    return ExecutionLog(
        run.files,
        path,
        logger=run.logger,
        redact=run.redact.value,
        key=lambda: key_of(run, "history"),
        segment_bytes=run.config.plugin("history").segment_mib * MIB,
    )


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    about = "List runs with time, duration and outcome."
    return {"history": Command("pamola_tasks_history.command:history", help=about, writes=False)}
