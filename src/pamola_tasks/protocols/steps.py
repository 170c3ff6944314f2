"""Running the steps of a plan: the executor and what drives it, what is remembered, what has to be there before."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.record import Artifact, DatasetRecord, SavedStep, StepRecord
    from pamola_tasks.result import OperationResult


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
