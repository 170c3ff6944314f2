"""Tasks found in `configs/`: every configuration file that says so."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pamola_tasks.errors import ConfigurationError, PamolaTaskError
from pamola_tasks_config.config_files import config_files, stated_id
from pamola_tasks_config.documents import FORMATS, read_file

if TYPE_CHECKING:
    from pamola_tasks.protocols import Project
    from pamola_tasks.registry import TaskFile

_TELLING = ("task_id", "task_type", "task_class", "operations")


def find(project: Project) -> dict[str, TaskFile]:
    """The tasks that files in `configs/` describe, by id.

    A file that cannot be read stands for a task named after it, so that it disturbs no other task, and says what is
    wrong when it is used.

    Raises:
        ConfigurationError: Two files describe the same task.
    """
    from pamola_tasks.registry import TaskFile

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
        if document is None or not any(key in values for key in _TELLING):
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
