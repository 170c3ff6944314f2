"""Tasks without a class of their own, whose operations are listed as data, and how such a list is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from pamola_tasks.parameters import annotations_of
from pamola_tasks.plan import STEP_OPTIONS

if TYPE_CHECKING:
    from pamola_tasks.operation import Operation


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
        add_listed(self, self.config.operations, "operations", self.config.problem_at)


class ConfiguredTask(BaseTask):
    """A task of which only the configuration is wanted, with the defaults that its class would state."""

    origin = "default_config"  # where `config show` says that they come from

    def __init__(self, task_id: str, task_type: str = "", defaults: Mapping[str, Any] | None = None) -> None:
        super().__init__(task_id, task_type)
        self.get_default_config = lambda: dict(defaults or {})  # type: ignore[method-assign]


_LISTED_KEYS = frozenset(
    "operation class_name parameters scope dataset_name task_operation_id task_operation_order_index".split()
)


@attrs.frozen
class _Listed:
    """An operation as a list has it."""

    name: str
    name_key: str  # which holds its name; the name itself where it is the key
    parameters: dict[str, Any]
    parameters_key: str  # which holds its parameters
    step: dict[str, Any]  # options of the step
    fields: list[str]  # of its scope


def add_listed(task: BaseTask, entries: Sequence[Any], key: str, problem_at: Callable[..., str]) -> None:
    """Add operations from their description in a file or list.

    Args:
        task: The task.
        entries: The descriptions.
        key: The key that holds them.
        problem_at: Puts the place before a message about it; see `Config.problem_at`.

    Raises:
        ConfigurationError: All that is wrong with them, each with its place.
    """
    problems: list[str] = []
    for number, entry in enumerate(entries):
        try:
            listed = _listed(entry)
        except ConfigurationError as error:
            problems.append(problem_at((key, number), str(error)))
            continue
        for refusal in _add(task, listed):
            for path, message, at_key in _problems_of(refusal, listed):
                problems.append(problem_at((key, number, *path), message, at_key=at_key))
    if problems:
        raise ConfigurationError(problems=tuple(problems))


def _listed(entry: Any) -> _Listed:
    if isinstance(entry, str):
        entry = {entry: {}}
    if not isinstance(entry, Mapping):
        raise ConfigurationError("expected an operation's name with its parameters")
    step = {key: entry[key] for key in STEP_OPTIONS if key in entry}
    if "operation" in entry or "class_name" in entry:
        unknown = sorted(set(entry) - _LISTED_KEYS - set(STEP_OPTIONS))
        if unknown:
            raise ConfigurationError(f"unknown key {unknown[0]!r} beside the operation")
        name_key = "class_name" if entry.get("class_name") else "operation"
        name, parameters_key = entry[name_key], "parameters"
        if "task_operation_id" in entry:
            step.setdefault("id", str(entry["task_operation_id"]))
    else:
        names = [key for key in entry if key not in STEP_OPTIONS]
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
    return _Listed(name, name_key, parameters, parameters_key, step, fields)


def _add(task: BaseTask, listed: _Listed) -> Iterator[PamolaTaskError]:
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


def _problems_of(error: PamolaTaskError, listed: _Listed) -> Iterator[tuple[tuple[str, ...], str, bool]]:
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
