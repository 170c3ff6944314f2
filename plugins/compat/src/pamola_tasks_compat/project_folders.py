"""The folders of a project, as the forerunner had them, from the layout that the project has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pamola_tasks.kernel import Kernel
from pamola_tasks.plugins.discovery import resolve

_FOLDERS = {
    "configs_dir": "configs",
    "logs_dir": "project_logs",
    "raw_dir": "raw",
    "processed_dir": "processed",
    "reports_dir": "reports",
}


def get_project_paths(config: Mapping[str, Any], root: str | Path | None = None) -> dict[str, Path]:
    """Where things are in a project.

    Args:
        config: What the project's file says.
        root: The project; that of the current folder unless given.
    """
    kernel = Kernel.discover(root)
    data = str(config.get("data_repository") or "DATA")
    places = kernel.plugins.provide("places", project=kernel.project, config=SimpleNamespace(data_repository=data))
    if places is None:
        raise kernel.plugins.missing("places")
    base = kernel.project.root
    found = {name: base / places.folders[kind] for name, kind in _FOLDERS.items()}
    return {"project_root": base, "data_repository": base / data, **found}


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
    for name in _FOLDERS:
        files.mkdirs(paths[name])
    if not files.exists(".pamola.toml"):
        files.write(
            ".pamola.toml", "# Marks the root of this project. May choose plugins: [plugins] disable = []\n", "config"
        )
    if not any(files.exists(paths["configs_dir"] / f"prj_config.{form}") for form in ("yaml", "yml", "toml", "json")):
        resolve("pamola_tasks_config:save_project_config")(config, folder)
    return paths
