"""The layers of a run, and which of them wins each key: leaf by leaf, so that one may set a part of a section."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError, ValidationError
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks.storage.files import check_name
from pamola_tasks_config.checking import TypedLayer, type_layers
from pamola_tasks_config.document import Document, KeyPath, dotted, in_words, leaves
from pamola_tasks_config.documents import PROJECT_FILE, file_saying, find_file, format_of, read_file, stated_id
from pamola_tasks_config.layers import WRITTEN, class_layers, override_layers, project_layers, task_layers

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Project, Task


def collect(project: Project, task: Task | None, overrides: Mapping[str, Any]) -> list[ConfigLayer]:
    """All layers but the environment, of which these say whether it overrides them.

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


@attrs.define
class Entry:
    """The value of a key, as written and typed, the layer that set it, and the entries that it overrides."""

    value: Any
    typed: Any
    layer: ConfigLayer
    place: str
    overridden: list[Entry] = attrs.Factory(list)
    shown: Any = attrs.Factory(lambda entry: entry.value, takes_self=True)  # with references replaced


def merge(layers: Iterable[TypedLayer], is_section: Callable[[str], bool]) -> dict[KeyPath, Entry]:
    """The winner of every key. An empty value of a key that `is_section` sets nothing."""
    winners: dict[KeyPath, Entry] = {}
    inner: dict[KeyPath, KeyPath] = {}  # paths that lead to winners, and to which first
    for typed in sorted(layers, key=lambda typed: -typed.layer.rank):
        layer = typed.layer
        for path, value in leaves(layer.values):
            if len(path) == 1 and is_section(path[0]) and (value is None or value == {}):
                continue
            entry = Entry(value, _at(typed.values, path, value), layer, layer.places.get(dotted(path), layer.origin))
            above = next((path[:n] for n in range(1, len(path) + 1) if path[:n] in winners), None)
            if above is not None and winners[above].layer is not layer:
                winners[above].overridden.append(entry)
            elif path in inner:
                if value != {}:
                    winners[inner[path]].overridden.append(entry)
            else:
                winners[path] = entry
                for length in range(1, len(path)):
                    inner.setdefault(path[:length], path)
    _keep_encryption_on(winners)
    return winners


def _at(values: Any, path: KeyPath, otherwise: Any) -> Any:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return otherwise
        values = values[part]
    return values


def _keep_encryption_on(winners: dict[KeyPath, Entry]) -> None:
    """Encryption that any layer turns on is turned off only by a written `false` of higher rank."""
    winner = winners.get(("use_encryption",))
    if winner is None or winner.value is not False:
        return
    candidates = [winner, *winner.overridden]
    for entry in candidates:
        if entry.value is False and entry.layer.name in WRITTEN:
            return
        if entry.value is True:
            others = [other for other in candidates if other is not entry]
            winners["use_encryption",] = attrs.evolve(entry, overridden=others)
            return
