"""A project: its configuration, where its tasks keep what they have, and what the caller of a run asks for."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from pamola_tasks.errors import ServiceNotReady
from pamola_tasks.plan import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pamola_tasks.protocols.files import Files
    from pamola_tasks.protocols.observability import Redactor
    from pamola_tasks.secret import Secret


@attrs.frozen(kw_only=True)
class RunOptions:
    """What the caller of a run asked for, beside configuration."""

    #: configuration values that override all others, by dotted key; `RawValue` for text to be parsed
    overrides: Mapping[str, Any] = attrs.Factory(dict)
    restart: bool = False  #: ignore and replace checkpoints
    enable_checkpoints: bool | None = None  #: overrides the configuration unless None
    datasets: Mapping[str, Any] = attrs.Factory(dict)  #: frames used as input datasets
    wait: bool = False  #: wait for another run of this task to end
    show_data: bool = False  #: whether cell values may appear in error messages
    log_format: str = "text"  #: or `json`
    console: bool = False  #: whether log lines go to stderr too, as those of the command line
    quiet: bool = False  #: show no progress, warnings only
    owns_process: bool = False  #: the process is there for the run: what steps leave running in it is ended
    selection: Selection = attrs.field(factory=Selection)  #: which steps the run is meant for
    #: the `RunHandle` of a run that `Kernel.start` began: it is told what happens, and can cancel the run
    handle: Any = attrs.field(default=None, eq=False, repr=False)


class Project:
    """A project: a folder with a marker.

    Args:
        root: The project's root, absolute.
        id: The project's UUID, or empty.
        marker: The file that marked the root, relative to it; empty where none was found.
        warnings: What its user should know about how the root was found.
    """

    def __init__(self, root: Path, *, id: str = "", marker: str = "", warnings: tuple[str, ...] = ()) -> None:
        self.root = root
        self.id = id
        self.marker = marker
        self.warnings = warnings
        #: looks up what `${secret:NAME}` names, through the plugins; set by the kernel, as is what follows
        self.find_secret: Callable[[str], Secret | None] = lambda name: None
        self._files: Files | None = None
        self._redactor: Callable[[], Redactor] | None = None

    @property
    def redactor(self) -> Redactor:
        """Hides secrets where there is a project and no run; it knows those that the environment holds."""
        if self._redactor is None:
            raise ServiceNotReady("redactor", "the project provider")
        return self._redactor()

    @property
    def files(self) -> Files:
        """Safe access to files under the root, without encryption: for reading configuration."""
        if self._files is None:
            raise ServiceNotReady("path_guard", "the project provider")
        return self._files

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"


class Config(Protocol):
    """The merged, typed configuration of one task (`TaskConfig` of the config plugin).

    Every key of the schema is an attribute of that name; a task's own parameters are attributes too. A key that no
    layer states has the default of the reference; `encryption_mode` is `none`, but `simple` where `use_encryption` is
    on. A `RawValue` in a layer is text that is still to be read. `get` takes dotted keys; `to_dict` gives all values,
    nested, with secrets as `***`.
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
    parallel_processes: int
    chunk_size: int
    seed: int | None
    log_level: str
    timeout: float | None
    allow_external: bool
    allowed_external_paths: list[str]
    data_repository: str
    enable_checkpoints: bool
    check_free_space: bool

    @property
    def retry(self) -> RetrySettings: ...
    def get(self, key: str, default: Any = None) -> Any: ...
    def to_dict(self) -> dict[str, Any]: ...

    def plugin(self, name: str) -> Any:
        """A plugin's own section, as an instance of the class that it gave with `pamola_add_settings`."""

    def problem_at(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
        """A message about a value, or about its key, with the place where that was written.

        `path` has keys, and numbers of list items from 0: `("operations", 0, "parameters", "k")`. A configuration that
        lists operations may have a method `problem_of(step, named, message)`, too: the message with the place where it
        names a dataset or column for this step of the plan; empty where it does not.
        """

    def origins(self) -> Mapping[str, Origin]:
        """For every dotted key, who won and who was overridden; secrets as `Secret`."""


class RawValue(str):
    """A value as it was typed on the command line. The configuration reads it, as YAML 1.2."""

    __slots__ = ()


@attrs.frozen(kw_only=True)
class RetrySettings:
    """How a failing step is retried."""

    max_retries: int = 3  #: attempts after the first
    backoff: float = 2.0  #: factor by which each wait is longer than the one before
    initial_wait: float = 1.0  #: seconds before the first retry
    max_wait: float = 60.0  #: the longest wait, in seconds
    jitter: bool = True  #: whether waits are multiplied by a random factor in [0.75, 1.25]
    on: list[str] = attrs.Factory(list)  #: names of exception classes that are retried beside the transient ones


@attrs.frozen(kw_only=True)
class ConfigLayer:
    """One layer of configuration values."""

    name: str  #: what people call it: `command line`, `task file`, `project file`, `task class`, `environment`
    rank: int  #: 100 to 500; the higher overrides the lower
    origin: str  #: where it comes from: a file name relative to the project, a class, `--set`
    values: Mapping[str, Any]  #: nested values, by key
    #: for dotted keys, the place within the origin, such as `configs/t_1.yaml:12:8`
    places: Mapping[str, str] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class Origin:
    """Where the value of a key came from, and which layers it overrides."""

    value: Any  #: the value; a `Secret` where it must not be shown
    layer: str  #: the name of the layer, as in `ConfigLayer`
    place: str  #: file, line and column, or the name of a variable or class
    overridden: tuple[Origin, ...] = ()  #: the same for lower layers that state the key


@attrs.frozen(kw_only=True)
class TaskPlace:
    """Where one task keeps what it has, there or not: names relative to the project's root, or absolute."""

    task_id: str  #: the task's id
    directories: Mapping[str, str]  #: by type: `task, input, output, dictionaries, temp, logs, state`, and further ones
    lock: str  #: the file that the task's lock is held on, for locks that are files
    manifest: str  #: the list of what its newest run published
    newest_report: str  #: the report of its newest run, without extension
    run_reports: str  #: the directory with a report for each run, named by the run's id

    @property
    def home(self) -> str:
        """The task's own directory."""
        return self.directories["task"]

    @property
    def internal(self) -> str:
        """What the task makes and must not be released, beside `output`."""
        return f"{self.home}/internal"

    @property
    def state(self) -> str:
        """What the task keeps for its next run."""
        return self.directories["state"]

    @property
    def live(self) -> str:
        """What happens in its newest run, as it happens: JSON lines. Their form is in the manual, Files on disk."""
        return f"{self.state}/live.jsonl"

    def report(self, run_id: str | None = None, extension: str = "json") -> str:
        """The report of a run, or of the newest one."""
        return f"{self.newest_report if run_id is None else f'{self.run_reports}/{run_id}'}.{extension}"


class Places(Protocol):
    """The layout of a project: where everything is, of any task. Nothing else in the system knows a folder's name."""

    @property
    def folders(self) -> Mapping[str, str]:
        """The project's folders by type: `raw, processed, reports, configs, project_logs, releases`."""

    def of(self, task_id: str) -> TaskPlace:
        """Where a task keeps its files, also if there is no such task; `PathSecurityError` if the id is not a name."""

    def left(self) -> list[str]:
        """The ids of all tasks that have left something, sorted."""

    def runs(self, task_id: str) -> list[str]:
        """The ids of the runs of a task that have a report, oldest first."""

    def owner_of(self, path: str | Path) -> str:
        """The task in one of whose directories a path is, judged by the path alone; empty for all other paths.

        Encrypted files are bound to it, and are written in one directory of a task and moved to another.
        """


class Directories(Protocol):
    """The directories of one run's task (`TaskDirectoryManager`), absolute, the same that `Places` says: a run is
    refused where the two disagree. Types: those of `TaskPlace.directories` and of `Places.folders`."""

    def ensure_directories(self) -> dict[str, Path]:
        """Make what is missing; all directories by type."""

    def get_directory(self, dir_type: str) -> Path:
        """One directory; an unknown type raises `DirectoryManagerError`."""

    #: where a file of a task belongs; folders are made
    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path: ...
    def clean_temp_directory(self) -> bool: ...  #: empty it; whether that worked


@attrs.frozen(kw_only=True)
class LockHolder:
    """Who locked a task and has not let go of it: it runs, or its process ended without. Empty where it is unknown."""

    run_id: str = ""  #: the run that holds it
    pid: int | None = None  #: its process; None if unknown
    host: str = ""  #: the name of its machine
    since: str = ""  #: RFC 3339
    steps: tuple[str, ...] = ()  #: that run, or ran when the process ended

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}" if self.pid is not None else ""


class Lock(Protocol):
    """Keeps a task from running twice at the same time. The kernel takes it for a run; any process can ask about it.

    Attributes:
        held: Whether this run holds it.
        after_a_crash: Whether the run that held it before did not let go of it itself, and may have left files half
            written.
    """

    @property
    def held(self) -> bool: ...
    @property
    def after_a_crash(self) -> bool: ...

    def take(self, *, wait: bool = False) -> None:
        """Lock the run's task, then remove what a run that crashed has left half written in the task's directories.

        While another process holds it, wait, or raise `AlreadyRunning`.
        """

    def tell(self, steps: Iterable[str]) -> None:
        """Say which steps run now, to other processes."""

    def release(self) -> None:
        """Let go; nothing happens where it is not held."""

    def is_running(self, task_id: str) -> bool: ...  #: whether a process has locked it
    def holder(self, task_id: str) -> LockHolder | None:
        """The process that holds the lock of a task; None if unlocked, or unknown."""

    def keeping_out(self, task_id: str) -> AbstractContextManager[None]:
        """Keep every process from running a task while the block lasts; `AlreadyRunning` if one does."""
