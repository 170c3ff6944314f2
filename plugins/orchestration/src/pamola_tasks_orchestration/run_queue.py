"""Which task may begin, what the end of one means for the others, and tasks run one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from pamola_tasks import BaseTask
from pamola_tasks.errors import ConfigurationError, PamolaTaskError, PlanError
from pamola_tasks.protocols import TaskOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import RunOptions, RunServices, TaskNode

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Request:
    """Which tasks are run, in this order, with the options of each; whether those that have nothing to do are skipped,
    and whether independent tasks follow after a failure."""

    kernel: Kernel
    nodes: Mapping[str, TaskNode]
    options: Mapping[str, RunOptions]
    may_skip: bool = False
    continue_on_error: bool = False


@attrs.define(kw_only=True)
class RunQueue:
    """What became of tasks so far, and what that means for the others."""

    continue_on_error: bool
    outcomes: dict[str, TaskOutcome] = attrs.Factory(dict)
    _without: dict[str, str] = attrs.field(factory=dict, init=False)
    _stopped: str = attrs.field(default="", init=False)
    _interrupt: KeyboardInterrupt | None = attrs.field(default=None, init=False)

    def refusal(self, node: TaskNode) -> TaskOutcome | None:
        """The outcome of a task that cannot begin any more; None for one that can."""
        needed = next((name for name in node.needs if name in self._without), None)
        reason = f"it needs {needed}, which {self._without[needed]}" if needed is not None else self._stopped
        return _outcome(node, status="not_run", reason=reason, interrupt=self._interrupt) if reason else None

    def stop(self, reason: str, interrupt: KeyboardInterrupt | None = None) -> None:
        """Let no other task begin; the first reason is kept."""
        self._stopped = self._stopped or reason
        self._interrupt = self._interrupt or interrupt

    def ended(self, outcome: TaskOutcome) -> TaskOutcome:
        """Note what became of a task."""
        self.outcomes[outcome.task_id] = outcome
        if outcome.success:
            return outcome
        became = "was interrupted" if outcome.interrupt is not None else "failed"
        self._without[outcome.task_id] = "was not run" if outcome.status == "not_run" else became
        if outcome.interrupt is not None:
            self.stop(f"{outcome.task_id} {became}", outcome.interrupt)
        elif outcome.status != "not_run" and not self.continue_on_error:
            self.stop(f"{outcome.task_id} failed; --continue-on-error runs independent tasks")
        return outcome


def _outcome(node: TaskNode, **facts: Any) -> TaskOutcome:
    return TaskOutcome(task_id=node.task_id, name=node.name, **facts)


def run_in_order(request: Request) -> Iterator[TaskOutcome]:
    """Run tasks one after the other; gives what became of each as soon as it is known."""
    run_queue = RunQueue(continue_on_error=request.continue_on_error)
    for node in request.nodes.values():
        refusal = run_queue.refusal(node)
        options = request.options[node.task_id]
        yield run_queue.ended(refusal or run_task(request.kernel, node, options, may_skip=request.may_skip))


def run_task(kernel: Kernel, node: TaskNode, options: RunOptions, *, may_skip: bool) -> TaskOutcome:
    """Run a task here, unless it has nothing to do or cannot be run."""
    if node.kept:
        return _outcome(node, status="skipped", reason=node.kept)
    if node.problem is not None:
        return _outcome(node, status="refused", error=node.problem)
    try:
        reason = _looked_at(kernel, node, options, why_unchanged) if may_skip else None
        if reason:
            return _outcome(node, status="skipped", reason=reason)
        outcome = kernel.run(node.name, options=options)
        interrupt = outcome.error if isinstance(outcome.error, KeyboardInterrupt) else None
        return _outcome(node, status="run", outcome=outcome, interrupt=interrupt)
    except PamolaTaskError as error:
        return _outcome(node, status="refused", error=error)


def refuse_unknown_steps(request: Request, node: TaskNode) -> None:
    """Refuse, with a PlanError, selected steps that a task lacks, before the tasks that it needs are run."""
    options = request.options[node.task_id]
    if node.problem is None and options.selection:
        plan = _looked_at(request.kernel, node, options, lambda run: run.plan)
        if plan is not None:
            options.selection.left_out(plan)


def refuse_wrong_plans(request: Request) -> None:
    """Refuse, with a ConfigurationError that has all problems, tasks that cannot run as they are, before one runs.

    What is refused of a plan whose task needs others of the request may be due to what these have not written yet.
    """
    problems: list[str] = []
    for node in request.nodes.values():
        if node.kept or node.problem is not None:
            continue
        try:
            request.kernel.plan(node.name, request.options[node.task_id])
        except ConfigurationError as error:
            if not isinstance(error, PlanError) or request.nodes.keys().isdisjoint(node.needs):
                problems += error.problems or (str(error),)
        except Exception:  # whatever it is, running the task meets it too, and records it
            continue
    if problems:
        raise ConfigurationError(problems=tuple(dict.fromkeys(problems)))


def why_unchanged(run: RunServices, steps: Sequence[Any] | None = None) -> str:
    """Why a configured task need not run, in words; empty when it has to.

    A task whose class does more than its steps (with a `run`, `execute` or `finalize` of its own) always runs.
    `steps` is what would become of each step, where that is known already.
    """
    cls = type(run.task)
    if run.options.restart or run.options.selection:
        return ""
    if any(getattr(cls, method) is not getattr(BaseTask, method) for method in ("run", "execute", "finalize")):
        return ""
    latest = run.history.find_latest_execution(run.record.task_id, success_only=False)
    if latest is None or not latest.get("success"):
        return ""
    if steps is None:
        from pamola_tasks_orchestration.dry_run import dry_run

        steps = dry_run(run)
    if not steps or any(step.action != "skip" for step in steps):
        return ""
    return str(max(step.reason for step in steps))


def _looked_at(kernel: Kernel, node: TaskNode, options: RunOptions, look: Callable[[RunServices], T]) -> T | None:
    """What a look at a configured task finds; None where it cannot be configured before other tasks have run."""
    try:
        return look(kernel.plan(node.name, options))
    except Exception:  # whatever it is, running the task meets it too, and records it
        return None
