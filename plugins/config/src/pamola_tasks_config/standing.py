"""The functions of the spec that stand alone: each makes a kernel for the project and asks it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks import BaseTask
from pamola_tasks.errors import ConfigurationError, PamolaTaskError, UsageError
from pamola_tasks.kernel import Kernel
from pamola_tasks.protocols import Project
from pamola_tasks_config.cascade import leaves
from pamola_tasks_config.config_files import CONFIGS, find_file, several
from pamola_tasks_config.document import in_words
from pamola_tasks_config.documents import FORMATS, PROJECT_FILE, format_of, read_file
from pamola_tasks_config.projects import locate

if TYPE_CHECKING:
    from pamola_tasks_config.task_config import TaskConfig


class StatedTask(BaseTask):
    """A task of which only the configuration is wanted."""

    def __init__(self, task_id: str, task_type: str, defaults: Mapping[str, Any]) -> None:
        super().__init__(task_id, task_type)
        self._defaults = dict(defaults)

    def get_default_config(self) -> dict[str, Any]:
        """What the caller gave as the class's own configuration."""
        return self._defaults

    @property
    def origin(self) -> str:
        """Where the defaults come from, for `config show`."""
        return "default_config"


def load_task_config(
    task_id: str,
    task_type: str,
    args: Any = None,
    default_config: Mapping[str, Any] | None = None,
    progress_manager: Any = None,
    force_recreate_config_file: bool = False,
) -> TaskConfig:
    """The configuration of a task in the project of the current folder.

    Args:
        task_id: The task's id.
        task_type: Its type.
        args: What overrules everything: a mapping of dotted keys, or a namespace of argparse. None in it means that an
            argument was not given.
        default_config: What the task's class would state.
        progress_manager: Kept for callers that have one.
        force_recreate_config_file: Write the task's file (`TaskConfig.save`). Without it, nothing is written.

    Raises:
        ConfigurationError: Everything that is wrong, together. A file that cannot be read is left as it is.
    """
    config = Kernel.discover().services(StatedTask(task_id, task_type, default_config or {}), upto="config").config
    from pamola_tasks_config.task_config import TaskConfig

    if not isinstance(config, TaskConfig):
        raise ConfigurationError("another plugin provides the configuration here: use its own functions")
    if args is not None:
        config.override_with_args(args)
    config.progress_manager = progress_manager
    if force_recreate_config_file:
        config.save()
    return config


def has_key(root: Path, task_id: str, mode: str) -> bool:
    """Whether the encryption service of a project finds a key."""
    task = StatedTask(task_id, "", {"use_encryption": True, "encryption_mode": mode})
    try:
        return Kernel.discover(root).services(task, upto="encryption").encryption.enabled
    except PamolaTaskError:
        return False


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
            _warn(warning)
    document = read_file(files, name) if name else None
    if document is None:
        raise FileNotFoundError(f"{project.root} has no {name or f'{CONFIGS}/{PROJECT_FILE}.yaml'}")
    if document.problems:
        from pamola_tasks.errors import ValidationError

        raise ValidationError(problems=in_words(document.problems))
    values = document.root.plain()
    assert isinstance(values, dict)
    return values


def clear_config_cache() -> None:
    """For scripts that call it before they load again: every call reads the files, so there is nothing to clear."""


def _warn(message: str) -> None:
    import warnings

    warnings.warn(message, stacklevel=3)


def save_project_config(config: Mapping[str, Any], root: str | Path | None = None, format: str = "yaml") -> Path:
    """Write a project's file; one that is there keeps everything that is not changed. Secrets are not written.

    Args:
        config: What it should say.
        root: The project; that of the current folder unless given.
        format: `yaml`, `json` or `toml`.
    """
    from pamola_tasks_config.saving import write

    if format not in FORMATS:
        raise UsageError(f"a project's file is yaml, json or toml, not {format!r}")
    project = _project(root)
    name = find_file(project.files, PROJECT_FILE)[0]
    if format_of(name) != FORMATS[format]:
        name = f"{CONFIGS}/{PROJECT_FILE}.{format}"
    write(project, name, dict(leaves(config)))
    return project.root / name


def get_project_paths(config: Mapping[str, Any], root: str | Path | None = None) -> dict[str, Path]:
    """Where things are in a project.

    Args:
        config: What the project's file says.
        root: The project; that of the current folder unless given.
    """
    base = Path(root).resolve() if root is not None else locate(Path.cwd()).root
    data = base / str(config.get("data_repository") or "DATA")
    return {
        "project_root": base,
        "data_repository": data,
        "configs_dir": base / CONFIGS,
        "logs_dir": base / "logs",
        "raw_dir": data / "raw",
        "processed_dir": data / "processed",
        "reports_dir": data / "reports",
    }


def create_default_project_structure(root: str | Path, data_path: str | None = None) -> dict[str, Path]:
    """Make a project: marker, folders, a project file. What is there already stays as it is.

    Args:
        root: The project's folder, made if missing.
        data_path: The folder of the data within it, `DATA` unless given.

    Returns:
        As `get_project_paths`.
    """
    folder = Path(root)
    folder.mkdir(parents=True, exist_ok=True)
    files = Kernel.discover(folder).project.files
    config = {"data_repository": data_path or "DATA"}
    paths = get_project_paths(config, folder)
    for name in ("configs_dir", "logs_dir", "raw_dir", "processed_dir", "reports_dir"):
        files.mkdirs(paths[name])
    if not files.exists(".pamola.toml"):
        files.write(
            ".pamola.toml", "# Marks the root of this project. May choose plugins: [plugins] disable = []\n", "config"
        )
    if not find_file(files, PROJECT_FILE)[0]:
        save_project_config(config, folder)
    return paths
