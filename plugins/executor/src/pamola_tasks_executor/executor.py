"""`TaskOperationExecutor`: runs the steps of a plan, or operations by hand, with retries."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import NonRetriableError
from pamola_tasks.operation import OperationResult, OperationStatus
from pamola_tasks.protocols import RetrySettings
from pamola_tasks_executor.attempts import Attempts, OnRetry, Tries, message, overruled
from pamola_tasks_executor.plan_run import PlanRun
from pamola_tasks_executor.settings import ExecutorSettings

if TYPE_CHECKING:
    import logging

    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import StepDriver


class TaskOperationExecutor:
    """Runs operations.

    Args:
        task_config: `retry`, `continue_on_error`, `parallel_processes` and `timeout` are read from it.
        logger: Retries and failures are logged here.
        reporter: Has an entry for the beginning and the end of every operation that is run by hand.
        default_max_retries: Overrules `retry.max_retries`; likewise the other defaults.
        settings: Where the steps of a plan run.
    """

    def __init__(
        self,
        task_config: Any,
        logger: logging.Logger,
        reporter: Any = None,
        default_max_retries: int | None = None,
        default_backoff_factor: float | None = None,
        default_initial_wait: float | None = None,
        default_max_wait: float | None = None,
        default_jitter: bool | None = None,
        *,
        settings: ExecutorSettings | None = None,
    ) -> None:
        self._config = task_config
        self._logger = logger
        self._reporter = reporter
        defaults = overruled(
            getattr(task_config, "retry", None) or RetrySettings(),
            "default",
            max_retries=default_max_retries,
            backoff=default_backoff_factor,
            initial_wait=default_initial_wait,
            max_wait=default_max_wait,
            jitter=default_jitter,
        )
        self._attempts = Attempts(defaults)
        self._plans = PlanRun(task_config, settings or ExecutorSettings(), self._attempts)

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
        """Run an operation once.

        Args:
            operation: Has `run(**params)`.
            params: What `run` is given: `data_source`, `task_dir`, `reporter` and the operation's own parameters.
            progress_tracker: Handed on to the operation, when given.

        Returns:
            Its result; what it raised is a result with status ERROR.
        """
        tries = Tries()
        call = partial(self._call, operation, params, progress_tracker)
        result = self._as_result(lambda: tries.timed(call))
        result.execution_time = tries.seconds
        self._attempts.count(tries, not result.failed)
        return result

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
            operation: Has `run(**params)`.
            params: What `run` is given.
            max_retries: Attempts after the first; this and the next four overrule the configuration for this call.
            backoff_factor: By which each wait is longer than the one before.
            initial_wait: Seconds before the first retry.
            max_wait: The longest wait, in seconds.
            jitter: Whether waits are multiplied by a random factor in [0.75, 1.25].
            progress_tracker: Handed on to the operation, when given.
            on_retry: Told (error, number of the attempt that failed, seconds until the next).

        Returns:
            Its result. A result with status ERROR is returned too, unless its exception may pass.
            `execution_time` is that of all attempts together, without the waits.

        Raises:
            MaxRetriesExceededError: It went on failing.
            NonRetriableError: It raised something that is not worth another try.
        """
        settings = overruled(
            self._attempts.defaults,
            "retry",
            max_retries=max_retries,
            backoff=backoff_factor,
            initial_wait=initial_wait,
            max_wait=max_wait,
            jitter=jitter,
        )
        return self._with_retry(operation, params, settings, progress_tracker, on_retry)

    def _with_retry(
        self,
        operation: Any,
        params: Mapping[str, Any],
        settings: RetrySettings,
        progress_tracker: Any = None,
        on_retry: OnRetry | None = None,
        stop: threading.Event | None = None,
    ) -> OperationResult:
        tries, name, good = Tries(), _name(operation), False

        def tell(error: BaseException, attempt: int, wait: float) -> None:
            kind = type(error).__name__
            self._logger.warning("%s: attempt %d failed (%s), next in %.1f s", name, attempt, kind, wait)
            if on_retry is not None:
                on_retry(error, attempt, wait)

        try:
            call = partial(self._call, operation, params, progress_tracker)
            result = self._attempts.make(call, settings, tries, tell, stop)
            good = not result.failed
        except Exception as error:
            if not self.is_retriable_error(error):
                raise NonRetriableError(f"{name}: {message(error)}") from error
            final = self._attempts.given_up(name, error, settings, tries)
            if final is error:
                raise
            raise final from error
        finally:
            self._attempts.count(tries, good)
        result.attempts = tries.made
        result.execution_time = tries.seconds
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
            progress_tracker: `update(1)` is called after each.
            continue_on_error: Go on after a failure; as configured unless given.

        Returns:
            A result for every operation, by id (the id of a step or the key of a mapping; else the operation's name,
            then `name-2`, `name-3` …). Those that were not begun after a failure are `skipped`.
        """
        results: dict[str, OperationResult] = {}
        failed = ""
        for identity, operation in identified(operations):
            if failed and not self._goes_on(continue_on_error):
                results[identity] = _not_begun(failed)
                continue
            self._report(f"Start {identity}", "running", {})
            results[identity] = self._as_result(
                lambda operation=operation: self._with_retry(  # type: ignore[misc]
                    operation, common_params, self._attempts.defaults
                )
            )
            self._ended(identity, results[identity], progress_tracker)
            failed = failed or (identity if results[identity].failed else "")
        return results

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
        once; what is running is waited for, since a thread cannot be stopped.

        Args:
            operations: Operations or steps, or operations by id.
            common_params: What each operation's `run` is given. Operations that write files need folders of their own.
            max_workers: How many at a time; `parallel_processes` unless given.
            progress_tracker: `update(1)` is called after each, in this thread.
            continue_on_error: Go on after a failure; as configured unless given.

        Returns:
            As `execute_operations`, in the order of the operations.
        """
        named = identified(operations)
        workers = max_workers or self._plans.at_a_time()
        goes_on = self._goes_on(continue_on_error)
        stop = threading.Event()
        results: dict[str, OperationResult] = {}
        failed = ""
        with ThreadPoolExecutor(max(1, min(workers, len(named)))) as pool:
            try:
                running: dict[Future[OperationResult], str] = {}
                for identity, operation in named:
                    self._report(f"Start {identity}", "running", {})
                    call = partial(
                        self._with_retry, operation, common_params, self._attempts.defaults, None, None, stop
                    )
                    running[pool.submit(self._unless_stopped, stop, call)] = identity
                for future in as_completed(running):
                    identity = running[future]
                    try:
                        results[identity] = self._as_result(future.result)
                    except CancelledError:
                        results[identity] = _not_begun(failed)
                        continue
                    self._ended(identity, results[identity], progress_tracker)
                    if results[identity].failed and not goes_on:
                        failed = failed or identity
                        stop.set()
            except BaseException:
                # Ctrl-C: nothing new begins, no wait goes on.
                stop.set()
                raise
        return {identity: results[identity] for identity, _ in named}

    # ------------------------------------------------------------ what is tried again

    def add_retriable_exception(self, exception_type: type[BaseException]) -> None:
        """Try again after this kind of error too; refused, with a warning, for kinds that never pass."""
        if not self._attempts.transient.add(exception_type):
            self._logger.warning(
                "%s is not tried again: it says that the program or its parameters are wrong, or that it is to end",
                exception_type.__name__,
            )

    def remove_retriable_exception(self, exception_type: type[BaseException]) -> None:
        """Do not try again after this kind of error."""
        self._attempts.transient.remove(exception_type)

    def is_retriable_error(self, error: BaseException) -> bool:
        """Whether an error may pass, so that another attempt is worth it."""
        return self._attempts.transient(error)

    def get_execution_stats(self) -> dict[str, int]:
        """How many operations were run, went well, failed, were tried again, and how many retries there were."""
        return attrs.asdict(self._attempts.tally())

    # ------------------------------------------------------------ inside

    def _call(self, operation: Any, params: Mapping[str, Any], progress_tracker: Any) -> OperationResult:
        given = dict(params)
        if progress_tracker is not None:
            given["progress_tracker"] = progress_tracker
        result = operation.run(**given)
        if not isinstance(result, OperationResult):
            raise TypeError(f"{_name(operation)} gave a {type(result).__name__} instead of an OperationResult")
        return result

    def _as_result(self, run: Callable[[], OperationResult]) -> OperationResult:
        try:
            return run()
        except CancelledError:
            raise
        except Exception as error:  # an operation is a boundary: its failure is a result, with the traceback
            return OperationResult.failure(error, "".join(traceback.format_exception(error)))

    @staticmethod
    def _unless_stopped(stop: threading.Event, call: Callable[[], OperationResult]) -> OperationResult:
        """Begin only if no other operation has failed: asked by the worker itself, so that none slips through."""
        if stop.is_set():
            raise CancelledError
        return call()

    def _goes_on(self, continue_on_error: bool | None) -> bool:
        configured = bool(getattr(self._config, "continue_on_error", False))
        return configured if continue_on_error is None else continue_on_error

    def _ended(self, identity: str, result: OperationResult, progress_tracker: Any) -> None:
        word = "Error" if result.failed else "Complete"
        self._report(f"{word} {identity}", result.status.value, result.to_reporter_details())
        if progress_tracker is not None:
            progress_tracker.update(1)

    def _report(self, name: str, status: str, details: Mapping[str, Any]) -> None:
        if self._reporter is not None:
            self._reporter.add_operation(name, status, details)


def create_operation_executor(
    task_config: Any, logger: logging.Logger, reporter: Any = None, **defaults: Any
) -> TaskOperationExecutor:
    """An executor for a task. Further arguments as those of the class."""
    return TaskOperationExecutor(task_config, logger, reporter, **defaults)


def identified(operations: Any) -> list[tuple[str, Any]]:
    """Operations with ids that are unique: those of steps, keys of a mapping, or names, then `name-2`, `name-3` …"""
    if isinstance(operations, Mapping):
        return [(str(identity), operation) for identity, operation in operations.items()]
    found: dict[str, Any] = {}
    for item in operations:
        operation = getattr(item, "operation", item)
        name = identity = str(getattr(item, "id", None) or _name(operation))
        number = 2
        while identity in found:
            identity = f"{name}-{number}"
            number += 1
        found[identity] = operation
    return list(found.items())


def _not_begun(failed: str) -> OperationResult:
    return OperationResult(OperationStatus.SKIPPED, attempts=0, reason=f"not begun, because {failed} failed")


def _name(operation: Any) -> str:
    return str(getattr(operation, "name", None) or type(operation).__name__)


__all__ = ["TaskOperationExecutor", "create_operation_executor", "identified"]
