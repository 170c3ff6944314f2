"""Reading and writing the file of a project from Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pamola_tasks.errors import UsageError, ValidationError
from pamola_tasks.kernel import Kernel
from pamola_tasks.protocols import Project
from pamola_tasks_config.cascade import leaves
from pamola_tasks_config.config_files import CONFIGS, find_file, several
from pamola_tasks_config.document import in_words
from pamola_tasks_config.documents import FORMATS, PROJECT_FILE, format_of, read_file
from pamola_tasks_config.projects import locate
from pamola_tasks_config.saving import write


def _project(root: str | Path | None) -> Project:
    return Kernel.discover(root if root is not None else locate(Path.cwd()).root).project


def load_project_config(
    project_root: str | Path | None = None, config_filename: str | None = None, use_cache: bool = True
) -> dict[str, Any]:
    """What a project's file says, as it is written: references are not expanded.

    Args:
        project_root: The project; that of the current folder unless given.
        config_filename: A file in `configs/` other than `prj_config.*`.
        use_cache: For callers that have it from older releases. The file is read at every call.

    Raises:
        FileNotFoundError: There is no such file.
        ValidationError: It cannot be read; the message has file, line and column.
    """
    project = _project(project_root)
    files = project.files
    if config_filename is not None:
        name = f"{CONFIGS}/{config_filename}"
    else:
        name, others = find_file(files, PROJECT_FILE)
        for warning in several(name, others):
            warnings.warn(warning, stacklevel=2)
    document = read_file(files, name) if name else None
    if document is None:
        raise FileNotFoundError(f"{project.root} has no {name or f'{CONFIGS}/{PROJECT_FILE}.yaml'}")
    if document.problems:
        raise ValidationError(problems=in_words(document.problems))
    values = document.root.plain()
    assert isinstance(values, dict)
    return values


def save_project_config(config: Mapping[str, Any], root: str | Path | None = None, format: str = "yaml") -> Path:
    """Write a project's file; one that is there keeps everything that is not changed. Secrets are not written.

    Args:
        config: What it should say.
        root: The project; that of the current folder unless given.
        format: `yaml`, `json` or `toml`.
    """
    if format not in FORMATS:
        raise UsageError(f"a project's file is yaml, json or toml, not {format!r}")
    project = _project(root)
    name = find_file(project.files, PROJECT_FILE)[0]
    if format_of(name) != FORMATS[format]:
        name = f"{CONFIGS}/{PROJECT_FILE}.{format}"
    write(project, name, dict(leaves(config)))
    return project.root / name
