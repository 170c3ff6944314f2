"""The module functions of the task framework: they make a kernel for the project, and ask who owns the subject."""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pamola_tasks.errors import DirectoryManagerError, UsageError
from pamola_tasks.kernel import Kernel
from pamola_tasks.operation import operation_seed
from pamola_tasks.protocols import RunServices
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage.files import check_name
from pamola_tasks.task import Task
from pamola_tasks_compat.base_task import BaseTask
from pamola_tasks_compat.folders import (
    clean_temp_dir,
    create_default_project_structure,
    create_directory_manager,
    create_task_context_manager,
    find_previous_output,
    find_task_report,
    get_project_paths,
    get_temp_dir,
)
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_compat.owners import owned
from pamola_tasks_compat.project_files import (
    apply_default_values,
    is_valid_project_root,
    load_project_config,
    save_project_config,
)
from pamola_tasks_compat.substitution import get_recursive_variables, substitute_item, substitute_variables
from pamola_tasks_compat.task_classes import discover_task_classes, get_task_metadata, register_discovered_tasks
from pamola_tasks_compat.task_runner import TaskRunner

STANDARD_DIRECTORIES = ("input", "output", "dictionaries", "temp", "logs")


def _services(upto: str = "config", project: str | Path | None = None) -> RunServices:
    return Kernel.discover(project).services(None, upto=upto)


# ---------------------------------------------------------------- owned by plugins

# Name of a function here: the service that it belongs to, and the module that defines it.
_OF_HISTORY = (
    "record_task_execution",
    "get_task_execution_history",
    "find_latest_execution",
    "find_task_by_output",
    "track_input_files",
    "track_output_files",
    "update_execution_record",
    "remove_execution_record",
    "cleanup_old_executions",
    "validate_execution_log",
    "export_execution_log",
    "import_execution_log",
)
_OF_PLUGIN = {
    "load_task_config": ("config", "pamola_tasks_config"),
    "find_project_root": ("config", "pamola_tasks_config"),
    "TaskConfig": ("config", "pamola_tasks_compat.config_class"),
    "get_scope_fields": ("config", "pamola_tasks_compat.task_config"),
    "get_scope_datasets": ("config", "pamola_tasks_compat.task_config"),
    "get_scope_field_groups": ("config", "pamola_tasks_compat.task_config"),
    "validate_task_config": ("config", "pamola_tasks_compat.task_config"),
    "validate_path_security": ("path_guard", "pamola_tasks_compat.paths"),
    "validate_paths": ("path_guard", "pamola_tasks_compat.paths"),
    "normalize_and_validate_path": ("path_guard", "pamola_tasks_compat.paths"),
    "is_within_allowed_paths": ("path_guard", "pamola_tasks_compat.paths"),
    "is_potentially_dangerous_path": ("path_guard", "pamola_tasks_compat.paths"),
    "get_system_specific_dangerous_paths": ("path_guard", "pamola_tasks_compat.paths"),
    "configure_logging": ("logging", "pamola_tasks_compat.logs"),
    "configure_task_logging": ("logging", "pamola_tasks_compat.logs"),
    "task_logging_context": ("logging", "pamola_tasks_compat.logs"),
    "TaskDirectoryManager": ("directories", "pamola_tasks_directories.manager"),
    "DirectoryManager": ("directories", "pamola_tasks_directories.manager"),
    "TaskReporter": ("reporter", "pamola_tasks_reports"),
    "ArtifactGroup": ("reporter", "pamola_tasks_reports"),
    "TaskOperationExecutor": ("executor", "pamola_tasks_compat.executor"),
    "create_operation_executor": ("executor", "pamola_tasks_compat.executor"),
    "TaskContextManager": ("checkpoints", "pamola_tasks_checkpoints"),
    "ContextManager": ("checkpoints", "pamola_tasks_checkpoints"),
    "TaskDependencyManager": ("dependencies", "pamola_tasks_compat.dependencies"),
    "TaskProgressManager": ("progress", "pamola_tasks_compat.progress"),
    "ProgressTracker": ("progress", "pamola_tasks_compat.trackers"),
    "ProgressContext": ("progress", "pamola_tasks_compat.progress"),
    "NoOpProgressTracker": ("progress", "pamola_tasks_compat.trackers"),
    "create_task_progress_manager": ("progress", "pamola_tasks_compat.progress"),
    "TaskEncryptionManager": ("encryption", "pamola_tasks_encryption"),
    "EncryptionManager": ("encryption", "pamola_tasks_encryption"),
    "EncryptionMode": ("encryption", "pamola_tasks_encryption"),
    "EncryptionContext": ("encryption", "pamola_tasks_compat.encryption"),
    "MemoryProtectedKey": ("encryption", "pamola_tasks_encryption"),
    "is_master_key_exposed": ("encryption", "pamola_tasks_compat.encryption"),
    "DataSource": ("data_source", "pamola_tasks_data"),
    "DataReader": ("data_source", "pamola_tasks_data"),
    "DataWriter": ("data_writer", "pamola_tasks_compat.data_writer"),
}


