"""Anonymization operations for pamola-tasks: k-anonymity by Mondrian multidimensional partitioning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .anonymize import AnonymizeOperation as AnonymizeOperation
    from .identifiers import LikelyIdentifier as LikelyIdentifier
    from .identifiers import likely_identifiers as likely_identifiers
    from .measures import Grouping as Grouping
    from .release import Release as Release
    from .release import k_anonymous as k_anonymous

_NAMES = {
    "AnonymizeOperation": "anonymize",
    "Grouping": "measures",
    "LikelyIdentifier": "identifiers",
    "Release": "release",
    "k_anonymous": "release",
    "likely_identifiers": "identifiers",
}

__all__ = [
    "AnonymizeOperation",
    "Grouping",
    "LikelyIdentifier",
    "Release",
    "k_anonymous",
    "likely_identifiers",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_NAMES[name]}", __name__), name)
