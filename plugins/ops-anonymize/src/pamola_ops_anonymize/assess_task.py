"""The task that `pamola-task assess` runs, and the table that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from pamola_tasks import BaseTask

STEP = "assess"


@attrs.frozen(kw_only=True)
class Table:
    """The table to assess.

    Attributes:
        dataset: What it is called.
        path: The file, relative to the project or absolute.
        reading: How it is written, as far as the command says it: options of `data.datasets`.
        types: The types of its columns, where they are read as what they look like: as `data_types` takes them.
    """

    dataset: str
    path: str
    reading: Mapping[str, Any]
    types: Mapping[str, Any] = attrs.Factory(dict)


class AssessTask(BaseTask):
    """The task that the command runs.

    Args:
        table: What is assessed.
        parameters: Of AssessOperation.
        suffix: Of the task's id.
    """

    def __init__(self, table: Table, parameters: Mapping[str, Any], suffix: str = "") -> None:
        types = {table.dataset: dict(table.types)} if table.types else {}
        in_memory = dict.fromkeys(parameters.get("hierarchies", {}).values(), "")
        super().__init__(
            f"assess-{table.dataset}{suffix}",
            "assessment",
            f"Assess {table.dataset}",
            input_datasets={table.dataset: table.path, **in_memory},
            data_types=types,
        )
        self._table, self._parameters = table, parameters

    def get_default_config(self) -> dict[str, Any]:
        """The seed of the sample, and how the file is written."""
        reading = (
            {"data": {"datasets": {self._table.dataset: dict(self._table.reading)}}} if self._table.reading else {}
        )
        return {"seed": 1, **reading}

    def configure_operations(self) -> None:
        """The one step."""
        self.add_operation("AssessOperation", step={"id": STEP}, input_dataset=self._table.dataset, **self._parameters)
