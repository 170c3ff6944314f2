"""A kernel as the services and lower layers see it: `run.kernel`. `pamola_tasks.Kernel` is what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from pamola_tasks.errors import PamolaTaskError
    from pamola_tasks.protocols.config import Config
    from pamola_tasks.protocols.data import DatasetFormat
    from pamola_tasks.protocols.observability import ReportSection, ReportWriter
    from pamola_tasks.protocols.redaction import Redactor
    from pamola_tasks.protocols.run import Project, RunOptions, RunServices
    from pamola_tasks.protocols.services import Service
    from pamola_tasks.protocols.tasks import Scheduler


class PluginsView(Protocol):
    """The plugins of a kernel: asking their hooks, and knowing who answers what."""

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
        """Tell observers of an event."""


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
