"""A run in a thread of its own: what `Kernel.start` returns."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import Cancelled, RunCancelled
from pamola_tasks.events import RunEvent
from pamola_tasks.storage.interrupting import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from pamola_tasks.outcome import Outcome
    from pamola_tasks.protocols import RunServices


class RunHandle:
    """A run under way. Its methods can be called in any thread.

    The program ends when its runs have ended: cancel those that it does not wait for.

    Args:
        task_id: The task.
        run: Runs it; is given this handle.
    """

    def __init__(self, task_id: str, run: Callable[[RunHandle], Outcome]) -> None:
        self.task_id = task_id
        self.future: Future[Outcome] = Future()  #: of the outcome; for `asyncio.wrap_future` and the like
        self.future.set_running_or_notify_cancel()  # by `cancel` of this class only
        self._lock = threading.Lock()
        self._reach = Reach(Cancelled)
        self._told: dict[object, RunEvent] = {}
        self._readers: list[queue.SimpleQueue[RunEvent | None]] = []
        self._thread = threading.Thread(target=self._work, args=[run], name=f"run of {task_id}")
        self._thread.start()

    def __repr__(self) -> str:
        state = "running" if not self.done else "ended"
        return f"<RunHandle of task {self.task_id}: {state}>"

    @property
    def done(self) -> bool:
        """Whether the run has ended: `result` returns at once."""
        return self.future.done()

    def events(self) -> Iterator[RunEvent]:
        """What happened so far and what happens from now on, until the run has ended; any number of readers may ask.

        Of a step's progress in the past there is only the newest.
        """
        inbox: queue.SimpleQueue[RunEvent | None] = queue.SimpleQueue()
        with self._lock:
            past = list(self._told.values())
            if self.done:
                inbox.put(None)
            self._readers.append(inbox)
        try:
            yield from past
            while (event := inbox.get()) is not None:
                yield event
        finally:
            with self._lock:
                self._readers.remove(inbox)

    def cancel(self) -> None:
        """End the run as Ctrl-C does, within a second; returns at once, and `result` says what came of it.

        Report and history record it, and the next run of the task continues where this one stopped. A step that is in
        the middle of a call of a library in C is left alone on its thread: nothing of it is published, and the thread
        ends when that call does. A run that is about to write its report is not cancelled any more.
        """
        self._reach.interrupt()

    def result(self, timeout: float | None = None) -> Outcome:
        """How the run ended.

        Args:
            timeout: Seconds to wait for its end; None waits as long as it takes. The run continues in any case.

        Raises:
            TimeoutError: The run has not ended in this time.
            RunCancelled: It was cancelled before it began.
            PamolaTaskError: What `Kernel.run` raises.
        """
        try:
            return self.future.result(timeout)
        except TimeoutError:
            if self.done:
                raise
            said = f"the run of task {self.task_id} has not ended after {timeout:g} s: it continues; cancel() ends it"
            raise TimeoutError(said) from None

    # ------------------------------------------------------------ for the run

    def reaching(self) -> AbstractContextManager[None]:
        """Within, the run can be cancelled; to be entered by its thread."""
        return self._reach.within()

    def take(self, hook: str, run: RunServices, arguments: Mapping[str, Any]) -> None:
        """Pass on to the readers what has happened."""
        event = RunEvent.of(hook, run, arguments)
        with self._lock:
            key: object = event.step if event.event == "step_progress" else object()
            self._told.pop(key, None)
            self._told[key] = event
            for inbox in self._readers:
                inbox.put(event)

    def _work(self, run: Callable[[RunHandle], Outcome]) -> None:
        outcome: Outcome | None = None
        error: BaseException | None = None
        try:
            outcome = run(self)
        except KeyboardInterrupt:
            error = RunCancelled(f"the run of task {self.task_id} was cancelled before it began: nothing was changed")
        except BaseException as raised:
            error = raised
        with self._lock:
            if outcome is not None:
                self.future.set_result(outcome)
            else:
                self.future.set_exception(error)
            for inbox in self._readers:
                inbox.put(None)


async def finished(handle: RunHandle) -> Outcome:
    """How a run ended; cancelling the asyncio task that waits cancels the run and waits for its end."""
    import asyncio

    future = asyncio.wrap_future(handle.future)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        handle.cancel()
        with contextlib.suppress(Exception):
            await future
        raise
