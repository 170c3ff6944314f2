"""Several jobs, on threads or one by one: the steps of a plan, or operations run directly."""

from __future__ import annotations

import contextlib
import heapq
import queue
import threading
import time
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, NoReturn, Protocol

from pamola_tasks.errors import Cancelled
from pamola_tasks.storage.interrupting import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pamola_tasks.record import OperationResult


_LOOK = 0.1  # seconds until the thread of `run` hears that another thread cancels the run
_PATIENCE = 0.5  # seconds that jobs have to end when the run is cancelled


class Stop(threading.Event):
    """Says that a job is not wanted any more, also to one that computes in Python: within `reach`."""

    def __init__(self) -> None:
        super().__init__()
        self.reach = Reach(Cancelled)

    def cancel(self) -> None:
        """Stop what waits, and what computes."""
        self.set()
        self.reach.interrupt()


class Jobs(Protocol):
    """What is done, by name. All but `perform` is called in the thread that calls `Parallel.run`."""

    @property
    def stopped(self) -> bool:
        """Whether no other one may begin."""

    def prepare(self, name: str) -> bool:
        """Whether one has to be done."""

    def perform(self, name: str, stop: Stop) -> OperationResult:
        """Do one, in a thread; the event says that it is not wanted any more."""

    def complete(self, name: str, result: OperationResult) -> None:
        """Take what came of one."""


class Parallel:
    """Does jobs, each as soon as those that it needs have ended, in the order given where several may begin.

    Only the thread that calls `run` speaks to `jobs`, but for `perform`: other threads put what they have to say into
    an inbox.

    Args:
        needs: For each job, by name, the names of those that it needs; other names are there already.
        jobs: What is done.
        many: How many at a time; one is done in the calling thread, if that is the main one.

    Raises:
        graphlib.CycleError: Some need each other.
    """

    def __init__(self, needs: Mapping[str, Iterable[str]], jobs: Jobs, many: int) -> None:
        self._jobs = jobs
        self._many = many
        self._names = list(needs)
        self._numbers = {name: number for number, name in enumerate(needs)}
        self._sorter = TopologicalSorter({name: [n for n in of if n in needs] for name, of in needs.items()})
        self._sorter.prepare()
        self._ready: list[int] = []
        self._running: set[str] = set()
        self._stop = Stop()
        #: whether jobs have threads of their own, as a job that computes in the run's thread could not be left alone
        self.threaded = many > 1 or threading.current_thread() is not threading.main_thread()
        self._tasks: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def call(self, action: Callable[[], None]) -> None:
        """Have something called in the thread of `run`. For the other threads."""
        self._inbox.put(action)

    def run(self) -> None:
        """Do all of it, until nothing is left or nothing more may begin.

        When an exception ends it (Ctrl-C), `stop` is set, and running jobs are waited for and recorded, so
        that it is not repeated. A second Ctrl-C leaves it alone. `Cancelled` ends running jobs as well; one that does
        not hear of it is left alone at once.
        """
        if not self.threaded:
            while (name := self._next()) is not None:
                self._jobs.complete(name, self._jobs.perform(name, self._stop))
                self._sorter.done(name)
            return
        # Not those of concurrent.futures, for which the interpreter waits when it ends: see the second Ctrl-C.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._many)]
        try:
            for thread in threads:
                thread.start()
            self._go_on()
        except Cancelled:
            self._cancel()
            raise
        except BaseException:
            self._stop.set()
            while self._running:
                self._hear()
            raise
        finally:
            for _ in threads:
                self._tasks.put(None)
            if not self._running:
                for thread in threads:
                    thread.join()

    def _next(self) -> str | None:
        """The next one that has to be done and may begin."""
        while not self._jobs.stopped:
            for name in self._sorter.get_ready():
                heapq.heappush(self._ready, self._numbers[name])
            if not self._ready:
                return None
            name = self._names[heapq.heappop(self._ready)]
            if self._jobs.prepare(name):
                return name
            self._sorter.done(name)
        return None

    def _go_on(self) -> None:
        while True:
            while len(self._running) < self._many and (name := self._next()) is not None:
                self._running.add(name)
                self._tasks.put(name)
            if not self._running:
                return
            self._hear()

    def _hear(self) -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                said = self._inbox.get(timeout=_LOOK)
                break
        said()

    def _cancel(self) -> None:
        """Have running jobs end, and record those that do."""
        self._stop.cancel()
        until = time.monotonic() + _PATIENCE
        with contextlib.suppress(queue.Empty):
            while self._running:
                with contextlib.suppress(Cancelled):
                    self._inbox.get(timeout=max(0.0, until - time.monotonic()))()

    def _ended(self, name: str, result: OperationResult) -> None:
        self._running.discard(name)
        self._sorter.done(name)
        self._jobs.complete(name, result)
        if self._jobs.stopped:
            self._stop.set()

    def _broke(self, name: str, error: BaseException) -> NoReturn:
        self._running.discard(name)
        raise error

    def _work(self) -> None:
        while (name := self._tasks.get()) is not None:
            try:
                result = self._jobs.perform(name, self._stop)
            except BaseException as error:  # not a failure of the job, but Ctrl-C in it: raised where `run` is
                self._inbox.put(partial(self._broke, name, error))
            else:
                self._inbox.put(partial(self._ended, name, result))
