"""From layers to typed values: check every layer, merge, expand references, fit to the schema, remember origins."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, cast, get_origin

import attrs

from pamola_tasks.errors import ConfigurationError, ValidationError
from pamola_tasks.parameters import Misfit, ValuePath
from pamola_tasks.protocols import ConfigLayer, Origin
from pamola_tasks.secret import Secret
from pamola_tasks.secret import variables as process_variables
from pamola_tasks_config.cascade import Entry, in_project_file, merge, type_layers
from pamola_tasks_config.decided import key_files, lost_encryption, undone_locks
from pamola_tasks_config.document import KeyPath, Problem, changed, dotted, in_words, leaves, nested, scalars
from pamola_tasks_config.documents import PROJECT_FILE, config_files, find_file, several, stated_id
from pamola_tasks_config.environment import RESERVED, environment_layer
from pamola_tasks_config.fitting import (
    ConfigFitter,
    expand,
    from_text,
    from_variables,
    has_reference,
    is_one_reference,
    is_secret,
    plain,
)
from pamola_tasks_config.layers import ENVIRONMENT, TASK_FILE, WRITTEN, FileLayer, problem_in
from pamola_tasks_config.machine import usual_limit_mb
from pamola_tasks_config.schema import FOLDERS, SHOWN, WITHOUT_EFFECT, TaskKeys, is_section, kind_at, kinds

if TYPE_CHECKING:
    from pamola_tasks.protocols import Project, Redactor
    from pamola_tasks_config.env_file import EnvFile

_OF_THE_MACHINE = "a quarter of this machine's memory"


@attrs.frozen(kw_only=True)
class Resolved:
    """A configuration, merged and typed."""

    keys: TaskKeys
    sections: Mapping[str, Any]  #: of plugins, that are written somewhere: as the plugin's class
    parameters: Mapping[str, Any]  #: the task's own
    winners: Mapping[KeyPath, Entry]  #: what set what
    origins: Mapping[str, Origin]  #: the same to be shown: secrets hidden, fallbacks of keys that are not set
    warnings: tuple[str, ...]
    variables: Mapping[str, str]  #: what the file of variables says
    referred: frozenset[str]  #: what `${env:…}` gave to keys that can hold a secret


def resolve(
    project: Project,
    task_id: str,
    layers: Iterable[ConfigLayer],
    settings: Mapping[str, type],
    *,
    environment: bool = True,
) -> Resolved:
    """Merge layers into one typed configuration; arguments as for `TaskConfig`, with the task's id or nothing.

    Raises:
        ValidationError: Everything that is wrong, each with its place.
    """
    layers = [*layers]
    if not task_id:
        of_task = [layer for layer in layers if isinstance(layer, FileLayer) and layer.name == TASK_FILE]
        task_id = stated_id(of_task[0].document) if of_task else ""
    problems: list[Problem] = []
    file = _env_file(project, layers, problems)
    said = file.values if file is not None else {}
    variables = {**said, **process_variables()}
    lifted = _written(layers, "env_override") is True
    places = {name: file.place(name) for name in said if name not in os.environ} if file is not None else {}
    known = {PurePosixPath(name).stem for name in config_files(project.files)}
    known |= {name for layer in layers if in_project_file(layer) for name in layer.document.root.mapping("tasks")}
    setting = variables if environment else {}
    layers.append(environment_layer(setting, task_id, known, settings, lifted=lifted, places=places))
    read = {place.rpartition(" ")[2] for place in layers[-1].places.values()} | RESERVED
    unread = {name: f"{places[name]}: " if name in places else "environment " for name in setting if name not in read}
    strict = _written(layers, "strict_config") is True
    typed_layers, wrong = type_layers(layers, settings, task_id, strict=strict)
    if problems or wrong:
        raise ValidationError(problems=in_words([*problems, *wrong]))
    winners = merge(typed_layers, {*settings, *(key for key, kind in kinds().items() if is_section(kind))})
    problems += [*undone_locks(winners, layers, settings), *lost_encryption(winners, settings, unread)]
    broken: list[Entry] = []
    referred: set[str] = set()
    for path, entry in winners.items():
        # What came from the environment is never looked at again.
        if entry.layer.name != ENVIRONMENT and any(has_reference(value) for _, value in scalars(entry.value)):
            try:
                referred |= _expand(entry, path, kind_at(path, settings), variables, project)
            except ConfigurationError as error:
                problems.append(problem_in(entry.layer, Misfit(path, str(error))))
                broken.append(entry)
    for value in referred:
        project.redactor.register(value)
    warnings = [*key_files(project, winners, problems), *_warnings(project, task_id, layers, file)]
    values = nested((path, entry.typed) for path, entry in winners.items())
    fitter = ConfigFitter()
    known_kinds = ChainMap(kinds(), cast(Any, settings))
    made = {key: fitter.fit(values[key], known_kinds[key], (key,)) for key in values if key in known_kinds}
    for misfit in fitter.misfits:
        wrong_entry = entry_at(winners, misfit.path)
        if wrong_entry is not None and not any(wrong_entry is entry for entry in broken):
            problems.append(problem_in(wrong_entry.layer, misfit))
    if problems:
        raise ValidationError(problems=in_words(problems))
    keys = TaskKeys(**{key: value for key, value in made.items() if key in kinds()})
    keys.task_id = task_id or keys.task_id
    if ("encryption_mode",) not in winners and keys.use_encryption:
        keys.encryption_mode = "simple"
    if keys.memory_limit_mb is None:
        keys.memory_limit_mb = usual_limit_mb()
    return Resolved(
        keys=keys,
        sections={key: value for key, value in made.items() if key not in kinds()},
        parameters={key: value for key, value in values.items() if key not in made},
        winners=winners,
        origins=_origins(winners, keys, project.redactor),
        warnings=tuple(warnings),
        variables=said,
        referred=frozenset(referred),
    )


def _written(layers: Iterable[ConfigLayer], key: str) -> Any:
    """A switch that decides how layers are read: from the command line, the task file and the project file alone."""
    saying = [layer for layer in layers if layer.name in WRITTEN and key in layer.values]
    return max(saying, key=lambda layer: layer.rank).values[key] if saying else None


def _env_file(project: Project, layers: Iterable[ConfigLayer], problems: list[Problem]) -> EnvFile | None:
    """The file of variables that the highest layer names which says anything of one."""
    saying = [layer for layer in layers if "env_file" in layer.values]
    layer = max(saying, key=lambda layer: layer.rank, default=None)
    name = layer.values["env_file"] if layer is not None else None
    if layer is None or not isinstance(name, str):
        return None  # what is no name is reported with the other values that do not fit
    if has_reference(name):
        problems.append(problem_in(layer, Misfit(("env_file",), "a reference cannot be used here")))
        return None
    from pamola_tasks_config.env_file import read_env_file

    file = read_env_file(project.files, name)
    if file is None:
        problems.append(problem_in(layer, Misfit(("env_file",), "there is no such file in the project")))
        return None
    problems += file.document.problems
    return file


def _expand(entry: Entry, path: KeyPath, kind: Any, environ: Mapping[str, str], project: Project) -> set[str]:
    """Replace the references in a winner's value, once; gives what of it may be a secret."""
    found: set[str] = set()

    def replaced(value: Any, inside: ValuePath) -> Any:
        if not has_reference(value):
            return value
        text = expand(value, environ, lambda name: _secret(project, name, f"{entry.place}: {dotted(path)}"))
        # `${env:CHUNK}` alone is what the variable says, read by the type of the key as if it were set there.
        known = not inside and kind is not Any and kind is not str
        typed = from_text(text, kind) if isinstance(text, str) and is_one_reference(value) and known else text
        if path[0] not in SHOWN and get_origin(kind) is not Literal and isinstance(typed, str | Secret):
            found.update(from_variables(value, environ))
        return typed

    entry.shown = entry.typed = changed(entry.value, replaced)
    return found


