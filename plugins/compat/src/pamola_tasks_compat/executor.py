"""`TaskOperationExecutor` with the statistics of the forerunner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from pamola_tasks_compat.owners import owned


class TaskOperationExecutor:
    """The executor of the plugin for the service `executor`, which counts the operations that it runs directly.

    What is not here is the plugin's own; arguments as those of its class.
    """

    def __init__(self, task_config: Any, logger: Any, reporter: Any = None, **options: Any) -> None:
        made = owned("executor", "pamola_tasks_executor", "TaskOperationExecutor")
        self._executor: Any = made(task_config, logger, reporter, **options)
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(
            ("total_operations", "successful_operations", "failed_operations", "retried_operations", "total_retries"), 0
        )

    def __getattr__(self, name: str) -> Any:
        if "_executor" not in self.__dict__:  # it is being copied or unpickled
            raise AttributeError(name)
        return getattr(self._executor, name)

    def get_execution_stats(self) -> dict[str, int]:
        """How many operations were run, went well, failed, were retried, and how many retries there were."""
        with self._lock:
            return dict(self._counts)

    def execute_operation(self, operation: Any, params: Mapping[str, Any], progress_tracker: Any = None) -> Any:
        """Run an operation once; see the plugin's class."""
        result = self._executor.execute_operation(operation, params, progress_tracker)
        self._count(not result.failed, 0)
        return result

    def execute_with_retry(
        self,
        operation: Any,
        params: Mapping[str, Any],
        *options: Any,
        on_retry: Callable[[BaseException, int, float], None] | None = None,
        **more: Any,
    ) -> Any:
        """Run an operation, and again while it fails in a way that may pass; see the plugin's class."""
        retries, good = 0, False

        def retried(error: BaseException, attempt: int, wait: float) -> None:
            nonlocal retries
            retries += 1
            if on_retry is not None:
                on_retry(error, attempt, wait)

        try:
            result = self._executor.execute_with_retry(operation, params, *options, on_retry=retried, **more)
            good = not result.failed
            return result
        finally:
            self._count(good, retries)

    def execute_operations(self, operations: Any, common_params: Mapping[str, Any], *options: Any, **more: Any) -> Any:
        """Run operations one after the other; see the plugin's class."""
        return self._counted(self._executor.execute_operations(operations, common_params, *options, **more))

    def execute_operations_parallel(
        self, operations: Any, common_params: Mapping[str, Any], *options: Any, **more: Any
    ) -> Any:
        """Run operations at the same time, on threads; see the plugin's class."""
        return self._counted(self._executor.execute_operations_parallel(operations, common_params, *options, **more))

    def _counted(self, results: Mapping[str, Any]) -> Any:
        for result in results.values():
            if result.attempts:  # else it was not begun
                self._count(not result.failed, result.attempts - 1)
        return results

    def _count(self, good: bool, retries: int) -> None:
        with self._lock:
            for name, more in zip(self._counts, (1, good, not good, retries > 0, retries), strict=True):
                self._counts[name] += int(more)


def create_operation_executor(
    task_config: Any, logger: Any, reporter: Any = None, **options: Any
) -> TaskOperationExecutor:
    """An executor for a task."""
    return TaskOperationExecutor(task_config, logger, reporter, **options)
