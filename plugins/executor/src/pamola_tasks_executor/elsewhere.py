"""What makes attempts at steps in other processes has to offer, on this machine or on others: `Elsewhere`.

The parent hands over `Work`, asks how far it is, and may cancel it; over there `performing.perform`, or the command
`python -m pamola_tasks_executor WORK ANSWER`, does it. Retries, time limits, order and all that is recorded stay with
the parent.
"""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any, Literal, Protocol

import attrs

from pamola_tasks.errors import OperationError, StepTimeout

_STATES = ("waiting", "running", "ended")
_LOOK = 0.1  # seconds that a look at submitted work may take, so that stopping is not late


@attrs.frozen(kw_only=True)
class Work:
    """An attempt at a step, to be made by another process.

    Attributes:
        step_id: The step.
        root: The project's folder. The other process must see it, under the same path.
        run: What the run is rebuilt from over there: the same for all steps of a run.
        attempt: What the attempt is made from.
        timeout: Seconds after which the attempt is cancelled; None for any time.
        memory_mb: MiB of resident memory that it may take, which is for the place to watch; None for any.
        variables: Environment variables that the configuration refers to, and one that opens the run's key: not in
            `data`, and only for a place whose attribute `carries_keys` says that they cannot be read on the way.
    """

    step_id: str
    root: Path
    run: bytes
    attempt: bytes
    timeout: float | None = None
    memory_mb: int | None = None
    variables: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @property
    def data(self) -> bytes:
        """Run and attempt in one, for `performing.perform`: pickles, to be kept where no other user can write."""
        return pickle.dumps((self.run, self.attempt))


@attrs.frozen(kw_only=True)
class State:
    """How far submitted work is: from `running` on the time limit counts; when it has ended, what `perform` answered.

    Where it can send while it runs, `messages` are those since the last look.
    """

    name: Literal["waiting", "running", "ended"]
    answer: bytes = b""
    messages: Sequence[bytes] = ()


class Elsewhere(Protocol):
    """A place where attempts are made. Its methods are called in several threads at once, for different work."""

    def submit(self, work: Work) -> Any:
        """Begin; a handle of any kind."""

    def state(self, handle: Any, wait: float) -> State:
        """How far it is; may wait this many seconds for news.

        Raises:
            OperationError: The work is lost, with the reason.
        """

    def cancel(self, handle: Any) -> None:
        """Stop the work and all that it started; nothing happens where it has ended."""

    def close(self) -> None:
        """The run needs the place no more."""


def await_answer(
    place: Elsewhere, work: Work, on_message: Callable[[bytes], None], warn: Callable[[str], None], stop: Event
) -> bytes:
    """Have work done, its messages passed on meanwhile, and wait for its answer, unless `stop` is set.

    Raises:
        StepTimeout: It ran longer than it may.
        OperationError: It is lost, or was stopped, or its state is none that there is.
    """
    deadline = math.inf
    handle = place.submit(work)
    try:
        while True:
            state = place.state(handle, max(0.0, min(deadline - time.monotonic(), _LOOK)))
            if (name := getattr(state, "name", None)) not in _STATES:
                gave = f"{type(place).__name__} gave the state {name!r}"
                raise OperationError(f"step {work.step_id}: {gave}, which is none of {', '.join(_STATES)}")
            for message in state.messages:
                on_message(message)
            if state.name == "ended":
                return state.answer
            if stop.is_set():
                raise OperationError(f"step {work.step_id} was stopped, because the run ends", stopped=True)
            if state.name == "running" and deadline == math.inf and work.timeout is not None:
                deadline = time.monotonic() + work.timeout
            if time.monotonic() >= deadline:
                raise StepTimeout(f"step {work.step_id} took longer than {work.timeout:g} s and was stopped")
    except BaseException:
        try:
            place.cancel(handle)
        except Exception as error:  # the step fails by its own reason
            warn(f"step {work.step_id}: {type(place).__name__} could not cancel it: {type(error).__name__}")
        raise
