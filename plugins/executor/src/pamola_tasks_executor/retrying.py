"""Trying again: how often, and after what waits. Stands on tenacity."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from pamola_tasks.protocols import RetrySettings

JITTER = (0.75, 1.25)

T = TypeVar("T")


def retrying(
    attempt: Callable[[], T],
    settings: RetrySettings,
    *,
    passes: Callable[[BaseException], bool],
    on_retry: Callable[[BaseException, int, float], None],
    stop: threading.Event | None = None,
) -> T:
    """Call until it works, until an error is not worth another try, or until the tries are used up.

    Args:
        attempt: What to call.
        settings: How often, and how long to wait: `min(initial_wait * backoff ** (n - 1), max_wait)` seconds after
            attempt n, times a random factor in [0.75, 1.25] with `jitter`.
        passes: Whether an error is worth another try.
        on_retry: Told (error, number of the attempt that failed, seconds until the next), before each wait.
        stop: Ends a wait at once when another thread sets it; no other attempt is made then. Ctrl-C ends it anyway.

    Raises:
        Exception: What the last attempt raised.
    """
    growing = tenacity.wait_exponential(
        multiplier=settings.initial_wait, exp_base=settings.backoff, max=settings.max_wait
    )

    def wait(state: tenacity.RetryCallState) -> float:
        seconds = growing(state)
        return seconds * random.uniform(*JITTER) if settings.jitter else seconds

    last: list[BaseException] = []

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        assert error is not None
        assert state.next_action is not None
        last[:] = [error]
        on_retry(error, state.attempt_number, state.next_action.sleep)

    def sleep(seconds: float) -> None:
        if stop is None:
            time.sleep(seconds)
        elif stop.wait(seconds):
            raise last[0]

    loop = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(settings.max_retries + 1),
        wait=wait,
        retry=tenacity.retry_if_exception(passes),
        before_sleep=tell,
        sleep=sleep,
        reraise=True,
    )
    return loop(attempt)