def _secret(project: Project, name: str, place: str) -> str:
    found = project.find_secret(name)
    if found is None:
        raise ConfigurationError(
            f"{place}: no installed plugin knows the secret {name!r} (see `pamola-task hooks pamola_find_secret`)"
        )
    return found.reveal()


def entry_at(winners: Mapping[KeyPath, Entry], path: ValuePath) -> Entry | None:
    """The winner at, above or below a path, to report a problem there."""
    keys = tuple(part for part in path if isinstance(part, str))
    for length in range(len(keys), 0, -1):
        for leaf, entry in winners.items():
            if leaf[:length] == keys[:length]:
                return entry
    return None


def _origins(winners: Mapping[KeyPath, Entry], keys: TaskKeys, redact: Redactor) -> dict[str, Origin]:
    """What is shown of every value: everything secret in it is a `Secret`, which cannot be shown or written."""

    def hidden(value: Any, path: ValuePath) -> Any:
        name = [part for part in path if isinstance(part, str)][-1]
        return Secret(str(value), name) if not isinstance(value, Secret) and is_secret(redact, path, value) else value

    def origin(path: KeyPath, entry: Entry, value: Any, overridden: tuple[Origin, ...] = ()) -> Origin:
        shown = changed(value, hidden, path)
        return Origin(value=shown, layer=entry.layer.name, place=entry.place, overridden=overridden)

    found: dict[str, Origin] = {}
    for path, entry in winners.items():
        # Overridden values are shown as written: their references are not looked up.
        lower = tuple(origin(path, other, other.value) for other in entry.overridden)
        found[dotted(path)] = origin(path, entry, entry.shown, lower)
        if path == ("memory_limit_mb",) and entry.typed is None:  # which says that nothing is set
            shown = (found[dotted(path)], *lower)
            found[dotted(path)] = Origin(
                value=keys.memory_limit_mb, layer="default", place=_OF_THE_MACHINE, overridden=shown
            )
    for path, value in leaves({field.name: plain(getattr(keys, field.name)) for field in attrs.fields(TaskKeys)}):
        covered = any(path[:length] in winners for length in range(1, len(path) + 1))
        if not covered and not (value == {} and any(leaf[: len(path)] == path for leaf in winners)):
            place = _OF_THE_MACHINE if path == ("memory_limit_mb",) else "built in"
            found[dotted(path)] = Origin(value=value, layer="default", place=place)
    return found


def _warnings(project: Project, task_id: str, layers: Iterable[ConfigLayer], file: EnvFile | None) -> Iterable[str]:
    for stem in filter(None, (task_id, PROJECT_FILE)):
        yield from several(*find_file(project.files, stem))
    for layer in layers:
        ignored = {key: reason for key, reason in WITHOUT_EFFECT.items() if key in layer.values}
        if in_project_file(layer) and layer.rank == 320:
            unusual = [key for key in FOLDERS if key in layer.values and not _usual(key, layer.values[key])]
            ignored |= dict.fromkeys(unusual, "the names of a project's folders are fixed")
        for key, reason in ignored.items():
            yield f"{layer.places.get(key, layer.origin)}: {key}: has no effect: {reason}"
    if file is not None:
        for name in sorted(RESERVED & file.values.keys()):
            yield f"{file.place(name)}: {name} has no effect here: set it in the environment"


def _usual(key: str, value: Any) -> bool:
    """Whether a section of the origin says what is the case anyway."""
    usual = FOLDERS[key]
    if isinstance(usual, dict):
        return isinstance(value, Mapping) and all(usual.get(name) == folder for name, folder in value.items())
    return isinstance(value, list) and set(map(str, value)) <= set(usual)
