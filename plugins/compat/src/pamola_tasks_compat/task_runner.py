"""`TaskRunner`: a list of operations as a task, for scripts that give it in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pamola_tasks import BaseTask
from pamola_tasks_compat.owners import owned

_KEYS = {
    "encoding": "default_encoding",
    "delimiter": "default_delimiter",
    "sep": "default_delimiter",
    "quotechar": "default_quotechar",
}


class TaskRunner(BaseTask):
    """Runs a list of operations without a class.

    Args:
        operation_configs: Each `{"operation": NAME, "parameters": {…}}` or `{NAME: {…}}`, with the options of a step
            (`id, retry, timeout …`) beside it, as a task file lists them under `operations`.
            `scope: {"type": "field", "target": [fields]}` makes one step a field for an operation that has a
            `field_name`, or fills `fields`. A step that names no dataset reads what the step before it wrote, the
            first one the first input.
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
        return {_KEYS.get(key, key): value for key, value in self.additional_options.items()}

    def configure_operations(self) -> None:
        """Add the listed operations."""
        add_listed = owned("config", "pamola_tasks_config.declared", "add_listed")
        add_listed(self, self.operation_configs, "operation_configs", _by_number)


def _by_number(path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
    """`operation_configs[2]: …`, counted from 1."""
    key, number, *_ = path
    return f"{key}[{int(number) + 1}]: {message}"
