"""The configuration files of a project: which there are, which belongs to a task, and which tasks they describe."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pamola_tasks.errors import ConfigurationError, PamolaTaskError, PathSecurityError
from pamola_tasks.registry import TaskFile
from pamola_tasks_config.document import Document
from pamola_tasks_config.documents import FORMATS, PROJECT_FILE, format_of, read_file

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Project

CONFIGS = "configs"
_OF_A_TASK = ("task_id", "task_type", "task_class", "operations")


def find_file(files: Files, stem: str) -> tuple[str, tuple[str, ...]]:
    """The configuration file of this name in `configs/`, YAML before TOML before JSON, and the others there are."""
    there = [name for extension in FORMATS if _is_there(files, name := f"{CONFIGS}/{stem}.{extension}")]
    return (there[0] if there else ""), tuple(there[1:])


def _is_there(files: Files, name: str) -> bool:
    """Whether there is anything of this name. What must not be opened counts: to pass it over would hide it."""
    try:
        files.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PathSecurityError:
        return True
    return True


def several(used: str, others: Iterable[str]) -> tuple[str, ...]:
    """The warning that there are several files of one name."""
    names = ", ".join(others)
    return (f"{used} is used, and {names} beside it is not: keep one of them",) if names else ()


def config_files(files: Files) -> list[str]:
    """Names of possible task files in `configs/`, sorted. Folders and pipes are refused when they are read."""
    try:
        entries = [name for name, _ in files.iter(CONFIGS)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        f"{CONFIGS}/{name}"
        for name in entries
        if format_of(name)
        and not name.startswith(".")
        and PurePosixPath(name).stem not in (PROJECT_FILE, "execution_log")
    ]


def file_saying(files: Files, task_id: str) -> str:
    """The file that is named otherwise and says that it is this task's, or empty."""
    for name in config_files(files):
        try:
            document = read_file(files, name)
        except PamolaTaskError:
            continue  # unreadable, and not named after this task
        if document is not None and stated_id(document) == task_id:
            return name
    return ""


def stated_id(document: Document) -> str:
    """The id of the task that a file configures: its `task_id`, else the file's name."""
    stated = document.root.at("task_id")
    if stated is not None and isinstance(stated.value, str) and stated.value:
        return stated.value
    return PurePosixPath(document.name.replace("\\", "/")).stem


def task_files(project: Project) -> dict[str, TaskFile]:
    """The tasks that files in `configs/` describe, by id.

    A file that cannot be read counts as a task named after it: other tasks are listed, and its errors are shown when
    it is used.

    Raises:
        ConfigurationError: Two files describe the same task.
    """
    found: dict[str, TaskFile] = {}
    order = list(FORMATS)
    # Of several formats of one name the first in FORMATS is read, as everywhere.
    for name in sorted(config_files(project.files), key=lambda name: order.index(name.rpartition(".")[2].lower())):
        stem = PurePosixPath(name).stem
        if any(PurePosixPath(other.path).stem == stem for other in found.values()):
            continue
        try:
            document = read_file(project.files, name)
        except PamolaTaskError:
            found.setdefault(stem, TaskFile(path=name, task_id=stem))
            continue
        values = document.root.plain() if document is not None else {}
        if document is None or not any(key in values for key in _OF_A_TASK):
            continue
        task_id = stated_id(document)
        if task_id in found:
            raise ConfigurationError(
                f"{found[task_id].path} and {name} both describe the task {task_id!r}: change the task_id of one"
            )
        texts = {key: values.get(key) for key in ("task_type", "description", "task_class")}
        stated = {key: value for key, value in texts.items() if isinstance(value, str)}
        found[task_id] = TaskFile(path=name, task_id=task_id, **stated)
    return dict(sorted(found.items()))
