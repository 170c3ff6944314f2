"""What operations say when they end, and the record of a run: the facts that report, history and observers read."""

from __future__ import annotations

import enum
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """A moment as RFC 3339 text in UTC with milliseconds: `2026-03-01T09:30:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_run_id() -> str:
    """A UUID version 7 (RFC 9562): it begins with the time, so that ids sort by it."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10)) >> 6  # 74 bits
    value = (milliseconds << 80) | (0x7 << 76) | (random >> 62 << 64)
    value |= (0b10 << 62) | (random & (1 << 62) - 1)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@attrs.frozen(kw_only=True)
class DatasetRecord:
    """One dataset that a run read or wrote."""

    name: str  #: the dataset's name in the task
    kind: str  #: `input`, `intermediate` or `output`
    path: str = ""  #: where it lies, relative to the project's root where it is inside, else absolute; empty for memory
    format: str = "memory"  #: `csv`, `parquet`, … or `memory`
    sha256: str = ""  #: hash of the bytes on disk (hex), or of the content for a dataset in memory
    bytes: int | None = None  #: size on disk, or None
    rows: int | None = None  #: number of rows, or None where nobody had to know
    columns: tuple[str, ...] | None = None  #: names of the columns, or None likewise
    encrypted: bool = False  #: whether the bytes on disk are encrypted (found by looking, not by the setting)
    key_id: str = ""  #: which key, where they are
    step: str = ""  #: Id of the step that wrote it; empty for inputs


@attrs.define
class Artifact:
    """A file that a step or task left, beside its datasets."""

    artifact_type: str  #: its kind, normally the extension: `json`, `csv`, `png` …
    path: str  #: where it lies
    description: str = ""  #: what it is, for people
    category: str = "output"  #: `output`, `metrics`, `internal`, `dictionary`, `visualization` …
    tags: list[str] = attrs.Factory(list)
    group: str = ""  #: name of a group of artifacts that belong together
    name: str = ""
    sha256: str = ""  #: hash of the bytes on the disk (hex)
    bytes: int | None = None  #: their number
    encrypted: bool = False
    step: str = ""
    creation_time: str = attrs.Factory(lambda: rfc3339(now()))
    #: the folder that a relative path begins at; the current one where it is empty
    root: str = attrs.field(default="", repr=False, eq=False)

    def exists(self) -> bool:
        """Whether the file is there now."""
        return Path(self.root, self.path).is_file()

    def to_dict(self) -> dict[str, Any]:
        """As reports have it."""
        named = {"artifact_type": "type", "creation_time": "created"}
        return {named.get(name, name): value for name, value in attrs.asdict(self).items() if name != "root"}


@attrs.frozen(kw_only=True)
class SavedOutput(DatasetRecord):
    """A file that a finished step left: a dataset, an artifact (of that kind), or its metrics where encrypted."""

    artifact: Mapping[str, Any] = attrs.Factory(dict)  #: what else there is to know of an artifact


@attrs.frozen(kw_only=True)
class SavedStep:
    """A finished step as checkpoints remember it."""

    step_id: str
    run_id: str
    time: str
    #: the parts, each as text: `operation`, `code`, `parameter k`, `input customers`, `seed` …
    fingerprint: Mapping[str, str]
    outputs: tuple[SavedOutput, ...] = ()  #: the files it left, with their hashes
    inputs: Mapping[str, Any] = attrs.Factory(dict)  #: of the task's inputs that it read: `rows` and `columns`, by name
    metrics: Mapping[str, Any] = attrs.Factory(dict)
    warnings: tuple[str, ...] = ()
    status: str = "success"
    seconds: float = 0.0
    index: int = 0  #: its place in the plan of that run
    run_seed: int | None = None  #: the seed of that run, which a continued run uses again


@attrs.define(kw_only=True)
class StepRecord:
    """What became of one step. `status` is the value of an `OperationStatus`."""

    step: str  #: the step's id
    operation: str  #: the operation's name
    status: str = "pending"
    description: str = ""
    started: datetime | None = None
    seconds: float = 0.0
    attempts: int = 0  #: how many attempts were made; 0 when skipped
    reason: str = ""  #: why it was skipped or run again, in words
    made_by: str = ""  #: the run whose result stands for a step that was skipped because nothing changed
    metrics: dict[str, Any] = attrs.Factory(dict)
    artifacts: list[Artifact] = attrs.Factory(list)
    reads: list[str] = attrs.Factory(list)
    writes: list[str] = attrs.Factory(list)
    settings: dict[str, Any] = attrs.Factory(dict)  #: the operation's parameters, redacted
    error: dict[str, str] | None = None  #: `type`, `message`, `traceback` (redacted) of a failure
    warnings: list[str] = attrs.Factory(list)
    version: str = ""
    distribution: str = ""


