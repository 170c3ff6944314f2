"""Which plugins there are, whether they can be used, and who answers what.

Loading a plugin is a boundary: whatever it does wrong ends in a status and a reason, never in a traceback, and leaves
nothing of it registered. The provider of a service is chosen before it is called. This module is imported by every
command, so it imports little.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from pamola_tasks import hookspecs
from pamola_tasks.errors import PamolaTaskError, PluginError, ProviderConflict, ServiceMissing
from pamola_tasks.plugins.discovery import installed, module_from, normalized, resolve
from pamola_tasks.plugins.records import PluginRecord, reason
from pamola_tasks.plugins.settings import DEFAULT_PROVIDERS, ESSENTIAL, nearest, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pluggy import HookImpl, HookimplOpts

    from pamola_tasks.plugins.observers import Observers

KERNEL = "pamola-tasks"  # what the kernel's own implementations are registered as


class _Manager(pluggy.PluginManager):
    """pluggy's manager; one place to say which project the hooks belong to."""

    def __init__(self) -> None:
        super().__init__(hookspecs.PROJECT_NAME)
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> HookimplOpts | None:
        """Most names of a module are none of a hook: looking closely at each would cost every start."""
        return None if name.startswith("__") else super().parse_hookimpl_opts(plugin, name)


class Plugins:
    """The plugins of one kernel.

    Args:
        disable: Names of entry points or distributions to leave out.
        prefer: For services, the plugin or distribution that answers.
        require: Names that must be loaded for data to be touched.
    """

    def __init__(
        self,
        *,
        disable: Iterable[str] = (),
        prefer: dict[str, str] | None = None,
        require: Iterable[str] = (),
    ) -> None:
        self.manager = _Manager()
        self.disable = {normalized(name) for name in disable}
        self.prefer = dict(prefer or {})
        self.require = tuple(require)
        self.records: list[PluginRecord] = []
        self._by_name: dict[str, PluginRecord] = {}
        self._event_lock = threading.RLock()
        self._observers: Observers | None = None
        self._chosen: dict[str, PluginRecord | None] = {}

    # ------------------------------------------------------------ loading

    def load_installed(self) -> None:
        """Load what installed distributions offer in the entry-point group `pamola_tasks`."""
        for record in installed():
            self.load(record, lambda record=record: resolve(record.target))  # type: ignore[misc]

    def load_module(self, source: str) -> None:
        """Load a module by its name, or a Python file by its path (ending in `.py`)."""
        if not source.endswith(".py"):
            self.load(PluginRecord(source, source), lambda: importlib.import_module(source))
            return
        path = Path(source)
        self.load(PluginRecord(path.stem, str(path)), lambda: module_from(path))

    def add(self, plugin: Any) -> None:
        """Register a plugin object: a module, a class or an instance.

        A module that is an installed plugin goes by the name of its entry point.
        """
        name = getattr(plugin, "__name__", type(plugin).__name__)
        with contextlib.suppress(Exception):  # one that raises is met again, and told, when the plugin is loaded
            name = getattr(plugin, "PAMOLA_PLUGIN_NAME", None) or name
        record = PluginRecord(str(name))
        if isinstance(plugin, type(sys)):
            record = next((found for found in installed() if found.target == plugin.__name__), record)
        self.load(record, lambda: plugin)

    def load(self, record: PluginRecord, get: Callable[[], Any]) -> PluginRecord:
        """Try to load and register one plugin, and record how that went."""
        self.records.append(record)
        if record.name in self._by_name:
            other = self._by_name[record.name]
            return self._failed(record, f"the name {record.name!r} is used by {other.label} already", keep=False)
        self._by_name[record.name] = record
        if record.name == KERNEL:
            return self._failed(record, f"{KERNEL!r} is the kernel's own name", keep=False)
        if self.disable & {normalized(name) for name in (record.name, record.distribution) if name}:
            record.status = "blocked"
            record.reason = "left out on purpose"
            return record
        try:
            plugin = get()
            declared = getattr(plugin, "PAMOLA_HOOK_API", hookspecs.HOOK_API)
            if declared != hookspecs.HOOK_API:
                record.status = "incompatible"
                record.reason = f"made for hook API {declared!r}; this is {hookspecs.HOOK_API}"
                return record
            self._register(plugin, record)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed(record, reason(error))
        return record

    def _register(self, plugin: Any, record: PluginRecord) -> None:
        if not isinstance(plugin, type(sys)):
            for attribute in dir(plugin):  # pluggy releases disagree on properties; here they all are looked at
                getattr(plugin, attribute)
        record.object = plugin
        self.manager.register(plugin, record.name)
        for caller in self.manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                raise PluginError(_unknown_hook(caller.name))
            own = [impl for impl in caller.get_hookimpls() if impl.plugin is plugin]
            if len(own) > 1:
                raise PluginError(f"{caller.name} is implemented twice: use two plugins")
            self._check_implementation(caller.name, own[0])
            if hookspecs.kind_of(caller.name) == "event":
                own[0].function = self._guarded(own[0].function, record, caller.name)  # type: ignore[misc]

    def _check_implementation(self, hook: str, impl: HookImpl) -> None:
        wraps = impl.wrapper or impl.hookwrapper
        if wraps and hookspecs.kind_of(hook) == "event":
            raise PluginError(f"{hook} is an event, which cannot be wrapped")
        if not wraps and hook == "pamola_run_step":
            raise PluginError(f"{hook} has its only plain implementation in the kernel: write a wrapper")
        function = getattr(impl.function, "__func__", impl.function)
        if getattr(function, "__defaults__", None) or getattr(function, "__kwdefaults__", None):
            raise PluginError(f"{hook}: a parameter has a default value, which implementations must not have")

    def _failed(self, record: PluginRecord, reason: str, *, keep: bool = True) -> PluginRecord:
        if keep and record.object is not None and self.manager.get_plugin(record.name) is record.object:
            self.manager.unregister(record.object)
        record.status = "failed"
        record.reason = reason
        record.object = None
        return record

    def fail(self, name: str, reason: str) -> None:
        """Take a loaded plugin out, because it turned out to be unusable."""
        self._failed(self._by_name[name], reason)

    # ------------------------------------------------------------ what there is

    def __iter__(self) -> Iterator[PluginRecord]:
        return iter(self.records)

    def __getitem__(self, name: str) -> PluginRecord:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def loaded(self) -> list[PluginRecord]:
        """Those in use."""
        return [record for record in self.records if record.status == "loaded"]

    @property
    def broken(self) -> list[PluginRecord]:
        """Those that are installed and could not be loaded."""
        return [record for record in self.records if record.status in ("failed", "incompatible")]

    def refuse_if_broken(self) -> None:
        """Refuse to touch data while a plugin that may hold a veto is not there.

        Raises:
            PluginError: Naming each plugin, why, and how to leave it out on purpose.
        """
        problems = [
            f"plugin {r.label} {'failed' if r.status == 'failed' else 'is incompatible'}: {r.reason}\n"
            f"  nothing is run without it, since it may forbid something; leave it out on purpose with"
            f" --no-plugin {r.name}"
            for r in self.broken
        ]
        problems += [
            f"plugin {name!r} is required by .pamola.toml and is not loaded:"
            f" install it, or take it out of [plugins] require"
            for name in self.required_missing()
        ]
        if problems:
            raise PluginError("\n".join(problems))

    def required_missing(self) -> list[str]:
        """Names that `.pamola.toml` requires, and no loaded plugin or distribution has."""
        names = {normalized(r.name) for r in self.loaded} | {normalized(r.distribution) for r in self.loaded}
        return [name for name in self.require if normalized(name) not in names]

    def unknown_names(self) -> list[str]:
        """Names that were to be left out and that no plugin or distribution has: misspelled, perhaps."""
        known = {normalized(name) for record in self.records for name in (record.name, record.distribution)}
        return sorted(self.disable - known)

    def left_out(self) -> list[str]:
        """Plugins that somebody left out on purpose, for the report."""
        return [
            f"plugin {record.label} was left out on purpose" for record in self.records if record.status == "blocked"
        ]

    def hooks_of(self, record: PluginRecord) -> list[str]:
        """Names of the hooks that a plugin implements."""
        if record.object is None:
            return []
        return sorted(caller.name for caller in self.manager.get_hookcallers(record.object) or ())

    def report(self) -> list[dict[str, Any]]:
        """All plugins as reports and `pamola-task plugins --json` show them."""
        return [
            {
                "name": record.name,
                "distribution": record.distribution,
                "version": record.version,
                "status": record.status,
                "reason": record.reason,
                "services": self.services_of(record),
                "hooks": self.hooks_of(record),
            }
            for record in self.records
        ]

    def record_of(self, impl: HookImpl) -> PluginRecord:
        """The plugin that an implementation belongs to."""
        return self._by_name[impl.plugin_name]

    # ------------------------------------------------------------ services

    def choose(self, service: str) -> PluginRecord | None:
        """The plugin that answers a service; None where nobody does.

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
        default = DEFAULT_PROVIDERS[service]
        for record in records:
            if record.distribution == default or record.name == default.removeprefix("pamola-tasks-"):
                return record
        by_hand = [record for record in records if not record.distribution]
        return by_hand[0] if len(by_hand) == 1 else None

    def provider(self, service: str) -> PluginRecord | None:
        """The chosen provider of a service, remembered."""
        if service not in self._chosen:
            self._chosen[service] = self.choose(service)
        return self._chosen[service]

    def refuse_if_unprovided(self) -> None:
        """Refuse to run while nobody provides an essential service, or it is not clear who provides one.

        Raises:
            ServiceMissing: Nobody does.
            ProviderConflict: Two or more want to.
            PluginError: The preferred one does not.
        """
        for service in DEFAULT_PROVIDERS:
            if self.provider(service) is None and service in ESSENTIAL:
                raise self.missing(service)

    def alternatives(self, service: str) -> list[PluginRecord]:
        """Those that offer a service and were not chosen."""
        chosen = self.provider(service)
        return [record for record in self.offering(service) if record is not chosen]

    def offering(self, service: str) -> list[PluginRecord]:
        """Those that offer a service."""
        return [self.record_of(impl) for impl in self._providing(service)]

    def _providing(self, service: str) -> list[HookImpl]:
        impls = getattr(self.manager.hook, f"pamola_provide_{service}").get_hookimpls()
        return [impl for impl in impls if not (impl.wrapper or impl.hookwrapper)]

    def services_of(self, record: PluginRecord) -> list[str]:
        """Services that a plugin answers."""
        won = []
        for service in DEFAULT_PROVIDERS:
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
            raise PluginError(f"plugin {chosen.label} failed to provide {service!r}: {reason(error)}") from error
        if answer is None:
            raise PluginError(f"plugin {chosen.label} was chosen to provide {service!r}, and gave nothing")
        return answer

    def missing(self, service: str) -> ServiceMissing:
        """The error that says that a service is missing and what would bring it."""
        offering = [record.label for record in self.alternatives(service)]
        if offering:
            return ServiceMissing(
                f"{' and '.join(offering)} could provide {service!r}, but only when asked to:"
                f' say which one with `prefer.{service} = "…"` under [plugins] in .pamola.toml,'
                f" or install {DEFAULT_PROVIDERS[service]}"
            )
        return ServiceMissing(
            f"no plugin provides {service!r}: install {DEFAULT_PROVIDERS[service]}, or another plugin that does"
        )

    # ------------------------------------------------------------ contributions, checks, decisions

    def each(self, hook: str, **arguments: Any) -> Iterator[tuple[PluginRecord, Any]]:
        """Ask every plugin that implements a hook, one after the other, in call order.

        A wrapper sees one plugin's answer at a time.

        Raises:
            PluginError: A plugin raised something that is no error of ours; it names plugin, distribution, version.
        """
        caller = getattr(self.manager.hook, hook)
        impls = list(reversed(caller.get_hookimpls()))
        plain = [impl for impl in impls if not (impl.wrapper or impl.hookwrapper)]
        wrapped = len(plain) < len(impls)
        for impl in plain:
            record = self.record_of(impl)
            try:
                if wrapped:
                    others = [other.plugin for other in plain if other is not impl]
                    found = self.manager.subset_hook_caller(hook, remove_plugins=others)(**arguments)
                    answer = found[0] if found else None
                else:
                    answer = impl.function(*(arguments[name] for name in impl.argnames))
            except PamolaTaskError:
                raise
            except (Exception, SystemExit) as error:
                raise PluginError(f"plugin {record.label} failed in {hook}: {reason(error)}") from error
            yield record, answer

    def objections(self, hook: str, **arguments: Any) -> list[str]:
        """What anybody objects in a check; a check that fails is an objection."""
        found: list[str] = []
        caller = getattr(self.manager.hook, hook)
        if not caller.get_hookimpls():
            return found
        for record, answer in self.each(hook, **arguments):
            if answer:
                texts = [answer] if isinstance(answer, str) else list(answer)
                found += [f"{text} (says {record.name})" for text in texts]
        return found

    # ------------------------------------------------------------ events

    def emit(self, observers: Observers, hook: str, **arguments: Any) -> None:
        """Tell all observers, never two at a time. What they do wrong is recorded with `observers`."""
        caller = getattr(self.manager.hook, hook)
        if not caller.get_hookimpls():
            return
        with self._event_lock:
            before, self._observers = self._observers, observers
            try:
                caller(**arguments)
            finally:
                self._observers = before

    def _guarded(self, function: Callable[..., Any], record: PluginRecord, hook: str) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> None:
            observers = self._observers
            if observers is None:
                function(*arguments)
                return
            if observers.leaves_out(record):
                return
            call = observers.watch.begin(record.label, hook)
            try:
                function(*arguments)
            except KeyboardInterrupt:
                if not call.named:
                    raise
                observers.failed(record, hook, PluginError(f"it was abandoned after {call.seconds:.0f} s (Ctrl-C)"))
            except BaseException as error:
                observers.failed(record, hook, error)
            finally:
                observers.watch.end(call)

        return guarded


def assemble(
    project: Path | None,
    *,
    autoload: bool = True,
    plugins: Iterable[Any] = (),
    modules: Iterable[str] = (),
    disable: Iterable[str] = (),
    prefer: Mapping[str, str] | None = None,
) -> Plugins:
    """The plugins of a kernel: see its arguments.

    Raises:
        PluginError: `.pamola.toml` is not valid.
    """
    settings = settings_of(project or Path.cwd())
    for service in prefer or ():
        if service not in DEFAULT_PROVIDERS:
            raise PluginError(f"prefer: there is no service {service!r}: services are {', '.join(DEFAULT_PROVIDERS)}")
    loaded = Plugins(
        disable=[*settings.disable, *disable], prefer={**settings.prefer, **(prefer or {})}, require=settings.require
    )
    if autoload:
        loaded.load_installed()
    for module in modules:
        loaded.load_module(module)
    for plugin in plugins:
        loaded.add(plugin)
    return loaded


def _unknown_hook(name: str) -> str:
    known = [hook for hook in vars(hookspecs) if hook.startswith("pamola_")]
    close = nearest(name, known)
    return f"there is no hook {name!r}" + (f": did you mean {close[0]!r}?" if close else "")
