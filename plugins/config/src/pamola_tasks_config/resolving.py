"""From layers to typed values: check every layer, merge, expand references, fit to the schema, remember origins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError, ValidationError
from pamola_tasks.parameters import Misfit
from pamola_tasks.protocols import ConfigLayer, Origin
from pamola_tasks.secret import Secret
from pamola_tasks_config.cascade import Entry, Leaf, leaves, merge, nest
from pamola_tasks_config.checking import is_section, kind_at, type_layers
from pamola_tasks_config.config_files import config_files, find_file, several, stated_id
from pamola_tasks_config.document import Problem, dotted, in_words
from pamola_tasks_config.documents import PROJECT_FILE
from pamola_tasks_config.environment import RESERVED, environment_layer
from pamola_tasks_config.fitting import ConfigFitter, from_text, plain
from pamola_tasks_config.layer import COMMAND_LINE, ENVIRONMENT, PROJECT_FILE_LAYER, TASK_FILE, FileLayer, problem_in
from pamola_tasks_config.references import expand, has_reference, is_one_reference
from pamola_tasks_config.schema import FOLDERS, WITHOUT_EFFECT, TaskKeys, kinds

if TYPE_CHECKING:
    from pamola_tasks.protocols import Project, Redactor
    from pamola_tasks_config.env_file import EnvFile

FALLBACK = "default"


@attrs.frozen(kw_only=True)
class Resolved:
    """A configuration, merged and typed.

    Attributes:
        keys: The keys of the schema.
        sections: Sections of plugins that are written somewhere, as the plugin's class or, without one, as they are.
        parameters: The task's own parameters.
        winners: Who set what.
        origins: The same to be shown, with secrets hidden, and the fallbacks of keys that are not set.
        warnings: What is odd, but no error.
        variables: What the file of variables says.
    """

    keys: TaskKeys
    sections: Mapping[str, Any]
    parameters: Mapping[str, Any]
    winners: Mapping[Leaf, Entry]
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]
    variables: Mapping[str, str]


def resolve(
    project: Project,
    task_id: str,
    layers: Iterable[ConfigLayer],
    settings: Mapping[str, type],
    *,
    environ: Mapping[str, str] | None = None,
    from_environment: bool = True,
) -> Resolved:
    """Merge layers into one typed configuration.

    Args:
        project: The project.
        task_id: The task's id; empty for the project's own configuration.
        layers: The layers, without the environment.
        settings: Names of plugins and the class that their section must fit.
        environ: The environment; the process's own unless given.
        from_environment: Whether its variables are a layer.

    Raises:
        ValidationError: Everything that is wrong, each with its place.
    """
    environ = os.environ if environ is None else environ
    layers = [*layers]
    if not task_id:
        task_id = next(
            (stated_id(layer.document) for layer in layers if isinstance(layer, FileLayer) and layer.name == TASK_FILE),
            "",
        )
    problems: list[Problem] = []
    file = _env_file(project, layers, problems)
    variables = environ if file is None else {**file.values, **environ}
    if from_environment:
        lifted = _written(layers, "env_override") is True
        known = _known_ids(project, layers)
        places = {} if file is None else {name: file.place(name) for name in file.values if name not in environ}
        layers.append(environment_layer(variables, task_id, known, settings, lifted=lifted, places=places))
    strict = _written(layers, "strict_config") is True
    typed_layers, wrong = type_layers(layers, settings, task_id, strict=strict)
    if problems or wrong:
        raise ValidationError(problems=in_words([*problems, *wrong]))
    winners = merge(typed_layers, lambda key: key in settings or is_section(kinds().get(key)))
    expanded, typed = _expanded(winners, settings, variables, project, problems)
    keys, sections, parameters = _complete(nest(typed), settings, winners, problems)
    if problems:
        raise ValidationError(problems=in_words(problems))
    if task_id:
        keys.task_id = task_id
    if ("encryption_mode",) not in winners and keys.use_encryption:
        keys.encryption_mode = "simple"
    return Resolved(
        keys=keys,
        sections=sections,
        parameters=parameters,
        winners=winners,
        origins=_origins(winners, expanded, keys, project.redactor),
        warnings=_warnings(project, task_id, layers) + _without_effect(file),
        variables=file.values if file is not None else {},
    )


def _written(layers: Iterable[ConfigLayer], key: str) -> Any:
    """A switch that decides how layers are read: from the command line, the task file and the project file alone."""
    for layer in sorted(layers, key=lambda layer: -layer.rank):
        if layer.name in (COMMAND_LINE, TASK_FILE, PROJECT_FILE_LAYER) and key in layer.values:
            return layer.values[key]
    return None


def _env_file(project: Project, layers: Iterable[ConfigLayer], problems: list[Problem]) -> EnvFile | None:
    """The file of variables that the highest layer names which says anything of one."""
    for layer in sorted(layers, key=lambda layer: -layer.rank):
        if "env_file" in layer.values:
            name = layer.values["env_file"]
            break
    else:
        return None
    if not isinstance(name, str) or has_reference(name):
        if isinstance(name, str):
            problems.append(problem_in(layer, Misfit(("env_file",), "a reference cannot be used here")))
        return None  # reported with the other values that do not fit
    from pamola_tasks_config.env_file import read_env_file

    file = read_env_file(project.files, name)
    if file is None:
        problems.append(problem_in(layer, Misfit(("env_file",), "there is no such file in the project")))
        return None
    problems += file.document.problems
    return file


def _without_effect(file: EnvFile | None) -> tuple[str, ...]:
    """Warnings of variables that are looked for in the environment alone."""
    found = sorted(RESERVED & file.values.keys()) if file is not None else []
    return tuple(f"{file.place(name)}: {name} has no effect here: set it in the environment" for name in found if file)


def _known_ids(project: Project, layers: Iterable[ConfigLayer]) -> set[str]:
    """Ids of tasks, from the names of files and the project file."""
    found = {PurePosixPath(name).stem for name in config_files(project.files)}
    for layer in layers:
        if isinstance(layer, FileLayer) and layer.name == PROJECT_FILE_LAYER:
            tasks = layer.document.root.plain().get("tasks")
            found |= set(tasks) if isinstance(tasks, dict) else set()
    return found


def _expanded(
    winners: Mapping[Leaf, Entry],
    settings: Mapping[str, type],
    environ: Mapping[str, str],
    project: Project,
    problems: list[Problem],
) -> tuple[dict[Leaf, Any], dict[Leaf, Any]]:
    """The winners' values with references replaced, once: what came from the environment is never looked at again.

    Returns:
        The values as they are written, and by their types.
    """
    found: dict[Leaf, Any] = {}
    typed: dict[Leaf, Any] = {}
    for path, entry in winners.items():
        found[path], typed[path] = entry.value, entry.typed
        if entry.layer.name == ENVIRONMENT or not _refers(entry.value):
            continue

        def find_secret(name: str, place: str = f"{entry.place}: {dotted(path)}") -> str:
            return _secret(project, name, place)

        kind, fitter = kind_at(path, settings), ConfigFitter()
        try:
            found[path] = _references(entry.value, kind, environ, find_secret)
        except ConfigurationError as error:
            fitter.say(path, str(error))
        else:
            typed[path] = fitter.fit(found[path], kind, path)
        problems += [problem_in(entry.layer, misfit) for misfit in fitter.misfits]
    return found, typed


def _refers(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_refers, value.values()))
    return any(map(_refers, value)) if isinstance(value, list) else has_reference(value)


def _references(value: Any, kind: Any, environ: Mapping[str, str], find_secret: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _references(item, Any, environ, find_secret) for key, item in value.items()}
    if isinstance(value, list):
        return [_references(item, Any, environ, find_secret) for item in value]
    if not has_reference(value):
        return value
    text = expand(value, environ, find_secret)
    # `${env:CHUNK}` alone is what the variable says, read by the type of the key as if it were set there.
    known = kind is not Any and kind is not str
    return from_text(text, kind) if isinstance(text, str) and is_one_reference(value) and known else text


def _secret(project: Project, name: str, place: str) -> str:
    found = project.find_secret(name)
    if found is None:
        raise ConfigurationError(
            f"{place}: no installed plugin knows the secret {name!r} (see `pamola-task hooks pamola_find_secret`)"
        )
    return found.reveal()


def _complete(
    values: Mapping[str, Any], settings: Mapping[str, type], winners: Mapping[Leaf, Entry], problems: list[Problem]
) -> tuple[TaskKeys, dict[str, Any], dict[str, Any]]:
    """The keys of the schema, the sections of plugins, and the task's own parameters, from typed values."""
    fitter = ConfigFitter()
    keys = {key: fitter.complete(value, kinds()[key], (key,)) for key, value in values.items() if key in kinds()}
    sections = {key: fitter.complete(value, settings[key], (key,)) for key, value in values.items() if key in settings}
    for misfit in fitter.misfits:
        entry = entry_at(winners, misfit.path)
        if entry is not None:
            problems.append(problem_in(entry.layer, misfit))
    parameters = {key: value for key, value in values.items() if key not in keys and key not in sections}
    return TaskKeys(**keys) if not problems else TaskKeys(), sections, parameters


