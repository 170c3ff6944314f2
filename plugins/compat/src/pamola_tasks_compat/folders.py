"""Folders of projects and tasks, by the layout that the project has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pamola_tasks import BaseTask
from pamola_tasks.errors import DirectoryManagerError
from pamola_tasks.kernel import Kernel
from pamola_tasks.lifecycle import RunSession
from pamola_tasks.protocols import RunOptions, RunServices
from pamola_tasks_compat.owners import owned

_FOLDERS = {
    "configs_dir": "configs",
    "logs_dir": "project_logs",
    "raw_dir": "raw",
    "processed_dir": "processed",
    "reports_dir": "reports",
}


def get_project_paths(config: Mapping[str, Any], project_root: str | Path | None = None) -> dict[str, Path]:
    """Where things are in a project.

    Args:
        config: What the project's file says.
        project_root: The project; that of the current folder unless given.
    """
    run = _laid_out(str(config.get("data_repository") or "DATA"), project_root)
    base = run.files.root
    found = {name: base / run.places.folders[kind] for name, kind in _FOLDERS.items()}
    return {"project_root": base, "data_repository": base / run.config.data_repository, **found}


def create_default_project_structure(root_path: str | Path, data_path: str | Path | None = None) -> dict[str, Path]:
    """Make a project: marker, folders, a project file. What is there already stays as it is.

    Args:
        root_path: The project's folder, made if missing.
        data_path: The folder of the data within it, `DATA` unless given.

    Returns:
        As `get_project_paths`.
    """
    folder = Path(root_path)
    folder.mkdir(0o700, parents=True, exist_ok=True)
    files = Kernel.discover(folder).project.files
    data = str(data_path or "DATA")
    paths = get_project_paths({"data_repository": data}, folder)
    for name in _FOLDERS:
        files.mkdirs(paths[name])
    if not files.exists(".pamola.toml"):
        files.write(
            ".pamola.toml", "# Marks the root of this project. May choose plugins: [plugins] disable = []\n", "config"
        )
    if not any(files.exists(paths["configs_dir"] / f"prj_config.{form}") for form in ("yaml", "yml", "toml", "json")):
        files.write(paths["configs_dir"] / "prj_config.yaml", f"data_repository: {json.dumps(data)}\n", "config")
    return paths


def find_previous_output(
    task_id: str,
    data_repository: str | Path | None = None,
    project_root: str | Path | None = None,
    file_pattern: str | None = None,
) -> list[Path]:
    """The output files of a task, newest first."""
    pattern = check_pattern(file_pattern or "*")
    run = _laid_out(data_repository, project_root)
    directory = run.files.root / run.places.of(task_id).directories["output"]
    if not directory.is_dir():
        return []
    found = [path for path in directory.glob(pattern) if path.is_file()]
    return sorted(found, key=lambda path: (-path.stat().st_mtime_ns, path.name))


def check_pattern(pattern: str) -> str:
    """Refuse a file pattern that leaves its directory."""
    if ".." in Path(pattern).parts or Path(pattern).is_absolute():
        raise DirectoryManagerError(f"the file pattern {pattern!r} leaves the task's directory")
    return pattern


def find_task_report(
    task_id: str, data_repository: str | Path | None = None, project_root: str | Path | None = None
) -> Path | None:
    """The newest JSON report of a task; None where there is none."""
    run = _laid_out(data_repository, project_root)
    path = run.files.root / run.places.of(task_id).report()
    return path if path.is_file() else None


def _laid_out(data_repository: str | Path | None, project_root: str | Path | None) -> RunServices:
    """Services that know the layout of a project, with another data repository than its own if one is named."""
    kernel = Kernel.discover(project_root)
    overrides = {} if data_repository is None else {"data_repository": str(data_repository)}
    options = RunOptions(overrides=overrides, console=False, quiet=True)
    return RunSession(kernel, None, options, runs=False).bring_up("places")


def create_directory_manager(
    task_config: Any,
    logger: Any = None,
    progress_manager: Any = None,
    initialize: bool = True,
    task_dir: str | Path | None = None,
) -> Any:
    """The directories of a task, made unless `initialize` is false; `logger` and `progress_manager` are not used."""
    task = BaseTask(task_config.task_id, task_dir=task_dir)
    directories = (
        Kernel.discover(getattr(task_config, "project_root", None)).services(task, upto="directories").directories
    )
    if initialize:
        directories.ensure_directories()
    return directories


def create_task_context_manager(task_id: str, task_dir: str | Path, *, progress_manager: Any = None) -> Any:
    """The checkpoints of a task outside of a run.

    Args:
        task_id: The task.
        task_dir: A folder of its project.
        progress_manager: Shown on while states are saved and restored.
    """
    directory = Path(task_dir).absolute()
    folder = next(folder for folder in (directory, *directory.parents) if folder.is_dir())
    plugins = Kernel.discover(folder).plugins
    found = plugins.provide("project", start=folder, asked=False)
    kernel = Kernel(found.root if found is not None else folder, loaded=plugins)
    places = kernel.services(None, upto="places").places
    return owned("checkpoints", "pamola_tasks_checkpoints", "TaskContextManager")(
        task_id,
        places.of(task_id).state,
        files=kernel.project.files,
        progress_manager=progress_manager,
        owner_of=places.owner_of,
    )


def get_temp_dir(task_dir: str | Path) -> Path:
    """A task's directory for temporary files, made when missing."""
    directory = Path(task_dir) / "temp"
    directory.mkdir(0o700, parents=True, exist_ok=True)
    return directory


def clean_temp_dir(task_dir: str | Path) -> bool:
    """Empty a task's directory for temporary files, following no link; True when it is empty afterwards."""
    import shutil

    directory = get_temp_dir(task_dir)
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return not any(directory.iterdir())
