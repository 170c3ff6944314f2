"""Several operations: every one has its result, whatever its class and whatever fails."""

from __future__ import annotations

import logging
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.errors import MaxRetriesExceededError
from pamola_tasks.protocols import RetrySettings
from pamola_tasks.record import OperationResult, OperationStatus
from pamola_tasks_executor import TaskOperationExecutor

LOGGER = logging.getLogger("test")


class Work:
    """An operation that takes its time, and may fail."""

    name = "Work"

    def __init__(self, number: int, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.number, self.seconds, self.error = number, seconds, error
        self.lock = threading.Lock()  # nothing that could be sent to another process

    def run(self, **params: Any) -> OperationResult:
        time.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return OperationResult.success({"number": self.number, "shared": params.get("shared")})


class Entries:
    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self.details: dict[str, Any] = {}
        self.threads: set[int] = set()

    def add_operation(self, name: str, status: str = "success", details: Any = None) -> None:
        self.entries.append((name, status))
        self.details[name] = details
        self.threads.add(threading.get_ident())


def executor(reporter: Any = None, **config: Any) -> Any:
    given = {key: config.pop(key) for key in ("max_retries", "initial_wait", "max_wait") if key in config}
    retry = RetrySettings(**{"max_retries": 0, "initial_wait": 0.001, **given})
    return TaskOperationExecutor(SimpleNamespace(retry=retry, **config), LOGGER, reporter)


BOTH = pytest.mark.parametrize("method", ["execute_operations", "execute_operations_parallel"])


@BOTH
def test_eight_operations_of_one_class_give_eight_results(method: str) -> None:
    results = getattr(executor(parallel_processes=4), method)([Work(n) for n in range(8)], {"shared": "x"})
    assert list(results) == ["Work", *(f"Work-{n}" for n in range(2, 9))]
    assert [result.metrics["number"] for result in results.values()] == list(range(8))
    assert all(result.metrics["shared"] == "x" for result in results.values())


def test_eight_operations_on_four_workers_run_four_at_a_time() -> None:
    together = threading.Barrier(4, timeout=120)

    class Meeting(Work):
        """Ends only when four are there at once."""

        def run(self, **params: Any) -> OperationResult:
            together.wait()
            return super().run(**params)

    results = executor(parallel_processes=4).execute_operations_parallel([Meeting(n) for n in range(8)], {})
    assert [result.failed for result in results.values()] == [False] * 8


@BOTH
def test_ids_of_steps_and_keys_of_mappings_are_the_ids_of_results(method: str) -> None:
    steps = [SimpleNamespace(id=name, operation=Work(n)) for n, name in enumerate(("before", "after"))]
    assert list(getattr(executor(), method)(steps, {})) == ["before", "after"]
    assert list(getattr(executor(), method)({"x": Work(1), "y": Work(2)}, {})) == ["x", "y"]
    assert getattr(executor(), method)([], {}) == {}


@BOTH
def test_after_a_failure_nothing_new_begins_and_every_operation_has_a_result(method: str) -> None:
    operations = [Work(0), Work(1, 0.02, ValueError("the real message")), *(Work(n, 0.1) for n in range(2, 8))]
    results = getattr(executor(parallel_processes=2), method)(operations, {})
    assert len(results) == 8
    assert results["Work-2"].status is OperationStatus.ERROR
    assert "the real message" in results["Work-2"].error_message
    assert "ValueError" in results["Work-2"].error_trace
    assert results["Work-8"].status is OperationStatus.SKIPPED
    assert results["Work-8"].reason == "not started, because Work-2 failed"


@BOTH
def test_with_continue_on_error_the_others_still_run(method: str) -> None:
    operations = [Work(0, error=ValueError("x")), Work(1), Work(2)]
    for results in (
        getattr(executor(continue_on_error=True), method)(operations, {}),
        getattr(executor(), method)(operations, {}, continue_on_error=True),
    ):
        assert [result.status.value for result in results.values()] == ["error", "success", "success"]


@BOTH
def test_the_report_has_a_beginning_and_an_end_of_each_and_the_bar_moves(method: str) -> None:
    entries, moved = Entries(), []
    bar = SimpleNamespace(update=moved.append)
    operations = [Work(0), Work(1, error=ValueError("the real message"))]
    getattr(executor(entries), method)(operations, {}, progress_tracker=bar, continue_on_error=True)
    assert sorted(entries.entries) == [
        ("Complete Work", "success"),
        ("Error Work-2", "error"),
        ("Start Work", "running"),
        ("Start Work-2", "running"),
    ]
    assert "the real message" in entries.details["Error Work-2"]["error_message"]
    assert entries.threads == {threading.get_ident()}
    assert moved == [1, 1]


@BOTH
def test_each_is_tried_again_for_itself(method: str) -> None:
    class Once(Work):
        tried = False

        def run(self, **params: Any) -> OperationResult:
            if not self.tried:
                self.tried = True
                raise ConnectionError("passing")
            return super().run(**params)

    operations = [Once(0), Once(1), Work(2, error=ConnectionError("dead"))]
    mine = executor(parallel_processes=2, max_retries=1, continue_on_error=True)
    results = getattr(mine, method)(operations, {})
    assert [result.attempts for result in list(results.values())[:2]] == [2, 2]
    assert isinstance(list(results.values())[2].exception, MaxRetriesExceededError)


def test_a_failure_ends_the_waits_of_the_others() -> None:
    operations = [Work(0, error=ConnectionError("passing")), Work(1, 0.1, ValueError("x"))]
    mine = executor(parallel_processes=2, max_retries=3, initial_wait=3600, max_wait=3600)
    results = mine.execute_operations_parallel(operations, {})
    assert [result.failed for result in results.values()] == [True, True]
