"""What operations say when they end, and the record of a run: the facts that report, history and observers read."""

from __future__ import annotations

import enum
import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


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


def is_address(place: object) -> bool:
    """Whether a dataset is not in a file but elsewhere, such as in a table of a database: `postgresql://…`."""
    return isinstance(place, str) and _ADDRESS.match(place) is not None


@attrs.frozen(kw_only=True)
class DatasetRecord:
    """One dataset that a run read or wrote.

    Of an input from elsewhere, which a step (`ctx.data.fetched`) or the data source copied, `path` is its address;
    hash, rows and columns are those of the copy.
    """

    name: str  #: the dataset's name in the task
    kind: str  #: `input`, `intermediate` or `output`
    #: where it lies, relative to the project's root where it is inside, else absolute; an address; empty for memory
    path: str = ""
    format: str = "memory"  #: `csv`, `parquet`, … or `memory`
    sha256: str = ""  #: hash of the bytes on disk (hex), or of the content for a dataset in memory
    bytes: int | None = None  #: size on disk, or None
    rows: int | None = None  #: number of rows, or None where nobody had to know
    columns: tuple[str, ...] | None = None  #: names of the columns, or None likewise
    encrypted: bool = False  #: whether the bytes on disk are encrypted (found by looking, not by the setting)
    key_id: str = ""  #: which key, where they are
    step: str = ""  #: Id of the step that wrote it, or copied it from elsewhere; empty for other inputs
    internal: bool = False  #: whether it must not be released, and lies apart from what may be
    version: str = ""  #: of an input from elsewhere: what its source calls this state of it, such as a fingerprint

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is an input that was copied from an address."""
        return self.kind == "input" and is_address(self.path)

    def copied_from(self, address: str, version: str, step: str) -> DatasetRecord:
        """The input from elsewhere of which this dataset is the copy that a step wrote."""
        found = DatasetRecord(name=self.name, kind="input", path=address, format=address.partition(":")[0])
        content: dict[str, Any] = {"sha256": self.sha256, "rows": self.rows, "columns": self.columns}
        return attrs.evolve(found, version=version, step=step, **content)


@attrs.define
class Artifact:
    """A file that a step or task left, beside its datasets."""

    artifact_type: str  #: its kind, normally the extension: `json`, `csv`, `png` …
    path: str  #: where it lies
    description: str = ""  #: what it is, for people
    category: str = "output"  #: `output`, `metrics`, `internal`, `dictionary`, `visualization` …
    tags: list[str] = attrs.Factory(list)  #: to find it by; `charts` marks a file of charts for the report
    group: str = ""  #: name of a group of artifacts that belong together
    name: str = ""  #: its name, without extension
    sha256: str = ""  #: hash of the bytes on the disk (hex)
    bytes: int | None = None  #: their number
    encrypted: bool = False  #: whether the bytes on the disk are encrypted
    step: str = ""  #: id of the step that left it; empty for the task
    creation_time: str = attrs.Factory(lambda: rfc3339(now()))  #: RFC 3339
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

    step_id: str  #: the step's id
    run_id: str  #: the run that finished it
    time: str  #: when it was finished, RFC 3339
    #: the parts, each as text: `operation`, `code`, `parameter k`, `input customers`, `seed` …
    fingerprint: Mapping[str, str]
    outputs: tuple[SavedOutput, ...] = ()  #: the files it left, with their hashes
    #: of the task's inputs that it read: `rows` and `columns`, by name; of one that it copied from elsewhere all facts
    inputs: Mapping[str, Any] = attrs.Factory(dict)
    metrics: Mapping[str, Any] = attrs.Factory(dict)  #: what the operation measured
    warnings: tuple[str, ...] = ()  #: messages for the user
    status: str = "success"  #: the value of an `OperationStatus`
    seconds: float = 0.0  #: from its beginning to its end, all attempts included
    index: int = 0  #: its place in the plan of that run
    run_seed: int | None = None  #: the seed of that run, which a continued run uses again


@attrs.define(kw_only=True)
class StepRecord:
    """What became of one step. `status` is the value of an `OperationStatus`."""

    step: str  #: the step's id
    operation: str  #: the operation's name
    status: str = "pending"  #: the value of an `OperationStatus`
    description: str = ""  #: the first line of the operation's docstring
    started: datetime | None = None  #: when its first attempt began; None before
    seconds: float = 0.0  #: from its beginning to its end, all attempts included
    peak_memory_mb: float | None = None  #: the most resident memory of its process meanwhile; None if not measured
    own_process: bool = False  #: whether that process did nothing else
    attempts: int = 0  #: how many attempts were made; 0 when skipped
    reason: str = ""  #: why it was skipped or run again, in words
    made_by: str = ""  #: the run whose result stands for a step that was skipped because nothing changed
    metrics: dict[str, Any] = attrs.Factory(dict)  #: what the operation measured
    artifacts: list[Artifact] = attrs.Factory(list)  #: files it left beside its datasets
    reads: list[str] = attrs.Factory(list)  #: names of the datasets that it reads
    writes: list[str] = attrs.Factory(list)  #: names of those that it writes
    settings: dict[str, Any] = attrs.Factory(dict)  #: the operation's parameters, redacted
    error: dict[str, str] | None = None  #: `type`, `message`, `traceback` (redacted) of a failure
    warnings: list[str] = attrs.Factory(list)  #: messages for the user
    version: str = ""  #: the operation's version
    distribution: str = ""  #: `name version` of what the operation comes from, or empty


_SAID = ("dataset", "verdict", "sentence")  # what an operation's metric `verdict` has to have


def _texts(given: Any) -> list[str]:
    """The texts of a list that an operation gave; none where it is no list."""
    return [str(text) for text in given] if isinstance(given, list | tuple) else []


@attrs.define(kw_only=True)
class RunRecord:
    """Everything a run did, filled while it runs."""

    run_id: str  #: a UUID of version 7 (RFC 9562)
    task_id: str  #: the task's id
    started: datetime = attrs.Factory(now)  #: when the run began
    finished: datetime | None = None  #: when it ended; None before
    #: `running`, then one of the status strings of `BaseTask` (`success`, `operation_error`, …)
    status: str = "running"
    success: bool = False  #: whether everything went well
    resumed_from: str | None = None  #: the run whose finished steps this one continues, or None
    seed: int | None = None  #: random seed of the run, stated or drawn
    inputs: list[DatasetRecord] = attrs.Factory(list)  #: datasets that were read
    outputs: list[DatasetRecord] = attrs.Factory(list)  #: datasets that were published
    intermediates: list[DatasetRecord] = attrs.Factory(list)  #: datasets that only later steps read
    steps: list[StepRecord] = attrs.Factory(list)  #: what became of each step, in the plan's order
    artifacts: list[Artifact] = attrs.Factory(list)  #: files that steps left beside their datasets
    metrics: dict[str, Any] = attrs.Factory(dict)  #: what steps measured, by step id
    warnings: list[str] = attrs.Factory(list)  #: messages for the user
    errors: list[dict[str, Any]] = attrs.Factory(list)  #: all that failed, each as `error`
    #: `type`, `message` and more (`operation`, `traceback`) of what made the run fail
    error: dict[str, Any] | None = None
    #: plugins whose event hooks raised: `plugin`, `hook`, `error`, `traceback`
    observer_failures: list[dict[str, str]] = attrs.Factory(list)
    plan_changes: list[str] = attrs.Factory(list)  #: who changed the plan, and how, in words
    #: plugins that were left out on purpose, and other things that weaken the run
    overrides: list[str] = attrs.Factory(list)
    peak_memory_bytes: int | None = None  #: most resident memory of the process; None if not measured
    #: `sha256` and `bytes` of each file of the report, and of the manifest, by path
    report_files: dict[str, dict[str, Any]] = attrs.Factory(dict)

    @property
    def seconds(self) -> float:
        """How long the run took, or has taken so far."""
        return ((self.finished or now()) - self.started).total_seconds()

    @property
    def verdict(self) -> dict[str, Any]:
        """Whether the outputs hold what is claimed of them, from what steps say of their datasets (metrics `verdict`).

        Steps that only measured them can add questions (metrics `open_questions`, by dataset). In the result,
        `verdict` is `met`, `met with open questions`, `not met` or `none claimed`; `sentence`, `reasons` and
        `open_questions` put it in words, and `datasets` has what was said of each.
        """
        datasets: dict[str, dict[str, Any]] = {}
        for metrics in (step.metrics for step in self.steps):
            said = metrics.get("verdict")
            if isinstance(said, dict) and all(isinstance(said.get(key), str) for key in _SAID):
                more: dict[str, Any] = {key: metrics[key] for key in ("roles", "knowable") if key in metrics}
                lists = {key: _texts(said.get(key)) for key in ("reasons", "open_questions")}
                datasets[said["dataset"]] = {**said, **lists, **more}
        released = {output.name: output for output in self.outputs if not output.internal}
        datasets = {name: said for name, said in datasets.items() if name in released} or datasets
        reasons = [] if self.success else ["the run did not succeed" if self.finished else "the run has not ended"]
        questions: list[str] = []
        for step in self.steps:
            asked = step.metrics.get("open_questions")
            for name, text in asked.items() if isinstance(asked, dict) else ():
                if name in datasets:
                    datasets[name]["open_questions"] += _texts(text)
        for name, said in datasets.items():
            reasons += said["reasons"] or ([said["sentence"]] if said["verdict"] == "not met" else [])
            unsaid = said["verdict"] not in ("met", "not met") and not said["open_questions"]
            questions += [f"What is {said['verdict']!r} of {name}? No question is given"] if unsaid else []
            questions += said["open_questions"]
        for output in released.values() if datasets else ():
            if output.name not in datasets:
                questions.append(f"What is in {output.name}? Step {output.step} claims nothing of it")
        if len(both := [name for name in datasets if name in released]) > 1:
            questions.append(f"May {' and '.join(both)} be joined? What follows from them together was not measured")
        word = "not met" if reasons else "met with open questions" if questions else "met"
        several = len(datasets) > 1
        sentences = [f"{name}: {said['sentence']}" if several else said["sentence"] for name, said in datasets.items()]
        return {
            "verdict": word if datasets or reasons else "none claimed",
            "sentence": "; ".join(sentences) or "nothing is claimed of the outputs",
            "reasons": reasons,
            "open_questions": questions,
            "datasets": datasets,
        }


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

    status: OperationStatus = OperationStatus.SUCCESS  #: how it ended
    artifacts: list[Artifact] = attrs.Factory(list)  #: files that it left
    metrics: dict[str, Any] = attrs.Factory(dict)  #: what it measured, JSON values
    #: why it failed, or what it warns of
    error_message: str | None = attrs.field(default=None, on_setattr=_note_what_is_repeated)
    execution_time: float | None = None  #: seconds from its beginning to its end, all attempts included
    error_trace: str | None = None  #: the traceback, where it raised
    exception: BaseException | None = attrs.field(default=None, eq=False)  #: what it raised
    attempts: int = 1  #: how many were made
    reason: str = ""  #: why it was skipped, in words
    warnings: list[str] = attrs.Factory(list)  #: messages for the user
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
