"""What each service must offer, one protocol a service, and `RunServices`: what a plugin sees as `run`."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, Protocol

import attrs

from pamola_tasks.errors import PluginError, ServiceNotReady
from pamola_tasks.plan import Selection

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pamola_tasks.files import Files
    from pamola_tasks.fingerprint import SavedStep
    from pamola_tasks.hashing import Recognised
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.operation import OperationResult
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.record import DatasetRecord, RunRecord
    from pamola_tasks.secrets import Redactor, Secret
    from pamola_tasks.task import BaseTask

Role = Literal["data", "artifact", "state", "report", "log", "config"]

# Services in the order in which they come up; each sees only those before it. Names of attributes of `run`.
SERVICES = (
    "project",
    "path_guard",
    "config",
    "redact",
    "directories",
    "logging",
    "history",
    "lock",
    "encryption",
    "data_source",
    "data_writer",
    "checkpoints",
    "dependencies",
    "progress",
    "reporter",
    "executor",
)


class Project:
    """A project: a folder with a marker.

    Args:
        root: The project's root, absolute.
        id: The project's UUID, or empty.
        marker: The file that marked the root, relative to it; empty where none was found.
        warnings: What its user should know about how the root was found.

    Attributes:
        find_secret: Looks up what `${secret:NAME}` names, through the plugins; set by the kernel.
    """

    def __init__(self, root: Path, *, id: str = "", marker: str = "", warnings: tuple[str, ...] = ()) -> None:
        self.root = root
        self.id = id
        self.marker = marker
        self.warnings = warnings
        self.find_secret: Callable[[str], Secret | None] = lambda name: None
        self._files: Files | None = None

    @property
    def files(self) -> Files:
        """Safe access to files under the root, without encryption: for reading configuration."""
        if self._files is None:
            raise ServiceNotReady("path_guard", "the project provider")
        return self._files

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"


@attrs.frozen(kw_only=True)
class ConfigLayer:
    """One layer of configuration values.

    Attributes:
        name: What people call it: `command line`, `task file`, `project file`, `task class`, `environment`.
        rank: 100 to 500; the higher overrules the lower.
        origin: Where it comes from: a file name relative to the project, a class, `--set`.
        values: Nested values, by key.
        places: For dotted keys, the place within the origin, such as `configs/t_1.yaml:12:8`.
    """

    name: str
    rank: int
    origin: str
    values: Mapping[str, Any]
    places: Mapping[str, str] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class Origin:
    """Where the value of a key came from, and which layers it overruled."""

    value: Any
    layer: str
    place: str
    overruled: tuple[Origin, ...] = ()


class Config(Protocol):
    """The merged, typed configuration of one task (`TaskConfig` of the config plugin).

    Every key of the schema is an attribute of that name; a task's own parameters are attributes too.
    """

    task_id: str
    task_type: str
    description: str
    version: str
    dependencies: list[str]
    input_datasets: dict[str, str]
    auxiliary_datasets: dict[str, str]
    data_types: dict[str, Any]
    operations: list[Any]
    outputs: list[str]
    output_format: str
    continue_on_error: bool
    use_encryption: bool
    encryption_mode: str
    encryption_key_path: str | None
    use_vectorization: bool
    parallel_processes: int
    use_dask: bool
    npartitions: int
    chunk_size: int
    memory_limit_mb: int
    seed: int | None
    log_level: str
    timeout: float | None
    allow_external: bool
    allowed_external_paths: list[str]
    data_repository: str
    enable_checkpoints: bool
    clean_temp_on_exit: bool
    check_free_space: bool
    default_encoding: str
    default_delimiter: str
    default_quotechar: str

    @property
    def retry(self) -> RetrySettings:
        """How steps are retried."""
        ...

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a dotted key, or the default."""
        ...

    def plugin(self, name: str) -> Any:
        """A plugin's own section, as an instance of the class that it gave with `pamola_add_settings`."""
        ...

    def problem_at(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
        """A message about a value, or about its key, with the place where that was written.

        Args:
            path: Keys, and numbers of list items from 0: `("operations", 0, "parameters", "k")`.
        """
        ...

    def origins(self) -> Mapping[str, Origin]:
        """For every dotted key, who won and who was overruled; secrets as `Secret`."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """All values, nested, with secrets as `***`."""
        ...


@attrs.frozen(kw_only=True)
class RetrySettings:
    """How a failing step is tried again.

    Attributes:
        max_retries: Attempts after the first.
        backoff: Factor by which each wait is longer than the one before.
        initial_wait: Seconds before the first retry.
        max_wait: The longest wait, in seconds.
        jitter: Whether waits are multiplied by a random factor in [0.75, 1.25].
        on: Names of exception classes that are retried beside the transient ones.
    """

    max_retries: int = 3
    backoff: float = 2.0
    initial_wait: float = 1.0
    max_wait: float = 60.0
    jitter: bool = True
    on: list[str] = attrs.Factory(list)


@attrs.frozen
class Stat:
    """What a guard tells of a file: `kind` is `file`, `directory` or `other`; size in bytes, mtime in nanoseconds."""

    kind: str
    size: int
    mtime_ns: int


class PathGuard(Protocol):
    """Turns names into open files, so that a check cannot be separated from a use (`SafeRoot`).

    A name is relative to the root, or absolute and inside it or inside an additional root (which are read-only).
    Everything refused raises `PathSecurityError`; what is merely not there raises the usual `OSError`.
    """

    @property
    def root(self) -> Path:
        """The root, absolute and resolved."""
        ...

    def extended(self, roots: Iterable[Path]) -> PathGuard:
        """The same guard with further roots, from which files may be read."""
        ...

    def open(self, name: str, mode: str = "rb") -> AbstractContextManager[IO[Any]]:
        """Open an existing regular file for reading (or, with `ab`, for appending: made when missing)."""
        ...

    def create(
        self, name: str, *, exclusive: bool = False, parents: bool = True, mode: int = 0o666
    ) -> AbstractContextManager[IO[bytes]]:
        """Write a file that appears under its name only when the block ends without an exception."""
        ...

    def mkdirs(self, name: str, mode: int = 0o777) -> None:
        """Make a directory and its parents; nothing happens where it is there."""
        ...

    def replace(self, source: str, target: str) -> None:
        """Rename, replacing the target; missing parents of the target are made."""
        ...

    def unlink(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a file or symbolic link (the link, not its target)."""
        ...

    def remove_tree(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a directory with all that is in it, following no link."""
        ...

    def iter(self, name: str = ".") -> Iterator[tuple[str, Stat]]:
        """The entries of a directory, sorted by name; links are reported as `other`."""
        ...

    def stat(self, name: str) -> Stat:
        """What is there under this name."""
        ...

    def exists(self, name: str) -> bool:
        """Whether something allowed is there under this name."""
        ...


class Directories(Protocol):
    """The directories of one task (`TaskDirectoryManager`). Types: `task, input, output, dictionaries, temp, logs,
    state, raw, processed, reports, configs, project_logs`."""

    def ensure_directories(self) -> dict[str, Path]:
        """Make what is missing; all directories by type."""
        ...

    def get_directory(self, dir_type: str) -> Path:
        """One directory, absolute; an unknown type raises `DirectoryManagerError`."""
        ...

    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path:
        """A path for an artifact, checked."""
        ...

    def clean_temp_directory(self) -> bool:
        """Empty the temp directory, which goes on existing."""
        ...


class Logging(Protocol):
    """Where log lines go."""

    @property
    def handlers(self) -> Sequence[logging.Handler]:
        """The handlers, formatters set. Records carry `run_id`, `task_id` and `step_id`; messages are redacted."""
        ...

    def close(self) -> None:
        """Flush and close all of them."""
        ...


class History(Protocol):
    """The execution history (`ExecutionLog`)."""

    def run_started(self, run: RunServices) -> None:
        """Append `run_started`."""
        ...

    def step_finished(self, run: RunServices, step: str, status: str, seconds: float) -> None:
        """Append `step_finished`."""
        ...

    def run_finished(self, run: RunServices) -> None:
        """Append `run_finished` or `run_failed`, from `run.record`, and refresh the file for other tools."""
        ...

    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None:
        """The newest record of a task, or None."""
        ...


class Encryption(Protocol):
    """Encrypts what a run writes (`TaskEncryptionManager`)."""

    @property
    def enabled(self) -> bool:
        """Whether this run encrypts."""
        ...

    @property
    def mode(self) -> str:
        """`none`, `simple` or `age`."""
        ...

    @property
    def key_id(self) -> str:
        """Which key is used; empty without."""
        ...

    def writer(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """A file to write plain bytes to; closing it completes `raw` but does not close it."""
        ...

    def reader(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """A seekable file of plain bytes, every one of them verified before it is given out.

        Raises:
            EncryptionError: No key, the wrong key, another role or task, or a file that was altered.
        """
        ...

    def is_encrypted(self, head: bytes) -> bool:
        """Whether a file that begins with these (4,096, or all) bytes is one that `reader` is for."""
        ...

    def file_key_id(self, head: bytes) -> str:
        """The id of the key that a file beginning with these bytes was written with; empty when it does not say."""
        ...

    def refusal(self, head: bytes) -> str:
        """Why a file that begins with these bytes cannot be read with the keys at hand, as far as that tells; or ""."""
        ...

    def derive_key(self, purpose: str) -> bytes:
        """32 bytes that belong to the project's key and this purpose; EncryptionError where there is no key."""
        ...

    def get_encryption_context(self) -> Any:
        """What operations may be given: can encrypt and decrypt, does not show the key."""
        ...

    def get_encryption_info(self) -> dict[str, Any]:
        """Enabled, mode, key id: for reports."""
        ...

    def cleanup(self) -> None:
        """Forget the key."""
        ...


class ContainerFormat(Protocol):
    """A format whose bytes can change while what they hold stays, and how its files are recognised all the same."""

    def lasting_head(self, head: bytes) -> bytes:
        """The first 4,096 bytes of a file, or all, as they count in its hash: what may be rewritten as zeros, say."""
        ...

    def recognised(self, sha256: str) -> Recognised:
        """For the hash of a file the one that it was recorded with when it was written: mostly the same."""
        ...


class DataSource(Protocol):
    """Reads datasets (`DataSource` of the data plugin); frames are pandas DataFrames unless the provider says else.

    A name stands for a file (read when first asked for) or a frame in memory.
    """

    def has_dataset(self, name: str) -> bool:
        """Whether there is a dataset of this name and, for a file, whether the file is there."""
        ...

    def names(self) -> list[str]:
        """All names, in the order added."""
        ...

    def add_file_path(self, name: str, path: str | Path, **options: Any) -> None:
        """A name for a file.

        Options: `role` (default `data`), `format`, `task_id` of the task that wrote it, `sha256` of its bytes where
        that was made while writing.
        """
        ...

    def add_dataframe(self, name: str, frame: Any) -> None:
        """A name for a frame in memory."""
        ...

    def frame(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """The whole table, or some columns of it. A frame that the caller may change.

        Raises:
            DataError: Not there, not readable, a column missing: named with file and column, never with values.
        """
        ...

    def chunks(self, name: str, size: int, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The table in pieces of at most `size` rows."""
        ...

    def columns(self, name: str) -> list[str]:
        """Names of the columns, without a look at the rows where the format knows a way."""
        ...

    def schema(self, name: str) -> dict[str, str]:
        """Names of the columns, and their dtypes as text, without reading the whole table where possible."""
        ...

    def open_raw(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """The one file of a dataset that is no table, decrypted: read by what it means to who asks.

        Raises:
            DataError: It has no file, or several, or the file is not there.
        """
        ...

    def fingerprint(self, name: str) -> str:
        """The hash of what the dataset is now (sha256 hex of the bytes on disk, or of a frame's content)."""
        ...

    def describe(self, name: str) -> DatasetRecord:
        """What is known of a dataset without reading more than was read already; hash included."""
        ...

    def release(self, name: str) -> None:
        """Drop the frame from memory; a dataset that has no file is forgotten."""
        ...


class DataWriter(Protocol):
    """Writes datasets (`DataWriter` of the data plugin)."""

    def write_dataset(
        self, frame: Any, path: str, *, name: str, format: str, role: str = "data", step: str = "", kind: str = "output"
    ) -> DatasetRecord:
        """Write a frame, or an iterable of frames with the same columns, to this very file, through `run.files`.

        Args:
            frame: A DataFrame, or an iterable of DataFrames (written piece by piece).
            path: Where to, relative to the project's root.
            format: `csv`, `parquet` or another known format.

        Returns:
            What was written, with the hash made while writing.
        """
        ...

    def extension(self, format: str) -> str:
        """The extension of a format's files, without dot; an unknown format raises `DataError` with what is known."""
        ...


@attrs.frozen(kw_only=True)
class DatasetFormat:
    """A file format for datasets.

    Attributes:
        extension: Without dot.
        read: `(file, columns, options) -> DataFrame`.
        write: `(frames, file, options) -> rows`: writes an iterable of DataFrames to a binary file.
        chunks: `(file, size, columns, options) -> Iterator[DataFrame]`, or None when it can only be read whole.
        schema: `(file, options) -> {column: dtype}`, or None when it must be read for that; `columns` in the options
            says which columns are meant, where not all are.
        columns: `(file, options) -> names`: the columns without a look at the rows, where `schema` needs one.
        as_read: `DataFrame -> DataFrame`: what reading would give once the frame is written, so that later steps need
            not read it; None where only reading tells.
    """

    extension: str
    read: Callable[[IO[bytes], Sequence[str] | None, Mapping[str, Any]], Any]
    write: Callable[[Iterable[Any], IO[bytes], Mapping[str, Any]], int]
    chunks: Callable[[IO[bytes], int, Sequence[str] | None, Mapping[str, Any]], Iterator[Any]] | None = None
    schema: Callable[[IO[bytes], Mapping[str, Any]], dict[str, str]] | None = None
    columns: Callable[[IO[bytes], Mapping[str, Any]], list[str]] | None = None
    as_read: Callable[[Any], Any] | None = None


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


class Progress(Protocol):
    """Shows progress (`TaskProgressManager`)."""

    def set_total_operations(self, total: int) -> None:
        """How many steps the plan has."""
        ...

    def start_operation(
        self, name: str, total: int = 0, description: str | None = None, unit: str = "items", leave: bool = False
    ) -> Any:
        """A step begins; `total` 0 means unknown."""
        ...

    def update_operation(self, name: str, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """A step made this much progress."""
        ...

    def set_operation_total(self, name: str, total: float, unit: str = "items") -> None:
        """A step found out how much there is to do."""
        ...

    def complete_operation(self, name: str, success: bool = True, metrics: Mapping[str, Any] | None = None) -> None:
        """A step ended."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Reporter(Protocol):
    """Collects and writes the report (`TaskReporter`). Facts of the run come from `run.record`."""

    def add_operation(self, name: str, status: str = "success", details: Mapping[str, Any] | None = None) -> None:
        """A task's own entry beside those of the steps."""
        ...

    def add_artifact(
        self,
        artifact_type: str,
        path: str | Path,
        description: str = "",
        category: str = "output",
        tags: Sequence[str] | None = None,
        group_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """A file that the task itself made."""
        ...

    def add_metric(self, name: str, value: Any) -> None:
        """A number of the whole task."""
        ...

    def add_task_summary(
        self,
        success: bool,
        execution_time: float | None = None,
        metrics: Mapping[str, Any] | None = None,
        error_info: Mapping[str, Any] | None = None,
        encryption: Mapping[str, Any] | None = None,
    ) -> None:
        """How the task ended."""
        ...

    def generate_report(self) -> dict[str, Any]:
        """The report as it stands."""
        ...

    def save_report(self) -> Path:
        """Write all formats and the manifest; the path of the JSON report."""
        ...


@attrs.frozen(kw_only=True)
class ReportSection:
    """A section of the report that a plugin adds.

    Attributes:
        title: For people.
        key: For machines: the section is `sections.<key>` of the JSON report.
        facts: JSON values.
        text: Markdown for people, optional.
    """

    title: str
    key: str
    facts: Mapping[str, Any] = attrs.Factory(dict)
    text: str = ""


class ReportWriter(Protocol):
    """Writes a report in one format."""

    def __call__(self, report: Mapping[str, Any]) -> bytes:
        """The report's bytes, from the JSON report."""
        ...


@attrs.frozen(kw_only=True)
class Diagnosis:
    """One finding of `pamola-task doctor`: level `ok`, `note`, `warning` or `error`."""

    level: str
    subject: str
    finding: str
    advice: str = ""


class Diagnosing(Protocol):
    """What a service offers as well when it keeps something on the disk: `pamola-task doctor --data` asks for it."""

    def diagnose(self) -> Iterable[Diagnosis]:
        """What is damaged, missing or swapped; nothing where all is well. No subject has to be named."""
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


class Executor(Protocol):
    """Runs the steps of a plan (`TaskOperationExecutor`)."""

    def run_plan(self, plan: Plan, driver: StepDriver) -> None:
        """Run every step, in an order that its needs allow, each with its retries and time limit."""
        ...


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


class RunServices:
    """One run of one task, as plugins see it: `run`.

    Asking for a service that is not up yet raises `ServiceNotReady`. Everything else is there from the start.

    Attributes:
        id: The run's id (UUIDv7).
        task: The task that runs.
        kernel: The kernel that runs it.
        record: What happened so far.
        logger: Where to log; its lines are redacted and reach the handlers once these exist.
        plan: The steps; empty until they are configured.
        results: Results of steps, by step id.
        options: What the caller asked for.
        perform: The plain way to make one attempt at a step; there while the plan runs.
    """

    id: str
    task: BaseTask
    kernel: Kernel
    record: RunRecord
    logger: logging.Logger
    options: RunOptions
    plan: Plan
    results: dict[str, OperationResult]
    perform: Callable[[Step], OperationResult]

    # services, in order
    project: Project
    path_guard: PathGuard
    config: Config
    redact: Redactor
    directories: Directories
    logging: Logging
    history: History
    lock: Lock
    encryption: Encryption
    data_source: DataSource
    data_writer: DataWriter
    checkpoints: Checkpoints
    dependencies: Dependencies
    progress: Progress
    reporter: Reporter
    executor: Executor

    def __init__(self) -> None:
        self._asking = "the kernel"
        self._files: Files | None = None
        self._warning = threading.Lock()

    @property
    def files(self) -> Files:
        """How everything opens anything: `open(path, role)`, `create(path, role)`."""
        if self._files is None:
            raise ServiceNotReady("files", self._asking)
        return self._files

    def __getattr__(self, name: str) -> NoReturn:
        if name in SERVICES:
            raise ServiceNotReady(name, self._asking)
        raise AttributeError(f"a run has no {name!r}; services are {', '.join(SERVICES)}")

    def warn(self, message: str, *, step: str = "") -> None:
        """Warn the user: in the log, the summary and the report."""
        text = self.redact(message)
        with self._warning:
            known = text in self.record.warnings
            if not known:
                self.record.warnings.append(text)
            for record in self.record.steps if step else ():
                if record.step == step and text not in record.warnings:
                    record.warnings.append(text)
        if not known:
            self.logger.warning("%s", text)

    def provide(self, service: str, value: Any) -> None:
        """Set a service up. For the kernel."""
        if service not in SERVICES:
            raise PluginError(f"there is no service {service!r}")
        setattr(self, service, value)


@attrs.frozen(kw_only=True)
class RunOptions:
    """What the caller of a run asked for, beside configuration.

    Attributes:
        overrides: Configuration values that overrule all others, by dotted key.
        restart: Ignore and replace checkpoints.
        enable_checkpoints: Overrules the configuration unless None.
        datasets: Frames that stand for input datasets.
        wait: Wait for another run of this task to end.
        show_data: Whether cell values may appear in error messages.
        log_format: `text` or `json`.
        console: Whether log lines go to stderr too.
        quiet: Show no progress, warnings only.
        selection: Which steps the run is meant for.
    """

    overrides: Mapping[str, Any] = attrs.Factory(dict)
    restart: bool = False
    enable_checkpoints: bool | None = None
    datasets: Mapping[str, Any] = attrs.Factory(dict)
    wait: bool = False
    show_data: bool = False
    log_format: str = "text"
    console: bool = True
    quiet: bool = False
    selection: Selection = attrs.field(factory=Selection)
