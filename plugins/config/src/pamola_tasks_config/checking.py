"""The typed values of layers, and what is wrong with them: a mistake is one even where another layer wins."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import attrs

from pamola_tasks.parameters import MAPPINGS, Misfit, annotations_of, folded, kind_of
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks_config.document import Document, KeyPath, Problem, scalars
from pamola_tasks_config.fitting import ConfigFitter
from pamola_tasks_config.layers import (
    COMMAND_LINE,
    ENVIRONMENT,
    PROJECT_FILE_LAYER,
    TASK_CLASS,
    FileLayer,
    other_task_sections,
    problem_in,
)
from pamola_tasks_config.references import malformed
from pamola_tasks_config.schema import PROJECT_KEYS, SYNONYMS, kinds


class TypedLayer(NamedTuple):
    """A layer, and its values by the types of their keys; references are not expanded yet."""

    layer: ConfigLayer
    values: Mapping[str, Any]


def type_layers(
    layers: Iterable[ConfigLayer], settings: Mapping[str, type], task_id: str, *, strict: bool = False
) -> tuple[list[TypedLayer], list[Problem]]:
    """The layers with typed values, and all problems of all of them, unsorted.

    Args:
        layers: The layers.
        settings: Names of plugins and the class that their section must fit.
        task_id: The task that runs, or empty.
        strict: Whether parameters that the schema does not know are refused.
    """
    layers = list(layers)
    files = {id(layer.document): layer.document for layer in layers if in_project_file(layer)}
    others = [layer for document in files.values() for layer in other_task_sections(document, task_id)]
    typed: list[TypedLayer] = []
    problems: list[Problem] = []
    for layer in (*layers, *others):
        fitter = ConfigFitter(expanded=layer.name == ENVIRONMENT, layer=True)
        typed.append(TypedLayer(layer, _typed(fitter, layer, settings, strict=strict)))
        problems += [problem_in(layer, misfit) for misfit in (*fitter.misfits, *_identity(layer, task_id))]
    for document in files.values():
        problems += _sections(document)
    return typed[: len(layers)], problems


def in_project_file(layer: ConfigLayer) -> typing.TypeGuard[FileLayer]:
    """Whether the project's file holds a layer."""
    return isinstance(layer, FileLayer) and layer.name == PROJECT_FILE_LAYER


def _typed(fitter: ConfigFitter, layer: ConfigLayer, settings: Mapping[str, type], *, strict: bool) -> dict[str, Any]:
    known = {**kinds(), **settings}
    project_keys = PROJECT_KEYS if in_project_file(layer) and not layer.base else ()
    found: dict[str, Any] = {}
    for key, value in layer.values.items():
        found[key] = value
        if key in known:
            if value is not None or not is_section(known[key]):
                found[key] = fitter.fit(value, known[key], (key,))
        elif key in SYNONYMS and not isinstance(value, Mapping):
            fitter.say((key,), f"expected a mapping, got {kind_of(value)}")
        elif key in SYNONYMS:  # what is left there is a plugin's, or a slip
            for name in map(str, value):
                if near := likeness(name, SYNONYMS[key]):
                    fitter.say((key, name), f"unknown key (did you mean {near!r}?)", at_key=True)
            _references(fitter, value, key)
        elif key not in project_keys:
            if near := likeness(key, [*known, *SYNONYMS, *project_keys]):
                fitter.say((key,), f"unknown key (did you mean {near!r}?)", at_key=True)
            elif strict and layer.name != TASK_CLASS:
                fitter.say((key,), "unknown key, which strict_config does not allow", at_key=True)
            else:
                _references(fitter, value, key)
    return found


def _references(fitter: ConfigFitter, value: Any, key: str) -> None:
    """A task's own parameters may be anything, but references in them must have names."""
    for path, item in scalars(value, (key,)):
        if isinstance(item, str) and (problem := malformed(item)):
            fitter.say(path, problem)


def is_section(kind: Any) -> bool:
    """Whether a key holds keys, so that no value (`retry:`) means an empty section."""
    return (isinstance(kind, type) and attrs.has(kind)) or (typing.get_origin(kind) or kind) in MAPPINGS


def _identity(layer: ConfigLayer, task_id: str) -> list[Misfit]:
    stated = layer.values.get("task_id")
    if layer.name == COMMAND_LINE and "task_id" in layer.values:
        return [Misfit(("task_id",), "a task's id cannot be overridden", at_key=True)]
    expected = layer.base[1] if isinstance(layer, FileLayer) and layer.base[:1] == ("tasks",) else task_id
    if isinstance(stated, str) and stated and expected and stated != expected:
        return [Misfit(("task_id",), f"expected {expected!r}, the id of the task that this belongs to")]
    return []


def _sections(document: Document) -> list[Problem]:
    """Sections of a project file that must be mappings, and are not."""
    tasks = document.root.mapping("tasks")
    paths: list[KeyPath] = [("tasks",), ("task_defaults",), *(("tasks", name) for name in tasks)]
    return [
        document.problem(node.start, f"expected a mapping, got {kind_of(node.plain())}", path)
        for path in paths
        if (node := document.root.at(*path)) and node.value is not None and not isinstance(node.value, dict)
    ]


def kind_at(path: KeyPath, settings: Mapping[str, type]) -> Any:
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


def likeness(name: str, known: Iterable[str]) -> str:
    """The known name that this one is almost certainly a slip of, or empty.

    A slip turns what could be a task's own parameter into an error, so honest names must not be caught:
    `custom_parameter`, `score` beside `scope`, `seed_2` beside `seed`.
    """
    import difflib  # only where a key is not known

    key, words = folded(name), set(name.lower().split("_"))
    near: dict[str, str] = {}
    for candidate in known:
        other = folded(candidate)
        if candidate == name or other == key:
            return "" if candidate == name else candidate
        further = set(candidate.split("_")) < words  # a known name with further words
        if not further and abs(len(other) - len(key)) <= 2 and len(set(key).symmetric_difference(other)) <= 4:
            near[other] = candidate
    long = [other for other in near if len(other) >= 8]
    short = [other for other in near if 5 <= len(other) < 8 and _slip(key, other)]
    found = difflib.get_close_matches(key, long, 1, 0.88) + difflib.get_close_matches(key, short, 1, 0.8)
    return near[found[0]] if found else ""


def _slip(key: str, other: str) -> bool:
    """Whether letters are swapped, lost or doubled. Short words have honest neighbours (`score`, `output`)."""
    same_ends = key[:1] == other[:1] and key[-1:] == other[-1:]
    return sorted(key) == sorted(other) or (same_ends and len(key) != len(other))
