"""Several tasks of a project: how they depend on each other, what became of each, and what runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from pamola_tasks.errors import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TASK_FAILED,
    EXIT_TERMINATED,
    PamolaTaskError,
    Terminated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pamola_tasks.protocols.project import RunOptions


@attrs.frozen(kw_only=True)
class TaskNode:
    """A task among others.

    Attributes:
        name: What the kernel is asked for to get it: its id, a class, a path.
        needs: The tasks that it needs, in the order in which it names them, each with the datasets that it reads of it
            (none where it is only named in `dependencies`).
        problem: Why it cannot be configured, if so; then `needs` is not known.
        kept: For a needed task that is not part of the project any more: why its results can be used.
    """

    task_id: str
    name: str = attrs.field(default=attrs.Factory(lambda self: self.task_id, takes_self=True))
    needs: Mapping[str, tuple[str, ...]] = attrs.Factory(dict)
    problem: PamolaTaskError | None = None
    kept: str = ""


@attrs.frozen(kw_only=True)
class TaskOutcome:
    """What became of one task among several.

    Attributes:
        status: `run` (see `outcome`), `skipped`, `refused` (see `error`: nothing was begun), `died` (see `error`: its
            process ended in the middle) or `not_run`.
        reason: Why it was skipped or not run.
        outcome: How the run ended, a `pamola_tasks.Outcome`; of one in another process without results and datasets.
        interrupt: What stopped it while it ran, or kept it from being run.
    """

    task_id: str
    name: str
    status: Literal["run", "skipped", "refused", "died", "not_run"]
    reason: str = ""
    outcome: Any = None
    error: PamolaTaskError | None = None
    interrupt: KeyboardInterrupt | None = None

    @property
    def success(self) -> bool:
        """Whether the results that other tasks need are available."""
        return self.status == "skipped" or (self.outcome is not None and bool(self.outcome.success))

    @property
    def exit_code(self) -> int:
        """What the command line ends with, if this is the first task that failed."""
        if self.interrupt is not None:
            return EXIT_TERMINATED if isinstance(self.interrupt, Terminated) else EXIT_INTERRUPTED
        if self.outcome is not None:
            return int(self.outcome.exit_code)
        if self.error is not None:
            return self.error.exit_code
        return EXIT_TASK_FAILED if self.status == "not_run" else EXIT_OK


@attrs.frozen(kw_only=True)
class PlannedTask:
    """What a run of several tasks would do with one of them.

    Attributes:
        action: `run` or `skip`.
        reason: Why, in words.
        run: The configured task with its plan (`RunServices`); None where it cannot be configured before other tasks
            have run.
        steps: What would become of each step of the plan.
    """

    task_id: str
    action: Literal["run", "skip"]
    reason: str = ""
    run: Any = None
    steps: Sequence[Any] = ()


class Scheduler(Protocol):
    """Runs several tasks of a project.

    Tasks are given by name; no names mean all tasks of the project. A task that is named runs in any case; those added
    as dependencies, and all tasks of a project, are skipped when nothing has changed since they succeeded.
    """

    def tasks(self) -> Mapping[str, TaskNode]:
        """Every task of the project, sorted by id."""

    def order(self, names: Sequence[str] = (), *, with_dependencies: bool = False) -> Mapping[str, TaskNode]:
        """Tasks in the order in which they run, each behind those that it needs.

        Raises:
            TaskCycleError: Tasks need each other, directly or through others.
            UnknownTaskError: One is missing; the message shows the path to it.
        """

    def run(
        self,
        names: Sequence[str] = (),
        *,
        with_dependencies: bool = False,
        options: RunOptions | None = None,
        jobs: int = 1,
        continue_on_error: bool = False,
        on_line: Callable[[str, str], None] = ...,
    ) -> Iterator[TaskOutcome]:
        """Run tasks; gives what became of each, in order, as soon as it is known.

        Args:
            names: Tasks; all unless given.
            with_dependencies: Run what they need first.
            options: What is asked for each run; a selection of steps holds for the named task only.
            jobs: How many steps may run at a time, in all tasks together. With more than one, tasks that do not need
                each other run at the same time, each in a process of its own.
            continue_on_error: After a failure, continue with independent tasks.
            on_line: Takes the task and the line, for each line that a task prints in its own process.

        Raises:
            PamolaTaskError: The tasks have no order, one cannot be configured, or it lacks the selected steps: nothing
                was run. With `continue_on_error` a task that cannot be configured has failed instead.
        """

    def dry_run(
        self, names: Sequence[str] = (), *, with_dependencies: bool = False, options: RunOptions | None = None
    ) -> Iterator[PlannedTask]:
        """What `run` would do with each task, in order, without running anything."""
