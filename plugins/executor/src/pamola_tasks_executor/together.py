"""A plan of which several steps run at the same time."""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pamola_tasks.operation import OperationResult
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import StepDriver
    from pamola_tasks_executor.processes import Worker

Perform = Callable[["Step", "Worker", threading.Event], "OperationResult"]


class Together:
    """Runs a plan on threads, each with a worker process for steps that need one.

    Steps begin in the plan's order, each as soon as the steps that it needs have ended. Only this object's own thread,
    the one that calls `run`, speaks to the driver: threads put what they have to say into an inbox.

    Args:
        plan: The steps.
        driver: The run.
        workers: One for each thread.
        perform: Performs a step in a thread, with its worker; the event says that no other attempt is worth it.
    """

    def __init__(self, plan: Plan, driver: StepDriver, workers: list[Worker], perform: Perform) -> None:
        self._driver = driver
        self._workers = workers
        self._perform = perform
        self._steps = list(plan)
        self._place = {step.id: number for number, step in enumerate(self._steps)}
        self._missing = [len(plan.needs(step)) for step in self._steps]
        self._behind: list[list[int]] = [[] for _ in self._steps]
        for number, step in enumerate(self._steps):
            for needed in plan.needs(step):
                self._behind[self._place[needed]].append(number)
        self._ready = [number for number, missing in enumerate(self._missing) if not missing]
        self._running: set[str] = set()
        self._stop = threading.Event()
        self._jobs: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def run(self) -> None:
        """Run all of it, until nothing is left or nothing more may begin.

        When an exception ends it (Ctrl-C), steps in processes are stopped, and those on threads, which nobody can
        stop, are waited for and recorded, so that they need not be run again. A second Ctrl-C leaves them alone.
        """
        # Not those of concurrent.futures, for which the interpreter waits when it ends: see the second Ctrl-C.
        threads = [threading.Thread(target=self._work, args=(worker,), daemon=True) for worker in self._workers]
        before, self._driver.call_in_parent = self._driver.call_in_parent, self._inbox.put
        try:
            for thread in threads:
                thread.start()
            self._go_on()
        except BaseException:
            self._stop_others()
            while self._running:
                self._inbox.get()()
            raise
        finally:
            self._driver.call_in_parent = before
            for _ in threads:
                self._jobs.put(None)
            if not self._running:
                for thread in threads:
                    thread.join()

    # ------------------------------------------------------------ in the thread of `run`

    def _go_on(self) -> None:
        while True:
            self._begin_some()
            if not self._running:
                return
            self._inbox.get()()

    def _begin_some(self) -> None:
        while self._ready and len(self._running) < len(self._workers) and not self._driver.stopped:
            step = self._steps[heapq.heappop(self._ready)]
            if self._driver.prepare(step):
                self._running.add(step.id)
                self._jobs.put(step)
            else:
                self._let_follow(step)

    def _let_follow(self, step: Step) -> None:
        for number in self._behind[self._place[step.id]]:
            self._missing[number] -= 1
            if not self._missing[number]:
                heapq.heappush(self._ready, number)

    def _ended(self, step: Step, result: OperationResult) -> None:
        self._running.discard(step.id)
        self._let_follow(step)
        self._driver.complete(step, result)
        if self._driver.stopped:
            self._stop_others()

    def _broke(self, step: Step, error: BaseException) -> NoReturn:
        self._running.discard(step.id)
        raise error

    def _stop_others(self) -> None:
        if not self._stop.is_set():
            self._stop.set()
            for worker in self._workers:
                worker.stop()

    # ------------------------------------------------------------ in the other threads

    def _work(self, worker: Worker) -> None:
        while (step := self._jobs.get()) is not None:
            try:
                result = self._perform(step, worker, self._stop)
            except BaseException as error:  # not a failure of the step, but Ctrl-C in it: raised where `run` is
                self._inbox.put(partial(self._broke, step, error))
            else:
                self._inbox.put(partial(self._ended, step, result))
        worker.end()
