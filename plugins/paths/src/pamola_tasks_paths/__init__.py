"""The path guard: names become open files that lie where they are allowed to lie."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_paths.guard import ProjectGuard as ProjectGuard
    from pamola_tasks_paths.names import check_name as check_name
    from pamola_tasks_paths.names import check_part as check_part
    from pamola_tasks_paths.saferoot import SafeRoot as SafeRoot
    from pamola_tasks_paths.validation import get_system_specific_dangerous_paths as get_system_specific_dangerous_paths
    from pamola_tasks_paths.validation import is_potentially_dangerous_path as is_potentially_dangerous_path
    from pamola_tasks_paths.validation import is_within_allowed_paths as is_within_allowed_paths
    from pamola_tasks_paths.validation import normalize_and_validate_path as normalize_and_validate_path
    from pamola_tasks_paths.validation import validate_path_security as validate_path_security
    from pamola_tasks_paths.validation import validate_paths as validate_paths

_HOMES = {
    "SafeRoot": "saferoot",
    "ProjectGuard": "guard",
    "check_name": "names",
    "check_part": "names",
    "get_system_specific_dangerous_paths": "validation",
    "is_potentially_dangerous_path": "validation",
    "is_within_allowed_paths": "validation",
    "normalize_and_validate_path": "validation",
    "validate_path_security": "validation",
    "validate_paths": "validation",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"pamola_tasks_paths.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_HOMES)
