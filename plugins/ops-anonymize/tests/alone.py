"""Runs one operation on one table and reads back what it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pamola_tasks import Kernel, Outcome
from pamola_tasks.operation import Operation
from pamola_tasks.record import OperationResult, OperationStatus
from pamola_tasks_compat import TaskRunner


def run(operation: Operation, frame: pd.DataFrame, folder: Path, **more: pd.DataFrame) -> OperationResult:
    return operation.run(data_source={"people": frame, **more}, task_dir=folder)


def done(operation: Operation, frame: pd.DataFrame, folder: Path, **more: pd.DataFrame) -> dict[str, Any]:
    """The metrics of a run that has to succeed."""
    result = run(operation, frame, folder, **more)
    assert result.status is OperationStatus.SUCCESS, result.error_message
    return result.metrics


def written(folder: Path, name: str) -> pd.DataFrame:
    (path,) = (folder / "output").rglob(f"{name}.csv")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def outcome_of(operation: Operation, frame: pd.DataFrame, folder: Path, **settings: Any) -> Outcome:
    """A run of a task that has this operation as its only step."""
    folder.mkdir(exist_ok=True)
    (folder / ".pamola.toml").touch()
    given = {name: value for name, value in operation.parameters().items() if value is not None}
    task = TaskRunner(
        "t_1",
        input_datasets={"people": "people.csv"},
        operation_configs=[{"operation": operation.name, "parameters": given}],
    )
    return Kernel.discover(project=folder).run(task, datasets={"people": frame}, overrides=settings)


def in_a_run(operation: Operation, frame: pd.DataFrame, folder: Path, **settings: Any) -> Outcome:
    outcome = outcome_of(operation, frame, folder, **settings)
    assert outcome.success, outcome.error
    return outcome
