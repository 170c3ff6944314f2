"""The plugins of one kernel: found, loaded, and taken out again when they cannot be used.

Loading a plugin is a boundary: whatever it does wrong ends in a status and a reason, never in a traceback, and leaves
nothing of it registered. This module is imported by every command, so it imports little.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks import hookspecs
from pamola_tasks.errors import PluginError
from pamola_tasks.plugins.discovery import installed, module_from, normalized, resolve
from pamola_tasks.plugins.implementations import DEFINING, check_implementation, refuse_passed_over
from pamola_tasks.plugins.providers import Providers
from pamola_tasks.plugins.records import PluginRecord
from pamola_tasks.plugins.settings import settings_of
from pamola_tasks.protocols.services import KERNEL_SERVICES, RUN_NAMES, Service, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pamola_tasks.protocols.observability import Redactor

KERNEL = "pamola-tasks"  # what the kernel's own implementations are registered as


class Plugins(Providers):
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
        prefer: Mapping[str, str] | None = None,
        require: Iterable[str] = (),
    ) -> None:
        super().__init__(prefer)
        self.disable = {normalized(name) for name in disable}
        self.require = tuple(require)
        self.records: list[PluginRecord] = []
        self._waiting: list[tuple[PluginRecord, Any]] | None = None
        self._services_of: dict[str, list[str]] = {}

    # ------------------------------------------------------------ loading

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Load several plugins at once: hooks and services that one of them adds are known to all of them."""
        self._waiting = []
        try:
            yield
        finally:
            waiting, self._waiting = self._waiting, None
            for record, plugin in waiting:
                self._guarded(record, lambda plugin=plugin, record=record: self._define(plugin, record))  # type: ignore[misc]
            self._refuse_disorder()
            for record, plugin in waiting:
                if record.status == "loaded":
                    self._guarded(record, lambda plugin=plugin, record=record: self._register(plugin, record))  # type: ignore[misc]

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
        record.redact = self.redact
        if record.name in self._by_name:
            other = self._by_name[record.name]
            return self._failed(record, f"the name {record.name!r} is used by {other.label} already", keep=False)
        self._by_name[record.name] = record
        if record.name == KERNEL:
            return self._failed(record, f"{KERNEL!r} is the kernel's own name", keep=False)
        if self.disable & {normalized(name) for name in (record.name, record.distribution) if name}:
            record.status = "blocked"
            record.wrong = "left out on purpose"
            return record
        self._guarded(record, lambda: self._take(record, get()))
        return record

    def _guarded(self, record: PluginRecord, action: Callable[[], None]) -> None:
        try:
            action()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed(record, error)

    def _take(self, record: PluginRecord, plugin: Any) -> None:
        declared = getattr(plugin, "PAMOLA_HOOK_API", hookspecs.HOOK_API)
        if declared != hookspecs.HOOK_API:
            record.status = "incompatible"
            record.wrong = f"made for hook API {declared!r}; this is {hookspecs.HOOK_API}"
        elif self._waiting is not None:
            self._waiting.append((record, plugin))
        else:
            self._define(plugin, record)
            self._refuse_disorder()
            if record.status == "loaded":
                self._register(plugin, record)

    # ------------------------------------------------------------ hooks and services that plugins define

    def _define(self, plugin: Any, record: PluginRecord) -> None:
        """Add the hook specifications and the kinds of service that a plugin brings."""
        for hook in DEFINING:
            function = getattr(plugin, hook, None)
            if function is None or self.manager.parse_hookimpl_opts(plugin, hook) is None:
                continue
            if hook == "pamola_add_hooks":
                function(self.manager.add_hookspecs)
            else:
                added = function()
                if not isinstance(added, Mapping):
                    raise PluginError(f"{hook} returns a mapping of names to services, not {added!r}")
                for name, service in added.items():
                    self._add_service(name, service, record)

    def _refuse_disorder(self) -> None:
        """Take out the plugins whose services have no order: one needs what is not there, or they need each other."""
        while self.added_services:
            try:
                in_order(self.services)
                return
            except PluginError as error:
                owners = [self.added_services[name] for name in error.details["services"]]
                for record in {owner.name: owner for owner in owners}.values():
                    self._failed(record, str(error))

    def _add_service(self, name: str, service: Service, record: PluginRecord) -> None:
        if not (isinstance(name, str) and name.isidentifier()) or name.startswith("_"):
            raise PluginError(f"{name!r} cannot name a service: it becomes an attribute of `run`")
        if name in self.services or name in RUN_NAMES:
            raise PluginError(f"there is a service or attribute {name!r} of `run` already")
        if not isinstance(service, Service):
            raise PluginError(f"service {name!r} is described by a Service, not by {service!r}")

        def provide(run: Any) -> Any:
            raise NotImplementedError

        hook = f"pamola_provide_{name}"
        provide.__name__ = hook
        provide.__doc__ = f"Provide `run.{name}`, a service that the plugin {record.name} adds."
        specification = type(hook, (), {hook: staticmethod(hookspecs.hookspec(firstresult=True)(provide))})
        self.manager.add_hookspecs(specification)
        self.services[name] = service
        self._services_of.setdefault(record.name, []).append(name)

    @property
    def added_services(self) -> dict[str, PluginRecord]:
        """Kinds of service that plugins add, and the plugin that adds each."""
        return {name: self._by_name[owner] for owner, names in self._services_of.items() for name in names}

    def hook_names(self) -> list[str]:
        """Names of all hooks: the kernel's, and those that plugins add."""
        return sorted(name for name, caller in vars(self.manager.hook).items() if name[0] != "_" and caller.has_spec())

    def _register(self, plugin: Any, record: PluginRecord) -> None:
        if not isinstance(plugin, type(sys)):
            for attribute in dir(plugin):  # pluggy releases disagree on properties; here they all are looked at
                getattr(plugin, attribute)
        record.object = plugin
        self.manager.register(plugin, record.name)
        self._choose_anew()
        callers = self.manager.get_hookcallers(plugin) or ()
        refuse_passed_over(plugin, {caller.name for caller in callers})
        for caller in callers:
            own = [impl for impl in caller.get_hookimpls() if impl.plugin is plugin]
            if not caller.has_spec():
                if own[0].optionalhook:
                    continue
                raise PluginError(self._unknown_hook(caller.name))
            if len(own) > 1:
                raise PluginError(f"{caller.name} is implemented twice: use two plugins")
            check_implementation(caller.name, own[0])
            self.guard(own[0], record, caller.name)

    def _unknown_hook(self, name: str) -> str:
        from pamola_tasks.parameters import closest

        meant = closest(name, self.hook_names())
        return f"there is no hook {name!r}" + (f": did you mean {meant!r}?" if meant else "")

    def _failed(self, record: PluginRecord, reason: str | BaseException, *, keep: bool = True) -> PluginRecord:
        if keep and record.object is not None and self.manager.get_plugin(record.name) is record.object:
            self.manager.unregister(record.object)
        for name in self._services_of.pop(record.name, ()) if keep else ():
            del self.services[name]
        self._choose_anew()
        record.status = "failed"
        record.wrong = reason
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
            f"plugin {r.label} {'failed to load' if r.status == 'failed' else 'is incompatible'}: {r.reason}\n"
            f"  refusing to continue: {r.name} may veto this. Exclude it explicitly with --no-plugin {r.name}"
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
        """Plugins excluded on purpose, for the report."""
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
        PluginError: `.pamola.toml` is not valid, or prefers a provider of what is not a service.
    """
    settings = settings_of(project or Path.cwd())
    loaded = Plugins(
        disable=[*settings.disable, *disable], prefer={**settings.prefer, **(prefer or {})}, require=settings.require
    )
    with loaded.together():
        if autoload:
            loaded.load_installed()
        for module in modules:
            loaded.load_module(module)
        for plugin in plugins:
            loaded.add(plugin)
    for service in loaded.prefer:
        if service not in loaded.services and not loaded.broken:  # a broken plugin may be the one that adds it
            where = f"{settings.path}: plugins.prefer" if service in settings.prefer else "prefer"
            raise PluginError(f"{where}.{service}: services are {', '.join(loaded.services)}")
    return loaded


def installed_redactor(folder: Path | None = None, disable: Iterable[str] = ()) -> Redactor:
    """The redactor of the installed plugins, for code that has neither a run nor a project.

    Args:
        folder: Where `.pamola.toml` is looked for; the current folder unless given. One that is not valid chooses
            nothing: the default distribution answers.
        disable: Names of entry points or distributions to leave out.
    """
    try:
        return assemble(folder, disable=disable).redactor
    except PluginError:
        plugins = Plugins(disable=disable)
        for record in installed():
            if record.distribution == KERNEL_SERVICES["redactor"].default:
                plugins.load(record, lambda record=record: resolve(record.target))  # type: ignore[misc]
        return plugins.redactor
