"""A single operation without a task: what `Operation.run` does."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks import BaseTask, OperationResult
from pamola_tasks.errors import OperationError, ParameterError
from pamola_tasks.lifecycle import RunSession
from pamola_tasks.operation import INJECTED_KEYS, SERVICE_KEYS, SWITCH_KEYS
from pamola_tasks.parameters import build
from pamola_tasks.protocols import RunOptions
from pamola_tasks.record import now
from pamola_tasks.steps import execute_step
from pamola_tasks.storage.files import check_name
from pamola_tasks.storage.staging import NoCheckpoints
from pamola_tasks_executor.guarding import guarded
from pamola_tasks_executor.other_interpreter import end_idle, placed

if TYPE_CHECKING:
    from pamola_tasks import Kernel, Operation
    from pamola_tasks.protocols import Files, RunServices

_NOT_PARAMETERS = SERVICE_KEYS | SWITCH_KEYS | {*INJECTED_KEYS, "encryption_context"}


def run_operation(
    kernel: Kernel,
    operation: Operation,
    data_source: Any,
    task_dir: Path,
    reporter: Any,
    progress_tracker: Any,
    params: Mapping[str, Any],
) -> OperationResult:
    """Run one operation on given data, with a kernel for `task_dir`: see `Operation.run`."""
    known = operation.parameters()
    chosen = {key: value for key, value in params.items() if key in known or key not in _NOT_PARAMETERS}
    started = time.perf_counter()
    if reporter is not None:
        reporter.add_operation(operation.name, "running", {"parameters": known})
    try:
        result = _executed(kernel, with_parameters(operation, chosen), data_source, task_dir, progress_tracker)
    except Exception as error:
        result = OperationResult.failure(error, "".join(traceback.format_exception(error)))
    result.execution_time = time.perf_counter() - started
    if reporter is not None:
        name = f"{operation.name} {'failed' if result.failed else 'completed'}"
        reporter.add_operation(name, result.status.value, reporter_details(result))
    return result


def reporter_details(result: OperationResult) -> dict[str, Any]:
    """A result as the entry of an operation in a report has it."""
    details = {
        "execution_time": result.execution_time,
        "error_message": result.error_message or None,
        "warnings": list(result.warnings) or None,
        "artifacts": [artifact.to_dict() for artifact in result.artifacts] or None,
    }
    known = {key: value for key, value in details.items() if value is not None}
    return {"status": result.status.value, "metrics": result.metrics, **known}


def with_parameters(operation: Operation, params: Mapping[str, Any]) -> Operation:
    """A copy of an operation with some parameters changed; a ParameterError where one is unknown or does not fit."""
    if not params:
        return operation
    known = {f.alias: getattr(operation, f.name) for f in attrs.fields(type(operation)) if f.init}
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise ParameterError(f"{operation.name} has no parameter {unknown[0]!r}: it has {', '.join(known)}")
    return build(type(operation), {**known, **params})


def _executed(
    kernel: Kernel, operation: Operation, data_source: Any, task_dir: Path, progress_tracker: Any
) -> OperationResult:
    run = _run_in(kernel, task_dir, data_source)
    # Several may run at once in one folder: each stages its outputs apart.
    step = run.plan.add(operation, options={"id": f"{operation.name}-{os.urandom(4).hex()}"})
    shown = 0.0

    def report(what: str, *facts: Any) -> None:
        nonlocal shown
        if what == "stage":
            shown = 0.0
        elif progress_tracker is not None:
            progress_tracker.update(facts[0] - shown)
            shown = facts[0]

    staged = run.checkpoints.stage(step)
    try:
        result = guarded(
            operation.name, partial(execute_step, run, placed(run.config.plugin("executor"), step), staged, report)
        )
        if not isinstance(result, OperationResult):
            raise OperationError(f"{operation.name} gave a {type(result).__name__} instead of an OperationResult")
        result.warnings += staged.warnings
        if not result.failed:
            _, artifacts = staged.publish()
            result.artifacts = [*artifacts, *result.artifacts]
        return result
    except SystemExit as error:
        raise OperationError(f"{operation.name} called sys.exit({error.code!r})") from error
    finally:
        staged.discard()
        end_idle(run)


class _Folder:
    """The directories of an operation without a task: `task` is one folder, the others are in it, made when needed."""

    def __init__(self, root: Path, files: Files) -> None:
        self._root = root
        self._files = files

    def ensure_directories(self) -> dict[str, Path]:
        return {name: self.get_directory(name) for name in ("task", "output", "internal", "dictionaries", "temp")}

    def get_directory(self, dir_type: str) -> Path:
        return self._root if dir_type == "task" else self._root / check_name(dir_type, "the directory")

    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path:
        stamp = f"_{now():%Y%m%d_%H%M%S}" if include_timestamp else ""
        return self.get_directory(subdir) / check_name(f"{artifact_name}{stamp}.{artifact_type}", "the artifact name")

    def clean_temp_directory(self) -> bool:
        self._files.remove_tree(self.get_directory("temp"), missing_ok=True)
        return True


def _run_in(kernel: Kernel, task_dir: Path, data_source: Any) -> RunServices:
    """Services for an operation whose task directory is this folder."""
    session = RunSession(kernel, BaseTask(task_dir.name), RunOptions(console=False, quiet=True), runs=False)
    run = session.run
    run.provide("checkpoints", NoCheckpoints(run))
    session.bring_up("config")
    run.provide("directories", _Folder(task_dir.resolve(), run.files))
    session.bring_up("checkpoints")  # those given here, and what plugins add before them, such as `tables`
    if isinstance(data_source, Mapping):
        for name, frame in data_source.items():
            run.data_source.add_dataframe(name, frame)
    else:
        run.provide("data_source", data_source)
    return run
