"""The execution history: which task ran when, how it ended, what it read and wrote."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_history.log import ExecutionLog as ExecutionLog

_HOMES = {"ExecutionLog": "log"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"pamola_tasks_history.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_HOMES)
