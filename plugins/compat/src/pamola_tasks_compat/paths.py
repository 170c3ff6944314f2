"""Judging paths without opening them.

The functions use the lexical gate of the path guard. A judgement is only true at the moment it is made: to read or
write, open the name through `run.files`, which checks and opens in one.

A relative path is taken from the project's root: `PAMOLA_PROJECT_ROOT`, else the nearest folder upwards that holds a
marker (`.pamola.toml`, `.pamolaProject`, `configs/prj_config.*`), else the current folder. That root is also what is
allowed where no list is given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.storage.trust import root_of
from pamola_tasks_compat.owners import owned

AnyPath = str | os.PathLike[str]

_UNSAFE_IN_ABSOLUTE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff|<>*?]|\$\(|\$\{|`.*`")


def _gate(name: str) -> Any:
    return owned("path_guard", "pamola_tasks_paths.names", name)


def _shown(path: object) -> str:
    return str(_gate("shown")(path))


def get_system_specific_dangerous_paths() -> list[str]:
    """The folders of this operating system that tasks must not use."""
    return list(_gate("system_directories")())


def is_potentially_dangerous_path(path: AnyPath) -> bool:
    """Whether a path is suspicious by its text alone: climbs, is not a safe name, or is in a system folder."""
    return _danger(path) is not None


def is_within_allowed_paths(path: AnyPath, allowed_paths: Iterable[AnyPath]) -> bool:
    """Whether a path, all symbolic links resolved, is one of some folders or is in one of them.

    Args:
        path: Absolute, or relative to the project's root.
        allowed_paths: Folders or files, likewise.
    """
    base = _project_root()
    final = _final(path, base)
    return any(final.is_relative_to(_final(folder, base)) for folder in allowed_paths)


def validate_path_security(
    path: AnyPath,
    allowed_paths: Iterable[AnyPath] | None = None,
    allow_external: bool = False,
    strict_mode: bool = True,
) -> bool:
    """Whether a path may be used.

    Args:
        path: Absolute, or relative to the project's root.
        allowed_paths: Folders that it must be in, symbolic links resolved; the project's root unless given.
        allow_external: Whether it may be elsewhere too. System folders are refused all the same.
        strict_mode: Raise instead of returning False.

    Raises:
        PathSecurityError: In strict mode, with the reason.
    """
    problem = _problem(path, _project_root(), allowed_paths, allow_external)
    if problem is None:
        return True
    if strict_mode:
        raise PathSecurityError(problem)
    return False


def validate_paths(
    paths: Iterable[AnyPath], allowed_paths: Sequence[AnyPath] | None = None, allow_external: bool = False
) -> tuple[bool, list[str]]:
    """Judge several paths; never raises for a path.

    Returns:
        Whether all may be used, and for each that may not, the reason.
    """
    base = _project_root()
    found = (_problem(path, base, allowed_paths, allow_external) for path in paths)
    problems = [problem for problem in found if problem is not None]
    return not problems, problems


def normalize_and_validate_path(
    path: AnyPath,
    base_dir: AnyPath | None = None,
    allowed_paths: Iterable[AnyPath] | None = None,
    allow_external: bool = False,
) -> Path:
    """The absolute path with all symbolic links resolved, if it may be used.

    Args:
        path: Absolute, or relative to `base_dir`; never to the current folder.
        base_dir: The project's root unless given. It is also what is allowed where no list is given.
        allowed_paths: Folders that the path must be in.
        allow_external: Whether it may be elsewhere too.

    Raises:
        PathSecurityError: With the reason.
    """
    base = _project_root() if base_dir is None else Path(os.path.abspath(base_dir))
    problem = _problem(path, base, allowed_paths, allow_external)
    if problem is not None:
        raise PathSecurityError(problem)
    return _final(path, base)


def _problem(path: object, base: Path, allowed_paths: Iterable[AnyPath] | None, allow_external: bool) -> str | None:
    """Why a path must not be used, or None."""
    if not isinstance(path, (str, os.PathLike)):
        return f"a path must be text, not {type(path).__name__}"
    text = _own_part(os.fspath(path), base)
    problem = _danger(text)
    if problem is not None:
        return problem
    try:
        final = _final(path, base)
    except (OSError, ValueError) as error:
        return f"{_shown(path)} is refused: it cannot be resolved ({error})"
    system = _gate("system_directory_of")(str(final))
    if system is not None and not final.is_relative_to(_final(base, base)):
        return f"{_shown(path)} is refused: it is in the system folder {system}"
    if allow_external:
        return None
    allowed = [base] if allowed_paths is None else list(allowed_paths)
    if any(final.is_relative_to(_final(folder, base)) for folder in allowed):
        return None
    places = ", ".join(os.fspath(folder) for folder in allowed) or "all allowed paths"
    return f"{_shown(path)} is refused: it is outside {places}"


def _own_part(text: object, base: Path) -> object:
    """The part of an absolute path that lies below the base: how the base itself is called is not judged."""
    if isinstance(text, str) and os.path.isabs(text):
        for folder in (str(base), os.path.realpath(base)):
            if text == folder:
                return "."
            if text.startswith(folder.rstrip(os.sep) + os.sep):
                return text[len(folder) :].lstrip(os.sep) or "."
    return text


def _danger(path: object) -> str | None:
    """Why a path is refused by its text alone, or None."""
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str):
        return f"a path must be text, not {type(path).__name__}"
    if not os.path.isabs(path):
        problem = "it climbs out of the folder it starts from" if _gate("climbs")(path) else _gate("name_problem")(path)
    elif system := _gate("system_directory_of")(path):
        problem = f"it is in the system folder {system}"
    elif ".." in path.split("/") or (os.sep != "/" and ".." in path.split(os.sep)):
        problem = "an absolute path must not hold `..`"
    elif path.startswith("//") or _UNSAFE_IN_ABSOLUTE.search(path) or not path.strip(" /"):
        problem = "it is not a plain absolute path"
    else:
        problem = None
    return None if problem is None else f"{_shown(path)} is refused: {problem}"


def _final(path: AnyPath, base: Path) -> Path:
    return Path(os.path.realpath(os.path.join(base, os.fspath(path))))


def _project_root() -> Path:
    named = os.environ.get("PAMOLA_PROJECT_ROOT")
    return Path(os.path.abspath(named)) if named else root_of(Path.cwd())[0]
