"""An operation run alone, without a task: the other door of `Operation.run`."""

from __future__ import annotations

import secrets
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks import BaseTask, nulls
from pamola_tasks.errors import OperationError
from pamola_tasks.operation import Operation, OperationContext, OperationResult, with_parameters
from pamola_tasks.protocols import RunOptions
from pamola_tasks.task_keys import INFRASTRUCTURE_KEYS, INJECTED_KEYS, SERVICE_KEYS, SWITCH_KEYS
from pamola_tasks_checkpoints.outputs import StepData, StepOutputs
from pamola_tasks_compat.tasks import STANDARD_DIRECTORIES, clean_temp_dir, get_artifact_path

if TYPE_CHECKING:
    from pamola_tasks.lifecycle import RunSession

_NOT_PARAMETERS = SERVICE_KEYS | SWITCH_KEYS | {*INJECTED_KEYS, *INFRASTRUCTURE_KEYS, "encryption_context"}


def run_alone(
    operation: Operation,
    data_source: Any,
    task_dir: Path,
    reporter: Any,
    progress_tracker: Any,
    params: Mapping[str, Any],
) -> OperationResult:
    """Run one operation on given data; its outputs go to `task_dir/output`.

    Returns:
        The result; a failure is a result with status ERROR.
    """
    known = operation.parameters()
    chosen = {key: value for key, value in params.items() if key in known or key not in _NOT_PARAMETERS}
    started = time.perf_counter()
    if reporter is not None:
        reporter.add_operation(operation.name, "running", {"parameters": known})
    try:
        result = _executed(with_parameters(operation, chosen), data_source, task_dir, progress_tracker)
    except Exception as error:
        result = OperationResult.failure(error, "".join(traceback.format_exception(error)))
    result.execution_time = time.perf_counter() - started
    if reporter is not None:
        details = result.to_reporter_details()
        reporter.add_operation(
            f"{operation.name} {'failed' if result.failed else 'completed'}", result.status.value, details
        )
    return result


def _executed(operation: Operation, data_source: Any, task_dir: Path, progress_tracker: Any) -> OperationResult:
    session = _session_in(task_dir, data_source)
    run = session.run
    # Several may run at once in one folder: each stages its outputs apart.
    step = run.plan.add(operation, options={"id": f"{operation.name}-{secrets.token_hex(4)}"})
    told = 0.0

    def tell(done: float, total: float | None, unit: str) -> None:
        nonlocal told
        if progress_tracker is not None:
            progress_tracker.update(done - told)
            told = done

    outputs = StepOutputs(run, step, final=set(step.writes), claims={}, tell_progress=tell)
    try:
        result = operation.execute(OperationContext(run, step, outputs, StepData(run, step, outputs)))
        if not isinstance(result, OperationResult):
            raise OperationError(f"{operation.name} gave a {type(result).__name__} instead of an OperationResult")
        result.warnings += outputs.warnings
        if not result.failed:
            _, artifacts, _ = outputs.publish()
            result.artifacts = [*artifacts, *result.artifacts]
        return result
    except SystemExit as error:
        raise OperationError(f"{operation.name} called sys.exit({error.code!r})") from error
    finally:
        outputs.discard()


class _Folder:
    """The directories of an operation that runs alone: all in one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def ensure_directories(self) -> dict[str, Path]:
        """They are made when something is written."""
        return {name: self.get_directory(name) for name in ("task", *STANDARD_DIRECTORIES)}

    def get_directory(self, dir_type: str) -> Path:
        """The folder itself as `task`, else a folder of that name in it."""
        return self._root if dir_type == "task" else self._root / dir_type

    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path:
        """A path for an artifact, checked."""
        return get_artifact_path(self._root, artifact_name, artifact_type, subdir, include_timestamp)

    def clean_temp_directory(self) -> bool:
        """Empty the temp directory."""
        return clean_temp_dir(self._root)


def _session_in(task_dir: Path, data_source: Any) -> RunSession:
    """Services for an operation whose task directory is this folder."""
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.lifecycle import RunSession

    task_dir = task_dir.absolute()
    task_dir.mkdir(parents=True, exist_ok=True)
    run_of = getattr(data_source, "run", None)
    kernel = Kernel(task_dir, loaded=run_of.kernel.plugins) if run_of is not None else Kernel.discover(task_dir)
    session = RunSession(kernel, BaseTask(task_dir.name), RunOptions(console=False, quiet=True), runs=False)
    run = session.run
    run.provide("checkpoints", nulls.NoCheckpoints())
    run.provide("directories", _Folder(task_dir.resolve()))
    session.bring_up("data_writer")
    if isinstance(data_source, Mapping):
        for name, frame in data_source.items():
            run.data_source.add_dataframe(name, frame)
    else:
        run.provide("data_source", data_source)
    return session
