"""`TaskOperationExecutor`: runs the steps of a plan, or operations directly, with retries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import MaxRetriesExceededError, NonRetriableError
from pamola_tasks.protocols import RetrySettings
from pamola_tasks.record import OperationResult, OperationStatus
from pamola_tasks_executor.attempts import Attempts, OnRetry, Transient, as_result, message, overridden
from pamola_tasks_executor.guarding import guarded
from pamola_tasks_executor.parallel import Parallel
from pamola_tasks_executor.plan_run import PlanRun
from pamola_tasks_executor.settings import ExecutorSettings
from pamola_tasks_executor.single_operation import reporter_details

if TYPE_CHECKING:
    import logging

    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import StepDriver
    from pamola_tasks_executor.elsewhere import Elsewhere


class TaskOperationExecutor:
    """Runs operations.

    Args:
        task_config: `retry`, `continue_on_error`, `parallel_processes` and `timeout` are read from it.
        logger: Retries and failures are logged here.
        reporter: Has an entry for the beginning and the end of every operation that is run directly.
        settings: Where the steps of a plan run.
        elsewhere: A place of your own where the steps of a plan run.
        owns_process: Whether processes that steps leave running are ended with the plan (Linux).
    """

    def __init__(
        self,
        task_config: Any,
        logger: logging.Logger,
        reporter: Any = None,
        *,
        settings: ExecutorSettings | None = None,
        elsewhere: Elsewhere | None = None,
        owns_process: bool = False,
    ) -> None:
        self._config = task_config
        self._logger = logger
        self._reporter = reporter
        self._retry = getattr(task_config, "retry", None) or RetrySettings()
        self._plans = PlanRun(task_config, settings or ExecutorSettings(), self._retry, elsewhere, owns_process)

    # ------------------------------------------------------------ a plan

    def run_plan(self, plan: Plan, driver: StepDriver) -> None:
        """Run every step, each with its retries; as many at a time as `parallel_processes` says.

        Raises:
            PlanError: The plan asks for something that this executor cannot do.
        """
        self._plans.run(plan, driver)

    def objections(self, plan: Plan) -> list[str]:
        """Why a plan cannot be run as it is asked for."""
        return self._plans.objections(plan)

    # ------------------------------------------------------------ one operation

    def execute_operation(
        self, operation: Any, params: Mapping[str, Any], progress_tracker: Any = None
    ) -> OperationResult:
        """Run an operation once; what it raised is a result with status ERROR.

        Args:
            operation: Has `run(**params)`.
            params: What `run` is given: `data_source`, `task_dir`, `reporter` and the operation's own parameters.
            progress_tracker: Handed on to the operation, when given.
        """
        attempts = Attempts(self._retry)
        return as_result(lambda: attempts.once(_call(operation, params, progress_tracker)), attempts)

    def execute_with_retry(
        self,
        operation: Any,
        params: Mapping[str, Any],
        max_retries: int | None = None,
        backoff_factor: float | None = None,
        initial_wait: float | None = None,
        max_wait: float | None = None,
        jitter: bool | None = None,
        progress_tracker: Any = None,
        on_retry: OnRetry | None = None,
    ) -> OperationResult:
        """Run an operation, and again while it fails in a way that may pass.

        Args:
            operation, params, progress_tracker: As for `execute_operation`.
            max_retries: Attempts after the first; this and the next four override the configuration for this call.
            backoff_factor: By which each wait is longer than the one before.
            initial_wait: Seconds before the first retry.
            max_wait: The longest wait, in seconds.
            jitter: Whether waits are multiplied by a random factor in [0.75, 1.25].
            on_retry: Called with (error, number of the attempt that failed, seconds until the next).

        Returns:
            Its result, also one with status ERROR, unless its exception may pass. `execution_time` is that of all
            attempts together, without the waits.

        Raises:
            MaxRetriesExceededError: It went on failing.
            NonRetriableError: It raised something that is not worth another try.
        """
        settings = overridden(
            self._retry,
            "retry",
            max_retries=max_retries,
            backoff=backoff_factor,
            initial_wait=initial_wait,
            max_wait=max_wait,
            jitter=jitter,
        )
        return self._with_retry(operation, params, Attempts(settings), progress_tracker, on_retry)

    def _with_retry(
        self,
        operation: Any,
        params: Mapping[str, Any],
        attempts: Attempts,
        progress_tracker: Any = None,
        on_retry: OnRetry | None = None,
        stop: threading.Event | None = None,
    ) -> OperationResult:
        name = _name(operation)

        def tell(error: BaseException, attempt: int, wait: float) -> None:
            kind = type(error).__name__
            self._logger.warning("%s: attempt %d failed (%s), next in %.1f s", name, attempt, kind, wait)
            if on_retry is not None:
                on_retry(error, attempt, wait)

        try:
            result = attempts.make(name, _call(operation, params, progress_tracker), tell, stop)
        except MaxRetriesExceededError:
            raise
        except Exception as error:
            if Transient(self._retry.on)(error):
                raise
            raise NonRetriableError(f"{name}: {message(error)}") from error
        result.attempts, result.execution_time = attempts.made, attempts.seconds
        return result

    # ------------------------------------------------------------ several operations

    def execute_operations(
        self,
        operations: Any,
        common_params: Mapping[str, Any],
        progress_tracker: Any = None,
        continue_on_error: bool | None = None,
    ) -> dict[str, OperationResult]:
        """Run operations one after the other, each with its retries.

        Args:
            operations: Operations or steps, or operations by id.
            common_params: What each operation's `run` is given.
            progress_tracker: `update(1)` is called after each, in this thread.
            continue_on_error: Continue after a failure; as configured unless given.

        Returns:
            A result for every operation, by id (the id of a step or the key of a mapping; else the operation's name,
            then `name-2`, `name-3` …). Those that were not begun after a failure are `skipped`.
        """
        return self._run(operations, common_params, 1, progress_tracker, continue_on_error)

    def execute_operations_parallel(
        self,
        operations: Any,
        common_params: Mapping[str, Any],
        max_workers: int | None = None,
        progress_tracker: Any = None,
        continue_on_error: bool | None = None,
    ) -> dict[str, OperationResult]:
        """Run operations that do not need each other at the same time, on threads, each with its retries.

        After a failure (without `continue_on_error`) no other operation is begun and waits between attempts end at
        once; what is running is waited for, since a thread cannot be stopped. Operations that write files need folders
        of their own. Arguments and results as for `execute_operations`; `max_workers` run at a time, or as many as
        `parallel_processes` says.
        """
        many = max_workers or self._plans.at_a_time()
        return self._run(operations, common_params, many, progress_tracker, continue_on_error)

    def _run(
        self, operations: Any, params: Mapping[str, Any], many: int, progress_tracker: Any, continues: bool | None
    ) -> dict[str, OperationResult]:
        if continues is None:
            continues = bool(getattr(self._config, "continue_on_error", False))
        return _Operations(self, identified(operations), params, progress_tracker, continues).run(many)


def _call(operation: Any, params: Mapping[str, Any], progress_tracker: Any) -> Callable[[], OperationResult]:
    """One call of an operation's `run`."""
    given = dict(params) if progress_tracker is None else {**params, "progress_tracker": progress_tracker}

    def call() -> OperationResult:
        result = guarded(_name(operation), partial(operation.run, **given))
        if not isinstance(result, OperationResult):
            raise TypeError(f"{_name(operation)} gave a {type(result).__name__} instead of an OperationResult")
        return result

    return call


