"""What a step reads and leaves, staged while it runs and published when it has succeeded.

A step writes into a folder of its own beside the places that readers look at. Only after success everything is renamed
into place; a step that fails leaves nothing. `Checkpoints.stage` gives a `StepStaging`, or something like it.
"""

from __future__ import annotations

import contextlib
import math
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, DataRefused, OperationError
from pamola_tasks.protocols import ReleaseTable, StagedFile
from pamola_tasks.record import Artifact
from pamola_tasks.storage.files import check_name
from pamola_tasks.storage.leftovers import staging_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import DataSource, RunServices, StagedStep
    from pamola_tasks.record import DatasetRecord, SavedStep, StepRecord

_INTERNAL = ("internal", "metrics")  # categories of artifacts that must not be released


@attrs.define(eq=False)
class StepData:
    """The datasets of one step: `ctx.data`.

    All that read raise `DataError` where the step does not declare the dataset, or it, or a column, is not there.
    """

    _run: RunServices
    _step: Step
    _staged: StagedStep
    _read: dict[str, None] = attrs.field(factory=dict, init=False)

    def has_dataset(self, name: str) -> bool:
        """Whether there is a dataset of this name now."""
        return self._run.data_source.has_dataset(name)

    def names(self) -> list[str]:
        """The datasets that this step declares to read."""
        return list(self._step.reads)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """A table, or some columns of it, as a data frame that the step may change."""
        return self._reading(name).frame(name, columns)

    def chunks(self, name: str, size: int | None = None, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """A table in pieces of at most `size` rows: unless given, the task's `chunk_size`, or what the source says."""
        source = self._reading(name)
        if size is None and (rows := getattr(source, "rows_at_a_time", None)) is not None:
            size = rows(name, columns)
        yield from source.chunks(name, size or self._run.config.chunk_size, columns)

    def memory_mb(self, name: str, columns: Sequence[str] | None = None) -> float:
        """What the frame of a table, or of some columns, would take in memory, in MiB; infinite where not known."""
        source = self._declared(name)
        return float(source.memory_mb(name, columns)) if hasattr(source, "memory_mb") else math.inf

    def columns(self, name: str) -> list[str]:
        """Names of the columns; cheaper than `schema`, which may have to look at every row of a CSV file."""
        return self._reading(name).columns(name)

    def schema(self, name: str) -> dict[str, str]:
        """Names of the columns and their dtypes as text."""
        return self._reading(name).schema(name)

    def open_raw(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Read the file of a dataset that is not a table, such as a list of rules: decrypted, its hash recorded.

        Raises:
            DataError: It is in memory, in several files, or not there.
        """
        return self._reading(name).open_raw(name)

    def path(self, name: str) -> str:
        """The file of a dataset, as messages name it; empty for a table in memory."""
        return self._declared(name).describe(name).path

    def write(self, name: str, frame: Any, *, format: str | None = None) -> DatasetRecord:
        """Write a dataset: a data frame, or an iterable of data frames with the same columns.

        Args:
            format: The extension of a known format; `format_of(name)` unless given.
        """
        return self._staged.write_dataset(name, frame, format)

    def fetched(self, copy: DatasetRecord, address: str, *, version: str = "") -> None:
        """Record an input of the run that is elsewhere, and that the step has copied.

        Args:
            copy: The dataset that it wrote, as `write` returned it.
            address: Where it is: `SCHEME://…`, without credentials and without values.
            version: What the source calls this state of it, such as a fingerprint of its rows.
        """
        self._staged.read[copy.name] = copy.copied_from(address, version, self._step.id)

    def format_of(self, name: str) -> str:
        """The format that a dataset is written in: of outputs the task's `output_format`, else the writer's choice."""
        return self._staged.format_of(name)

    def _declared(self, name: str) -> DataSource:
        """The data source, for a dataset that the step declares to read."""
        if name not in self._step.reads:
            raise DataError(
                f"step {self._step.id} reads {name!r}, which it does not declare:"
                f" name it in a parameter made with reads()"
            )
        return self._run.data_source

    def _reading(self, name: str) -> DataSource:
        source = self._declared(name)
        self._read[name] = None
        return source

    def __enter__(self) -> StepData:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Record what was read, of whatever was read a part."""
        try:
            for name in self._read:
                self._staged.read[name] = self._run.data_source.describe(name)
        except Exception:
            if error is None:
                raise


class StepStaging:
    """The outputs of one attempt at one step. See `pamola_tasks.protocols.StagedStep` for attributes.

    Args:
        run: The run.
        step: The step.
        keeps: Whether intermediate datasets outlive the run.
        claims: Paths that steps of this run have written, and which step it was: one dict for all steps.
    """

    def __init__(self, run: RunServices, step: Step, *, keeps: bool, claims: dict[str, str]) -> None:
        self.read: dict[str, DatasetRecord] = {}
        self.warnings: list[str] = []
        self.derives = False
        self.files: list[StagedFile] = []
        self.ended = False
        self._run = run
        self._step = step
        self._claims = claims
        self._used = False
        steps = run.directories.get_directory("state" if keeps else "temp") / "steps"
        self._home = steps / step.id
        self._folder = f"{steps}/{staging_of(step.id)}"

    def _is_final(self, name: str) -> bool:
        return self._run.plan.is_final(name, self._run.config.outputs)

    def write_dataset(self, name: str, frame: Any, format: str | None) -> DatasetRecord:
        """Write a dataset where no reader looks yet."""
        if name not in self._step.writes:
            raise DataError(
                f"step {self._step.id} writes {name!r}, which it does not declare:"
                f" name it in a parameter made with writes()"
            )
        check_name(name, "the dataset name")
        self._refuse_if_ended()
        run, final = self._run, self._is_final(name)
        format = format or self.format_of(name)
        record = run.data_writer.write_dataset(
            frame,
            self._path(""),
            name=name,
            format=format,
            role="data" if final else "state",
            step=self._step.id,
            kind="output" if final else "intermediate",
        )
        file_name = Path(record.path).name if record.path else f"{name}.{format}"
        internal = name in self._step.operation.internal_datasets()
        folder = "internal" if internal else "output"
        target = self.claim((self._directory(folder) if final else self._home) / file_name)
        staged = self._path(file_name)
        record = attrs.evolve(record, path=run.files.name(target) if record.path else "", internal=internal)
        self._refuse_if_ended(staged)
        self.files = [file for file in self.files if file.record is None or file.record.name != name]
        self.files.append(StagedFile(staged, target, record=record))
        return record

    def format_of(self, name: str) -> str:
        """The format of a dataset of which nothing else is said."""
        if self._is_final(name):
            own: str | None = getattr(self._step.operation, "output_format", None)
            return own or self._run.config.output_format
        return getattr(self._run.data_writer, "intermediate_format", "") or self._run.config.output_format

    @contextlib.contextmanager
    def artifact(
        self, name: str, kind: str, description: str, *, category: str, tags: Sequence[str], group: str
    ) -> Iterator[IO[bytes]]:
        """Write an artifact where no reader looks yet."""
        check_name(name, "the artifact name")
        check_name(kind, "the artifact type")
        self._refuse_if_ended()
        directory = "dictionaries" if category == "dictionary" else "internal" if category in _INTERNAL else "output"
        target = self.claim(self._directory(directory) / f"{name}.{kind}")
        staged = self._path(f"artifact-{directory}/{name}.{kind}")
        with self._run.files.create(staged, "artifact") as file:
            yield file  # type: ignore[misc]  # mypy takes no BufferedIOBase for an IO[bytes]
        self._refuse_if_ended(staged)
        made = Artifact(
            kind,
            self._run.files.name(target),
            description,
            category,
            list(tags),
            group,
            name=name,
            sha256=file.sha256,
            bytes=file.size,
            encrypted=file.encrypted,
            step=self._step.id,
            root=str(self._run.files.root),
        )
        self.files.append(StagedFile(staged, target, artifact=made))

    def _directory(self, kind: str) -> Path:
        """Where files are published; `internal` is in the task's directory in every layout (`TaskPlace.internal`)."""
        found = self._run.directories.get_directory("task" if kind == "internal" else kind)
        return found / kind if kind == "internal" else found

    def _path(self, name: str) -> str:
        self._used = True
        return f"{self._folder}/{name}"

    def _refuse_if_ended(self, written: str = "") -> None:
        """Refuse what a thread that the operation left writes, and remove it."""
        if self.ended:
            if written:
                self._run.files.unlink(written, missing_ok=True)
            raise OperationError(f"step {self._step.id} has ended: nothing more can be written for it")

    def claim(self, target: Path | str) -> str:
        """Two steps must not write one file, or the first one's result would be lost."""
        owner = self._claims.setdefault(str(target), self._step.id)
        if owner != self._step.id:
            raise OperationError(
                f"step {self._step.id} writes {self._run.files.name(target)}, which step {owner} wrote in this run:"
                f" give one of them another name (an output prefix, for example)"
            )
        return str(target)

    def expect(self, folder: str = "") -> str:
        """Have `discard` remove what another process writes for this attempt; where, there and here."""
        self._used, self._folder = True, folder or self._folder
        return self._folder

    def take(self, files: Sequence[StagedFile]) -> None:
        """Have files published that another process has staged.

        Raises:
            OperationError: Another step of this run has written one of the files.
        """
        for file in files:
            self.claim(file.final)
        self.files = list(files)

    def publish(self) -> tuple[list[DatasetRecord], list[Artifact]]:
        """Rename everything into its place; datasets can be read from then on.

        Raises:
            OperationError: A dataset that the step declares was not written.
        """
        datasets = [file.record for file in self.files if file.record is not None]
        written = {record.name for record in datasets}
        missing = [name for name in self._step.writes if name not in written]
        if missing:
            raise OperationError(f"step {self._step.id} ended without writing {missing[0]!r}, which it declares")
        published: list[str] = []
        try:
            for file in self.files:
                record = file.record
                if record is None or record.path:
                    self._run.files.replace(file.temporary, file.final)
                    published.append(file.final)
                if record is not None and record.path:
                    offer(self._run, record)
        except BaseException:  # a step that failed leaves nothing
            for path in published:
                self._run.files.unlink(path, missing_ok=True)
            raise
        artifacts = [file.artifact for file in self.files if file.artifact is not None]
        self.discard()
        return datasets, artifacts

    def discard(self) -> None:
        """Remove what was not published, whichever process wrote it."""
        if self._used:
            self._run.files.remove_tree(self._folder, missing_ok=True)
            self.files = []
            self._used = False


def check_release(run: RunServices, record: StepRecord, staged: StagedStep | None) -> None:
    """Ask the plugins about the tables that a step is about to publish.

    Raises:
        DataRefused: One of them objects.
    """
    if staged is None or not run.kernel.plugins.manager.hook.pamola_check_release.get_hookimpls():
        return
    tables = []
    for file in staged.files:
        dataset = file.record
        if dataset is None or dataset.kind != "output" or dataset.internal:
            continue
        where = run, dataset, str(run.files.root / file.temporary)
        columns = _source_of(*where).columns(dataset.name) if dataset.columns is None else dataset.columns
        tables.append(
            ReleaseTable(
                name=dataset.name,
                operation=record.operation,
                settings=record.settings,
                metrics=record.metrics,
                columns=tuple(columns),
                frame=partial(_read, *where),
            )
        )
    if tables and (found := run.kernel.plugins.objections("pamola_check_release", run=run, tables=tables)):
        raise DataRefused("; ".join(found), datasets=[table.name for table in tables])


def _source_of(run: RunServices, dataset: DatasetRecord, temporary: str) -> DataSource:
    """What reads a dataset where it waits to be published; once that is done, it is offered in its place."""
    if dataset.path:
        known = {"format": dataset.format, "role": "data", "sha256": dataset.sha256}
        run.data_source.add_file_path(dataset.name, temporary, **known)
    return run.data_source


def _read(run: RunServices, dataset: DatasetRecord, temporary: str, columns: Sequence[str] | None = None) -> Any:
    return _source_of(run, dataset, temporary).frame(dataset.name, columns)


class NoCheckpoints:
    """The checkpoints of a run that no plugin keeps any for: every run starts from the beginning.

    Steps are staged and published all the same.
    """

    enabled = False

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._claims: dict[str, str] = {}

    def seed(self) -> None:
        """No run is continued."""

    def stands(self, step: Step) -> str:
        """No step is skipped."""
        return ""

    def stage(self, step: Step) -> StepStaging:
        """In the task's directory for temporary files."""
        return StepStaging(self._run, step, keeps=False, claims=self._claims)

    def publish(
        self, step: Step, staged: StagedStep | None, record: StepRecord
    ) -> tuple[list[DatasetRecord], list[Artifact]]:
        """Rename everything into its place."""
        return staged.publish() if staged is not None else ([], [])

    def load(self) -> dict[str, SavedStep]:
        """Nothing is remembered."""
        return {}

    def clear(self) -> None:
        """Nothing is remembered."""


def offer(run: RunServices, dataset: DatasetRecord) -> None:
    """Let later steps read a dataset that a step of this run or of an earlier one has published."""
    run.data_source.add_file_path(
        dataset.name,
        str(run.files.root / dataset.path),
        format=dataset.format,
        role="data" if dataset.kind == "output" else "state",
        sha256=dataset.sha256,
    )