def __getattr__(name: str) -> Any:
    if name in _OF_HISTORY:
        return _method_of_history(name)
    if name in _OF_PLUGIN:
        return owned(*_OF_PLUGIN[name], name)
    raise AttributeError(f"module 'pamola_tasks_compat.tasks' has no attribute {name!r}")


def _method_of_history(name: str) -> Callable[..., Any]:
    def function(*arguments: Any, **options: Any) -> Any:
        options.pop("progress_manager", None)
        return getattr(_history(), name)(*arguments, **options)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{name}` of the project's history, found from the current folder."
    return function


def _history(project: str | Path | None = None) -> Any:
    """The history of a project, with the forerunner's methods where its plugin has none of these names."""
    run = _services("history", project)
    own = hasattr(run.history, "record_task_execution")
    return run.history if own else ExecutionLog.of(run.history, run.files)


def __dir__() -> list[str]:
    return sorted([*globals(), *_OF_HISTORY, *_OF_PLUGIN])


def initialize_execution_log(project_path: str | Path | None = None, progress_manager: Any = None) -> Path:
    """Make the execution history of a project where there is none; its path."""
    path: Path = _history(project_path).initialize_execution_log()
    return path


def clear_config_cache() -> None:
    """For scripts that call it before they load again: every call reads the files, so there is nothing to clear."""


# ---------------------------------------------------------------- the registry


def register_task_class(task_id: str, task_class: type[BaseTask], kernel: Kernel) -> bool:
    """Add a task class to a kernel."""
    kernel.tasks.register(task_id, task_class)
    return True


def get_task_class(task_id: str, kernel: Kernel | None = None) -> type[Task]:
    """The class that a task id means."""
    return type((kernel or Kernel.discover()).task(task_id))


def create_task_instance(task_id: str, kernel: Kernel | None = None) -> Task:
    """A task by its id, ready to run."""
    return (kernel or Kernel.discover()).task(task_id)


def list_registered_tasks(kernel: Kernel | None = None) -> dict[str, dict[str, Any]]:
    """All tasks of the project with what is known of them."""
    return {
        task_id: {
            "task_id": task_id,
            "task_type": getattr(target, "task_type", ""),
            "description": getattr(target, "description", ""),
            "source": getattr(target, "path", "") or str(target),
        }
        for task_id, target in (kernel or Kernel.discover()).tasks.known().items()
    }


def check_task_dependencies(task_id: str, task_type: str, dependencies: Iterable[str]) -> bool:
    """Whether all these tasks have succeeded, by the execution history."""
    history = _services("history").history
    return all(history.find_latest_execution(name, success_only=True) is not None for name in dependencies)


# ---------------------------------------------------------------- task utilities


def create_task_directories(task_dir: str | Path) -> dict[str, Path]:
    """Make a task's standard directories; all of them by type."""
    root = Path(task_dir)
    made = {"task": root, **{name: root / name for name in STANDARD_DIRECTORIES}}
    for directory in made.values():
        directory.mkdir(0o700, parents=True, exist_ok=True)
    return made


def prepare_data_source_from_paths(file_paths: Mapping[str, str | Path], show_progress: bool = True) -> Any:
    """A data source with names for files of the project."""
    source = _data_services().data_source
    for name, path in file_paths.items():
        source.add_file_path(name, path)
    return source


def _data_services() -> RunServices:
    return Kernel.discover().services(BaseTask("data_source"), upto="data_source")


def format_execution_time(seconds: float) -> str:
    """A duration in words: `12.00 milliseconds`, `5.00 seconds`, `2 minutes, 0 seconds`, `3 hours, 5 minutes`."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
        raise UsageError(f"a duration is a number of seconds, 0 or more, not {seconds!r}")
    if seconds < 1:
        return f"{seconds * 1000:.2f} milliseconds"
    if seconds < 59.995:
        return f"{seconds:.2f} seconds"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} minutes, {whole % 60} seconds"
    minutes = round(seconds / 60)
    return f"{minutes // 60} hours, {minutes % 60} minutes"


def task_id_of(class_name: str) -> str:
    """A class's name as a task id: `HTTPFetchTask` gives `http_fetch`."""
    stem = class_name.removesuffix("Task") or class_name
    return "_".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+", stem)).lower()


def get_artifact_path(
    task_dir: str | Path,
    artifact_name: str,
    artifact_type: str = "json",
    sub_dir: str = "output",
    include_timestamp: bool = True,
) -> Path:
    """A path for an artifact below a task's directory; its directory is made."""
    for part, what in ((artifact_name, "artifact name"), (artifact_type, "artifact type"), (sub_dir, "subdirectory")):
        check_name(part, f"the {what}")
    directory = Path(task_dir) / sub_dir
    directory.mkdir(0o700, parents=True, exist_ok=True)
    stamp = f"_{now():%Y%m%d_%H%M%S}" if include_timestamp else ""
    return directory / f"{artifact_name}{stamp}.{artifact_type}"


def format_error_for_report(error: BaseException) -> dict[str, Any]:
    """An error as reports have it: type, message, traceback, timestamp."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "timestamp": rfc3339(now()),
    }


def ensure_secure_directory(path: str | Path) -> Path:
    """Make a directory that only its owner can use (0700), from the first instant.

    Raises:
        DirectoryManagerError: It exists and is not the user's own, is a link, or cannot be made private.
    """
    import os
    import stat

    directory = Path(path)
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
            raise DirectoryManagerError(f"{directory} is a link, no directory, or not yours: not used") from None
        directory.chmod(0o700)
    return directory


def extract_previous_output_info(task_id: str, data_repository: str | Path | None = None) -> dict[str, Any] | None:
    """From a task's newest report: report path, execution time, status, artifacts by type; None without one."""
    import json

    path = find_task_report(task_id, data_repository)
    if path is None:
        return None
    report = json.loads(path.read_text(encoding="utf-8"))
    artifacts: dict[str, list[dict[str, Any]]] = {}
    for artifact in report.get("artifacts", ()):
        artifacts.setdefault(artifact["type"], []).append(
            {
                "path": artifact["path"],
                "description": artifact.get("description", ""),
                "filename": Path(artifact["path"]).name,
            }
        )
    return {
        "task_id": task_id,
        "report_path": str(path),
        "execution_time": report["run"]["seconds"],
        "status": report["run"]["status"],
        "artifacts": artifacts,
    }


def get_operation_seed(seed: int | None, operation_name: str) -> int | None:
    """A step's own seed; see `pamola_tasks.operation.operation_seed`."""
    return operation_seed(seed, operation_name)


class TaskContext:
    """Random numbers of a task, without a run.

    Args:
        seed: The task's seed; None for irreproducible numbers.
        task_dir: The task's directory.
    """

    def __init__(self, seed: int | None = None, task_dir: str | Path | None = None) -> None:
        import numpy as np

        self.seed = seed
        self.task_dir = Path(task_dir) if task_dir is not None else None
        self.rng = np.random.default_rng(seed)

    def get_operation_seed(self, op_name: str) -> int | None:
        """The seed of one step."""
        return operation_seed(self.seed, op_name)


__all__ = [
    "BaseTask",
    "ExecutionLog",
    "TaskContext",
    "TaskRunner",
    "apply_default_values",
    "check_task_dependencies",
    "clean_temp_dir",
    "clear_config_cache",
    "create_default_project_structure",
    "create_directory_manager",
    "create_task_context_manager",
    "create_task_directories",
    "create_task_instance",
    "discover_task_classes",
    "ensure_secure_directory",
    "extract_previous_output_info",
    "find_previous_output",
    "find_task_report",
    "format_error_for_report",
    "format_execution_time",
    "get_artifact_path",
    "get_operation_seed",
    "get_project_paths",
    "get_recursive_variables",
    "get_task_class",
    "get_task_metadata",
    "get_temp_dir",
    "initialize_execution_log",
    "is_valid_project_root",
    "list_registered_tasks",
    "load_project_config",
    "prepare_data_source_from_paths",
    "register_discovered_tasks",
    "register_task_class",
    "save_project_config",
    "substitute_item",
    "substitute_variables",
    "task_id_of",
]
