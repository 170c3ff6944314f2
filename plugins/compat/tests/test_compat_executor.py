"""The statistics of an executor."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.errors import NonRetriableError
from pamola_tasks.protocols import RetrySettings
from pamola_tasks.record import OperationResult
from pamola_tasks_compat.executor import TaskOperationExecutor, create_operation_executor

LOGGER = logging.getLogger("test")


class Flaky:
    """An operation that raises, or returns, one thing after the other."""

    name = "Flaky"

    def __init__(self, *outcomes: Any) -> None:
        self._outcomes: Iterator[Any] = iter(outcomes)
        self.calls: list[dict[str, Any]] = []

    def run(self, **params: Any) -> OperationResult:
        self.calls.append(params)
        outcome = next(self._outcomes, None)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome or OperationResult.success({"n": 1})


def executor(**settings: Any) -> TaskOperationExecutor:
    config = SimpleNamespace(retry=RetrySettings(**{"initial_wait": 0.001, **settings}))
    return create_operation_executor(config, LOGGER)


def test_statistics_count_each_operation_once() -> None:
    mine = executor(max_retries=2)
    mine.execute_with_retry(Flaky(ConnectionError(), ConnectionError()), {})
    with pytest.raises(NonRetriableError):
        mine.execute_with_retry(Flaky(ValueError()), {})
    mine.execute_operation(Flaky(), {})
    assert mine.get_execution_stats() == {
        "total_operations": 3,
        "successful_operations": 2,
        "failed_operations": 1,
        "retried_operations": 1,
        "total_retries": 2,
    }
