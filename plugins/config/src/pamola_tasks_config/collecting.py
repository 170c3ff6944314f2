"""The layers of a run: what its files, its command line and its task's class say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError, ValidationError
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks.storage.files import check_name
from pamola_tasks_config.checking import type_layers
from pamola_tasks_config.config_files import file_saying, find_file, stated_id
from pamola_tasks_config.document import Document, in_words
from pamola_tasks_config.documents import PROJECT_FILE, format_of, read_file
from pamola_tasks_config.layers import class_layers, override_layers, project_layers, task_layers

if TYPE_CHECKING:
    from pamola_tasks.protocols import Project, Task


@attrs.frozen(kw_only=True)
class Sources:
    """The files that a configuration is made from.

    Attributes:
        task_id: The task's id; empty where only the project's configuration is wanted.
        task: The task file, if there is one.
        project: The project file, if there is one.
    """

    task_id: str
    task: Document | None
    project: Document | None


def read_sources(project: Project, task: Task | None) -> Sources:
    """Read the task file and the project file.

    Raises:
        ValidationError: Files that cannot be read; all of them.
    """
    files = project.files
    task_id = getattr(task, "task_id", "") or ""
    name = str(getattr(task, "file", "") or "") if task is not None else ""
    if name and not format_of(name):
        name = ""  # a task written in Python: its configuration is the one of its id
    if not name and task_id:
        check_name(task_id, "the task id")
        name = find_file(files, task_id)[0] or file_saying(files, task_id)
    project_name, _ = find_file(files, PROJECT_FILE)
    failed: list[str] = []

    def read(name: str) -> Document | None:
        try:
            return read_file(files, name) if name else None
        except ValidationError as error:
            failed.extend(error.problems)
            return None

    task_document = read(name)
    project_document = read(project_name)
    if failed:
        raise ValidationError(problems=tuple(failed))
    if name and task_document is None:
        raise ConfigurationError(f"{name}: there is no such task file")
    if task_document is not None and not task_id:
        task_id = stated_id(task_document)
    return Sources(task_id=task_id, task=task_document, project=project_document)


def collect(project: Project, task: Task | None, overrides: Mapping[str, Any]) -> list[ConfigLayer]:
    """All layers but the environment, which `provide` adds when it knows whether `env_override` is on.

    Raises:
        ConfigurationError: Files that cannot be read, or say things twice; all problems of a file together.
    """
    sources = read_sources(project, task)
    layers: list[ConfigLayer] = []
    if overrides:
        layers += override_layers(overrides)
    if sources.task is not None:
        layers += task_layers(sources.task)
    if sources.project is not None:
        layers += project_layers(sources.project, sources.task_id)
    if task is not None:
        layers += class_layers(task)
    documents = [document for document in (sources.task, sources.project) if document is not None]
    if any(document.problems for document in documents):
        _, problems = type_layers(layers, {}, sources.task_id, strict=False, sections=False)
        raise ValidationError(problems=in_words(p for d in documents for p in (*d.problems, *problems)))
    return layers