@attrs.define(kw_only=True)
class RunRecord:
    """Everything a run did, filled while it runs."""

    run_id: str
    task_id: str
    started: datetime = attrs.Factory(now)
    finished: datetime | None = None
    #: `running`, then one of the status strings of `BaseTask` (`success`, `operation_error`, …)
    status: str = "running"
    success: bool = False
    resumed_from: str | None = None
    seed: int | None = None
    inputs: list[DatasetRecord] = attrs.Factory(list)
    outputs: list[DatasetRecord] = attrs.Factory(list)
    intermediates: list[DatasetRecord] = attrs.Factory(list)
    steps: list[StepRecord] = attrs.Factory(list)
    artifacts: list[Artifact] = attrs.Factory(list)
    metrics: dict[str, Any] = attrs.Factory(dict)
    warnings: list[str] = attrs.Factory(list)
    errors: list[dict[str, Any]] = attrs.Factory(list)
    #: `type`, `message` and more (`operation`, `traceback`) of what made the run fail
    error: dict[str, Any] | None = None
    #: plugins whose event hooks raised: `plugin`, `hook`, `error`, `traceback`
    observer_failures: list[dict[str, str]] = attrs.Factory(list)
    plan_changes: list[str] = attrs.Factory(list)  #: who changed the plan, and how, in words
    #: plugins that were left out on purpose, and other things that weaken the run
    overrides: list[str] = attrs.Factory(list)
    peak_memory_bytes: int | None = None
    #: `sha256` and `bytes` of each file of the report, and of the manifest, by path
    report_files: dict[str, dict[str, Any]] = attrs.Factory(dict)

    @property
    def seconds(self) -> float:
        """How long the run took, or has taken so far."""
        return ((self.finished or now()) - self.started).total_seconds()


class OperationStatus(enum.Enum):
    """How an operation ended."""

    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"
    PARTIAL_SUCCESS = "partial_success"
    PENDING = "pending"


def _note_what_is_repeated(result: OperationResult, _: Any, message: str | None) -> str | None:
    """Look, while it is known, whether a message repeats the exception that is being handled."""
    error = sys.exception()
    if message and isinstance(error, Exception):
        said = str(error)
        if said and said in message:
            result._repeated = error
    return message


@attrs.define
class OperationResult:
    """What an operation says of itself when it ends."""

    status: OperationStatus = OperationStatus.SUCCESS
    artifacts: list[Artifact] = attrs.Factory(list)
    metrics: dict[str, Any] = attrs.Factory(dict)
    error_message: str | None = attrs.field(default=None, on_setattr=_note_what_is_repeated)
    execution_time: float | None = None
    error_trace: str | None = None
    exception: BaseException | None = attrs.field(default=None, eq=False)
    attempts: int = 1
    reason: str = ""
    warnings: list[str] = attrs.Factory(list)
    _repeated: Exception | None = attrs.field(default=None, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _note_what_is_repeated(self, None, self.error_message)

    def said(self, message_of: Callable[[BaseException], str]) -> str:
        """The message, once; of an exception that it repeats (`error_message=str(error)`) only what may be said.

        Args:
            message_of: Gives that.
        """
        message, error = self.error_message or "", self._repeated
        self._repeated = None
        return message if error is None else message.replace(str(error), message_of(error))

    @classmethod
    def success(cls, metrics: Mapping[str, Any] | None = None, artifacts: Iterable[Artifact] = ()) -> OperationResult:
        """The operation did what it was asked to."""
        return cls(metrics=dict(metrics or {}), artifacts=list(artifacts))

    @classmethod
    def warning(cls, message: str, metrics: Mapping[str, Any] | None = None) -> OperationResult:
        """It succeeded, with warnings."""
        return cls(status=OperationStatus.WARNING, error_message=message, metrics=dict(metrics or {}))

    @classmethod
    def failure(cls, error: BaseException | str, trace: str | None = None) -> OperationResult:
        """It did not."""
        if isinstance(error, str):
            return cls(status=OperationStatus.ERROR, error_message=error, error_trace=trace)
        message = str(error) or type(error).__name__
        return cls(status=OperationStatus.ERROR, error_message=message, error_trace=trace, exception=error)

    @property
    def failed(self) -> bool:
        """Whether the operation did not do its work."""
        return self.status in (OperationStatus.ERROR, OperationStatus.PENDING)
