"""The file of a project, read and written from Python."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pamola_tasks.errors import ConfigurationError, UsageError, ValidationError
from pamola_tasks.kernel import Kernel
from pamola_tasks.parameters import kind_of
from pamola_tasks.protocols import Project
from pamola_tasks.storage.trust import marker_in, root_of
from pamola_tasks_compat.owners import owned

# Sections of the forerunner, and for each name there the key of a task that it means.
_SECTIONS = {
    "logging": {"level": "log_level"},
    "performance": {
        name: name
        for name in (
            "chunk_size default_encoding default_delimiter default_quotechar memory_limit_mb use_dask npartitions"
        ).split()
    },
    "encryption": {},  # a written `use_encryption: false` would turn off what a task's class turns on
    "task_defaults": {name: name for name in ("continue_on_error", "parallel_processes", "use_vectorization")},
}


def _config(module: str, name: str) -> Any:
    return owned("config", f"pamola_tasks_config.{module}", name)


def is_valid_project_root(path: str | Path) -> bool:
    """Whether a folder is marked as a project."""
    return bool(marker_in(Path(path)))


def _project(root: str | Path | None) -> Project:
    return Kernel.discover(root if root is not None else root_of(Path.cwd())[0]).project


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
    if config_filename is not None:
        name = f"configs/{config_filename}"
    else:
        name, others = _config("documents", "find_file")(project.files, "prj_config")
        for warning in _config("documents", "several")(name, others):
            warnings.warn(warning, stacklevel=2)
    document = _config("documents", "read_file")(project.files, name) if name else None
    if document is None:
        raise FileNotFoundError(f"{project.root} has no {name or 'configs/prj_config.yaml'}")
    if document.problems:
        raise ValidationError(problems=_config("document", "in_words")(document.problems))
    values: dict[str, Any] = document.root.plain()
    return values


def save_project_config(
    config_data: Mapping[str, Any], project_root: str | Path | None = None, format: str = "yaml"
) -> Path:
    """Write a project's file; one that is there keeps everything that is not changed. Secrets are not written.

    Args:
        config_data: What it should say.
        project_root: The project; that of the current folder unless given.
        format: `yaml`, `json` or `toml`.
    """
    formats = _config("documents", "FORMATS")
    if format not in formats:
        raise UsageError(f"a project's file is yaml, json or toml, not {format!r}")
    project = _project(project_root)
    name = _config("documents", "find_file")(project.files, "prj_config")[0]
    if _config("documents", "format_of")(name) != formats[format]:
        name = f"configs/prj_config.{format}"
    _config("saving", "write")(project, name, dict(_config("document", "leaves")(config_data)))
    path: Path = project.root / name
    return path


def apply_default_values(config_data: Mapping[str, Any]) -> dict[str, Any]:
    """What a project's file says, with the fallbacks of keys that it leaves out or leaves empty.

    Keys of tasks that it says nowhere are added to the sections that the forerunner had for them, but for those of
    encryption.

    Args:
        config_data: What the file says; it is not changed.

    Raises:
        ConfigurationError: A section is not a mapping.
    """
    filled: dict[str, Any] = copy.deepcopy(dict(config_data))
    synonyms, fallbacks = _config("schema", "SYNONYMS"), _config("schema", "TaskKeys")()
    said = {key for key, value in filled.items() if value is not None}
    for section in (*_SECTIONS, "directory_structure"):
        if filled.get(section) is None:
            filled[section] = {}
        elif not isinstance(filled[section], dict):
            raise ConfigurationError(f"{section}: expected a mapping, got {kind_of(filled[section])}")
        names = synonyms.get(section, {})
        said |= {names.get(name, name) for name, value in filled[section].items() if value is not None}
    for section, names in _SECTIONS.items():
        filled[section] |= {name: getattr(fallbacks, key) for name, key in names.items() if key not in said}
    for name, folders in copy.deepcopy(_config("schema", "FOLDERS")).items():
        if isinstance(folders, dict):
            filled[name] = folders | {key: value for key, value in filled[name].items() if value is not None}
        elif not filled.get(name):
            filled[name] = folders
    if filled.get("data_repository") is None:
        filled["data_repository"] = fallbacks.data_repository
    return filled
