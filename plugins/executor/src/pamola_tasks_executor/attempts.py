"""Attempts at an operation: made again while they fail in a way that may pass, counted, and given up."""

from __future__ import annotations

import errno
import io
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from pamola_tasks.errors import MaxRetriesExceededError, NonRetriableError, PlanError
from pamola_tasks.parameters import build
from pamola_tasks.protocols import RetrySettings
from pamola_tasks.record import OperationResult

OnRetry = Callable[[BaseException, int, float], None]
JITTER = (0.75, 1.25)
# Never, whatever is asked for: the program or its parameters are wrong, or the program is to end.
NEVER: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)
NEVER += (NonRetriableError, SyntaxError, NameError, TypeError, ValueError)
_PASSING = (ConnectionError, TimeoutError, BlockingIOError, InterruptedError, BrokenPipeError)
# System errors of which the class alone says that they last.
_LASTING: tuple[type[OSError], ...] = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError)
_LASTING += (NotADirectoryError, ProcessLookupError, ChildProcessError, io.UnsupportedOperation)
# Not every system has each of them. No space (ENOSPC, EDQUOT) is not among them: it lasts until somebody makes room.
_PASSING_NUMBERS = {
    getattr(errno, name, None)
    for name in (
        "EINTR EAGAIN EWOULDBLOCK EIO EBUSY ETXTBSY EDEADLK ENOLCK ESTALE EMFILE ENFILE ENOBUFS ETIMEDOUT ENETDOWN"
        " ENETUNREACH ENETRESET EHOSTDOWN EHOSTUNREACH ECONNREFUSED ECONNRESET ECONNABORTED EREMOTEIO"
    ).split()
}


class Transient:
    """Says of an error whether it may pass.

    A class that is named (bare or with its module) decides for itself, then an exception's own `retriable`. Else it is
    the most specific of its classes that is known. An `OSError` is judged by its number; without one it may pass.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)

    def __call__(self, error: BaseException) -> bool:
        if not isinstance(error, Exception):
            return False
        if self._named(type(error)) and not isinstance(error, NEVER):
            return True
        own = getattr(error, "retriable", None)
        if isinstance(own, bool):
            return own
        verdicts = (self._verdict(kind, error) for kind in type(error).__mro__)
        return next((verdict for verdict in verdicts if verdict is not None), False)

    def _named(self, kind: type) -> bool:
        return kind.__name__ in self._names or f"{kind.__module__}.{kind.__name__}" in self._names

    def _verdict(self, kind: type, error: Exception) -> bool | None:
        if kind in NEVER:
            return False
        if self._named(kind) or kind in _PASSING:
            return True
        if kind in _LASTING:
            return False
        if kind is OSError:
            number = getattr(error, "errno", None)
            return number is None or number in _PASSING_NUMBERS
        return None


def never_retried(names: Iterable[str]) -> list[str]:
    """Those of the names whose classes are never retried."""
    never = {kind.__name__ for kind in NEVER}
    return [name for name in names if name.removeprefix("builtins.") in never]


@attrs.define
class Attempts:
    """The attempts at one operation: how many, and how long they took without the waits between them."""

    settings: RetrySettings
    made: int = 0
    seconds: float = 0.0

    def once(self, attempt: Callable[[], OperationResult]) -> OperationResult:
        self.made += 1
        started = time.perf_counter()
        try:
            return attempt()
        finally:
            self.seconds += time.perf_counter() - started

    def make(
        self, what: str, attempt: Callable[[], OperationResult], on_retry: OnRetry, stop: threading.Event | None = None
    ) -> OperationResult:
        """Make one, and others while they fail in a way that may pass; what the last one raised is raised.

        Args:
            on_retry: Called with (error, number of the attempt that failed, seconds until the next) before each wait.
            stop: Ends a wait at once when another thread sets it; no other attempt is made then.

        Raises:
            MaxRetriesExceededError: It kept failing until its retries were exhausted.
        """
        passes = Transient(self.settings.on)
        while True:
            try:
                result = self.once(attempt)
                if result.exception is None or not result.failed or not passes(result.exception):
                    return result
                raise result.exception
            except Exception as error:
                if not passes(error):
                    raise
                if self.made > self.settings.max_retries:
                    attempts = "1 attempt" if self.made == 1 else f"{self.made} attempts"
                    gave_up = f"{what}: gave up after {attempts}: {message(error)}"
                    raise MaxRetriesExceededError(gave_up, attempts=self.made) from error
                wait = self._wait()
                on_retry(error, self.made, wait)
                if stop is None:
                    time.sleep(wait)
                elif stop.wait(wait):
                    raise

    def _wait(self) -> float:
        from random import uniform

        settings = self.settings
        try:
            wait = settings.initial_wait * settings.backoff ** (self.made - 1)
        except OverflowError:
            wait = settings.max_wait
        return min(wait, settings.max_wait) * (uniform(*JITTER) if settings.jitter else 1.0)


def as_result(run: Callable[[], OperationResult], attempts: Attempts) -> OperationResult:
    """What an operation gave; its failure as a result with the traceback. An operation is a boundary."""
    try:
        result = run()
    except Exception as error:
        result = OperationResult.failure(error, "".join(traceback.format_exception(error)))
    result.attempts, result.execution_time = attempts.made, attempts.seconds
    return result


def overridden(settings: RetrySettings, what: str, **values: Any) -> RetrySettings:
    """Settings with some of them replaced; a ParameterError or PlanError where one does not fit."""
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
