"""The configuration files of a project: reading them, which there are, and which tasks they describe.

Files are read strictly, and within limits that hold before a file is believed. A text is parsed once: the same name and
content give the same document again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pamola_tasks.errors import ConfigurationError, PamolaTaskError, PathSecurityError, UntrustedError, ValidationError
from pamola_tasks.registry import TaskFile
from pamola_tasks_config.document import Document

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Project

MAX_BYTES = 1 << 20
FORMATS = {"yaml": "yaml", "yml": "yaml", "toml": "toml", "json": "json"}
CONFIGS = "configs"
PROJECT_FILE = "prj_config"
_OF_A_TASK = ("task_id", "task_type", "task_class", "operations")


def format_of(name: str) -> str:
    """The format that a file's name says, or empty."""
    return FORMATS.get(name.rpartition(".")[2].lower(), "") if "." in name else ""


@lru_cache(maxsize=256)
def parse(data: bytes, name: str) -> Document:
    """Read the bytes of a configuration file, whose name gives the format; what did not stop this is in `problems`.

    Raises:
        ValidationError: It cannot be read; the message has file, line and column.
    """
    form = format_of(name)
    if not form:
        raise ValidationError(f"{name}: a configuration file is named .yaml, .yml, .json or .toml")
    document = decode(data, name, form, order=2 if PurePosixPath(name).stem == PROJECT_FILE else 1)
    if form == "yaml":
        from pamola_tasks_config.reading_yaml import read
    elif form == "json":
        from pamola_tasks_config.reading_yaml import read_json as read
    else:
        from pamola_tasks_config.reading_toml import read
    document.root = read(document)
    if not isinstance(document.root.value, dict):
        raise document.fail(document.root.start, "a configuration is a mapping of keys to values at its top level")
    return document


def decode(data: bytes, name: str, form: str, order: int) -> Document:
    """The text of a file, with nothing read of it yet."""
    if len(data) > MAX_BYTES:
        raise ValidationError(f"{name}:1:1: larger than 1 MiB, which is the limit for configuration files")
    bom = data.startswith(b"\xef\xbb\xbf")
    try:
        text = data[3:].decode("utf-8") if bom else data.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start + (3 if bom else 0)
        line = data.count(b"\n", 0, start) + 1
        column = len(data[data.rfind(b"\n", 0, start) + 1 : start].decode("utf-8", "replace")) + 1
        raise ValidationError(f"{name}:{line}:{column}: not UTF-8 text; save the file as UTF-8") from None
    document = Document(name, form, text, bom, order)
    if text.startswith("\ufeff"):
        raise document.fail(0, "a second byte order mark")
    return document


def read_file(files: Files, name: str) -> Document | None:
    """Read a configuration file of the project, or None where there is none of this name."""
    data = read_bytes(files, name)
    return parse(data, files.name(name)) if data is not None else None


def read_bytes(files: Files, name: str) -> bytes | None:
    """The bytes of a file of the project, one more than allowed at most; None where there is none of this name."""
    try:
        with files.open(name, "config") as file:
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None


def find_file(files: Files, stem: str) -> tuple[str, tuple[str, ...]]:
    """The configuration file of this name in `configs/`, YAML before TOML before JSON, and the others there are."""
    there = [name for extension in FORMATS if _is_there(files, name := f"{CONFIGS}/{stem}.{extension}")]
    return (there[0] if there else ""), tuple(there[1:])


def _is_there(files: Files, name: str) -> bool:
    """Whether there is anything of this name. What must not be opened counts: to pass it over would hide it."""
    try:
        files.stat(name)
    except PathSecurityError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def several(used: str, others: Iterable[str]) -> tuple[str, ...]:
    """The warning that there are several files of one name."""
    names = ", ".join(others)
    return (f"{used} is used, and {names} beside it is not: keep one of them",) if names else ()


def config_files(files: Files) -> list[str]:
    """Names of possible task files in `configs/`, sorted. Folders and pipes are refused when they are read."""
    try:
        names = [PurePosixPath(CONFIGS, name) for name, _ in files.iter(CONFIGS)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    others = (PROJECT_FILE, "execution_log")
    return [str(n) for n in names if format_of(n.name) and not n.name.startswith(".") and n.stem not in others]


def untrusted(files: Files) -> list[str]:
    """What is wrong with the configuration files that others could have written."""
    found = []
    for name in config_files(files):
        try:
            read_bytes(files, name)
        except UntrustedError as error:
            found.append(str(error))
        except (PamolaTaskError, OSError):
            continue  # the task that it is of says so
    return found


def file_saying(files: Files, task_id: str) -> str:
    """The file that is named otherwise and says that it is this task's, or empty."""
    for name in config_files(files):
        try:
            document = read_file(files, name)
        except UntrustedError:
            raise
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
