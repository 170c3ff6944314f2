"""Tasks and the steps of their plans: what drives them, what is remembered of them, and what runs several tasks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

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
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols.project import Config, RunOptions
    from pamola_tasks.record import Artifact, DatasetRecord, SavedStep, StepRecord
    from pamola_tasks.result import OperationResult


class Task(Protocol):
    """A task (`BaseTask`), with an identity that the merged configuration completes."""

    task_id: str
    task_type: str
    description: str
    version: str
    file: str
    encryption_keys: dict[str, str]
    config: Any
    logger: logging.Logger | None
    dependency_manager: Any

    @property
    def origin(self) -> str:
        """Where the task comes from: its file, or `module:Class`."""

    def stated_configuration(self) -> dict[str, Any]:
        """What the task's class states: constructor arguments that were passed, and `get_default_config`."""

    def overriding(self) -> Mapping[str, Any]:
        """Configuration that overrides all files: the directory set in the task's constructor."""

    def take_identity(self, config: Config) -> None:
        """Become what the merged configuration says."""

    def create_dependency_manager(self) -> Any:
        """The service that checks what the task depends on."""

    def configure_operations(self) -> None:
        """Add the task's operations."""


class Checkpoints(Protocol):
    """Remembers finished steps, and decides where a step writes.

    For each step, in the plan's order, the kernel calls `stands`; then, unless the step is skipped, `stage` for each
    attempt, and `publish` after the one that succeeded.
    """

    @property
    def enabled(self) -> bool:
        """Whether steps are remembered at all; when not, intermediate datasets are temporary."""

    def seed(self) -> int | None:
        """The seed of the run that this one continues, or None."""

    def stands(self, step: Step) -> SavedStep | str:
        """The saved step that this one may be skipped to, its datasets readable from `run.data_source`; or why it must
        run, in words (empty when it never finished). `DataError` where a dataset that the step reads is missing."""

    def stage(self, step: Step) -> StagedStep:
        """Where an attempt at a step writes: nothing of it is seen by readers before `publish`."""

    def publish(
        self, step: Step, staged: StagedStep | None, record: StepRecord
    ) -> tuple[list[DatasetRecord], list[Artifact]]:
        """Rename what an attempt has staged into place, remember the step as finished, and return what it left.

        `staged` is what `stage` gave for the attempt; None where a wrapper answered instead of the step.
        """

    def load(self) -> dict[str, SavedStep]:
        """The newest record of every finished step, by step id; damaged lines are skipped and logged."""

    def clear(self) -> None:
        """Forget all steps of this task, with the intermediate datasets they left."""


@attrs.define
class StagedFile:
    """A file waiting to be published: where it is, where it goes, and what it is: a dataset or an artifact."""

    temporary: str
    final: str
    record: DatasetRecord | None = None
    artifact: Artifact | None = None


class StagedStep(Protocol):
    """What one attempt at a step reads and leaves: see `pamola_tasks.storage.staging.StepStaging`.

    A process that makes an attempt for another one has one of its own; `take` brings over what that one holds.

    Attributes:
        read: The datasets that were read, by name.
        warnings: Messages for the user.
        derives: Whether the step asked for keys of its own, so that its result depends on the project's key.
        files: What waits to be published.
    """

    read: dict[str, DatasetRecord]
    warnings: list[str]
    derives: bool
    files: list[StagedFile]

    def write_dataset(self, name: str, frame: Any, format: str | None) -> DatasetRecord:
        """Write a dataset that the step declares."""

    def format_of(self, name: str) -> str:
        """The format of a dataset for which none is asked."""

    def artifact(
        self, name: str, kind: str, description: str, *, category: str, tags: Sequence[str], group: str
    ) -> AbstractContextManager[IO[bytes]]:
        """Write an artifact."""

    def expect(self) -> None:
        """Have `discard` remove what another process writes for this attempt."""

    def take(self, files: Sequence[StagedFile]) -> None:
        """Have files published that another process has staged for this attempt."""

    def publish(self) -> tuple[list[DatasetRecord], list[Artifact]]:
        """Rename everything into its place; called by `Checkpoints.publish`."""

    def discard(self) -> None:
        """Remove what was not published."""


class Dependencies(Protocol):
    """What other tasks left (`TaskDependencyManager`)."""

    def assert_dependencies_completed(self) -> bool:
        """Refuse tasks that are missing (`DependencyMissingError`) or failed (`DependencyFailedError`).

        With `continue_on_error`, warn of them and return False.
        """

    def get_dependency_output(self, dependency_id: str, file_pattern: str | None = None) -> Path | list[Path]:
        """The output directory of a task, or the files in it that match."""


class Executor(Protocol):
    """Runs the steps of a plan (`TaskOperationExecutor`)."""

    def run_plan(self, plan: Plan, driver: StepDriver) -> None:
        """Run every step, in an order that its needs allow, each with its retries and time limit."""


class StepDriver(Protocol):
    """The steps of a run, as the executor drives them.

    Only `attempt` and `call_in_parent` may be called on any thread; all others in that of `run_plan`, one at a time.
    To have an attempt made by another process, call `begin` instead of `attempt`, and fill what it gives with what
    came back.

    Attributes:
        run: The run (`RunServices`).
        stopped: Whether no further step may begin (a failure without `continue_on_error`, or an interrupt).
        call_in_parent: Calls something in the parent's thread: at once, unless an executor that makes attempts
            elsewhere sets another.
    """

    run: Any
    stopped: bool
    call_in_parent: Callable[[Callable[[], None]], None]

    def prepare(self, step: Step) -> bool:
        """Whether the step has to be run; False when it was skipped, or needs one that failed."""

    def attempt(self, step: Step) -> OperationResult:
        """Make one attempt here; failures are exceptions."""

    def begin(self, step: Step) -> StagedStep:
        """Begin one attempt that another process makes."""

    def progress(self, step: Step, done: float, total: float | None, unit: str) -> None:
        """Pass on how far a step is."""

    def retried(self, step: Step, attempt: int, error: BaseException, wait: float) -> None:
        """Report that an attempt failed and another will be made."""

    def complete(self, step: Step, result: OperationResult) -> None:
        """Publish, record and report what a step gave."""


class Session(Protocol):
    """What the steps of a run need of the run's lifecycle."""

    error: BaseException | None  # what made the run fail

    def emit(self, hook: str, **arguments: Any) -> None:
        """Call the observers of an event."""

    def fail(self, status: str, error: BaseException, **more: Any) -> dict[str, Any]:
        """Record a failure; the first one is what the run failed with."""


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
