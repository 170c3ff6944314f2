"""Tasks without a class of their own, whose operations are listed as data, and how such a list is read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks import BaseTask
from pamola_tasks.errors import (
    ConfigurationError,
    PamolaTaskError,
    ParameterError,
    PluginError,
    UnknownOperationError,
    UsageError,
)
from pamola_tasks.operation import INFRASTRUCTURE_KEYS, SERVICE_KEYS, SWITCH_KEYS
from pamola_tasks.parameters import annotations_of, closest
from pamola_tasks.plan import STEP_OPTIONS
from pamola_tasks_config.schema import kinds

if TYPE_CHECKING:
    from pamola_tasks.operation import Operation
    from pamola_tasks.plan import Step


class DeclaredTask(BaseTask):
    """A task declared in a file: its operations are listed in the configuration under `operations`.

    Args:
        file: The task file, relative to the project or absolute.
        task_id: Its id, if known already; the file's `task_id` counts, else the file's name.
    """

    def __init__(self, file: str, task_id: str = "") -> None:
        super().__init__(task_id or Path(file).stem)
        self.file = file

    def configure_operations(self) -> None:
        """Add what the file lists."""
        config = self.config
        wrong = [
            config.problem_at((key,), f"{key!r} is an option of a step: write it beside an operation", at_key=True)
            for key in STEP_OPTIONS
            if key in getattr(config, "parameters", ())
        ]
        add_listed(self, config.operations, "operations", config.problem_at, wrong)


class ConfiguredTask(BaseTask):
    """A task of which only the configuration is wanted, with the defaults that its class would state."""

    origin = "default_config"  # where `config show` says that they come from

    def __init__(self, task_id: str, task_type: str = "", defaults: Mapping[str, Any] | None = None) -> None:
        super().__init__(task_id, task_type)
        self.get_default_config = lambda: dict(defaults or {})  # type: ignore[method-assign]


_LISTED_KEYS = frozenset(
    "operation class_name parameters scope dataset_name task_operation_id task_operation_order_index".split()
)

_PASSED_OVER = (*SERVICE_KEYS, *INFRASTRUCTURE_KEYS, *SWITCH_KEYS)  # with a warning
_OF_TASK = "a key of the task: write it at the top level, outside `operations`"


@attrs.frozen
class Listed:
    """An operation as a list has it."""

    name: str
    name_key: str  # which holds its name; the name itself where it is the key
    parameters: dict[str, Any]
    parameters_key: str  # which holds its parameters
    step: dict[str, Any]  # options of the step
    fields: list[str]  # of its scope
    misplaced: list[str]  # keys beside it that belong elsewhere


def add_listed(
    task: BaseTask, entries: Sequence[Any], key: str, problem_at: Callable[..., str], wrong: Sequence[str] = ()
) -> None:
    """Add operations from their description in a file or list.

    Args:
        task: The task.
        entries: The descriptions.
        key: The key that holds them.
        problem_at: Puts the place before a message about it; see `Config.problem_at`.
        wrong: What is wrong beside the list.

    Raises:
        ConfigurationError: All that is wrong with them, and with the data that those which could be added name, each
            with its place.
    """
    problems = list(wrong)
    known: Any = () if task.kernel is None else task.kernel.operations
    for number, entry in enumerate(entries):
        try:
            listed = read_entry(entry, known)
        except ConfigurationError as error:
            problems.append(problem_at((key, number), str(error)))
            continue
        for path, message in _misplaced(listed, entry, _parameters_of(task, listed)):
            problems.append(problem_at((key, number, *path), message, at_key=True))
        for refusal in _add(task, listed):
            for path, message, at_key in _problems_of(refusal, listed):
                problems.append(problem_at((key, number, *path), message, at_key=at_key))
    if problems:
        session: Any = task._session
        look = getattr(session.run.data_source, "plan_problems", None)  # all that is wrong is told at once
        raise ConfigurationError(problems=(*problems, *(look(session.run.plan) if look is not None else ())))


def read_entry(entry: Any, known: Container[str] = ()) -> Listed:
    """An operation of a list; `ConfigurationError` where it is none. `known` has the names of operations."""
    if isinstance(entry, str):
        entry = {entry: {}}
    if not isinstance(entry, Mapping):
        raise ConfigurationError("expected an operation's name with its parameters")
    step = {key: entry[key] for key in STEP_OPTIONS if key in entry}
    if "operation" in entry or "class_name" in entry:
        misplaced = [key for key in entry if key not in _LISTED_KEYS and key not in STEP_OPTIONS]
        name_key = "class_name" if entry.get("class_name") else "operation"
        name, parameters_key = entry[name_key], "parameters"
        if "task_operation_id" in entry:
            step.setdefault("id", str(entry["task_operation_id"]))
    else:
        beside = names = [key for key in entry if key not in STEP_OPTIONS]
        if len(names) > 1:
            like_one = (key for key in names if isinstance(entry[key], Mapping | None))
            names = [key for key in names if key in known] or list(like_one) or names
        misplaced = [key for key in beside if key not in names]
        if len(names) != 1:
            found = ", ".join(map(str, names)) or "none"
            raise ConfigurationError(f"expected one operation beside {', '.join(STEP_OPTIONS)}; found {found}")
        name = name_key = parameters_key = names[0]
    parameters = entry.get(parameters_key) or {}
    if not isinstance(parameters, Mapping):
        raise ConfigurationError(f"{name}: expected the operation's parameters")
    parameters = dict(parameters)
    if "dataset_name" in entry:
        parameters.setdefault("dataset_name", entry["dataset_name"])
    scope = entry.get("scope") or {}
    fields = list(scope.get("target") or ()) if isinstance(scope, Mapping) else []
    return Listed(name, name_key, parameters, parameters_key, step, fields, misplaced)


def place_of(entries: Sequence[Any], step: Step, named: str) -> tuple[str | int, ...] | None:
    """Where a list of operations has this text for a step: in the entry that is most like it; None where it has not."""
    found: list[tuple[tuple[bool, int], tuple[str | int, ...]]] = []
    stated = step.operation.parameters()
    for number, entry in enumerate(entries):
        with contextlib.suppress(ConfigurationError):
            listed, path = read_entry(entry, (step.name,)), _path_to(named, entry)
            if listed.name == step.name and path is not None:
                alike = sum(str(stated.get(key)) == str(value) for key, value in listed.parameters.items())
                found.append(((listed.step.get("id") == step.id, alike), (number, *path)))
    return max(found, key=lambda one: one[0], default=(None, None))[1]


def _path_to(named: str, stated: Any) -> tuple[str | int, ...] | None:
    """The keys and numbers that lead to a text, which may be a key itself."""
    if stated == named:
        return ()
    if isinstance(stated, Mapping) and named in stated:
        return (named,)
    inside: Any = stated.items() if isinstance(stated, Mapping) else ()
    if isinstance(stated, list | tuple):
        inside = enumerate(stated)
    paths = ((key, _path_to(named, part)) for key, part in inside)
    return next(((key, *path) for key, path in paths if path is not None), None)


def _parameters_of(task: BaseTask, listed: Listed) -> list[str]:
    """Names of an operation's parameters; none where there is no such operation."""
    if task.kernel is None:
        return []
    try:
        return [field.alias for field in attrs.fields(task.kernel.operations.get(listed.name).cls) if field.init]
    except (ConfigurationError, PluginError):  # which is a problem of its own
        return []


