"""Operations listed as data: in a task file, or given to a `TaskRunner`, which needs no class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.parameters import annotations_of
from pamola_tasks.task import BaseTask

if TYPE_CHECKING:
    from pamola_tasks.operation import Operation


class TaskRunner(BaseTask):
    """Runs a list of operations without a class.

    Args:
        operation_configs: Each `{"operation": NAME, "parameters": {…}}` or `{NAME: {…}}`, with `id, retry, timeout,
            continue_on_error` beside it. `scope: {"type": "field", "target": [fields]}` makes one step a field for an
            operation that has a `field_name`, or fills `fields`. A step that names no dataset reads what the step
            before it wrote, the first one the first input.
        additional_options: Further configuration (`seed`, `encoding`, `delimiter`, `quotechar`, or any task key).

    The other arguments are those of `BaseTask`.
    """

    def __init__(
        self,
        task_id: str,
        task_type: str = "anonymization",
        description: str = "",
        input_datasets: Mapping[str, str] | None = None,
        data_types: Mapping[str, Any] | None = None,
        auxiliary_datasets: Mapping[str, str] | None = None,
        operation_configs: Sequence[Mapping[str, Any]] = (),
        additional_options: Mapping[str, Any] | None = None,
        use_encryption: bool | None = None,
        encryption_keys: Mapping[str, str] | None = None,
        task_dir: str | Path | None = None,
    ) -> None:
        super().__init__(
            task_id,
            task_type,
            description,
            input_datasets,
            auxiliary_datasets,
            data_types=data_types,
            use_encryption=use_encryption,
            encryption_keys=encryption_keys,
            task_dir=task_dir,
        )
        self.operation_configs = list(operation_configs)
        self.additional_options = dict(additional_options or {})

    def get_default_config(self) -> dict[str, Any]:
        """The additional options, under the names of task keys."""
        names = {
            "encoding": "default_encoding",
            "delimiter": "default_delimiter",
            "sep": "default_delimiter",
            "quotechar": "default_quotechar",
        }
        return {names.get(key, key): value for key, value in self.additional_options.items()}

    def configure_operations(self) -> None:
        """Add the listed operations."""
        add_listed(self, self.operation_configs, "operation_configs")


_STEP_KEYS = ("id", "retry", "timeout", "continue_on_error")
_LISTED_KEYS = frozenset(
    {
        "operation",
        "class_name",
        "parameters",
        "scope",
        "dataset_name",
        "task_operation_id",
        "task_operation_order_index",
    }
)


def add_listed(task: BaseTask, entries: Sequence[Any], place: str) -> None:
    """Add operations from their description in a file or list.

    Raises:
        ConfigurationError: An entry has not the form of an operation; it names place and number.
    """
    for number, entry in enumerate(entries, 1):
        name, parameters, step, fields = _listed(entry, f"{place}[{number}]")
        cls = task._running("add_operation").kernel.operations.get(name).cls
        own = annotations_of(cls)
        if fields and "field_name" in own and "field_name" not in parameters:
            for field in fields:
                options = {**step, "id": f"{step['id']}-{field}"} if "id" in step else step
                task.add_operation(name, step=options, **_with_input(task, cls, {**parameters, "field_name": field}))
            continue
        if fields and "fields" in own:
            parameters.setdefault("fields", fields)
        task.add_operation(name, step=step, **_with_input(task, cls, parameters))


def _listed(entry: Any, place: str) -> tuple[str, dict[str, Any], dict[str, Any], list[str]]:
    if isinstance(entry, str):
        entry = {entry: {}}
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"{place}: expected an operation's name with its parameters")
    step = {key: entry[key] for key in _STEP_KEYS if key in entry}
    if "operation" in entry or "class_name" in entry:
        unknown = sorted(set(entry) - _LISTED_KEYS - set(_STEP_KEYS))
        if unknown:
            raise ConfigurationError(f"{place}: unknown key {unknown[0]!r} beside the operation")
        name = entry.get("class_name") or entry["operation"]
        parameters = entry.get("parameters") or {}
        if "task_operation_id" in entry:
            step.setdefault("id", str(entry["task_operation_id"]))
    else:
        names = [key for key in entry if key not in _STEP_KEYS]
        if len(names) != 1:
            found = ", ".join(map(str, names)) or "none"
            raise ConfigurationError(f"{place}: expected one operation beside {', '.join(_STEP_KEYS)}; found {found}")
        name, parameters = names[0], entry[names[0]] or {}
    if not isinstance(parameters, Mapping):
        raise ConfigurationError(f"{place}: {name}: expected the operation's parameters")
    parameters = dict(parameters)
    if "dataset_name" in entry:
        parameters.setdefault("dataset_name", entry["dataset_name"])
    scope = entry.get("scope") or {}
    return name, parameters, step, list(scope.get("target") or ()) if isinstance(scope, Mapping) else []


def _with_input(task: BaseTask, cls: type[Operation], parameters: dict[str, Any]) -> dict[str, Any]:
    """Fill the first dataset that an operation reads, where nothing was said: what the step before wrote."""
    readers = [f.alias for f in attrs.fields(cls) if f.metadata.get("pamola_dataset") == "reads"]
    if not readers or readers[0] in parameters:
        return parameters
    own = annotations_of(cls)
    given = parameters.pop("dataset_name", None) if "dataset_name" not in own else None
    plan = task._running("add_operation").run.plan
    written = [name for step in plan for name in step.writes]
    available = [given] if given else written[-1:] or list(task.input_datasets)[:1]
    return {**parameters, readers[0]: available[0]} if available else parameters
