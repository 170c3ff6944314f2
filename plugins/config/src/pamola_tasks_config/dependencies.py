"""What other tasks left behind, looked up in the project's folders."""

from __future__ import annotations

import fnmatch
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DependencyError, DependencyFailedError, DependencyMissingError
from pamola_tasks.storage.files import check_name

if TYPE_CHECKING:
    from pamola_tasks.storage.files import Files
    from pamola_tasks_config.task_config import TaskConfig

_log = logging.getLogger("pamola_tasks.config")


def is_path(dependency_id: str) -> bool:
    """Whether a dependency is named by the path of a folder, not by a task's id."""
    return "/" in dependency_id or os.sep in dependency_id or ":" in dependency_id


def output(config: TaskConfig, files: Files, dependency_id: str, pattern: str | None) -> Path | list[Path]:
    """The output folder of a task, or the files in it that match a pattern."""
    if is_path(dependency_id):
        folder = Path(os.path.join(files.root, dependency_id))
    else:
        folder = config.get_task_output_dir(dependency_id)
    try:
        entries = list(files.iter(folder))
    except (FileNotFoundError, NotADirectoryError):
        raise DependencyMissingError(
            f"there is no folder {files.name(folder)}: run the task {dependency_id!r} first"
        ) from None
    if pattern is None:
        return folder
    return [folder / name for name, stat in entries if stat.kind == "file" and fnmatch.fnmatchcase(name, pattern)]


def report(config: TaskConfig, files: Files, dependency_id: str) -> Path:
    """The JSON report of a task."""
    check_name(dependency_id, "the dependency's id")
    reports = config.get_reports_dir()
    tried = (f"{dependency_id}_report.json", f"{dependency_id}.json", f"{dependency_id}/report.json")
    for name in tried:
        if files.exists(reports / name):
            return reports / name
    raise DependencyMissingError(
        f"the task {dependency_id!r} left no report ({files.name(reports / tried[0])}): run it first"
    )


def assert_completed(config: TaskConfig, files: Files) -> bool:
    """Whether every dependency succeeded; see `TaskConfig.assert_dependencies_completed`."""
    complete = True
    for dependency_id in config.dependencies:
        try:
            if is_path(dependency_id):
                output(config, files, dependency_id, None)
            else:
                _succeeded(files, dependency_id, report(config, files, dependency_id))
        except DependencyError as error:
            if not config.continue_on_error:
                raise
            _log.warning("%s (going on, because continue_on_error is on)", error)
            complete = False
    return complete


def _succeeded(files: Files, dependency_id: str, path: Path) -> None:
    name = files.name(path)
    try:
        found = json.loads(files.read(path, "report"))
    except ValueError:
        raise DependencyFailedError(
            f"{name} is no JSON, so nobody knows how the task {dependency_id!r} ended: run it again"
        ) from None
    status = _status(found)
    if status not in ("success", "completed"):
        raise DependencyFailedError(f"the task {dependency_id!r} ended as {status or 'unknown'} ({name}): run it again")


def _status(found: Any) -> str:
    """How a run ended, from our reports and from those of the origin."""
    if not isinstance(found, Mapping):
        return ""
    run = found.get("run")
    if isinstance(run, Mapping):
        return str(run.get("status", ""))
    if isinstance(found.get("success"), bool):
        return "success" if found["success"] else "failed"
    return str(found.get("status", ""))
