"""Logs of the project and of each task, rotated by size, as text or JSON lines."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_logs.files import RotatingLogHandler
    from pamola_tasks_logs.formats import JsonLines, TextLines
    from pamola_tasks_logs.service import RunLogs
    from pamola_tasks_logs.settings import LogSettings
    from pamola_tasks_logs.standalone import configure_logging, configure_task_logging, task_logging_context

_HOMES = {
    "JsonLines": "formats",
    "LogSettings": "settings",
    "RotatingLogHandler": "files",
    "RunLogs": "service",
    "TextLines": "formats",
    "configure_logging": "standalone",
    "configure_task_logging": "standalone",
    "task_logging_context": "standalone",
}

__all__ = [
    "JsonLines",
    "LogSettings",
    "RotatingLogHandler",
    "RunLogs",
    "TextLines",
    "configure_logging",
    "configure_task_logging",
    "task_logging_context",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
