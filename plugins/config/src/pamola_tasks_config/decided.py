"""What is decided and is not undone in silence: keys that the project file locks, encryption that was asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.parameters import Misfit, annotations_of, folded
from pamola_tasks_config.cascade import Entry, in_project_file, likeness
from pamola_tasks_config.document import KeyPath, Problem, dotted
from pamola_tasks_config.layers import problem_in
from pamola_tasks_config.schema import SYNONYMS, TaskKeys, kinds

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import Config, ConfigLayer, Project

_ASKING: tuple[KeyPath, ...] = (("encryption_mode",), ("encryption_key_path",), ("encryption", "recipients"))
_KEY_FILES: tuple[KeyPath, ...] = (("encryption_key_path",), ("encryption", "identity_file"))
_SLIP = re.compile(  # of a name without case and marks
    r"(task.+)?((use|enable|with|do)?encrypt(ion|ed)?(enabled?|on|outputs?|data|mode|recipients?|key|keyfile|keypath)?"
    r"|recipients?|key(file|path))"
)
_ANSWER = "set use_encryption to true, or to false beside it to write readable files"
_UNKNOWN = object()


def undone_locks(
    winners: Mapping[KeyPath, Entry], layers: Iterable[ConfigLayer], settings: Mapping[str, type]
) -> Iterator[Problem]:
    """Keys that the project file locks, and another layer sets to something else."""
    for layer in layers:
        names = layer.values.get("locked") if in_project_file(layer) else None
        for number, name in enumerate(names if isinstance(names, list) else ()):
            where = layer.places.get("locked", layer.origin)
            if meant := _misspelt(str(name), settings):
                yield problem_in(layer, Misfit(("locked", number), f"unknown key {name!r}{meant}"))
            for path in _paths(str(name)):
                for leaf, entry in winners.items():
                    depth = min(len(leaf), len(path))
                    if leaf[:depth] != path[:depth] or leaf == ("locked",) or in_project_file(entry.layer):
                        continue
                    said = next((other.typed for other in entry.overridden if in_project_file(other.layer)), _UNKNOWN)
                    if entry.typed != (_unless_set(leaf, settings) if said is _UNKNOWN else said):
                        message = f"{dotted(path)} is locked by {where}: only the project file may set it"
                        yield problem_in(entry.layer, Misfit(leaf, message))


def _misspelt(name: str, settings: Mapping[str, type]) -> str:
    """What is wrong with the name of a key that would lock nothing; parameters of operations are not known here."""
    head, *rest = name.split(".")
    section = settings.get(head, kinds().get(head))
    if rest and rest[0] not in SYNONYMS.get(head, ()) and isinstance(section, type) and attrs.has(section):
        fields = annotations_of(section)
        return "" if rest[0] in fields else f"; in {head} there are {', '.join(fields)}"
    near = "" if head in settings else likeness(head, (*kinds(), *SYNONYMS))
    return f" (did you mean {near!r}?)" if near else ""


def _paths(name: str) -> list[KeyPath]:
    """The paths of a key, also where it is called as in the sections of the origin, or is one of these sections."""
    head, *rest = path = tuple(name.split("."))
    names = SYNONYMS.get(head, {})
    if not rest:
        return [path, *((key,) for key in dict.fromkeys(names.values()))]
    return [(names[rest[0]],)] if rest[0] in names else [path]


def _unless_set(path: KeyPath, settings: Mapping[str, type]) -> Any:
    """The value of a key that no layer sets."""
    value: Any = TaskKeys()
    if path[0] in settings:
        try:
            value, path = settings[path[0]](), path[1:]
        except TypeError:  # it has a field without a default
            return _UNKNOWN
    for part in path:
        value = value.get(part, _UNKNOWN) if isinstance(value, Mapping) else getattr(value, part, _UNKNOWN)
    return value


def changed_in_plan(config: Config, plan: Plan, known: Container[str]) -> list[str]:
    """Parameters of operations that the project file locks and a step gives another value; slips of their names.

    `known` are the names of operations, those of other tasks too.
    """
    found = []
    for name in getattr(config, "locked", ()):
        operation, _, parameter = name.rpartition(".")
        for step in plan:
            cls = type(step.operation)
            if meant := _misspelt_parameter(operation, parameter, step, config, known):
                place = config.origins()["locked"].place
                found.append(f"{place}: locked: {name} locks nothing of step {step.id}: {meant}")
            field = next((field for field in attrs.fields(cls) if field.alias == parameter), None)
            if field is None or operation not in ("", cls.__name__, step.name):
                continue
            default: Any = field.default
            default = default.factory() if hasattr(default, "factory") else default
            if getattr(step.operation, field.name) not in (default, config.get(name, default)):
                place = config.origins()["locked"].place
                found.append(f"step {step.id}: {parameter} is locked by {place}: only the project file may set it")
    return found


def _misspelt_parameter(operation: str, parameter: str, step: Step, config: Config, known: Container[str]) -> str:
    """What a locked name was meant to be, where it is a slip of an operation's name or of one of its parameters."""
    cls = type(step.operation)
    names, fields = (cls.__name__, step.name), [field.alias for field in attrs.fields(cls) if field.init]
    if operation:
        if operation not in names:
            near = "" if operation in known else likeness(operation, (cls.__name__,))
            return f"did you mean '{near}.{parameter}'?" if near else ""
        return "" if parameter in fields else f"{operation} has {', '.join(fields)}"
    if parameter in (*fields, *kinds(), *SYNONYMS) or config.get(parameter, _UNKNOWN) is not _UNKNOWN:
        return ""
    near = likeness(parameter, fields)
    return f"did you mean {near!r}?" if near else ""


