"""What is tried again, how often, after what waits, and what the caller learns."""

from __future__ import annotations

import errno
import io
import logging
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.errors import (
    DataError,
    MaxRetriesExceededError,
    NonRetriableError,
    ParameterError,
    PlanError,
    StepTimeout,
)
from pamola_tasks.protocols import RetrySettings
from pamola_tasks.record import OperationResult, OperationStatus
from pamola_tasks_executor import TaskOperationExecutor
from pamola_tasks_executor.attempts import Transient

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
    return TaskOperationExecutor(config, LOGGER)


def test_an_error_that_passes_is_tried_again_with_growing_waits_of_which_the_caller_is_told() -> None:
    told: list[tuple[str, int, float]] = []
    operation = Flaky(ConnectionError("one"), TimeoutError("two"))
    result = executor(initial_wait=0.01, backoff=3.0, jitter=False).execute_with_retry(
        operation, {"a": 1}, on_retry=lambda error, attempt, wait: told.append((str(error), attempt, wait))
    )
    assert result.status is OperationStatus.SUCCESS
    assert result.attempts == 3
    assert operation.calls == [{"a": 1}] * 3
    assert [(message, attempt) for message, attempt, _ in told] == [("one", 1), ("two", 2)]
    assert [wait for *_, wait in told] == pytest.approx([0.01, 0.03])


def test_waits_are_capped_and_jitter_stays_within_a_quarter() -> None:
    waits: list[float] = []
    for _ in range(30):
        executor(max_retries=4, initial_wait=0.001, max_wait=0.002).execute_with_retry(
            Flaky(*[ConnectionError()] * 4), {}, on_retry=lambda *told: waits.append(told[2])
        )
    firsts, lasts = waits[0::4], waits[3::4]
    assert all(0.00075 <= wait <= 0.00125 for wait in firsts)
    assert all(0.0015 <= wait <= 0.0025 for wait in lasts)
    assert len(set(firsts)) > 1


def test_the_time_of_attempts_is_added_up_without_the_waits() -> None:
    result = executor(initial_wait=0.2, jitter=False).execute_with_retry(Flaky(ConnectionError()), {})
    assert result.execution_time is not None
    assert result.execution_time < 0.1


def test_endless_passing_errors_end_in_the_limit_error_with_the_real_message() -> None:
    operation = Flaky(*[ConnectionError("the line is dead")] * 9)
    with pytest.raises(MaxRetriesExceededError, match=r"Flaky: gave up after 4 attempts.*the line is dead") as caught:
        executor().execute_with_retry(operation, {})
    assert len(operation.calls) == 4
    assert isinstance(caught.value.__cause__, ConnectionError)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        TypeError("no"),
        KeyError("no"),
        FileNotFoundError(errno.ENOENT, "no"),
        PermissionError(errno.EACCES, "no"),
        IsADirectoryError(errno.EISDIR, "no"),
        NotADirectoryError(errno.ENOTDIR, "no"),
        OSError(errno.ENOSPC, "no"),
        io.UnsupportedOperation("no"),
        ParameterError("no"),
        DataError("no"),
        MemoryError("no"),
        StepTimeout("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_lasts_is_not_tried_again_and_costs_no_wait(error: Exception) -> None:
    operation = Flaky(error)
    with pytest.raises(NonRetriableError, match="no") as caught:
        executor(initial_wait=3600, max_wait=3600).execute_with_retry(operation, {})
    assert len(operation.calls) == 1
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        BrokenPipeError(),
        TimeoutError(),
        BlockingIOError(),
        OSError("a sentence, no number"),
        *(OSError(number, "x") for number in (errno.EINTR, errno.EAGAIN, errno.EIO, errno.EBUSY, errno.ESTALE)),
    ],
    ids=repr,
)
def test_an_error_that_may_pass_is_tried_again(error: Exception) -> None:
    assert executor().execute_with_retry(Flaky(error), {}).attempts == 2


def test_an_exception_says_itself_whether_it_passes() -> None:
    class Busy(Exception):
        retriable = True

    class Broken(ConnectionError):
        retriable = False

    assert executor().execute_with_retry(Flaky(Busy()), {}).attempts == 2
    with pytest.raises(NonRetriableError):
        executor().execute_with_retry(Flaky(Broken()), {})


def test_classes_that_are_named_are_tried_again_with_those_that_belong_to_them() -> None:
    class Odd(ValueError):
        pass

    class Odder(Odd):
        pass

    assert not Transient()(Odder())
    assert Transient(["Odd"])(Odder())
    assert not Transient(["Odd"])(ValueError())
    assert Transient([f"{Odd.__module__}.Odd"])(Odder())
    assert not Transient(["elsewhere.Odd"])(Odder())
    assert Transient(["PermissionError"])(PermissionError(errno.EACCES, "x"))
    for never in (ValueError, KeyboardInterrupt, NonRetriableError):
        assert not Transient([never.__name__])(never("x"))
    assert executor(on=["Odd"]).execute_with_retry(Flaky(Odder()), {}).attempts == 2


def test_an_error_result_is_tried_again_when_its_exception_may_pass_and_returned_when_not() -> None:
    operation = Flaky(OperationResult.failure(ConnectionError("x")))
    assert executor().execute_with_retry(operation, {}).attempts == 2
    operation = Flaky(OperationResult.failure("there is no such column"))
    result = executor().execute_with_retry(operation, {})
    assert (result.failed, result.attempts, result.error_message) == (True, 1, "there is no such column")


def test_execute_operation_tries_once_and_never_raises() -> None:
    operation = Flaky(ConnectionError("x"))
    result = executor().execute_operation(operation, {"a": 1}, progress_tracker="bar")
    assert result.status is OperationStatus.ERROR
    assert result.error_message == "x"
    assert "ConnectionError" in (result.error_trace or "")
    assert operation.calls == [{"a": 1, "progress_tracker": "bar"}]
    assert executor().execute_operation(Flaky("nonsense"), {}).error_message == (
        "Flaky gave a str instead of an OperationResult"
    )


def test_ctrl_c_ends_a_wait_at_once() -> None:
    operation = Flaky(*[ConnectionError()] * 5)
    main = threading.main_thread().ident
    threading.Timer(0.2, signal.pthread_kill, [main, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        executor(initial_wait=3600, max_wait=3600).execute_with_retry(operation, {})
    assert len(operation.calls) == 1


def test_ctrl_c_within_an_operation_goes_through() -> None:
    operation = Flaky(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        executor().execute_with_retry(operation, {})
    assert len(operation.calls) == 1


def test_arguments_override_the_configuration_and_nonsense_is_refused() -> None:
    operation = Flaky(*[ConnectionError()] * 9)
    with pytest.raises(MaxRetriesExceededError):
        executor(max_retries=5).execute_with_retry(operation, {}, max_retries=1)
    assert len(operation.calls) == 2
    with pytest.raises(PlanError, match="max_retries must be at least 0"):
        executor().execute_with_retry(operation, {}, max_retries=-1)
    with pytest.raises(ParameterError, match="backoff"):
        executor().execute_with_retry(operation, {}, backoff_factor="twice")  # type: ignore[arg-type]
    made = TaskOperationExecutor(SimpleNamespace(retry=RetrySettings(max_retries=0)), LOGGER)
    with pytest.raises(MaxRetriesExceededError, match="1 attempt:"):
        made.execute_with_retry(Flaky(ConnectionError()), {})