def _add(task: BaseTask, listed: Listed) -> Iterator[PamolaTaskError]:
    """Add one, or one a field; what was refused."""
    if task.kernel is None:
        raise UsageError(f"task {task.task_id} is not initialized: call initialize() or run() first")
    try:
        cls = task.kernel.operations.get(listed.name).cls
    except (ConfigurationError, PluginError) as error:
        yield error
        return
    own, step, parameters = annotations_of(cls), listed.step, listed.parameters
    each = [(step, parameters)]
    if listed.fields and "field_name" in own and "field_name" not in parameters:
        each = [
            ({**step, "id": f"{step['id']}-{field}"} if "id" in step else step, {**parameters, "field_name": field})
            for field in listed.fields
        ]
    elif listed.fields and "fields" in own:
        each = [(step, {"fields": listed.fields, **parameters})]
    for options, values in each:
        try:
            task.add_step(listed.name, step=options, **_with_input(task, cls, values))
        except (ConfigurationError, PluginError) as error:
            yield error


def _with_input(task: BaseTask, cls: type[Operation], parameters: dict[str, Any]) -> dict[str, Any]:
    """Fill the first dataset that an operation reads, where nothing was said: what the step before wrote."""
    readers = [f.alias for f in attrs.fields(cls) if f.metadata.get("pamola_dataset") == "reads"]
    if not readers or readers[0] in parameters:
        return parameters
    given = parameters.pop("dataset_name", None) if "dataset_name" not in annotations_of(cls) else None
    written = [name for operation in task.operations for name in operation.output_datasets()]
    available = [given] if given else written[-1:] or list(task.input_datasets)[:1]
    return {**parameters, readers[0]: available[0]} if available else parameters


def _problems_of(error: PamolaTaskError, listed: Listed) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """For each problem its path within the entry, the message, and whether it is about the key there."""
    named = (listed.name_key,), listed.name_key == listed.name
    if isinstance(error, UnknownOperationError | PluginError):
        yield named[0], str(error), named[1]
    elif isinstance(error, ParameterError):
        for name, problem in zip(error.parameters, error.problems, strict=True):
            if name in listed.parameters:
                yield (listed.parameters_key, name), problem, f"unknown parameter {name!r}" in problem
            else:
                yield named[0], problem, named[1]
    else:
        yield (), str(error), False


def _misplaced(listed: Listed, entry: Any, fields: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Keys that do not belong where they stand, each with its path and where it does; parameters are put there."""
    short = listed.name == listed.name_key
    options = (*STEP_OPTIONS, *fields, *(() if short else ("parameters",)))
    for name in listed.misplaced:
        meant = closest(name, options)
        message = f"unknown key {name!r} beside the operation" + (f": did you mean {meant!r}?" if meant else "")
        if name in fields:
            listed.parameters.setdefault(name, entry[name])
            under = f"{listed.name}, indented further" if short else "`parameters`"
            message = f"{name!r} is a parameter of {listed.name}: write it under {under}"
        elif name in kinds():
            message = f"{name!r} is {_OF_TASK}"
        yield (name,), message
    for name in [name for name in listed.parameters if fields and name not in (*fields, *_PASSED_OVER)]:
        beside = listed.name if short else f"`{listed.name_key}`"
        if name in STEP_OPTIONS:
            message = f"{name!r} is an option of the step: write it beside {beside}, not among its parameters"
        elif name in kinds():
            message = f"{name!r} is {_OF_TASK}"
        else:
            continue
        del listed.parameters[name]
        yield (listed.parameters_key, name), message
