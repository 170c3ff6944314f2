"""Several jobs, on threads or one by one: the steps of a plan, or operations run directly."""

from __future__ import annotations

import heapq
import queue
import threading
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pamola_tasks.record import OperationResult


class Jobs(Protocol):
    """What is done, by name. All but `perform` is called in the thread that calls `Parallel.run`."""

    @property
    def stopped(self) -> bool:
        """Whether no other one may begin."""

    def prepare(self, name: str) -> bool:
        """Whether one has to be done."""

    def perform(self, name: str, stop: threading.Event) -> OperationResult:
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
        many: How many at a time; one is done in the calling thread.

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
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def call(self, action: Callable[[], None]) -> None:
        """Have something called in the thread of `run`. For the other threads."""
        self._inbox.put(action)

    def run(self) -> None:
        """Do all of it, until nothing is left or nothing more may begin.

        When an exception ends it (Ctrl-C), `stop` is set, and running jobs are waited for and recorded, so
        that it is not repeated. A second Ctrl-C leaves it alone.
        """
        if self._many == 1:
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
        except BaseException:
            self._stop.set()
            while self._running:
                self._inbox.get()()
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
            self._inbox.get()()

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
