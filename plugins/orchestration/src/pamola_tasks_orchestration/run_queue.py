"""Several tasks run, one after the other or at the same time: which may begin, and what becomes of the others."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs

from pamola_tasks import BaseTask
from pamola_tasks.errors import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TASK_FAILED,
    EXIT_TERMINATED,
    PamolaTaskError,
    Terminated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from pamola_tasks.kernel import Kernel, Outcome
    from pamola_tasks.protocols import RunOptions, RunServices
    from pamola_tasks_checkpoints.dry_run import Forecast
    from pamola_tasks_orchestration.task_graph import TaskNode
    from pamola_tasks_orchestration.task_process import TaskProcess

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class TaskEnd:
    """What became of one task.

    Attributes:
        status: `run` (see `outcome`), `skipped`, `refused` (see `error`: nothing was begun), `died` (see `error`: its
            process ended in the middle) or `not_run`.
        reason: Why it was skipped or not run.
        outcome: How the run ended. Of a run in another process it has no results and datasets.
        interrupt: What stopped it while it ran, or kept it from being run.
    """

    task_id: str
    name: str
    status: Literal["run", "skipped", "refused", "died", "not_run"]
    reason: str = ""
    outcome: Outcome | None = None
    error: PamolaTaskError | None = None
    interrupt: KeyboardInterrupt | None = None

    @property
    def success(self) -> bool:
        """Whether what others need of it is there."""
        return self.status == "skipped" or (self.outcome is not None and self.outcome.success)

    @property
    def exit_code(self) -> int:
        """What the command line ends with, if this is the first task that failed."""
        if self.interrupt is not None:
            return EXIT_TERMINATED if isinstance(self.interrupt, Terminated) else EXIT_INTERRUPTED
        if self.outcome is not None:
            return self.outcome.exit_code
        if self.error is not None:
            return self.error.exit_code
        return EXIT_TASK_FAILED if self.status == "not_run" else EXIT_OK


class Course:
    """What became of tasks so far, and what that means for the others.

    Args:
        continue_on_error: Go on, after a failure, with what does not need the task that failed.
    """

    def __init__(self, *, continue_on_error: bool) -> None:
        self._goes_on = continue_on_error
        self._without: dict[str, str] = {}
        self._stopped = ""
        self._interrupt: KeyboardInterrupt | None = None
        self.ends: dict[str, TaskEnd] = {}

    def refusal(self, node: TaskNode) -> TaskEnd | None:
        """The end of a task that cannot begin any more; None for one that can."""
        needed = next((name for name in node.needs if name in self._without), None)
        reason = f"it needs {needed}, which {self._without[needed]}" if needed is not None else self._stopped
        if not reason:
            return None
        return TaskEnd(task_id=node.task_id, name=node.name, status="not_run", reason=reason, interrupt=self._interrupt)

    def stop(self, reason: str, interrupt: KeyboardInterrupt | None = None) -> None:
        """Let no other task begin; the first reason stands."""
        self._stopped = self._stopped or reason
        self._interrupt = self._interrupt or interrupt

    def ended(self, end: TaskEnd) -> TaskEnd:
        """Note the end of a task."""
        self.ends[end.task_id] = end
        if end.success:
            return end
        became = "was interrupted" if end.interrupt is not None else "failed"
        self._without[end.task_id] = "was not run" if end.status == "not_run" else became
        if end.interrupt is not None:
            self.stop(f"{end.task_id} {became}", end.interrupt)
        elif end.status != "not_run" and not self._goes_on:
            self.stop(f"{end.task_id} failed; --continue-on-error runs what does not need it")
        return end


def run_in_order(
    kernel: Kernel,
    nodes: Mapping[str, TaskNode],
    options_of: Callable[[TaskNode], RunOptions],
    *,
    skips: Collection[str] = (),
    continue_on_error: bool = False,
) -> Iterator[TaskEnd]:
    """Run tasks one after the other; gives what became of each as soon as it is known.

    Args:
        nodes: From `in_order`.
        options_of: What is asked for each.
        skips: Tasks that are not run when nothing has changed.
        continue_on_error: Go on, after a failure, with what does not need the task that failed.

    Raises:
        PamolaTaskError: A task cannot be configured, or has not the steps that were asked for; nothing was run. With
            `continue_on_error` one that cannot be configured has failed instead.
    """
    _refuse_unless(kernel, nodes, options_of, continue_on_error)
    course = Course(continue_on_error=continue_on_error)
    for node in nodes.values():
        end = course.refusal(node)
        yield course.ended(end or run_one(kernel, node, options_of(node), skips=node.task_id in skips))


def run_at_once(
    kernel: Kernel,
    nodes: Mapping[str, TaskNode],
    options_of: Callable[[TaskNode], RunOptions],
    *,
    jobs: int,
    tell: Callable[[str, str], None],
    skips: Collection[str] = (),
    continue_on_error: bool = False,
) -> Iterator[TaskEnd]:
    """Run tasks that do not need each other at the same time, each in another process.

    After a failure or an interrupt no other task begins. An interrupt reaches those that run, and their ends are waited
    for; a second one kills them.

    Args:
        nodes: From `in_order`.
        options_of: What is asked for each.
        jobs: How many steps may run at a time in all tasks together. Tasks that can begin share what is free.
        tell: Takes the task and the line, for each line that a task prints.
        skips: Tasks that are not run when nothing has changed.
        continue_on_error: Go on, after a failure, with what does not need the task that failed.

    Returns:
        What became of each, in the order of `nodes`.

    Raises:
        PamolaTaskError: A task cannot be configured, or has not the steps that were asked for; nothing was run. With
            `continue_on_error` one that cannot be configured has failed instead.
    """
    _refuse_unless(kernel, nodes, options_of, continue_on_error)
    course = Course(continue_on_error=continue_on_error)
    together = _Together(kernel, nodes, options_of, jobs, tell, skips, course)
    told = 0
    try:
        while told < len(nodes):
            together.go_on()
            for task_id in list(nodes)[told:]:
                if task_id not in course.ends:
                    break
                told += 1
                yield course.ends[task_id]
    finally:
        together.end()


class _Together:
    """Tasks that run at the same time; arguments as those of `run_at_once`."""

    def __init__(
        self,
        kernel: Kernel,
        nodes: Mapping[str, TaskNode],
        options_of: Callable[[TaskNode], RunOptions],
        jobs: int,
        tell: Callable[[str, str], None],
        skips: Collection[str],
        course: Course,
    ) -> None:
        from pamola_tasks_executor.remote import describe_kernel

        self._description = describe_kernel(kernel)
        self._nodes = nodes
        self._options_of = options_of
        self._free = jobs
        self._tell = tell
        self._skips = skips
        self._course = course
        self._waiting = list(nodes.values())
        self._busy: dict[TaskProcess, tuple[TaskNode, int]] = {}
        self._idle: list[TaskProcess] = []
        self._inbox: queue.SimpleQueue[tuple[TaskProcess, TaskEnd | str]] = queue.SimpleQueue()
        self._interrupted = False

    def go_on(self) -> None:
        """Begin what can begin, and wait until a task has ended.

        Raises:
            KeyboardInterrupt: The second one.
        """
        try:
            self._begin()
            self._hear()
        except KeyboardInterrupt as interrupt:
            if self._interrupted:
                raise
            self._interrupt(interrupt)

    def _begin(self) -> None:
        ready = []
        for node in list(self._waiting):
            if any(name in self._nodes and name not in self._course.ends for name in node.needs):
                continue
            end = self._course.refusal(node)
            if end is None:
                ready.append(node)
            else:
                self._waiting.remove(node)
                self._course.ended(end)
        begins = ready[: self._free]
        for number, node in enumerate(begins):
            self._begin_one(node, self._free // (len(begins) - number))

    def _begin_one(self, node: TaskNode, share: int) -> None:
        from pamola_tasks_orchestration.task_process import TaskProcess

        options = self._options_of(node)
        options = attrs.evolve(options, overrides={**options.overrides, "parallel_processes": share})
        process = self._idle.pop() if self._idle else TaskProcess(self._description, self._inbox.put)
        self._busy[process] = node, share
        self._waiting.remove(node)
        self._free -= share
        process.run(node, options, skips=node.task_id in self._skips)

    def _hear(self) -> None:
        while self._busy:
            process, told = self._inbox.get()
            if process not in self._busy:
                continue  # it was idle, and has ended
            node, share = self._busy[process]
            if isinstance(told, str):
                self._tell(node.task_id, told)
                continue
            del self._busy[process]
            self._free += share
            self._course.ended(told)
            if told.status != "died":
                self._idle.append(process)
            return

    def _interrupt(self, interrupt: KeyboardInterrupt) -> None:
        self._interrupted = True
        self._course.stop("somebody interrupted", interrupt)
        for process in self._busy:
            process.interrupt(interrupt)

    def end(self) -> None:
        """Let go of the processes. Where nobody waits any more for tasks that run, they are interrupted, or killed."""
        try:
            if self._busy and not self._interrupted:
                self._interrupt(KeyboardInterrupt())
                while self._busy:
                    self._hear()
        finally:
            for process in self._busy:
                process.kill()
            for process in self._idle:
                process.end()


def _refuse_unless(
    kernel: Kernel,
    nodes: Mapping[str, TaskNode],
    options_of: Callable[[TaskNode], RunOptions],
    continue_on_error: bool,
) -> None:
    for node in nodes.values():
        if node.problem is not None and not continue_on_error:
            raise node.problem
        options = options_of(node)
        if node.problem is None and options.selection:
            refuse_unknown_steps(kernel, node, options)


def refuse_unknown_steps(kernel: Kernel, node: TaskNode, options: RunOptions) -> None:
    """Refuse steps that a task has not, before the tasks that it needs are run.

    Raises:
        PlanError: It has not all of them, or none is left.
    """
    plan = _looked_at(kernel, node.name, options, lambda run: run.plan)
    if plan is not None:
        options.selection.left_out(plan)


def run_one(kernel: Kernel, node: TaskNode, options: RunOptions, *, skips: bool) -> TaskEnd:
    """Run a task here, unless what it leaves is there already.

    Args:
        skips: Whether it is not run when nothing has changed.
    """
    here: dict[str, Any] = {"task_id": node.task_id, "name": node.name}
    if node.stands:
        return TaskEnd(status="skipped", reason=node.stands, **here)
    if node.problem is not None:
        return TaskEnd(status="refused", error=node.problem, **here)
    try:
        reason = unchanged(kernel, node.name, options) if skips else ""
        if reason:
            return TaskEnd(status="skipped", reason=reason, **here)
        outcome = kernel.run(node.name, options=options)
        interrupt = outcome.error if isinstance(outcome.error, KeyboardInterrupt) else None
        return TaskEnd(status="run", outcome=outcome, interrupt=interrupt, **here)
    except PamolaTaskError as error:
        return TaskEnd(status="refused", error=error, **here)


def unchanged(kernel: Kernel, name: str, options: RunOptions) -> str:
    """Why a task need not be run, in words; empty when it has to be, or when that cannot be known without running it.

    A task whose class does more than its steps (with a `run`, `execute` or `finalize` of its own) is always run.
    """
    from pamola_tasks_checkpoints.dry_run import preview

    if options.restart or options.selection:
        return ""
    task = kernel.task(name)
    if any(getattr(type(task), method) is not getattr(BaseTask, method) for method in ("run", "execute", "finalize")):
        return ""

    def steps_of_a_success(run: RunServices) -> list[Forecast]:
        latest = run.history.find_latest_execution(run.record.task_id, success_only=False)
        return preview(run) if latest is not None and latest.get("success") else []

    found = _looked_at(kernel, task, options, steps_of_a_success)
    if not found or any(step.action != "skip" for step in found):
        return ""
    return max(step.reason for step in found)


def _looked_at(kernel: Kernel, task: str | BaseTask, options: RunOptions, look: Callable[[RunServices], T]) -> T | None:
    """What a look at a configured task finds; None where it cannot be looked at before it runs."""
    try:
        return look(kernel.plan(task, options))
    except Exception:  # whatever it is, running the task meets it too, and records it
        return None
