"""The plugins of a kernel as services and lower layers see them: `run.kernel.plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pamola_tasks.errors import PamolaTaskError
    from pamola_tasks.protocols.redaction import Redactor
    from pamola_tasks.protocols.services import Service


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
