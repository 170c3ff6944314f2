"""What a step reads and leaves: datasets and artifacts, staged while it runs, published when it has succeeded.

A step writes into a folder of its own beside the places that readers look at. Only when it has ended well, everything
is renamed into place; a step that fails leaves nothing.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, OperationError
from pamola_tasks.operation import Artifact
from pamola_tasks.storage.files import check_name
from pamola_tasks.storage.leftovers import staging_of
from pamola_tasks_checkpoints.fingerprint import SavedOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.storage.files import Files
    from pamola_tasks_checkpoints.fingerprint import SavedStep

METRICS = "metrics"  # the kind of a saved output that is no dataset and no artifact
PROGRESS_INTERVAL = 0.1  # seconds: observers hear of progress at most ten times in one of them


@attrs.define
class Staged:
    """A file waiting to be published: where it is, where it goes, and what it is."""

    temporary: str
    final: str
    record: DatasetRecord | None = None
    artifact: Artifact | None = None


class StepOutputs:
    """The outputs of one attempt at one step.

    Args:
        run: The run.
        step: The step.
        final: Datasets of the plan that are published as the task's outputs.
        claims: Paths that steps of this run have published, and which step it was.
        tell_progress: Called with (done, total, unit), at most ten times a second.
    """

    def __init__(
        self,
        run: RunServices,
        step: Step,
        *,
        final: set[str],
        claims: dict[str, str],
        tell_progress: Callable[[float, float | None, str], None],
    ) -> None:
        self.run = run
        self.step = step
        self.warnings: list[str] = []
        self.read: dict[str, DatasetRecord] = {}
        self.derives = False  # whether the step took a key of its own from the project's key
        self._final = final
        self._claims = claims
        self._staged: list[Staged] = []
        self._tell_progress = tell_progress
        self._told = 0.0
        self._touched = False
        keep = run.checkpoints.enabled
        home = run.directories.get_directory("state" if keep else "temp")
        self._home = home / "steps" / step.id
        self._staging = home / "steps" / staging_of(step.id)

    # ------------------------------------------------------------ while the step runs

    def write_dataset(self, name: str, frame: Any, format: str | None) -> DatasetRecord:
        """Write a dataset where nobody looks yet."""
        if name not in self.step.writes:
            raise DataError(
                f"step {self.step.id} writes {name!r}, which it does not declare:"
                f" name it in a parameter made with writes()"
            )
        check_name(name, "the dataset name")
        final = name in self._final
        format = format or self.format_of(name)
        file_name = f"{name}.{self.run.data_writer.extension(format)}"
        target = self._output_directory("output") / file_name if final else self._home / file_name
        self._claim(target)
        self._touched = True
        record = self.run.data_writer.write_dataset(
            frame,
            str(self._staging / file_name),
            name=name,
            format=format,
            role="data" if final else "state",
            step=self.step.id,
            kind="output" if final else "intermediate",
        )
        record = attrs.evolve(record, path=self.run.files.name(target) if record.path else "")
        self._staged = [s for s in self._staged if s.record is None or s.record.name != name]
        self._staged.append(Staged(str(self._staging / file_name), str(target), record=record))
        return record

    def format_of(self, name: str) -> str:
        """The format of a dataset of which nothing else is said."""
        if name not in self._final:
            return "parquet"
        return getattr(self.step.operation, "output_format", None) or self.run.config.output_format

    def _output_directory(self, kind: str) -> Path:
        return self.run.directories.get_directory(kind)

    @contextlib.contextmanager
    def artifact(
        self, name: str, kind: str, description: str, *, category: str, tags: Sequence[str], group: str
    ) -> Iterator[IO[bytes]]:
        """Write an artifact where nobody looks yet."""
        check_name(name, "the artifact name")
        check_name(kind, "the artifact type")
        file_name = f"{name}.{kind}"
        directory = "dictionaries" if category == "dictionary" else "output"
        target = self._output_directory(directory) / file_name
        self._claim(target)
        self._touched = True
        staged = str(self._staging / f"artifact-{directory}" / file_name)
        with self.run.files.create(staged, "artifact") as file:
            yield file  # type: ignore[misc]  # mypy takes no BufferedIOBase for an IO[bytes]
        made = Artifact(
            kind,
            self.run.files.name(target),
            description,
            category,
            list(tags),
            group,
            name=name,
            sha256=file.sha256,
            bytes=file.size,
            encrypted=file.encrypted,
            step=self.step.id,
            root=str(self.run.files.root),
        )
        self._staged.append(Staged(staged, str(target), artifact=made))

    def _claim(self, target: Path) -> None:
        """Two steps must not write one file, or the first one's result would be lost."""
        owner = self._claims.setdefault(str(target), self.step.id)
        if owner != self.step.id:
            raise OperationError(
                f"step {self.step.id} writes {self.run.files.name(target)}, which step {owner} wrote in this run:"
                f" give one of them another name (an output prefix, for example)"
            )

    def progress(self, done: float, total: float | None, unit: str) -> None:
        """Pass progress on, not too often; the end always."""
        moment = time.monotonic()
        if moment - self._told >= PROGRESS_INTERVAL or (total is not None and done >= total):
            self._told = moment
            self._tell_progress(done, total, unit)

    # ------------------------------------------------------------ when another process performs the step

    def expect(self) -> None:
        """Another process is going to write: `discard` removes what it leaves behind."""
        self._touched = True

    @property
    def staged(self) -> list[Staged]:
        """What waits to be published."""
        return list(self._staged)

    def take(self, staged: Sequence[Staged]) -> None:
        """Publish these, which another process has written.

        Raises:
            OperationError: Another step of this run has written one of the files.
        """
        for file in staged:
            self._claim(Path(file.final))
        self._staged = list(staged)

    # ------------------------------------------------------------ when it has ended

    def publish(self) -> tuple[list[DatasetRecord], list[Artifact], tuple[SavedOutput, ...]]:
        """Rename everything into its place."""
        datasets: list[DatasetRecord] = []
        artifacts: list[Artifact] = []
        saved: list[SavedOutput] = []
        missing = [
            name for name in self.step.writes if all(s.record is None or s.record.name != name for s in self._staged)
        ]
        if missing:
            raise OperationError(f"step {self.step.id} ended without writing {missing[0]!r}, which it declares")
        for staged in self._staged:
            if staged.record is not None:
                record = staged.record
                if record.path:
                    self.run.files.replace(staged.temporary, staged.final)
                    self.run.data_source.add_file_path(
                        record.name,
                        staged.final,
                        format=record.format,
                        role="data" if record.kind == "output" else "state",
                        sha256=record.sha256,
                    )
                    saved.append(
                        SavedOutput(
                            kind=record.kind,
                            name=record.name,
                            path=record.path,
                            sha256=record.sha256,
                            bytes=record.bytes or 0,
                            format=record.format,
                            rows=record.rows,
                            columns=record.columns,
                            encrypted=record.encrypted,
                            key_id=record.key_id,
                        )
                    )
                datasets.append(record)
            if staged.artifact is not None:
                made = staged.artifact
                self.run.files.replace(staged.temporary, staged.final)
                saved.append(
                    SavedOutput(
                        kind="artifact",
                        name=made.name,
                        path=made.path,
                        sha256=made.sha256,
                        bytes=made.bytes or 0,
                        encrypted=made.encrypted,
                        artifact=attrs.asdict(made, filter=attrs.filters.exclude("root")),  # a project can be moved
                    )
                )
                artifacts.append(made)
        self.discard()
        return datasets, artifacts, tuple(saved)

    def discard(self) -> None:
        """Remove what was not published."""
        if self._touched:
            self.run.files.remove_tree(str(self._staging), missing_ok=True)
            self._staged = []
            self._touched = False


