"""Profiling operations for pamola-tasks: what is in a table, and what goes together in two joined ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .correlation import Correlation as Correlation
    from .correlation import correlate as correlate
    from .operations import CorrelationOperation as CorrelationOperation
    from .operations import ProfileOperation as ProfileOperation
    from .profile import ColumnProfile as ColumnProfile
    from .profile import TableProfile as TableProfile
    from .profile import profile_table as profile_table

_NAMES = {
    "ColumnProfile": "profile",
    "Correlation": "correlation",
    "CorrelationOperation": "operations",
    "ProfileOperation": "operations",
    "TableProfile": "profile",
    "correlate": "correlation",
    "profile_table": "profile",
}

__all__ = [
    "ColumnProfile",
    "Correlation",
    "CorrelationOperation",
    "ProfileOperation",
    "TableProfile",
    "correlate",
    "profile_table",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_NAMES[name]}", __name__), name)
