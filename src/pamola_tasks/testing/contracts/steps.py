"""The tasks and operations that contracts run: they do the same with the frames of any data plugin."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from pamola_tasks.kernel import BaseTask
from pamola_tasks.operation import Operation, OperationContext, reads, writes
from pamola_tasks.record import OperationResult

MARKER = "Zx81Marker"  # stands in cells and secrets of the kit; no message may hold it


class Copy(Operation):
    """Write a table as it is, and how often it was asked to."""

    input_dataset: str = reads("people")
    output_dataset: str = writes("copy")
    number: int = 1

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Copy."""
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        with ctx.artifact(f"number_of_{self.output_dataset}", "json", "The number") as file:
            file.write(json.dumps(self.number).encode())
        return OperationResult.success({"number": self.number})


class Interrupt(Operation):
    """What Ctrl-C does while a step runs."""

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Be interrupted."""
        raise KeyboardInterrupt


class Break(Operation):
    """Write a table and fail behind it, with a message of a foreign library that holds a cell."""

    input_dataset: str = reads("people")
    output_dataset: str = writes("copy")

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Fail."""
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        raise ValueError(f"could not convert {MARKER}")


class Unsteady(Operation):
    """Fail so many times in a way that may pass, and then not.

    Args:
        attempts: A file, by its absolute path, to which each attempt adds a byte: an attempt may be another process.
        failures: How many fail.
    """

    attempts: str
    failures: int

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Fail, or not."""
        with open(self.attempts, "ab") as file:
            file.write(b"x")
            made = file.tell()
        if made <= self.failures:
            raise ConnectionError("the network is gone")
        return OperationResult.success({"made": made})


class Slow(Operation):
    """Take five seconds."""

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Wait, so that it can be stopped at any moment."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            time.sleep(0.01)
        return OperationResult.success()


class ContractTask(BaseTask):
    """A task of the kit.

    Args:
        *steps: Operations: classes, or classes with parameters.
        task_id: Its id.
        configuration: Configuration that the task states.
        **more: As those of `BaseTask`.
    """

    def __init__(
        self, *steps: Any, task_id: str = "contract", configuration: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        more.setdefault("input_datasets", {"people": "people.json"})
        super().__init__(task_id, "test", "A task of the contract kit.", **more)
        self.steps = steps
        self.stated = dict(configuration or {})

    def get_default_config(self) -> dict[str, Any]:
        """What the task states."""
        return self.stated

    def configure_operations(self) -> None:
        """Add the steps."""
        for step in self.steps:
            operation, parameters = step if isinstance(step, tuple) else (step, {})
            self.add_operation(operation, **parameters)