def lost_encryption(
    winners: Mapping[KeyPath, Entry], settings: Mapping[str, type], unread: Mapping[str, str]
) -> Iterator[Problem]:
    """What asks for encryption where `use_encryption` is not set, or is set to false by a lower layer only.

    `unread` are variables that set no key, and where they are.
    """
    use = winners.get(("use_encryption",))
    if use is not None and use.value is not False:
        return
    for path, entry in winners.items():
        asks = path in _ASKING and entry.value not in (None, "none", [], "")
        slip = use is None and path[0] not in (*kinds(), *settings, *SYNONYMS) and _SLIP.fullmatch(folded(path[0]))
        # A section of the origin ranks five below the layer that it is written in.
        if (asks or (slip and entry.value)) and (use is None or use.layer.rank + 5 < entry.layer.rank):
            state = "use_encryption is not set" if use is None else f"use_encryption is false in {use.place}"
            what = "asks for encryption" if asks else "is not a key, and seems to ask for encryption"
            yield problem_in(entry.layer, Misfit(path, f"{what}, and {state}: {_ANSWER}"))
    for name, place in unread.items() if use is None else ():
        another = any(name.endswith(f"_{key.upper()}") for key in kinds())  # of another task
        if name.startswith("PAMOLA_") and not another and _SLIP.fullmatch(folded(name.removeprefix("PAMOLA_"))):
            said = f"{place}variable {name} sets no key, and seems to ask for encryption, and use_encryption is not set"
            yield Problem(9, 0, 0, f"{said}: {_ANSWER}")


def key_files(project: Project, winners: Mapping[KeyPath, Entry], problems: list[Problem]) -> Iterator[str]:
    """Warnings of keys that are in the project that they protect; problems of names in it that leave it."""
    for path in _KEY_FILES:
        entry = winners.get(path)
        name = os.path.expanduser(entry.typed) if entry is not None and isinstance(entry.typed, str) else ""
        if entry is None or not name:
            continue
        if not os.path.isabs(name):
            try:
                project.files.stat(name)
            except PathSecurityError as error:
                problems.append(problem_in(entry.layer, Misfit(path, f"{error}; outside of it, name the whole path")))
            except OSError:
                pass  # who needs the key says that it is not there
        if Path(os.path.realpath(project.root)) in Path(os.path.realpath(project.root / name)).parents:
            yield (
                f"{entry.place}: {dotted(path)}: the key is in the project that it protects, and in every copy of it:"
                " keep it elsewhere (`pamola-task keys init` does)"
            )
