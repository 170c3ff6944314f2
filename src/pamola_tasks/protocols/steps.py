"""Running the steps of a plan: the executor and what drives it, what is remembered, what has to be there before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pamola_tasks.operation import OperationResult
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks_checkpoints.fingerprint import SavedStep


class Lock(Protocol):
    """The operating system's lock on a task, held while it runs."""

    @property
    def after_a_crash(self) -> bool:
        """Whether the run that held it before did not let go of it itself, and may have left files half written."""
        ...

    def tell(self, steps: Iterable[str]) -> None:
        """Say which steps run now, to whoever looks from outside."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


class Checkpoints(Protocol):
    """Remembers finished steps (`TaskContextManager` is a view on it)."""

    @property
    def enabled(self) -> bool:
        """Whether steps are remembered at all; when not, intermediate datasets stay in memory."""
        ...

    def load(self) -> dict[str, SavedStep]:
        """The newest record of every finished step, by step id; damaged lines are skipped and logged."""
        ...

    def verify(self, saved: SavedStep) -> list[str]:
        """Why the outputs of a saved step cannot be used, in words; empty when all are there, unchanged."""
        ...

    def save(self, saved: SavedStep) -> None:
        """Record a step as finished. Its outputs are in their places already."""
        ...

    def clear(self) -> None:
        """Forget all steps of this task, with the intermediate datasets they left."""
        ...


class Dependencies(Protocol):
    """What other tasks left (`TaskDependencyManager`)."""

    def assert_dependencies_completed(self) -> bool:
        """Whether all are there and succeeded.

        Raises:
            DependencyMissingError: Not there; with `continue_on_error` only a warning.
            DependencyFailedError: Not successful; likewise.
        """
        ...

    def get_dependency_output(self, dependency_id: str, file_pattern: str | None = None) -> Path | list[Path]:
        """The output directory of a task, or the files in it that match."""
        ...


class Executor(Protocol):
    """Runs the steps of a plan (`TaskOperationExecutor`)."""

    def run_plan(self, plan: Plan, driver: StepDriver) -> None:
        """Run every step, in an order that its needs allow, each with its retries and time limit."""
        ...


class StepDriver(Protocol):
    """What the lifecycle gives to the executor.

    `prepare`, `complete` and `retried` are called in the parent only, in the thread that `run_plan` was called in.
    A step is attempted in any thread (`attempt`), or by another process that a `remote.RemoteRun` made from
    `describe_run()` lives in: `send` begins an attempt, `hear` takes what is told meanwhile, `receive` the answer.

    Attributes:
        deliver: Takes what has to be called in the parent's thread: progress, and what other processes tell. It calls
            at once; an executor that attempts steps elsewhere sets another, and calls what that is given.
    """

    deliver: Callable[[Callable[[], None]], None]

    def prepare(self, step: Step) -> bool:
        """Whether the step has to be run; False when it was skipped, or stands behind a failed one."""
        ...

    def attempt(self, step: Step) -> OperationResult:
        """One attempt; failures are exceptions. May be called on a worker thread."""
        ...

    def describe_run(self) -> bytes:
        """The run, for `remote.RemoteRun` in another process."""
        ...

    def send(self, step: Step) -> bytes:
        """Begin an attempt elsewhere: what `RemoteRun.perform` is given there."""
        ...

    def hear(self, step: Step, message: bytes) -> None:
        """Take what `RemoteRun` sent while it performs the step."""
        ...

    def receive(self, step: Step, answer: bytes) -> OperationResult:
        """Take what `RemoteRun.perform` returned; failures are exceptions."""
        ...

    def retried(self, step: Step, attempt: int, error: BaseException, wait: float) -> None:
        """Tell that another attempt will be made."""
        ...

    def complete(self, step: Step, result: OperationResult) -> None:
        """Publish, record and report what a step gave."""
        ...

    @property
    def stopped(self) -> bool:
        """Whether no further step may begin (a failure without `continue_on_error`, or an interrupt)."""
        ...
