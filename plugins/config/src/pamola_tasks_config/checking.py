"""What is wrong with the values of layers, each for itself: a mistake is one even where another layer wins."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pamola_tasks.parameters import annotations_of, kind_of
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks_config.documents import Document, Path, Problem
from pamola_tasks_config.fitting import Fitting, Wrong
from pamola_tasks_config.layers import (
    COMMAND_LINE,
    ENVIRONMENT,
    PROJECT_FILE_LAYER,
    TASK_CLASS,
    FileLayer,
    other_task_sections,
    problem_in,
)
from pamola_tasks_config.references import has_reference, malformed
from pamola_tasks_config.resembling import likeness
from pamola_tasks_config.schema import PROJECT_KEYS, SYNONYMS, kinds


def check_layers(
    layers: Iterable[ConfigLayer], settings: Mapping[str, type], task_id: str, *, strict: bool, sections: bool = True
) -> list[Problem]:
    """All problems of all layers, unsorted.

    Args:
        layers: The layers.
        settings: Names of plugins and the class that their section must fit.
        task_id: The task that runs, or empty.
        strict: Whether parameters that the schema does not know are refused.
        sections: Whether `settings` is known yet.
    """
    layers = list(layers)
    documents: dict[int, Document] = {
        id(layer.document): layer.document
        for layer in layers
        if isinstance(layer, FileLayer) and layer.name == PROJECT_FILE_LAYER
    }
    for document in documents.values():
        layers.extend(other_task_sections(document, task_id))
    problems: list[Problem] = []
    for layer in layers:
        wrong = _check(layer, settings, strict=strict and sections)
        wrong += _identity(layer, task_id)
        problems += [problem_in(layer, found) for found in wrong]
    for document in documents.values():
        problems += _sections(document)
    return problems


def _check(layer: ConfigLayer, settings: Mapping[str, type], *, strict: bool) -> list[Wrong]:
    fitting = Fitting(final=layer.name == ENVIRONMENT)
    in_project = isinstance(layer, FileLayer) and layer.name == PROJECT_FILE_LAYER and not layer.base
    known = [*kinds(), *settings, *SYNONYMS, *(PROJECT_KEYS if in_project else ())]
    for key, value in layer.values.items():
        if key in kinds():
            kind = kinds()[key]
            if value is None and is_section(kind):
                continue
            if isinstance(kind, type) and attrs.has(kind):
                fitting.section(value, kind, (key,), complete=False)
            else:
                fitting.fit(value, kind, (key,))
        elif key in settings:
            fitting.section(value, settings[key], (key,), complete=False)
        elif key in SYNONYMS:
            _left_over(fitting, key, value)
        elif in_project and key in PROJECT_KEYS:
            continue
        else:
            near = likeness(key, known)
            if near:
                fitting.say((key,), f"unknown key (did you mean {near!r}?)", at_key=True)
            elif strict and layer.name != TASK_CLASS:
                fitting.say((key,), "unknown key, which strict_config does not allow", at_key=True)
            else:
                _references(fitting, value, (key,))
    return fitting.wrong


def _left_over(fitting: Fitting, section: str, value: Any) -> None:
    """What is left in a section of the origin after the keys with a meaning were taken out."""
    if not isinstance(value, Mapping):
        fitting.say((section,), f"expected a mapping, got {kind_of(value)}")
        return
    for key in value:
        near = likeness(str(key), SYNONYMS[section])
        if near:
            fitting.say((section, str(key)), f"unknown key (did you mean {near!r}?)", at_key=True)
    _references(fitting, value, (section,))


def _references(fitting: Fitting, value: Any, path: Path) -> None:
    """A task's own parameters may be anything, but references in them must have names."""
    if has_reference(value):
        problem = malformed(value)
        if problem:
            fitting.say(path, problem)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _references(fitting, item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _references(fitting, item, (*path, index))


def is_section(kind: Any) -> bool:
    """Whether a key holds keys, so that nothing behind it (`retry:`) means an empty section."""
    return (isinstance(kind, type) and attrs.has(kind)) or (typing.get_origin(kind) or kind) in (dict, Mapping)


def _identity(layer: ConfigLayer, task_id: str) -> list[Wrong]:
    stated = layer.values.get("task_id")
    if layer.name == COMMAND_LINE and "task_id" in layer.values:
        return [Wrong(("task_id",), "a task's id cannot be overridden", at_key=True)]
    section = isinstance(layer, FileLayer) and layer.base[:1] == ("tasks",)
    expected = layer.base[1] if section and isinstance(layer, FileLayer) else task_id
    if isinstance(stated, str) and stated and expected and stated != expected:
        return [Wrong(("task_id",), f"expected {expected!r}, the id of the task that this belongs to")]
    return []


def _sections(document: Document) -> list[Problem]:
    """Sections of a project file that must be mappings, and are not."""
    found: list[Problem] = []
    root = document.root.value
    assert isinstance(root, dict)
    for name in ("tasks", "task_defaults"):
        node = root.get(name)
        if node is not None and node.value is not None and not isinstance(node.value, dict):
            found.append(document.problem(node.start, f"expected a mapping, got {kind_of(node.plain())}", (name,)))
    tasks = root.get("tasks")
    if tasks is not None and isinstance(tasks.value, dict):
        for task_id, node in tasks.value.items():
            if node.value is not None and not isinstance(node.value, dict):
                message = f"expected a mapping, got {kind_of(node.plain())}"
                found.append(document.problem(node.start, message, ("tasks", task_id)))
    return found


def kind_at(path: tuple[str, ...], settings: Mapping[str, type]) -> Any:
    """The type of a key, given by its path; `Any` for a task's own parameters."""
    kind: Any = kinds().get(path[0], settings.get(path[0], Any))
    for part in path[1:]:
        if isinstance(kind, type) and attrs.has(kind):
            kind = annotations_of(kind).get(part, Any)
        elif (typing.get_origin(kind) or kind) in (dict, Mapping):
            kind = (typing.get_args(kind) or (Any, Any))[1]
        else:
            return Any
    return kind
