"""Attempts at an operation: made again while they fail in a way that may pass, counted, and given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import attrs

from pamola_tasks.errors import MaxRetriesExceededError, PlanError
from pamola_tasks.operation import OperationResult
from pamola_tasks.parameters import build
from pamola_tasks.protocols import RetrySettings
from pamola_tasks_executor.retrying import retrying
from pamola_tasks_executor.transient import Transient

OnRetry = Callable[[BaseException, int, float], None]


@attrs.define
class Tally:
    """What was done so far: each operation counted once, however often it was tried."""

    total_operations: int = 0
    successful_operations: int = 0
    failed_operations: int = 0
    retried_operations: int = 0
    total_retries: int = 0


@attrs.define
class Tries:
    """The attempts at one operation: how many, and how long they took without the waits between them."""

    made: int = 0
    seconds: float = 0.0

    def timed(self, attempt: Callable[[], OperationResult]) -> OperationResult:
        """Make one more."""
        self.made += 1
        started = time.perf_counter()
        try:
            return attempt()
        finally:
            self.seconds += time.perf_counter() - started


class Attempts:
    """Makes attempts by the rules of one executor, and counts them. Safe to use from several threads.

    Args:
        defaults: How often and when to try again, unless something else is said for an operation.
    """

    def __init__(self, defaults: RetrySettings) -> None:
        self.defaults = defaults
        self._tally = Tally()
        self._lock = threading.Lock()

    def make(
        self,
        attempt: Callable[[], OperationResult],
        settings: RetrySettings,
        tries: Tries,
        on_retry: OnRetry,
        stop: threading.Event | None = None,
    ) -> OperationResult:
        """Make an attempt, and others while they fail in a way that may pass.

        Args:
            attempt: The operation, once.
            settings: How often and when.
            tries: Where the attempts are counted.
            on_retry: Told (error, number of the attempt that failed, seconds until the next).
            stop: Says that no other attempt is worth it.

        Returns:
            The result of the last attempt. What it raised is raised.
        """
        passes = Transient(settings.on)

        def once() -> OperationResult:
            result = tries.timed(attempt)
            if result.failed and result.exception is not None and passes(result.exception):
                raise result.exception
            return result

        return retrying(once, settings, passes=passes, on_retry=on_retry, stop=stop)

    def given_up(self, what: str, error: Exception, settings: RetrySettings, tries: Tries) -> Exception:
        """What to say of an error that ended the tries."""
        if not Transient(settings.on)(error) or tries.made <= settings.max_retries:
            return error
        attempts = "1 attempt" if tries.made == 1 else f"{tries.made} attempts"
        limit = MaxRetriesExceededError(f"{what}: gave up after {attempts}: {message(error)}", attempts=tries.made)
        limit.__cause__ = error
        return limit

    def count(self, tries: Tries, good: bool) -> None:
        """Note how one operation ended."""
        with self._lock:
            self._tally.total_operations += 1
            self._tally.successful_operations += good
            self._tally.failed_operations += not good
            self._tally.retried_operations += tries.made > 1
            self._tally.total_retries += max(tries.made - 1, 0)

    def tally(self) -> Tally:
        """What was done so far."""
        with self._lock:
            return attrs.evolve(self._tally)


def overridden(settings: RetrySettings, what: str, **values: Any) -> RetrySettings:
    """Settings with some of them replaced, checked.

    Raises:
        ParameterError: There is no such setting, or its value does not fit.
        PlanError: A number is out of its range.
    """
    stated = {key: value for key, value in values.items() if value is not None}
    if not stated:
        return settings
    made = build(RetrySettings, {**attrs.asdict(settings), **stated}, what=what)
    lowest = {"max_retries": 0, "initial_wait": 0, "max_wait": 0, "backoff": 1}
    wrong = [f"{what}: {key} must be at least {least}" for key, least in lowest.items() if getattr(made, key) < least]
    if wrong:
        raise PlanError(problems=tuple(wrong))
    return made


def message(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
