"""Anonymization operations for pamola-tasks: k-anonymity by Mondrian multidimensional partitioning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .anonymize import AnonymizeOperation as AnonymizeOperation
    from .coding import TopBottomCodeOperation as TopBottomCodeOperation
    from .dropping import DropOperation as DropOperation
    from .generalizing import GeneralizeOperation as GeneralizeOperation
    from .masking import MaskOperation as MaskOperation
    from .measures import Grouping as Grouping
    from .noise import NoiseOperation as NoiseOperation
    from .pseudonymizing import PseudonymizeOperation as PseudonymizeOperation
    from .pseudonymizing import ReidentifyOperation as ReidentifyOperation
    from .release import Release as Release
    from .release import k_anonymous as k_anonymous
    from .risk import RiskOperation as RiskOperation
    from .suppressing import SuppressOperation as SuppressOperation
    from .utility import UtilityOperation as UtilityOperation

_NAMES = {
    "UtilityOperation": "utility",
    "NoiseOperation": "noise",
    "RiskOperation": "risk",
    "ReidentifyOperation": "pseudonymizing",
    "PseudonymizeOperation": "pseudonymizing",
    "TopBottomCodeOperation": "coding",
    "SuppressOperation": "suppressing",
    "MaskOperation": "masking",
    "GeneralizeOperation": "generalizing",
    "DropOperation": "dropping",
    "AnonymizeOperation": "anonymize",
    "Grouping": "measures",
    "Release": "release",
    "k_anonymous": "release",
}

__all__ = [
    "AnonymizeOperation",
    "DropOperation",
    "GeneralizeOperation",
    "Grouping",
    "MaskOperation",
    "NoiseOperation",
    "PseudonymizeOperation",
    "ReidentifyOperation",
    "Release",
    "RiskOperation",
    "SuppressOperation",
    "TopBottomCodeOperation",
    "UtilityOperation",
    "k_anonymous",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_NAMES[name]}", __name__), name)
