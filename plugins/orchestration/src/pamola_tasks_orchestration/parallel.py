"""Tasks that do not need each other at the same time, each in another process."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import attrs

from pamola_tasks_orchestration.run_queue import RunQueue
from pamola_tasks_orchestration.task_process import TaskProcess, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pamola_tasks.protocols import TaskNode, TaskOutcome
    from pamola_tasks_orchestration.run_queue import Request


class Parallel:
    """Tasks that run at the same time.

    After a failure or an interrupt no other task begins. An interrupt reaches the running tasks, and their ends are
    waited for; a second one kills them. `jobs` steps may run at a time, in all tasks together: tasks that can begin
    share what is free.
    """

    def __init__(self, request: Request, jobs: int, on_line: Callable[[str, str], None]) -> None:
        self._queue = RunQueue(continue_on_error=request.continue_on_error)
        self._request = request
        self._description = describe(request.kernel)
        self._free = jobs
        self._on_line = on_line
        self._waiting = set(request.nodes)
        self._busy: dict[TaskProcess, tuple[TaskNode, int]] = {}
        self._idle: list[TaskProcess] = []
        self._inbox: queue.SimpleQueue[tuple[TaskProcess, TaskOutcome | str]] = queue.SimpleQueue()
        self._interrupted = False

    def run(self) -> Iterator[TaskOutcome]:
        """Run them; gives what became of each, in the order of the request."""
        outcomes = self._queue.outcomes
        try:
            for task_id in self._request.nodes:
                while task_id not in outcomes:
                    self._go_on()
                yield outcomes[task_id]
        finally:
            self._end()

    def _go_on(self) -> None:
        """Begin what can begin, and wait until a task has ended; the second interrupt is raised."""
        try:
            self._begin()
            self._wait()
        except KeyboardInterrupt as interrupt:
            if self._interrupted:
                raise
            self._interrupt(interrupt)

    def _begin(self) -> None:
        while refused := list(filter(None, map(self._queue.refusal, self._ready()))):
            for outcome in refused:
                self._waiting.remove(outcome.task_id)
                self._queue.ended(outcome)
        begins = self._ready()[: self._free]
        for number, node in enumerate(begins):
            self._begin_one(node, self._free // (len(begins) - number))

    def _ready(self) -> list[TaskNode]:
        """Tasks that may begin: nothing that they need is still to end."""
        to_end = self._request.nodes.keys() - self._queue.outcomes.keys()
        nodes = self._request.nodes.values()
        return [node for node in nodes if node.task_id in self._waiting and to_end.isdisjoint(node.needs)]

    def _begin_one(self, node: TaskNode, share: int) -> None:
        options = self._request.options[node.task_id]
        options = attrs.evolve(options, overrides={**options.overrides, "parallel_processes": share})
        process = self._idle.pop() if self._idle else TaskProcess(self._description, self._inbox.put)
        self._busy[process] = node, share
        self._waiting.remove(node.task_id)
        self._free -= share
        process.run(node, options, may_skip=self._request.may_skip)

    def _wait(self) -> None:
        while self._busy:
            process, message = self._inbox.get()
            if process not in self._busy:
                continue  # it was idle, and has ended
            node, share = self._busy[process]
            if isinstance(message, str):
                self._on_line(node.task_id, message)
                continue
            del self._busy[process]
            self._free += share
            self._queue.ended(message)
            if message.status != "died":
                self._idle.append(process)
            return

    def _interrupt(self, interrupt: KeyboardInterrupt) -> None:
        self._interrupted = True
        self._queue.stop("interrupted", interrupt)
        for process in self._busy:
            process.interrupt(interrupt)

    def _end(self) -> None:
        """Let go of the processes. Tasks that still run are interrupted; a second interrupt kills them."""
        try:
            if self._busy and not self._interrupted:
                self._interrupt(KeyboardInterrupt())
                while self._busy:
                    self._wait()
        finally:
            for process in self._busy:
                process.kill()
            for process in self._idle:
                process.end()
