"""What a step may use while it runs: its datasets (`ctx.data`), files, log, progress and random numbers."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import DataError
from pamola_tasks.operation import operation_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import Config, Directories, Reporter, RunServices, StagedStep
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.result import OperationResult

PROGRESS_INTERVAL = 0.1  # seconds: observers are called for progress at most ten times in one of them


class StepContext:
    """The `OperationContext` of one attempt at a step.

    Args:
        run: The run.
        step: The step.
        staged: Where the attempt writes, and what is known of what it read.
        progress: Called with (done, total, unit), at most ten times a second.
    """

    def __init__(
        self, run: RunServices, step: Step, staged: StagedStep, progress: Callable[[float, float | None, str], None]
    ) -> None:
        self.run = run
        self.step = step
        self.data = StepData(run, step, staged)
        self.seed = operation_seed(run.record.seed, step.id)
        self._staged = staged
        self._progress = progress
        self._shown = 0.0
        self._rng: Any = None

    def execute(self) -> OperationResult:
        """Have the operation do its work, and find out what it read."""
        try:
            result = self.step.operation.execute(self)
        except BaseException:
            with contextlib.suppress(Exception):
                self.data.finish()
            raise
        self.data.finish()
        return result

    @property
    def config(self) -> Config:
        """The task's configuration."""
        return self.run.config

    @property
    def directories(self) -> Directories:
        """The task's directories."""
        return self.run.directories

    @property
    def reporter(self) -> Reporter:
        """The task's reporter."""
        return self.run.reporter

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines carry the step's id."""
        return logging.LoggerAdapter(self.run.logger, {"step_id": self.step.id})

    @property
    def rng(self) -> Any:
        """Random numbers from the step's own seed: of the data source's library, else a `random.Random`."""
        if self._rng is None:
            generator = getattr(self.run.data_source, "generator", None)
            if generator is None:
                import random

                generator = random.Random
            self._rng = generator(self.seed)
        return self._rng

    def progress(self, done: float, total: float | None = None, unit: str = "items") -> None:
        """Pass progress on, not too often; the end always."""
        moment = time.monotonic()
        if moment - self._shown >= PROGRESS_INTERVAL or (total is not None and done >= total):
            self._shown = moment
            self._progress(done, total, unit)

    def warn(self, message: str) -> None:
        """Warn the user, in log, summary and report."""
        self._staged.warnings.append(message)

    def derive_key(self, purpose: str) -> bytes:
        """32 secret bytes for this purpose, from the project's key."""
        self._staged.derives = True
        return self.run.encryption.derive_key(purpose)

    @contextlib.contextmanager
    def artifact(
        self,
        name: str,
        kind: str,
        description: str = "",
        *,
        category: str = "output",
        tags: Sequence[str] = (),
        group: str = "",
    ) -> Iterator[IO[bytes]]:
        """Write a file beside the datasets; it appears when the step has succeeded."""
        with self._staged.artifact(name, kind, description, category=category, tags=tags, group=group) as file:
            yield file


class StepData:
    """The datasets of one step: `ctx.data`."""

    def __init__(self, run: RunServices, step: Step, staged: StagedStep) -> None:
        self._run = run
        self._step = step
        self._staged = staged
        self._read: dict[str, None] = {}

    def has_dataset(self, name: str) -> bool:
        """Whether there is a dataset of this name now."""
        return self._run.data_source.has_dataset(name)

    def names(self) -> list[str]:
        """The datasets that this step declares to read."""
        return list(self._step.reads)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """A table, or some columns of it, as a data frame that the step may change.

        Raises:
            DataError: The step does not declare that it reads it; it is not there or not readable; a column is missing.
        """
        self._reads(name)
        return self._run.data_source.frame(name, columns)

    def chunks(self, name: str, size: int | None = None, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """A table in pieces of at most `size` rows (the task's `chunk_size` unless given)."""
        self._reads(name)
        yield from self._run.data_source.chunks(name, size or self._run.config.chunk_size, columns)

    def columns(self, name: str) -> list[str]:
        """Names of the columns; cheaper than `schema`, which may have to look at every row of a CSV file."""
        self._reads(name)
        return self._run.data_source.columns(name)

    def schema(self, name: str) -> dict[str, str]:
        """Names of the columns and their dtypes as text."""
        self._reads(name)
        return self._run.data_source.schema(name)

    @contextlib.contextmanager
    def open_raw(self, name: str) -> Iterator[IO[bytes]]:
        """Open the file of a dataset that is no table for reading: a hierarchy, a list of rules.

        It is opened as tables are: within the project, decrypted, its hash among the step's inputs.

        Raises:
            DataError: The step does not declare that it reads it; it is in memory, in several files, or not there.
        """
        self._reads(name)
        with self._run.data_source.open_raw(name) as file:
            yield file

    def path(self, name: str) -> str:
        """The file of a dataset, as messages name it; empty for a table in memory."""
        self._declared(name)
        return self._run.data_source.describe(name).path

    def write(self, name: str, frame: Any, *, format: str | None = None) -> DatasetRecord:
        """Write a dataset: a data frame, or an iterable of data frames with the same columns.

        Args:
            format: The extension of a known format. Unless given: the task's `output_format` for outputs, the writer's
                own choice for what only later steps read.
        """
        return self._staged.write_dataset(name, frame, format)

    def format_of(self, name: str) -> str:
        """The format in which `write` writes a dataset unless it is given one."""
        return self._staged.format_of(name)

    def _declared(self, name: str) -> None:
        if name not in self._step.reads:
            raise DataError(
                f"step {self._step.id} reads {name!r}, which it does not declare:"
                f" name it in a parameter made with reads()"
            )

    def _reads(self, name: str) -> None:
        self._declared(name)
        self._read[name] = None

    def finish(self) -> None:
        """Record what was read, of whatever was read a part.

        Raises:
            DataError: It is no longer what it was when the step read it.
        """
        for name in self._read:
            self._staged.read[name] = self._run.data_source.describe(name)
