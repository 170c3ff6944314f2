"""The datasets of one step, and the attempt at it: what the operation reads is noted while it does its work."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import DataError
from pamola_tasks.operation import OperationContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices, StagedStep
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.result import OperationResult


def execute_step(
    run: RunServices, step: Step, staged: StagedStep, progress: Callable[[float, float | None, str], None]
) -> OperationResult:
    """Have the operation of a step do its work, and find out what it read.

    Args:
        run: The run.
        step: The step.
        staged: Where the attempt writes, and what is known of what it read.
        progress: Called with (done, total, unit), at most ten times a second.
    """
    data = StepData(run, step, staged)
    try:
        result = step.operation.execute(OperationContext(run, step, data, staged, progress))
    except BaseException:
        with contextlib.suppress(Exception):
            data.finish()
        raise
    data.finish()
    return result


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
        """Open the file of a dataset that is not a table for reading: a hierarchy, a list of rules.

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
