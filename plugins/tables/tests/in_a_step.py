"""Asks the service `tables` from within a step of a task, in a project of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from pamola_tasks import BaseTask, Kernel, Operation, OperationResult, Outcome, reads, writes


class Ask(Operation):
    """Let a function of the test have the step's context; it writes `out` unless the function does."""

    input_dataset: str = reads("people")
    output_dataset: str = writes("out")
    asked: ClassVar[Callable[[Any], Any]]
    answer: ClassVar[Any]

    def execute(self, ctx: Any) -> OperationResult:
        """Ask."""
        Ask.answer = Ask.asked(ctx)
        if not ctx._staged.files:
            ctx.data.write("out", pd.DataFrame({"done": [1]}))
        return OperationResult.success()


class Asking(BaseTask):
    """A task with this one step."""

    def __init__(self, files: dict[str, str]) -> None:
        super().__init__("t_1", "test", "Asks.", input_datasets=files)

    def configure_operations(self) -> None:
        """Ask."""
        self.add_operation(Ask)


def outcome_of(asked: Callable[[Any], Any], folder: Path, table: pd.DataFrame | str, **settings: Any) -> Outcome:
    """A run whose step calls a function with its context; the table is `people`, a frame or a file in the folder."""
    (folder / ".pamola.toml").touch()
    in_memory = isinstance(table, pd.DataFrame)
    task = Asking({"people": "people.csv" if in_memory else str(table)})
    Ask.asked = staticmethod(asked)
    datasets = {"people": table} if in_memory else None
    plugins = settings.pop("plugins", ())
    return Kernel.discover(project=folder, plugins=plugins).run(task, datasets=datasets, overrides=settings)


def asked(asked: Callable[[Any], Any], folder: Path, table: pd.DataFrame | str, **settings: Any) -> Any:
    """What a function of the step's context returns, in a run that has to succeed."""
    outcome = outcome_of(asked, folder, table, **settings)
    assert outcome.success, outcome.error
    return Ask.answer
