"""The layers of a run: what its files, its command line and its task's class say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ConfigurationError, ValidationError
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks.storage.files import check_name
from pamola_tasks_config.checking import type_layers
from pamola_tasks_config.config_files import file_saying, find_file, stated_id
from pamola_tasks_config.document import Document, in_words
from pamola_tasks_config.documents import PROJECT_FILE, format_of, read_file
from pamola_tasks_config.layers import class_layers, override_layers, project_layers, task_layers

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Project, Task


def collect(project: Project, task: Task | None, overrides: Mapping[str, Any]) -> list[ConfigLayer]:
    """All layers but the environment, which `provide` adds when it knows whether `env_override` is on.

    Raises:
        ConfigurationError: Files that cannot be read, or say things twice; all problems of a file together.
    """
    task_id = getattr(task, "task_id", "") or ""
    name = _file_of(project.files, task, task_id)
    documents: list[Document | None] = []
    failed: list[str] = []
    for file in (name, find_file(project.files, PROJECT_FILE)[0]):
        try:
            documents.append(read_file(project.files, file) if file else None)
        except ValidationError as error:
            failed += error.problems
    if failed:
        raise ValidationError(problems=tuple(failed))
    of_task, of_project = documents
    if name and of_task is None:
        raise ConfigurationError(f"{name}: there is no such task file")
    task_id = task_id or (stated_id(of_task) if of_task is not None else "")
    layers = override_layers(overrides) if overrides else []
    layers += task_layers(of_task) if of_task is not None else []
    layers += project_layers(of_project, task_id) if of_project is not None else []
    layers += class_layers(task) if task is not None else []
    wrong = [problem for document in documents if document is not None for problem in document.problems]
    if wrong:
        raise ValidationError(problems=in_words([*wrong, *type_layers(layers, {}, task_id)[1]]))
    return layers


def _file_of(files: Files, task: Task | None, task_id: str) -> str:
    """The task's file, or empty; of a task written in Python that of its id."""
    name = str(getattr(task, "file", "") or "")
    if not format_of(name) and task_id:
        check_name(task_id, "the task id")
        return find_file(files, task_id)[0] or file_saying(files, task_id)
    return name if format_of(name) else ""
