"""The configuration files of a project: which there are, and which belongs to a task."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pamola_tasks.errors import PamolaTaskError, PathSecurityError
from pamola_tasks_config.document import Document
from pamola_tasks_config.documents import FORMATS, PROJECT_FILE, format_of, read_file

if TYPE_CHECKING:
    from pamola_tasks.storage.files import Files

CONFIGS = "configs"


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
    """Names of what lies in `configs/` and may be a task file, sorted; what is no file is refused when it is read."""
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
            continue  # it says nothing that can be read, and is no file of this task by its name
        if document is not None and stated_id(document) == task_id:
            return name
    return ""


def stated_id(document: Document) -> str:
    """The id of the task that a file configures: its `task_id`, else the file's name."""
    stated = document.root.at("task_id")
    if stated is not None and isinstance(stated.value, str) and stated.value:
        return stated.value
    return PurePosixPath(document.name.replace("\\", "/")).stem