def entry_at(winners: Mapping[Leaf, Entry], path: tuple[str | int, ...]) -> Entry | None:
    """The winner at, above or below a path, to report a problem there."""
    keys = tuple(part for part in path if isinstance(part, str))
    for length in range(len(keys), 0, -1):
        if keys[:length] in winners:
            return winners[keys[:length]]
    for length in range(len(keys), 0, -1):
        for leaf, entry in winners.items():
            if leaf[:length] == keys[:length]:
                return entry
    return None


def _origins(
    winners: Mapping[Leaf, Entry], expanded: Mapping[Leaf, Any], keys: TaskKeys, redact: Redactor
) -> dict[str, Origin]:

    def origin(path: Leaf, entry: Entry, value: Any, overridden: tuple[Origin, ...] = ()) -> Origin:
        return Origin(
            value=_hidden(redact, path, value), layer=entry.layer.name, place=entry.place, overridden=overridden
        )

    found: dict[str, Origin] = {}
    for path, entry in winners.items():
        # Overridden values are shown as written: their references are not looked up.
        lower = tuple(origin(path, other, other.value) for other in entry.overridden)
        found[dotted(path)] = origin(path, entry, expanded[path], lower)
    for field in attrs.fields(TaskKeys):
        for path, value in leaves({field.name: plain(getattr(keys, field.name))}):
            covered = any(path[:length] in winners for length in range(1, len(path) + 1))
            if not covered and not (value == {} and any(leaf[: len(path)] == path for leaf in winners)):
                found[dotted(path)] = Origin(value=value, layer=FALLBACK, place="built in")
    return found


