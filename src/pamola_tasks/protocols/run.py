"""What a plugin sees as `run`, as `run.kernel` and as `run.kernel.plugins`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from pamola_tasks.errors import PamolaTaskError, PluginError, ServiceNotReady
from pamola_tasks.protocols.services import SERVICES

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

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
    from pamola_tasks.record import RunRecord
    from pamola_tasks.result import OperationResult


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


class KernelView(Protocol):
    """Plugins and one project."""

    @property
    def plugins(self) -> PluginsView:
        """The plugins."""

    @property
    def project(self) -> Project:
        """The project, its files guarded."""

    @property
    def operations(self) -> Any:
        """The operations that plugins bring, by name (`pamola_tasks.registry.Operations`)."""

    @property
    def tasks(self) -> Any:
        """The tasks of the project, by id (`pamola_tasks.registry.Tasks`)."""

    def veto(self, config: Config | None) -> Callable[[str, str], None] | None:
        """What asks plugins before a path is used; None where no plugin checks paths."""

    def settings(self) -> dict[str, type]:
        """For plugins with a section of their own in the configuration, the class that it must fit."""

    def contributions(self, hook: str, what: str, **arguments: Any) -> Any:
        """What plugins contribute to a hook by name, imported when it is used."""

    def dataset_formats(self) -> Mapping[str, DatasetFormat]:
        """File formats for datasets, by extension."""

    def report_writers(self) -> Mapping[str, ReportWriter]:
        """Formats of the report, by extension."""

    def report_sections(self, run: RunServices, reserved: Collection[str] = ()) -> list[ReportSection]:
        """Sections that plugins add to the report of a run."""

    @property
    def scheduler(self) -> Scheduler:
        """What runs several tasks."""

    def services(self, task: Any = None, *, upto: str, options: RunOptions | None = None) -> RunServices:
        """Bring services up without running anything: no lock, no history, no events."""

    def task_ids(self) -> list[str]:
        """The tasks that the project has, and those that have left something in it."""

    def inspect(self, task: str, *, upto: str = "lock") -> RunServices:
        """Services to look at what a task left, also one that is gone or cannot be configured."""

    def task(self, task: Any) -> Any:
        """A task by name, class or itself, belonging to this kernel."""

    def plan(self, task: Any, options: RunOptions | None = None) -> RunServices:
        """Configure a task without running it; the plan is in `run.plan`."""

    def run(self, task: Any, *, options: RunOptions | None = None) -> Any:
        """Run a task; the outcome."""


class PluginsView(Protocol):
    """The plugins of a kernel: asking their hooks, and knowing the providers of services."""

    manager: Any  # pluggy's manager
    prefer: dict[str, str]
    services: dict[str, Service]

    @property
    def added_services(self) -> Mapping[str, Any]:
        """Kinds of service that plugins add, and the record of the plugin that adds each."""

    def each(
        self, hook: str, *, after_each: Callable[[Any], None] | None = None, **arguments: Any
    ) -> Iterator[tuple[Any, Any]]:
        """Call a hook, wrappers included; each answer with the record of its plugin."""

    def first(self, hook: str, **arguments: Any) -> Any:
        """Call a hook of which the first answer counts."""

    def objections(self, hook: str, **arguments: Any) -> list[str]:
        """What plugins object in a check."""

    def provide(self, service: str, **arguments: Any) -> Any:
        """The answer of the chosen provider of a service; None where there is no provider."""

    def missing(self, service: str) -> PamolaTaskError:
        """The error that says that a service is missing, and what would bring it."""

    @property
    def redactor(self) -> Redactor:
        """The redactor for messages outside of runs."""

    def provider(self, service: str) -> Any:
        """The record of the plugin that provides a service, or None."""

    def foreign_provider(self, service: str, package: str) -> str:
        """The label of the plugin that provides a service, where that is not a plugin of this package; else nothing.

        For commands that show or change what one provider keeps: they refuse to where another one provides.
        """

    def service_order(self) -> list[str]:
        """Names of all services, in the order in which they come up."""

    def refuse_if_broken(self) -> None:
        """Refuse to touch data while a plugin that may hold a veto is not there."""

    def refuse_if_unprovided(self) -> None:
        """Refuse to run while an essential service has no provider."""

    def left_out(self) -> list[str]:
        """Plugins that were excluded on purpose, for the report."""

    def report(self) -> list[dict[str, Any]]:
        """All plugins, as reports show them."""

    def emit(self, observers: Any, hook: str, **arguments: Any) -> None:
        """Notify observers of an event."""
