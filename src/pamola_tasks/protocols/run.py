"""`RunServices`, what a plugin sees as `run`; with the project that a run is of, and what its caller asked for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from pamola_tasks.errors import PluginError, ServiceNotReady
from pamola_tasks.plan import Selection
from pamola_tasks.protocols.services import SERVICES

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pamola_tasks.operation import OperationResult
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols.config import Config, ConfigLayer
    from pamola_tasks.protocols.data import DataSource, DataWriter
    from pamola_tasks.protocols.files import Encryption, PathGuard
    from pamola_tasks.protocols.kernel_view import KernelView
    from pamola_tasks.protocols.observability import History, Logging, Progress, Reporter
    from pamola_tasks.protocols.places import Directories, Lock, Places
    from pamola_tasks.protocols.redaction import Redactor
    from pamola_tasks.protocols.steps import Checkpoints, Dependencies, Executor
    from pamola_tasks.protocols.task import Task
    from pamola_tasks.record import RunRecord
    from pamola_tasks.secret import Secret
    from pamola_tasks.storage.files import Files


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
        dry: Whether nothing is executed: the services, or the plan, are only looked at.
        services: Names of all services, in the order in which they come up.
        layers: What the configuration is merged from; asked of the plugins unless it is there before.
        perform: The plain way to make one attempt at a step; there while the plan runs.
    """

    id: str
    task: Task
    kernel: KernelView
    record: RunRecord
    logger: logging.Logger
    options: RunOptions
    dry: bool
    layers: Sequence[ConfigLayer] | None
    plan: Plan
    results: dict[str, OperationResult]
    perform: Callable[[Step], OperationResult]

    # services, in order
    redactor: Redactor
    project: Project
    path_guard: PathGuard
    config: Config
    places: Places
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

    def __init__(self, services: Iterable[str] = SERVICES) -> None:
        self.services = tuple(services)
        self.layers = None
        self._asking = "the kernel"
        self._files: Files | None = None
        self._warning = threading.Lock()

    @property
    def redact(self) -> Redactor:
        """Hides what is secret in a text: `run.redact(text)`. The redactor, by the name that it is called by."""
        return self.redactor

    @property
    def files(self) -> Files:
        """How everything opens anything: `open(path, role)`, `create(path, role)`."""
        if self._files is None:
            raise ServiceNotReady("files", self._asking)
        return self._files

    def __getattr__(self, name: str) -> NoReturn:
        services = vars(self).get("services", ())
        if name in services:
            raise ServiceNotReady(name, self._asking)
        raise AttributeError(f"a run has no {name!r}; services are {', '.join(services)}")

    def warn(self, message: str, *, step: str = "") -> None:
        """Warn the user: in the log, the summary and the report."""
        text = self.redactor(message)
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
        if service not in self.services:
            raise PluginError(f"there is no service {service!r}")
        setattr(self, service, value)


@attrs.frozen(kw_only=True)
class RunOptions:
    """What the caller of a run asked for, beside configuration.

    Attributes:
        overrides: Configuration values that overrule all others, by dotted key; `RawValue` for text to be parsed.
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
