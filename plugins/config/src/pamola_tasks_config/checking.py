"""The typed values of layers, and what is wrong with them: a mistake is one even where another layer wins."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pamola_tasks.parameters import MAPPINGS, Misfit, ValuePath, annotations_of, kind_of
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks_config.document import Document, Problem
from pamola_tasks_config.fitting import ConfigFitter
from pamola_tasks_config.layer import COMMAND_LINE, ENVIRONMENT, PROJECT_FILE_LAYER, TASK_CLASS, FileLayer, problem_in
from pamola_tasks_config.layers import other_task_sections
from pamola_tasks_config.references import has_reference, malformed
from pamola_tasks_config.schema import PROJECT_KEYS, SYNONYMS, kinds
from pamola_tasks_config.slips import likeness


@attrs.frozen(eq=False)
class TypedLayer:
    """A layer, and its values by the types of their keys; references are not expanded yet."""

    layer: ConfigLayer
    values: Mapping[str, Any]


def type_layers(
    layers: Iterable[ConfigLayer], settings: Mapping[str, type], task_id: str, *, strict: bool, sections: bool = True
) -> tuple[list[TypedLayer], list[Problem]]:
    """The layers with typed values, and all problems of all of them, unsorted.

    Args:
        layers: The layers.
        settings: Names of plugins and the class that their section must fit.
        task_id: The task that runs, or empty.
        strict: Whether parameters that the schema does not know are refused.
        sections: Whether `settings` is known yet.
    """
    layers = list(layers)
    files = {id(found.document): found for found in layers if isinstance(found, FileLayer)}
    documents = [found.document for found in files.values() if found.name == PROJECT_FILE_LAYER]
    others = [layer for document in documents for layer in other_task_sections(document, task_id)]
    typed: list[TypedLayer] = []
    problems: list[Problem] = []
    for layer in (*layers, *others):
        fitter = ConfigFitter(expanded=layer.name == ENVIRONMENT, layer=True)
        typed.append(TypedLayer(layer, _typed(fitter, layer, settings, strict=strict and sections)))
        problems += [problem_in(layer, misfit) for misfit in (*fitter.misfits, *_identity(layer, task_id))]
    for document in documents:
        problems += _sections(document)
    return typed[: len(layers)], problems


def _typed(fitter: ConfigFitter, layer: ConfigLayer, settings: Mapping[str, type], *, strict: bool) -> dict[str, Any]:
    in_project = isinstance(layer, FileLayer) and layer.name == PROJECT_FILE_LAYER and not layer.base
    known = {**kinds(), **settings}
    found: dict[str, Any] = {}
    for key, value in layer.values.items():
        found[key] = value
        if key in known:
            if value is not None or not is_section(known[key]):
                found[key] = fitter.fit(value, known[key], (key,))
        elif key in SYNONYMS:
            _left_over(fitter, key, value)
        elif not (in_project and key in PROJECT_KEYS):
            near = likeness(key, [*known, *SYNONYMS, *(PROJECT_KEYS if in_project else ())])
            if near:
                fitter.say((key,), f"unknown key (did you mean {near!r}?)", at_key=True)
            elif strict and layer.name != TASK_CLASS:
                fitter.say((key,), "unknown key, which strict_config does not allow", at_key=True)
            else:
                _references(fitter, value, (key,))
    return found


def _left_over(fitter: ConfigFitter, section: str, value: Any) -> None:
    """What is left in a section of the origin after the keys with a meaning were taken out."""
    if not isinstance(value, Mapping):
        fitter.say((section,), f"expected a mapping, got {kind_of(value)}")
        return
    for key in value:
        near = likeness(str(key), SYNONYMS[section])
        if near:
            fitter.say((section, str(key)), f"unknown key (did you mean {near!r}?)", at_key=True)
    _references(fitter, value, (section,))


def _references(fitter: ConfigFitter, value: Any, path: ValuePath) -> None:
    """A task's own parameters may be anything, but references in them must have names."""
    if has_reference(value):
        problem = malformed(value)
        if problem:
            fitter.say(path, problem)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _references(fitter, item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _references(fitter, item, (*path, index))


def is_section(kind: Any) -> bool:
    """Whether a key holds keys, so that no value (`retry:`) means an empty section."""
    return (isinstance(kind, type) and attrs.has(kind)) or (typing.get_origin(kind) or kind) in MAPPINGS


def _identity(layer: ConfigLayer, task_id: str) -> list[Misfit]:
    stated = layer.values.get("task_id")
    if layer.name == COMMAND_LINE and "task_id" in layer.values:
        return [Misfit(("task_id",), "a task's id cannot be overridden", at_key=True)]
    section = isinstance(layer, FileLayer) and layer.base[:1] == ("tasks",)
    expected = layer.base[1] if section and isinstance(layer, FileLayer) else task_id
    if isinstance(stated, str) and stated and expected and stated != expected:
        return [Misfit(("task_id",), f"expected {expected!r}, the id of the task that this belongs to")]
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
        elif (typing.get_origin(kind) or kind) in MAPPINGS:
            kind = (typing.get_args(kind) or (Any, Any))[1]
        else:
            return Any
    return kind
