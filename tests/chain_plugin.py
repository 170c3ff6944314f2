"""A plugin with steps on small JSON tables, which need no pandas and start fast: run thousands of times.

Every execution of a step adds a line to the file that `CHAIN_LOG` names, outside the project.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

from kernel_kit import JsonData

from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes
from pamola_tasks.protocols import RunServices

PAMOLA_HOOK_API = 1


class Mix(Operation):
    """Add up datasets, value by value, with noise from the step's seed."""

    inputs: list[str] = reads()
    output_dataset: str = writes()
    more: int = 0

    def execute(self, ctx: Any) -> OperationResult:
        """Mix."""
        _note(ctx.step.id)
        mixed = mixture([ctx.data.frame(name) for name in self.inputs], self.more, ctx.seed)
        ctx.data.write(self.output_dataset, mixed)
        return OperationResult.success({"sum": sum(mixed)})


class Describe(Operation):
    """Leave a description of a dataset, and a dictionary of its values, as artifacts."""

    input_dataset: str = reads()

    def execute(self, ctx: Any) -> OperationResult:
        """Describe."""
        _note(ctx.step.id)
        values = ctx.data.frame(self.input_dataset)
        with ctx.artifact(f"about_{self.input_dataset}", "json", "What is in it") as file:
            file.write(json.dumps({"count": len(values), "sum": sum(values)}).encode())
        with ctx.artifact(f"codes_{self.input_dataset}", "json", "Its values", category="dictionary") as file:
            file.write(json.dumps(sorted(set(values))).encode())
        return OperationResult.success({"count": len(values)})


def mixture(tables: list[list[int]], more: int, seed: int | None) -> list[int]:
    """What `Mix` makes of tables."""
    noise = random.Random(seed)
    return [(sum(values) + more) % 1000 + noise.randrange(10) for values in zip(*tables, strict=True)]


def _note(step: str) -> None:
    descriptor = os.open(os.environ["CHAIN_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{step}\n".encode())
    os.close(descriptor)


@hookimpl
def pamola_add_operations() -> dict[str, Any]:
    """The two."""
    return {"Mix": Mix, "Describe": Describe}


@hookimpl
def pamola_provide_data_source(run: RunServices) -> JsonData:
    """JSON files."""
    return JsonData(run)


@hookimpl
def pamola_provide_data_writer(run: RunServices) -> Any:
    """JSON files."""
    return run.data_source