def _hidden(redact: Redactor, path: Leaf, value: Any) -> Any:
    """A value with everything secret in it as `Secret`, so that it cannot be shown or written."""
    name = path[-1]
    if isinstance(value, Mapping):
        return {key: _hidden(redact, (*path, str(key)), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(redact, path, item) for item in value]
    plain_value = isinstance(value, str | int | float) and not isinstance(value, bool) and not has_reference(value)
    if plain_value and any(redact.hides(part) for part in path):
        return Secret(str(value), name)
    return Secret(value, name) if isinstance(value, str) and redact(value) != value else value


def _warnings(project: Project, task_id: str, layers: Iterable[ConfigLayer]) -> tuple[str, ...]:
    warnings: tuple[str, ...] = ()
    for stem in (task_id, PROJECT_FILE):
        if stem:
            used, others = find_file(project.files, stem)
            warnings += several(used, others)
    for layer in layers:
        ignored = {key: reason for key, reason in WITHOUT_EFFECT.items() if key in layer.values}
        if layer.name == PROJECT_FILE_LAYER and isinstance(layer, FileLayer) and layer.rank == 320:
            ignored |= {
                key: "the names of a project's folders are fixed"
                for key in FOLDERS
                if key in layer.values and not _usual(key, layer.values[key])
            }
        for key, reason in ignored.items():
            warnings += (f"{layer.places.get(key, layer.origin)}: {key}: has no effect: {reason}",)
    return warnings


def _usual(key: str, value: Any) -> bool:
    """Whether a section of the origin says what is the case anyway."""
    usual = FOLDERS[key]
    if isinstance(usual, dict):
        return isinstance(value, Mapping) and all(usual.get(name) == folder for name, folder in value.items())
    return isinstance(value, list) and set(map(str, value)) <= set(usual)
