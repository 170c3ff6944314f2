"""The provider of a service: chosen before the call, by preference, by being the only one, or by the default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError, PluginError, ProviderConflict, ServiceMissing
from pamola_tasks.plugins.calling import HookCalls
from pamola_tasks.plugins.discovery import normalized
from pamola_tasks.plugins.records import PluginRecord, reason
from pamola_tasks.protocols.services import KERNEL_SERVICES, OUTSIDE_RUNS, Service, in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pluggy import HookImpl

    from pamola_tasks.protocols.observability import Redactor


class Providers(HookCalls):
    """The services of one kernel and who provides them.

    Args:
        prefer: For services, the plugin or distribution that answers.

    Attributes:
        services: Every kind of service by name: the kernel's, and those that plugins add.
    """

    def __init__(self, prefer: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.prefer = dict(prefer or {})
        self.services: dict[str, Service] = {**KERNEL_SERVICES, **OUTSIDE_RUNS}
        self._chosen: dict[str, PluginRecord | None] = {}
        self._redactor: Redactor | None = None

    def _choose_anew(self) -> None:
        """Forget who was chosen: a plugin came or went."""
        self._chosen.clear()
        self._redactor = None

    def service_order(self) -> list[str]:
        """Names of all services, in the order in which they come up.

        Raises:
            PluginError: A service of a plugin comes after one that is not there, or two wait for each other.
        """
        return in_order(self.services)

    def choose(self, service: str) -> PluginRecord | None:
        """The plugin that provides a service; None where no plugin does.

        Raises:
            ProviderConflict: Two or more want to, and none is preferred.
            PluginError: The preferred one does not offer it.
        """
        candidates = self._providing(service)
        records = [self.record_of(impl) for impl in candidates]
        if service in self.prefer:
            wanted = normalized(self.prefer[service])
            for record in records:
                if wanted in (normalized(record.name), normalized(record.distribution)):
                    return record
            offered = ", ".join(r.label for r in records) or "nobody"
            raise PluginError(
                f"plugins.prefer.{service} names {self.prefer[service]!r}, which does not offer it: {offered} does"
            )
        eager = [self.record_of(impl) for impl in candidates if not impl.trylast]
        if len(eager) > 1:
            names = " and ".join(record.label for record in eager)
            raise ProviderConflict(
                f"{names} all offer the service {service!r}:"
                f' say which one with `prefer.{service} = "{eager[0].name}"` under [plugins] in .pamola.toml'
            )
        if eager:
            return eager[0]
        default = self.services[service].default
        for record in records:
            if default and (record.distribution == default or record.name == default.removeprefix("pamola-tasks-")):
                return record
        by_hand = [record for record in records if not record.distribution]
        return by_hand[0] if len(by_hand) == 1 else None

    def provider(self, service: str) -> PluginRecord | None:
        """The chosen provider of a service, remembered."""
        if service not in self._chosen:
            self._chosen[service] = self.choose(service)
        return self._chosen[service]

    def foreign_provider(self, service: str, package: str) -> str:
        """The label of the plugin that provides a service, where that is not a plugin of this package; else nothing."""
        chosen = self.provider(service)
        if chosen is None:
            return ""
        module = getattr(chosen.object, "__name__", type(chosen.object).__module__)
        return "" if module.partition(".")[0] == package else chosen.label

    def refuse_if_unprovided(self) -> None:
        """Refuse to run while an essential service has no provider, or it is not clear which one.

        Raises:
            ServiceMissing: There is none.
            ProviderConflict: Two or more want to.
            PluginError: The preferred one does not.
        """
        for service in self.service_order():
            if self.provider(service) is None and self.services[service].essential:
                raise self.missing(service)

    def alternatives(self, service: str) -> list[PluginRecord]:
        """Those that offer a service and were not chosen."""
        chosen = self.provider(service)
        return [record for record in self.offering(service) if record is not chosen]

    def offering(self, service: str) -> list[PluginRecord]:
        """Those that offer a service."""
        return [self.record_of(impl) for impl in self._providing(service)]

    def _providing(self, service: str) -> list[HookImpl]:
        caller = getattr(self.manager.hook, f"pamola_provide_{service}", None)
        impls = caller.get_hookimpls() if caller is not None else ()
        return [impl for impl in impls if not (impl.wrapper or impl.hookwrapper)]

    def services_of(self, record: PluginRecord) -> list[str]:
        """Services that a plugin answers."""
        won = []
        for service in self.services:
            try:
                if self.provider(service) is record:
                    won.append(service)
            except PluginError:
                continue
        return won

    def provide(self, service: str, **arguments: Any) -> Any:
        """Call the chosen provider, and the wrappers around it.

        Returns:
            What it gives; None where there is no provider.

        Raises:
            PluginError: It raised, or gave nothing. Our own errors pass through as they are.
        """
        chosen = self.provider(service)
        if chosen is None:
            return None
        others = [record.object for record in self.alternatives(service)]
        caller = self.manager.subset_hook_caller(f"pamola_provide_{service}", remove_plugins=others)
        try:
            answer = caller(**arguments)
        except PamolaTaskError:
            raise
        except (Exception, SystemExit) as error:
            said = reason(error, self.redact)
            raise PluginError(f"plugin {chosen.label} failed to provide {service!r}: {said}") from error
        if answer is None:
            raise PluginError(f"plugin {chosen.label} was chosen to provide {service!r}, and gave nothing")
        return answer

    @property
    def redactor(self) -> Redactor:
        """The redactor for messages outside of runs; where there is none, one that withholds every text."""
        if self._redactor is None:
            from pamola_tasks.nulls import NoRedactor

            self._redactor = NoRedactor("")  # for errors while the redactor is made
            try:
                self._redactor = self.provide("redactor", run=None) or NoRedactor(str(self.missing("redactor")))
            except PamolaTaskError as error:
                self._redactor = NoRedactor(str(error))
        return self._redactor

    def redact(self, text: str) -> str:
        """A text for messages outside of runs, without secrets."""
        return self.redactor(text)

    def missing(self, service: str) -> ServiceMissing:
        """The error that says that a service is missing and what would bring it."""
        offering = [record.label for record in self.alternatives(service)]
        default = self.services[service].default
        if offering:
            return ServiceMissing(
                f"{' and '.join(offering)} could provide {service!r}, but only when asked to:"
                f' say which one with `prefer.{service} = "…"` under [plugins] in .pamola.toml'
                + (f", or install {default}" if default else "")
            )
        if not default:
            return ServiceMissing(f"no plugin provides {service!r}: install one that does")
        return ServiceMissing(f"no plugin provides {service!r}: install {default}, or another plugin that does")
