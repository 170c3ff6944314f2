"""Operations: parameters are typed without a decorator, the context and the result have types."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, assert_type

from pamola_tasks import (
    Artifact,
    BaseTask,
    Effect,
    Effects,
    Operation,
    OperationContext,
    OperationResult,
    OperationStatus,
    reads,
    writes,
)


class Mask(Operation):
    """Replace the middle of each value."""

    input_dataset: str = reads()
    output_dataset: str = writes(default="{input}_masked")  # by keyword: type checkers know of no other default
    fields: list[str]
    keep: int = 2

    version = "1.0"
    scope = "row"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        kept = {name: [Effect(self.input_dataset, name)] for name in columns[self.input_dataset]}
        masked = {name: [Effect(self.input_dataset, name, "TRANSFORMATION", masking=True)] for name in self.fields}
        return {self.output_dataset: Effects(kept | masked)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        assert_type(self.input_dataset, str)
        assert_type(self.fields, list[str])
        assert_type(self.keep, int)
        assert_type(ctx.logger, logging.LoggerAdapter[logging.Logger])
        assert_type(ctx.seed, int | None)
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        with ctx.artifact("masked", "json", "What was masked") as file:
            file.write(b"{}")
        return OperationResult.success(metrics={"masked": 1})


mask = Mask(input_dataset="customers", fields=["name"])
assert_type(mask, Mask)
assert_type(mask.input_datasets(), tuple[str, ...])
assert_type(mask.output_datasets(), tuple[str, ...])
assert_type(mask.parameters(), dict[str, Any])
assert_type(mask.name, str)
assert_type(Operation().scope, Literal["row", "aggregate", "table"])

result = OperationResult.success({"rows": 3})
assert_type(result, OperationResult)
assert_type(result.status, OperationStatus)
assert_type(result.metrics, dict[str, Any])
assert_type(result.failed, bool)
assert_type(result.artifacts, list[Artifact])


class Release(BaseTask):
    """A task."""

    def __init__(self) -> None:
        super().__init__("release", "analysis", "Releases customers", {"customers": "DATA/raw/customers.csv"})

    def configure_operations(self) -> None:
        assert_type(self.add_operation(Mask, input_dataset="customers", fields=["name"]), bool)
        assert_type(self.add_step("MaskOperation", step={"id": "again"}), Operation)


task = Release()
assert_type(task.run(), bool)
assert_type(task.results, dict[str, OperationResult])
assert_type(task.project_root, Path | None)
