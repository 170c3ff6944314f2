"""What the history plugin adds: the history service, the command `history`, and whether the history was put back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.protocols import Diagnosis, History, KernelView, Project, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    """The section `history` of the configuration."""
    return "pamola_tasks_history.settings:HistorySettings"


@hookimpl(trylast=True)
def pamola_provide_history(run: RunServices) -> History:
    """Record runs in `configs/execution_log.jsonl`, or where PAMOLA_EXECUTION_LOG_PATH says."""
    from pamola_tasks.storage.journal import key_of
    from pamola_tasks_history.anchored import AnchoredLog
    from pamola_tasks_history.settings import MIB

    path, settings = os.environ.get("PAMOLA_EXECUTION_LOG_PATH", ""), run.config.plugin("history")
    return AnchoredLog(
        run.files,
        path,
        project_id=run.project.id,
        anchor=settings.anchor,
        logger=run.logger,
        redact=run.redact.value,
        key=lambda: key_of(run, "history"),
        kept_runs=getattr(run.places, "kept_runs", lambda task_id: ()),
        segment_bytes=settings.segment_mib * MIB,
    )


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    about = "List runs with time, duration and outcome."
    return {"history": Command("pamola_tasks_history.command:history", help=about, writes=False)}


@hookimpl
def pamola_add_diagnoses(project: Project | None, kernel: KernelView, data: bool) -> Iterable[Diagnosis]:
    """Whether the history has the run that was noted last outside the project; what is wrong is in `doctor --data`."""
    if project is None:
        return ()
    from pamola_tasks_history.anchored import diagnoses

    return diagnoses(kernel, data=data)
