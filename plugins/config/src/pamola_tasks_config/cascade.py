"""The layers of a run, and which of them wins each key: leaf by leaf, so that one may set a part of a section.

Every layer is checked: a mistake is one even where another layer wins.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

import attrs

from pamola_tasks.errors import ConfigurationError, ValidationError
from pamola_tasks.parameters import Misfit, folded, kind_of
from pamola_tasks.protocols import ConfigLayer
from pamola_tasks.storage.files import check_name
from pamola_tasks_config.document import Document, KeyPath, Problem, dotted, in_words, leaves, scalars
from pamola_tasks_config.documents import PROJECT_FILE, file_saying, find_file, format_of, read_file, stated_id
from pamola_tasks_config.fitting import ConfigFitter, malformed
from pamola_tasks_config.layers import (
    COMMAND_LINE,
    ENVIRONMENT,
    PROJECT_FILE_LAYER,
    TASK_CLASS,
    WRITTEN,
    FileLayer,
    class_layers,
    other_task_sections,
    override_layers,
    problem_in,
    project_layers,
    task_layers,
)
from pamola_tasks_config.schema import COMMON, PROJECT_KEYS, PROJECT_ONLY, SYNONYMS, is_section, kinds

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Project, Task

#: A layer, and its values by the types of their keys; references are not expanded yet.
TypedLayer: TypeAlias = tuple[ConfigLayer, Mapping[str, Any]]


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


def merge(layers: Iterable[TypedLayer], sections: Container[str]) -> dict[KeyPath, Entry]:
    """The winner of every key. An empty section sets nothing."""
    winners: dict[KeyPath, Entry] = {}
    inner: dict[KeyPath, KeyPath] = {}  # paths that lead to winners, and to which first
    for layer, values in sorted(layers, key=lambda typed: -typed[0].rank):
        typed = dict(leaves(values))
        for path, value in leaves(layer.values):
            if len(path) == 1 and path[0] in sections and (value is None or value == {}):
                continue
            place = layer.places.get(dotted(path), layer.origin)
            entry = Entry(value, typed.get(path, value), layer, place)
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


def type_layers(
    layers: Iterable[ConfigLayer], settings: Mapping[str, type], task_id: str, *, strict: bool = False
) -> tuple[list[TypedLayer], list[Problem]]:
    """The layers with typed values, and all problems of all of them, unsorted.

    `strict` refuses parameters that neither the schema nor `settings`, the classes of plugins' sections, know.
    """
    layers = list(layers)
    files = {id(layer.document): layer.document for layer in layers if in_project_file(layer)}
    others = [layer for document in files.values() for layer in other_task_sections(document, task_id)]
    typed: list[TypedLayer] = []
    problems: list[Problem] = []
    for layer in (*layers, *others):
        fitter = ConfigFitter(expanded=layer.name == ENVIRONMENT, layer=True)
        typed.append((layer, _typed(fitter, layer, settings, strict=strict)))
        problems += [problem_in(layer, misfit) for misfit in (*fitter.misfits, *_identity(layer, task_id))]
    for document in files.values():
        problems += _sections(document)
    return typed[: len(layers)], problems


def in_project_file(layer: ConfigLayer) -> TypeGuard[FileLayer]:
    """Whether the project's file holds a layer."""
    return isinstance(layer, FileLayer) and layer.name == PROJECT_FILE_LAYER


def _typed(fitter: ConfigFitter, layer: ConfigLayer, settings: Mapping[str, type], *, strict: bool) -> dict[str, Any]:
    known = ChainMap(cast(Any, settings), kinds())
    project_keys = PROJECT_KEYS if in_project_file(layer) and not layer.base else ()
    found: dict[str, Any] = {}
    for key, value in layer.values.items():
        found[key] = value
        if key in PROJECT_ONLY and (layer.name, key) != (COMMAND_LINE, "env_override") and not project_keys:
            fitter.say((key,), "belongs to the top level of the project file, configs/prj_config.yaml", at_key=True)
        elif key == "plugins" and key not in known:
            fitter.say((key,), "belongs to .pamola.toml, written [plugins]", at_key=True)
        elif key in known:
            if value is not None or not is_section(known[key]):
                found[key] = fitter.fit(value, known[key], (key,))
        elif key in SYNONYMS and not isinstance(value, Mapping):
            fitter.say((key,), f"expected a mapping, got {kind_of(value)}")
        elif key in SYNONYMS:  # what is left there is a plugin's, or a slip
            for name in map(str, value):
                if near := likeness(name, SYNONYMS[key]):
                    fitter.say((key, name), f"unknown key (did you mean {near!r}?)", at_key=True)
            _own(fitter, value, key)
        elif key not in project_keys:
            if near := likeness(key, [*known, *SYNONYMS, *project_keys]):
                fitter.say((key,), f"unknown key (did you mean {near!r}?)", at_key=True)
            elif strict and layer.name != TASK_CLASS:
                fitter.say((key,), "unknown key, which strict_config does not allow", at_key=True)
            else:
                _own(fitter, value, key)
    return found


def _own(fitter: ConfigFitter, value: Any, key: str) -> None:
    """A task's own parameters may be anything, but references in them must have names, and hold no key of ours."""
    for path, item in scalars(value, (key,)):
        if isinstance(item, str) and (problem := malformed(item)):
            fitter.say(path, problem)
        for length in range(2, len(path) + 1):
            name = path[length - 1]
            if isinstance(name, str) and "_" in name and name in kinds() and name not in COMMON:
                fitter.say(path[:length], f"has no effect here: write {name} at the top level", at_key=True)


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