@attrs.define(eq=False)
class _Operations:
    """Operations that are run by hand, by id: the `Jobs` of one call."""

    executor: TaskOperationExecutor
    operations: Mapping[str, Any]
    params: Mapping[str, Any]
    progress: Any
    continues: bool
    results: dict[str, OperationResult] = attrs.Factory(dict)
    failed: str = ""

    @property
    def stopped(self) -> bool:
        return bool(self.failed) and not self.continues

    def prepare(self, name: str) -> bool:
        self._report(f"Start {name}", "running", {})
        return True

    def perform(self, name: str, stop: threading.Event) -> OperationResult:
        executor, operation = self.executor, self.operations[name]
        attempts = Attempts(executor._retry)
        return as_result(partial(executor._with_retry, operation, self.params, attempts, stop=stop), attempts)

    def complete(self, name: str, result: OperationResult) -> None:
        self.results[name] = result
        self.failed = self.failed or (name if result.failed else "")
        word = "Error" if result.failed else "Complete"
        self._report(f"{word} {name}", result.status.value, reporter_details(result))
        if self.progress is not None:
            self.progress.update(1)

    def _report(self, name: str, status: str, details: Mapping[str, Any]) -> None:
        if self.executor._reporter is not None:
            self.executor._reporter.add_operation(name, status, details)

    def run(self, many: int) -> dict[str, OperationResult]:
        """Run them, so many at a time; the result of each, in their order."""
        Parallel(dict.fromkeys(self.operations, ()), self, max(1, min(many, len(self.operations)))).run()
        reason = f"not started, because {self.failed} failed"
        for name in self.operations:
            self.results.setdefault(name, OperationResult(OperationStatus.SKIPPED, attempts=0, reason=reason))
        return {name: self.results[name] for name in self.operations}


def identified(operations: Any) -> dict[str, Any]:
    """Operations with ids that are unique: those of steps, keys of a mapping, or names, then `name-2`, `name-3` …"""
    if isinstance(operations, Mapping):
        return {str(identity): operation for identity, operation in operations.items()}
    found: dict[str, Any] = {}
    for item in operations:
        operation = getattr(item, "operation", item)
        name = str(getattr(item, "id", None) or _name(operation))
        names = chain([name], (f"{name}-{number}" for number in count(2)))
        found[next(identity for identity in names if identity not in found)] = operation
    return found


def _name(operation: Any) -> str:
    return str(getattr(operation, "name", None) or type(operation).__name__)
