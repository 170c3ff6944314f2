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
from pamola_tasks.parameters import Misfit, ValuePath
from pamola_tasks.protocols import ConfigLayer, RawValue
from pamola_tasks_config.document import Document, KeyPath, Problem, dotted, leaves, put
from pamola_tasks_config.documents import parse
from pamola_tasks_config.fitting import plain
from pamola_tasks_config.schema import SYNONYMS, kinds

if TYPE_CHECKING:
    from pamola_tasks.protocols import Task

COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER = "command line", "task file", "project file"
TASK_CLASS, ENVIRONMENT = "task class", "environment"
WRITTEN = (COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER)
_ORDER = (*WRITTEN, TASK_CLASS, ENVIRONMENT)


@attrs.frozen(kw_only=True)
class FileLayer(ConfigLayer):
    """A layer from a file, which knows the place of every key."""

    document: Document
    base: KeyPath = ()  #: the path of the section that holds the keys
    renamed: Mapping[str, KeyPath] = attrs.Factory(dict)  #: paths of keys that the file holds under another name


def problem_in(layer: ConfigLayer, misfit: Misfit) -> Problem:
    """A problem with a value of a layer, at its place."""
    if isinstance(layer, FileLayer):
        head = layer.renamed.get(str(misfit.path[0])) if misfit.path else None
        path: ValuePath = (*head, *misfit.path[1:]) if head else (*layer.base, *misfit.path)
        key, value = layer.document.find(path)
        return layer.document.problem(key if misfit.at_key else value, misfit.message, path)
    above = (dotted(misfit.path[:length]) for length in range(len(misfit.path), 0, -1))
    place = next((layer.places[key] for key in above if key in layer.places), layer.origin)
    order = _ORDER.index(layer.name) if layer.name in _ORDER else len(_ORDER)
    return Problem(order, 0, 0, f"{place}: {dotted(misfit.path)}: {misfit.message}")


def _layer(
    name: str, rank: int, document: Document, values: Mapping[str, Any], base: KeyPath = (), renamed: Any = None
) -> FileLayer:
    renamed = renamed or {}
    places: dict[str, str] = {}
    for key in values:
        node = document.root.at(*renamed.get(key, (*base, key)))
        for path, child in node.below((key,)) if node is not None else ():
            places[dotted(path)] = document.where(child.start)
    origin = document.name + (f" ({'.'.join(base)})" if base else "")
    return FileLayer(
        name=name, rank=rank, origin=origin, values=values, places=places, document=document, base=base, renamed=renamed
    )


def task_layers(document: Document) -> list[ConfigLayer]:
    """What a task file says."""
    return _with_old_sections(_layer(TASK_FILE, 400, document, document.root.mapping()))


def project_layers(document: Document, task_id: str) -> list[ConfigLayer]:
    """What a project file says to one task; without a task, to the project."""
    top = {key: value for key, value in document.root.mapping().items() if key not in ("tasks", "task_defaults")}
    return [
        *(_section(document, 340, "tasks", task_id) if task_id and document.root.at("tasks", task_id) else ()),
        *_section(document, 330, "task_defaults"),
        *_with_old_sections(_layer(PROJECT_FILE_LAYER, 320, document, top)),
    ]


def _section(document: Document, rank: int, *base: str) -> list[ConfigLayer]:
    return _with_old_sections(_layer(PROJECT_FILE_LAYER, rank, document, document.root.mapping(*base), base))


def other_task_sections(document: Document, task_id: str) -> list[ConfigLayer]:
    """The sections of a project file that belong to other tasks: their mistakes are shown with the rest."""
    others = [other for other in document.root.mapping("tasks") if other != task_id]
    return [layer for other in others for layer in _section(document, 340, "tasks", other)]


def _with_old_sections(layer: ConfigLayer) -> list[ConfigLayer]:
    """A layer, and just below it the keys of the schema in its sections `performance`, `encryption` and `logging`.

    Everything else in such a section stays: it may be a plugin's.
    """
    values, lifted = dict(layer.values), dict[str, KeyPath]()
    for section, names in SYNONYMS.items():
        inner = values.pop(section, None)
        if isinstance(inner, Mapping):
            for old, key in names.items():
                if old in inner:
                    lifted.setdefault(key, (section, old))
            inner = {key: value for key, value in inner.items() if key not in names} or None
        if inner is not None:
            values[section] = inner
    rest = attrs.evolve(layer, values=values)
    if not lifted:
        return [rest]
    found = {key: layer.values[section][old] for key, (section, old) in lifted.items()}
    if isinstance(layer, FileLayer):
        renamed = {key: (*layer.base, *path) for key, path in lifted.items()}
        return [rest, _layer(layer.name, layer.rank - 5, layer.document, found, layer.base, renamed)]
    places = {key: f"{layer.origin}: {dotted(path)}" for key, path in lifted.items()}
    return [rest, attrs.evolve(layer, rank=layer.rank - 5, values=found, places=places)]


def override_layers(overrides: Mapping[str, Any], *, rank: int = 500, origin: str = "--set") -> list[ConfigLayer]:
    """What the command line or a caller asked for: `{"retry.max_retries": 5}`."""
    values: dict[str, Any] = {}
    for key, given in overrides.items():
        path = tuple(key.split("."))
        if not all(path):
            raise ConfigurationError(f"--set {key}: a key is names joined by single dots")
        value = raw_value(key, given) if isinstance(given, RawValue) else plain(given)
        for inner, item in leaves({"": value}):
            put(values, (*path, *inner[1:]), item)
    return _with_old_sections(ConfigLayer(name=COMMAND_LINE, rank=rank, origin=origin, values=values))


def raw_value(key: str, text: str) -> Any:
    """A value of the command line as YAML 1.2 reads it in one line; else text, and UsageError for half a list."""
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
    values = document.root.mapping()
    return values["value"] if len(values) == 1 else text


def class_layers(task: Task) -> list[ConfigLayer]:
    """What the task's class states. A class that states None for what cannot be None states nothing."""
    stated = plain(task.stated_configuration())
    values = {key: value for key, value in stated.items() if value is not None or key not in kinds()}
    layer = ConfigLayer(name=TASK_CLASS, rank=200, origin=task.origin or TASK_CLASS, values=values)
    return _with_old_sections(layer)