def keep_metrics(run: RunServices, step: Step, metrics: Mapping[str, Any]) -> SavedOutput:
    """Keep a step's metrics in an encrypted file beside its datasets: they may quote data.

    The journal itself is readable.
    """
    path = str(run.directories.get_directory("state") / "steps" / step.id / "metrics.json")
    file = run.files.write(path, json.dumps(metrics), "state")
    name = run.files.name(path)
    return SavedOutput(kind=METRICS, name=METRICS, path=name, sha256=file.sha256, bytes=file.size, encrypted=True)


def kept_metrics(files: Files, saved: SavedStep) -> dict[str, Any]:
    """The metrics of a finished step, from its journal entry or from their file."""
    for output in saved.outputs:
        if output.kind == METRICS:
            found: dict[str, Any] = json.loads(files.read(output.path, "state"))
            return found
    return dict(saved.metrics)


class StepData:
    """The datasets of one step: `ctx.data`."""

    def __init__(self, run: RunServices, step: Step, outputs: StepOutputs) -> None:
        self._run = run
        self._step = step
        self._outputs = outputs

    def has_dataset(self, name: str) -> bool:
        """Whether there is a dataset of this name now."""
        return self._run.data_source.has_dataset(name)

    def names(self) -> list[str]:
        """The datasets that this step declares to read."""
        return list(self._step.reads)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """A table, or some columns of it, as a pandas DataFrame that the step may change.

        Raises:
            DataError: The step does not declare that it reads it; it is not there or not readable; a column is missing.
        """
        self._declared(name)
        frame = self._run.data_source.frame(name, columns)
        self._note(name)
        return frame

    def chunks(self, name: str, size: int | None = None, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """A table in pieces of at most `size` rows (the task's `chunk_size` unless given)."""
        self._declared(name)
        yield from self._run.data_source.chunks(name, size or self._run.config.chunk_size, columns)
        self._note(name)

    def columns(self, name: str) -> list[str]:
        """Names of the columns; cheaper than `schema`, which may have to look at every row of a CSV file."""
        self._declared(name)
        return self._run.data_source.columns(name)

    def schema(self, name: str) -> dict[str, str]:
        """Names of the columns and their dtypes as text."""
        self._declared(name)
        return self._run.data_source.schema(name)

    @contextlib.contextmanager
    def open_raw(self, name: str) -> Iterator[IO[bytes]]:
        """Open the file of a dataset that is no table for reading: a hierarchy, a list of rules.

        It is opened as tables are: within the project, decrypted, its hash among the step's inputs.

        Raises:
            DataError: The step does not declare that it reads it; it is in memory, in several files, or not there.
        """
        self._declared(name)
        with self._run.data_source.open_raw(name) as file:
            yield file
        self._note(name)

    def path(self, name: str) -> str:
        """The file of a dataset, as messages name it; empty for a table in memory."""
        self._declared(name)
        return self._run.data_source.describe(name).path

    def write(self, name: str, frame: Any, *, format: str | None = None) -> DatasetRecord:
        """Write a dataset: a DataFrame, or an iterable of DataFrames with the same columns.

        Args:
            format: `csv`, `parquet` …; the task's `output_format` for outputs, Parquet for what only later steps read.
        """
        return self._outputs.write_dataset(name, frame, format)

    def format_of(self, name: str) -> str:
        """The format in which `write` writes a dataset unless it is given one."""
        return self._outputs.format_of(name)

    def _declared(self, name: str) -> None:
        if name not in self._step.reads:
            raise DataError(
                f"step {self._step.id} reads {name!r}, which it does not declare:"
                f" name it in a parameter made with reads()"
            )

    def _note(self, name: str) -> None:
        if name not in self._outputs.read:
            self._outputs.read[name] = self._run.data_source.describe(name)
