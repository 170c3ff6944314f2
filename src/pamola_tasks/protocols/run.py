"""What a plugin sees as `run`, as `run.kernel` and as `run.kernel.plugins`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from pamola_tasks.errors import PamolaTaskError, PluginError, ServiceNotReady
from pamola_tasks.protocols.services import SERVICES

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols.data import DatasetFormat, DataSource, DataWriter
    from pamola_tasks.protocols.files import Encryption, Files, PathGuard
    from pamola_tasks.protocols.observability import (
        History,
        Logging,
        Progress,
        Redactor,
        Reporter,
        ReportSection,
        ReportWriter,
    )
    from pamola_tasks.protocols.project import Config, ConfigLayer, Directories, Lock, Places, Project, RunOptions
    from pamola_tasks.protocols.services import Service
    from pamola_tasks.protocols.tasks import Checkpoints, Dependencies, Executor, Scheduler, Task
    from pamola_tasks.record import OperationResult, RunRecord


class RunServices:
    """One run of one task, as plugins see it: `run`.

    Asking for a service that is not up yet raises `ServiceNotReady`. Everything else is there from the start.

    Args:
        services: Names of all services, in the order in which they come up.
    """

    id: str  #: UUIDv7
    task: Task
    kernel: KernelView  #: plugins, tasks and operations of the project
    record: RunRecord  #: what happened so far
    logger: logging.Logger  #: its lines are redacted and reach the handlers once these exist
    options: RunOptions  #: what the caller asked for
    dry: bool  #: whether nothing is executed: the services, or the plan, are only looked at
    layers: Sequence[ConfigLayer] | None  #: what the configuration is merged from; asked of the plugins where None
    plan: Plan  #: the steps; empty until they are configured
    results: dict[str, OperationResult]  #: by step id
    perform: Callable[[Step], OperationResult]  #: the plain way to make one attempt; there while the plan runs
    files: Files  #: how everything opens anything; there once the path guard is

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
        self._warning = threading.Lock()

    @property
    def redact(self) -> Redactor:
        """The redactor, by what it does: `run.redact(text)` hides what is secret in a text."""
        return self.redactor

    def __getattr__(self, name: str) -> NoReturn:
        services = vars(self).get("services", ())
        if name in services or name == "files":
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


class KernelView(Protocol):
    """Plugins and one project: what plugins and lower layers use of `pamola_tasks.Kernel`, which documents it."""

    @property
    def plugins(self) -> PluginsView: ...
    @property
    def project(self) -> Project: ...
    @property
    def operations(self) -> Any: ...
    @property
    def tasks(self) -> Any: ...
    @property
    def scheduler(self) -> Scheduler: ...
    def veto(self, config: Config | None) -> Callable[[str, str], None] | None: ...
    def settings(self) -> Mapping[str, type]: ...
    def contributions(self, hook: str, what: str, **arguments: Any) -> Any: ...
    def dataset_formats(self) -> Mapping[str, DatasetFormat]: ...
    def report_writers(self) -> Mapping[str, ReportWriter]: ...
    def report_sections(self, run: RunServices, reserved: Collection[str] = ()) -> list[ReportSection]: ...
    def task(self, task: Any) -> Any: ...
    def task_ids(self) -> list[str]: ...
    def services(self, task: Any = None, *, upto: str, options: RunOptions | None = None) -> RunServices: ...
    def inspect(self, task: str, *, upto: str = "lock") -> RunServices: ...
    def plan(self, task: Any, options: RunOptions | None = None) -> RunServices: ...
    def run(self, task: Any, *, options: RunOptions | None = None) -> Any: ...


class PluginsView(Protocol):
    """The plugins of a kernel, `run.kernel.plugins`: what plugins and lower layers use of
    `pamola_tasks.plugins.manager.Plugins`, which documents it."""

    manager: Any  # pluggy's manager
    prefer: dict[str, str]  #: for services, the plugin or distribution that answers
    services: dict[str, Service]  #: every kind of service by name

    @property
    def added_services(self) -> Mapping[str, Any]: ...
    @property
    def redactor(self) -> Redactor: ...
    def each(
        self, hook: str, *, after_each: Callable[[Any], None] | None = None, **arguments: Any
    ) -> list[tuple[Any, Any]]: ...
    def items(
        self, hook: str, kind: Any, what: str, *, failures: Any = None, **arguments: Any
    ) -> list[tuple[Any, Any]]: ...
    def first(self, hook: str, **arguments: Any) -> Any: ...
    def objections(self, hook: str, **arguments: Any) -> list[str]: ...
    def emit(self, observers: Any, hook: str, **arguments: Any) -> None: ...
    def provide(self, service: str, **arguments: Any) -> Any: ...
    def provider(self, service: str) -> Any: ...
    def foreign_provider(self, service: str, package: str) -> str: ...
    def missing(self, service: str) -> PamolaTaskError: ...
    def refuse_if_broken(self) -> None: ...
    def left_out(self) -> list[str]: ...
    def passed_over(self) -> list[str]: ...
    def report(self) -> list[dict[str, Any]]: ...
