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
from pamola_tasks.storage.trust import believe, root_of

ID_FILE = ".pamola/id"


def locate(start: Path, environ: Mapping[str, str] | None = None) -> Project:
    """The project that a folder belongs to, without its id.

    Args:
        start: Where to look from, upwards. It is the root, with a warning, where no marker is found.
        environ: The environment; the process's own unless given.

    Raises:
        PamolaTaskError: As of `root_of`.
    """
    root, marker = root_of(start, environ)
    if marker or (os.environ if environ is None else environ).get("PAMOLA_PROJECT_ROOT"):
        return Project(root, marker=marker)
    missing = f"no project was found from {root} upwards; using this folder as its root"
    return Project(root, warnings=(f"{missing} (`pamola-task init` makes a project)",))


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
        believe(path, root, os.fstat(descriptor))
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
    root, marker = root_of(start, asked=asked)
    found = Project(root, marker=marker) if asked else locate(start)
    found.id = read_id(found.root)
    return found
