"""The layers of the cascade, from the command line down to the environment, each value with its place.

500 command line · 450 environment, where `env_override` is on · 400 task file
340 project file, `tasks.<id>` · 330 `task_defaults` · 320 its top level · 310 the origin's sections
200 what the task's class states · 100 environment

The origin's sections `performance`, `encryption` and `logging` set keys of a task under other names; they rank just
below the layer that they are written in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError, UsageError
from pamola_tasks.protocols import ConfigLayer, RawValue
from pamola_tasks_config.document import Document, Node, dotted
from pamola_tasks_config.documents import parse
from pamola_tasks_config.fitting import plain
from pamola_tasks_config.layer import COMMAND_LINE, PROJECT_FILE_LAYER, TASK_CLASS, TASK_FILE, FileLayer
from pamola_tasks_config.schema import SYNONYMS, kinds

if TYPE_CHECKING:
    from pamola_tasks.protocols import Task

# ---------------------------------------------------------------- files


def _layer(
    name: str,
    rank: int,
    document: Document,
    values: Mapping[str, Any],
    base: tuple[str, ...] = (),
    renamed: Mapping[str, tuple[str, ...]] | None = None,
) -> FileLayer:
    renamed = renamed or {}
    places: dict[str, str] = {}
    for key in values:
        head = renamed.get(key, (*base, key))
        for path, node in document.below(head):
            places[dotted((key, *path))] = document.where(node.start)
    origin = document.name + (f" ({'.'.join(base)})" if base else "")
    return FileLayer(
        name=name,
        rank=rank,
        origin=origin,
        values=values,
        places=places,
        document=document,
        base=base,
        renamed=renamed,
    )


def _values(node: Node | None) -> dict[str, Any]:
    found = node.plain() if node is not None else None
    return found if isinstance(found, dict) else {}


def task_layers(document: Document) -> list[ConfigLayer]:
    """What a task file says."""
    return _with_old_sections(_layer(TASK_FILE, 400, document, _values(document.root)))


def project_layers(document: Document, task_id: str) -> list[ConfigLayer]:
    """What a project file says to one task; without a task, to the project."""
    root = document.root
    found: list[ConfigLayer] = []
    if task_id and root.at("tasks", task_id) is not None:
        found += _with_old_sections(_task_section(document, task_id))
    defaults = _values(root.at("task_defaults"))
    found += _with_old_sections(_layer(PROJECT_FILE_LAYER, 330, document, defaults, ("task_defaults",)))
    top = {key: value for key, value in _values(root).items() if key not in ("tasks", "task_defaults")}
    return found + _with_old_sections(_layer(PROJECT_FILE_LAYER, 320, document, top))


def _task_section(document: Document, task_id: str) -> FileLayer:
    base = ("tasks", task_id)
    return _layer(PROJECT_FILE_LAYER, 340, document, _values(document.root.at(*base)), base)


def other_task_sections(document: Document, task_id: str) -> list[ConfigLayer]:
    """The sections of a project file that belong to other tasks: their mistakes are shown with the rest."""
    tasks = _values(document.root.at("tasks"))
    return [
        layer for other in tasks if other != task_id for layer in _with_old_sections(_task_section(document, other))
    ]


def _with_old_sections(layer: ConfigLayer) -> list[ConfigLayer]:
    """A layer, and just below it the keys of the schema in its sections `performance`, `encryption` and `logging`.

    Everything else in such a section stays: it may be a plugin's.
    """
    values = dict(layer.values)
    lifted: dict[str, Any] = {}
    renamed: dict[str, tuple[str, ...]] = {}
    for section, names in SYNONYMS.items():
        inner = values.get(section)
        if section in values and inner is None:
            del values[section]
        if not isinstance(inner, Mapping):
            continue
        for old, key in names.items():
            if old in inner and key not in lifted:
                lifted[key] = inner[old]
                renamed[key] = (section, old)
        values[section] = {key: value for key, value in inner.items() if key not in names}
        if not values[section]:
            del values[section]
    rest = attrs.evolve(layer, values=values)
    if not lifted:
        return [rest]
    if isinstance(layer, FileLayer):
        base = layer.base
        renamed = {key: (*base, *path) for key, path in renamed.items()}
        return [rest, _layer(layer.name, layer.rank - 5, layer.document, lifted, base, renamed)]
    places = {key: f"{layer.origin}: {dotted(path)}" for key, path in renamed.items()}
    return [rest, attrs.evolve(layer, rank=layer.rank - 5, values=lifted, places=places)]


# ---------------------------------------------------------------- command line and class


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"retry.max_retries": 5}` as `{"retry": {"max_retries": 5}}`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        place = found
        *parents, last = key.split(".")
        if not all((*parents, last)):
            raise ConfigurationError(f"--set {key}: a key is names joined by single dots")
        for parent in parents:
            inner = place.get(parent)
            if not isinstance(inner, dict):
                inner = place[parent] = {}
            place = inner
        value = raw_value(key, value) if isinstance(value, RawValue) else plain(value)
        if isinstance(value, dict) and isinstance(place.get(last), dict):
            place[last].update(value)
        else:
            place[last] = value
    return found


def raw_value(key: str, text: str) -> Any:
    """A value of the command line as YAML 1.2 reads it in one line; anything else is text.

    Raises:
        UsageError: What begins as a list or mapping does not parse, or the value may not be.
    """
    text = text.strip()
    if text[:1] in ("|", ">"):
        return text  # these begin texts of several lines in YAML
    try:
        document = parse(f"value: {text}\n".encode(), "set.yaml")
    except ConfigurationError as error:
        if text[:1] not in ("[", "{"):
            return text
        raise UsageError(f"--set {key}: {error.problems[0].partition(': ')[2]}; put texts in quotes") from None
    if document.problems:
        raise UsageError(f"--set {key}: {document.problems[0].text.partition(': ')[2]}")
    values = document.root.plain()
    return values["value"] if len(values) == 1 else text


def override_layers(overrides: Mapping[str, Any], *, rank: int = 500, origin: str = "--set") -> list[ConfigLayer]:
    """What the command line or a caller asked for."""
    layer = ConfigLayer(name=COMMAND_LINE, rank=rank, origin=origin, values=nested(overrides))
    return _with_old_sections(layer)


def class_layers(task: Task) -> list[ConfigLayer]:
    """What the task's class states. A class that states None for what cannot be None states nothing."""
    stated = plain(task.stated_configuration())
    values = {key: value for key, value in stated.items() if value is not None or key not in kinds()}
    layer = ConfigLayer(name=TASK_CLASS, rank=200, origin=task.origin or TASK_CLASS, values=values)
    return _with_old_sections(layer)
