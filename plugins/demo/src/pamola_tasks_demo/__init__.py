"""The demo of pamola-tasks: a seeded table of synthetic patients, and the command that shows a privacy task on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_demo.patients import patients as patients

_HOMES = {"patients": "patients"}

__all__ = ["patients"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
