"""Finding a project: the folder upwards that holds a marker.

Nothing guards files yet when this runs, so it only looks whether markers exist, and reads the project's id.
"""

from __future__ import annotations

import os
import stat
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path

from pamola_tasks.errors import ProjectError
from pamola_tasks.protocols import Project

_FORMS = ("yaml", "yml", "toml", "json")
MARKERS = (".pamola.toml", ".pamolaProject", *(f"configs/prj_config.{form}" for form in _FORMS))
ID_FILE = ".pamola/id"
DEFAULT_DEPTH = 20


def marker_in(folder: Path) -> str:
    """The marker that a folder holds, or empty."""
    return next((marker for marker in MARKERS if os.path.isfile(folder / marker)), "")


def locate(start: Path, environ: Mapping[str, str] | None = None) -> Project:
    """The project that a folder belongs to, without its id.

    Args:
        start: Where to look from, upwards. It is the root, with a warning, where no marker is found.
        environ: The environment; the process's own unless given. PAMOLA_PROJECT_ROOT overrides everything;
            PAMOLA_MAX_SEARCH_DEPTH limits how many folders are searched (20).

    Raises:
        ProjectError: One of the two variables cannot be used.
    """
    environ = os.environ if environ is None else environ
    explicit = environ.get("PAMOLA_PROJECT_ROOT", "")
    if explicit:
        root = Path(explicit).expanduser()
        if not root.is_dir():
            raise ProjectError(f"PAMOLA_PROJECT_ROOT names {explicit!r}, which is not a folder: correct it or unset it")
        return Project(root.resolve(), marker=marker_in(root))
    start = start.resolve()
    for folder in [start, *start.parents][: _depth(environ)]:
        marker = marker_in(folder)
        if marker:
            return Project(folder, marker=marker)
    missing = f"no project was found from {start} upwards; using this folder as its root"
    return Project(start, warnings=(f"{missing} (`pamola-task init` makes a project)",))


def _depth(environ: Mapping[str, str]) -> int:
    text = environ.get("PAMOLA_MAX_SEARCH_DEPTH", "").strip() or str(DEFAULT_DEPTH)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 10_000):
        raise ProjectError("PAMOLA_MAX_SEARCH_DEPTH must be a whole number of 1 or more: how many folders to look at")
    return int(text)


def find_project_root(start: str | Path | None = None) -> Path:
    """The root of the project that a folder, the current one unless given, belongs to.

    Where no marker is found, it is that folder itself, with a warning.
    """
    found = locate(Path.cwd() if start is None else Path(start))
    for warning in found.warnings:
        warnings.warn(warning, stacklevel=2)
    return found.root


def read_id(root: Path) -> str:
    """The project's UUID from `.pamola/id`, or empty without one; ProjectError where the file holds something else."""
    path = root / ID_FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}") from error
    try:
        text = os.read(descriptor, 100).decode("ascii", "replace") if stat.S_ISREG(os.fstat(descriptor).st_mode) else ""
    finally:
        os.close(descriptor)
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise ProjectError(
            f"{path} holds no UUID: restore it from a backup, or remove it if nothing of this project is encrypted"
        ) from None


def project_at(start: Path, *, asked: bool = False) -> Project:
    """The project that a folder belongs to, with its id. See `pamola_provide_project`."""
    found = locate(start)
    if asked and found.root != start.resolve():
        found = Project(start.resolve(), marker=marker_in(start))
    found.id = read_id(found.root)
    return found
