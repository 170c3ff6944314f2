"""Tasks and the steps of their plans: what drives them, what is remembered of them, and what runs several tasks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

import attrs

from pamola_tasks.errors import EXIT_OK, PamolaTaskError, exit_code_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols.project import Config, RunOptions
    from pamola_tasks.record import Artifact, DatasetRecord, OperationResult, SavedStep, StepRecord


class Task(Protocol):
    """What services and the lifecycle use of `pamola_tasks.BaseTask`, which documents it."""

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
    def origin(self) -> str: ...
    def stated_configuration(self) -> dict[str, Any]: ...
    def overriding(self) -> Mapping[str, Any]: ...
    def take_identity(self, config: Config) -> None: ...
    def create_dependency_manager(self) -> Any: ...
    def configure_operations(self) -> None: ...


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

    temporary: str  #: where it is
    final: str  #: where it goes
    record: DatasetRecord | None = None  #: of a dataset
    artifact: Artifact | None = None  #: of an artifact


class StagedStep(Protocol):
    """What one attempt at a step reads and leaves; `pamola_tasks.storage.staging.StepStaging` documents it.

    A process that makes an attempt for another one has one of its own; `take` brings over what that one holds.
    """

    read: dict[str, DatasetRecord]  #: the datasets that were read, by name
    warnings: list[str]  #: messages for the user
    derives: bool  #: whether the step asked for keys of its own, so that its result depends on the project's key
    files: list[StagedFile]  #: what waits to be published
    ended: bool  #: whether the operation has returned or failed: nothing more may be written

    def write_dataset(self, name: str, frame: Any, format: str | None) -> DatasetRecord: ...
    def format_of(self, name: str) -> str: ...
    def artifact(
        self, name: str, kind: str, description: str, *, category: str, tags: Sequence[str], group: str
    ) -> AbstractContextManager[IO[bytes]]: ...
    def expect(self, folder: str = "") -> str: ...
    def take(self, files: Sequence[StagedFile]) -> None: ...
    def publish(self) -> tuple[list[DatasetRecord], list[Artifact]]: ...
    def discard(self) -> None: ...


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
    """The steps of a run, as the executor drives them; `pamola_tasks.steps.Steps` documents the methods.

    Only `attempt` and `call_in_parent` may be called on any thread; all others in that of `run_plan`, one at a time.
    To have an attempt made by another process, call `begin` instead of `attempt`, and fill what it gives with what
    came back.
    """

    run: Any  #: `RunServices`
    stopped: bool  #: whether no further step may begin: a failure without `continue_on_error`, or an interrupt
    #: calls something in the parent's thread: at once, unless an executor that makes attempts elsewhere sets another
    call_in_parent: Callable[[Callable[[], None]], None]

    def prepare(self, step: Step) -> bool: ...
    def attempt(self, step: Step) -> OperationResult: ...
    def begin(self, step: Step) -> StagedStep: ...
    def progress(self, step: Step, done: float, total: float | None, unit: str) -> None: ...
    def stage(self, step: Step, stage: str) -> None: ...
    def retried(self, step: Step, attempt: int, error: BaseException, wait: float) -> None: ...
    def complete(self, step: Step, result: OperationResult) -> None: ...


class Session(Protocol):
    """What the steps of a run need of its lifecycle (`pamola_tasks.lifecycle.RunSession`)."""

    error: BaseException | None  #: what made the run fail

    def emit(self, hook: str, **arguments: Any) -> None: ...
    def fail(self, status: str, error: BaseException, **more: Any) -> dict[str, Any]: ...


@attrs.frozen(kw_only=True)
class TaskNode:
    """A task among others."""

    task_id: str  #: the task's id
    #: what the kernel is asked for to get it: its id, a class, a path
    name: str = attrs.field(default=attrs.Factory(lambda self: self.task_id, takes_self=True))
    #: the tasks that it needs, in the order in which it names them, each with the datasets that it reads of it (none
    #: where it is only named in `dependencies`)
    needs: Mapping[str, tuple[str, ...]] = attrs.Factory(dict)
    problem: PamolaTaskError | None = None  #: why it cannot be configured, if so; then `needs` is not known
    kept: str = ""  #: for a needed task that the project has no more: why its results can be used


@attrs.frozen(kw_only=True)
class TaskOutcome:
    """What became of one task among several."""

    task_id: str  #: the task's id
    name: str  #: what it was asked for as
    #: `refused`: nothing was begun; `died`: its process ended in the middle
    status: Literal["run", "skipped", "refused", "died", "not_run"]
    reason: str = ""  #: why it was skipped or not run
    #: of a task that was run a `pamola_tasks.Outcome`
    outcome: Any = None
    error: PamolaTaskError | None = None  #: why it was refused, or died
    interrupt: KeyboardInterrupt | None = None  #: what stopped it while it ran, or kept it from being run

    @property
    def success(self) -> bool:
        """Whether the results that other tasks need are available."""
        return self.status == "skipped" or (self.outcome is not None and bool(self.outcome.success))

    @property
    def exit_code(self) -> int:
        """What the command line ends with, if this is the first task that failed."""
        if self.outcome is not None:
            return int(self.outcome.exit_code)
        return EXIT_OK if self.success else exit_code_of(self.interrupt or self.error)


@attrs.frozen(kw_only=True)
class PlannedStep:
    """What would become of a step: `run`, `skip` or `leave out`, why, and for `skip` the run that finished it."""

    step: Step  #: the step
    action: Literal["run", "skip", "leave out"]  #: what would happen
    reason: str  #: why, in words
    made_by: str = ""  #: the run whose result would stand
    covers: Sequence[str] = ()  #: for `skip`, the parts of the fingerprint that are as they were


@attrs.frozen(kw_only=True)
class PlannedTask:
    """What a run of several tasks would do with one of them."""

    task_id: str  #: the task's id
    action: Literal["run", "skip"]  #: what would happen
    reason: str = ""  #: why, in words
    #: the configured task with its plan (`RunServices`); None where others have to run before it can be configured
    run: Any = None
    steps: Sequence[PlannedStep] = ()  #: every step of its plan, in order


class Scheduler(Protocol):
    """Runs several tasks of a project.

    Tasks are given by name; no names mean all tasks of the project. A task that is named runs in any case; those added
    as dependencies, and all tasks of a project, are skipped when nothing has changed since they succeeded. `tasks`
    gives every task of the project, sorted by id; `dry_run` says what `run` would do with each, in order.
    """

    def tasks(self) -> Mapping[str, TaskNode]: ...

    def order(self, names: Sequence[str] = (), *, with_dependencies: bool = False) -> Mapping[str, TaskNode]:
        """Tasks in the order in which they run, each behind those that it needs: `TaskCycleError` where they need each
        other, `UnknownTaskError` with the path to one that is missing."""

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
    ) -> Iterator[PlannedTask]: ...
