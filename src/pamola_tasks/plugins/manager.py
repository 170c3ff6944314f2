"""The plugins of one kernel: loaded, chosen as providers of services, and taken out when they cannot be used.

Loading a plugin is a boundary: whatever it does wrong ends in a status and a reason, never in a traceback, and leaves
nothing of it registered. This module is imported by every command, so it imports little.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks import hookspecs
from pamola_tasks.errors import PamolaTaskError, PluginError, ProviderConflict, ServiceMissing
from pamola_tasks.plugins.calling import HookCalls
from pamola_tasks.plugins.discovery import KERNEL, PluginRecord, installed, normalized, record_for
from pamola_tasks.plugins.settings import PluginSettings
from pamola_tasks.protocols.services import KERNEL_SERVICES, OUTSIDE_RUNS, RUN_NAMES, Service, in_order
from pamola_tasks.storage.trust import believe, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from pamola_tasks.protocols import Redactor


class Plugins(HookCalls):
    """The plugins of one kernel.

    Args:
        disable: Names of entry points or distributions to leave out.
        prefer: For services, the plugin or distribution that answers.
        require: Names that must be loaded for data to be touched.
        only: Names of the installed plugins that may be loaded, in which `*` is any text; None for all.
        importing: Makes a context manager that each plugin is imported in.

    Attributes:
        records: All plugins, in the order in which they were loaded.
        services: Every kind of service by name: the kernel's, and those that plugins add.
        added_services: Kinds of service that plugins add, and the plugin that adds each.
    """

    def __init__(
        self,
        *,
        disable: Iterable[str] = (),
        prefer: Mapping[str, str] | None = None,
        require: Iterable[str] = (),
        only: Iterable[str] | None = None,
        importing: Callable[[PluginRecord], AbstractContextManager[Any]] = contextlib.nullcontext,
    ) -> None:
        super().__init__(self.redact)
        self.disable = {normalized(name) for name in disable if name}
        self.prefer = dict(prefer or {})
        self.require = tuple(require)
        self.only = None if only is None else tuple(only)
        self.importing = importing
        self.records: list[PluginRecord] = []
        self.services: dict[str, Service] = {**KERNEL_SERVICES, **OUTSIDE_RUNS}
        self.added_services: dict[str, PluginRecord] = {}
        self._redactor: Redactor | None = None

    @property
    def choices(self) -> dict[str, Any]:
        """The arguments that the same plugins are chosen by in another process."""
        return {"disable": self.disable, "prefer": self.prefer, "require": self.require, "only": self.only}

    def load(self, *records: PluginRecord) -> None:
        """Load plugins together: hooks and services that one of them adds are known to all of them."""
        self.records += records
        built_in_first = sorted(records, key=lambda record: not record.built_in)
        for step in (self._admit, self._import, self._define, self._refuse_disorder, self._register):
            for record in built_in_first if step == self._admit else records:
                if record.status == "loaded":
                    try:
                        step(record)
                    except KeyboardInterrupt:
                        raise
                    except BaseException as error:
                        self.fail(record, error)
        self._redactor = None

    def _admit(self, record: PluginRecord) -> None:
        record.redact = self.redact
        other = self._by_name.setdefault(record.name, record)
        names = record.names
        if [each.name for each in self.records].count(record.name) > 1:
            record.exclude = record.distribution or record.name
            if record.built_in:  # the name is its own: it leaves out the others
                names = {record.distribution}
        if self.disable and self.disable & names:
            self.fail(record, "left out on purpose", "blocked")
        elif self.only is not None and not record.given and not any(map(record.matches, self.only)):
            self.fail(record, "not named by [plugins] only in .pamola.toml", "blocked")
        elif record.name == KERNEL:
            raise PluginError(f"{KERNEL!r} is the kernel's own name")
        elif other.status == "blocked":
            self._by_name[record.name] = record
        elif other is not record:
            raise PluginError(f"the name {record.name!r} is used by {other.label} already")

    def _import(self, record: PluginRecord) -> None:
        with self.importing(record):
            plugin = record.get()
        declared = getattr(plugin, "PAMOLA_HOOK_API", hookspecs.HOOK_API)
        record.object = plugin
        if declared != hookspecs.HOOK_API:
            self.fail(record, f"made for hook API {declared!r}; this is {hookspecs.HOOK_API}", "incompatible")

    def _define(self, record: PluginRecord) -> None:
        """Add the hook specifications and the kinds of service that a plugin brings."""
        hooks = self.manager.hooks_in(record.object)
        record.hooks = sorted(hooks)
        if "pamola_add_hooks" in hooks:
            getattr(record.object, hooks["pamola_add_hooks"])(self.manager.add_hookspecs)
        if "pamola_add_services" in hooks:
            added = getattr(record.object, hooks["pamola_add_services"])()
            if not isinstance(added, Mapping):
                raise PluginError(f"pamola_add_services returns a mapping of names to services, not {added!r}")
            for name, service in added.items():
                self._add_service(name, service, record)

    def _add_service(self, name: str, service: Service, record: PluginRecord) -> None:
        if not (isinstance(name, str) and name.isidentifier()) or name.startswith("_"):
            raise PluginError(f"{name!r} cannot name a service: it becomes an attribute of `run`")
        if name in self.services or name in RUN_NAMES:
            raise PluginError(f"there is a service or attribute {name!r} of `run` already")
        if not isinstance(service, Service):
            raise PluginError(f"service {name!r} is described by a Service, not by {service!r}")

        def provide(run: Any) -> None: ...

        hook = f"pamola_provide_{name}"
        provide.__doc__ = f"Provide `run.{name}`, a service that the plugin {record.name} adds."
        specification = type(hook, (), {hook: staticmethod(hookspecs.hookspec(firstresult=True)(provide))})
        self.manager.add_hookspecs(specification)
        self.services[name] = service
        self.added_services[name] = record

    def _refuse_disorder(self, record: PluginRecord) -> None:
        """Take out the plugins whose services have no order: one needs what is not there, or they need each other."""
        while record in self.added_services.values():
            try:
                in_order(self.services)
                return
            except PluginError as error:
                for owner in [self.added_services[name] for name in error.details["services"]]:
                    self.fail(owner, str(error))

    def _register(self, record: PluginRecord) -> None:
        self.manager.register(record.object, record.name)
        for hook in record.hooks:
            impl = next(impl for impl in self.implementations(hook) if impl.plugin is record.object)
            if getattr(self.manager.hook, hook).has_spec():
                self.guard(impl, record, hook)
            elif not impl.optionalhook:
                from pamola_tasks.parameters import closest

                meant = closest(hook, self.hook_names())
                raise PluginError(f"there is no hook {hook!r}" + (f": did you mean {meant!r}?" if meant else ""))

    def fail(self, record: PluginRecord, wrong: str | BaseException, status: str = "failed") -> None:
        """Take a plugin out, because it is or turned out to be unusable."""
        if record.object is not None and self.manager.get_plugin(record.name) is record.object:
            self.manager.unregister(record.object)
        for name in [name for name, owner in self.added_services.items() if owner is record]:
            del self.services[name], self.added_services[name]
        record.status, record.wrong, record.object, record.hooks = status, wrong, None, ()
        self._redactor = None

    def __getitem__(self, name: str) -> PluginRecord:
        return self._by_name[name]

    @property
    def loaded(self) -> list[PluginRecord]:
        """Those in use."""
        return [record for record in self.records if record.status == "loaded"]

    @property
    def broken(self) -> list[PluginRecord]:
        """Those that are installed and could not be loaded."""
        return [record for record in self.records if record.status in ("failed", "incompatible")]

    def hook_names(self) -> list[str]:
        """Names of all hooks: the kernel's, and those that plugins add."""
        return sorted(name for name, caller in vars(self.manager.hook).items() if name[0] != "_" and caller.has_spec())

    def refuse_if_broken(self) -> None:
        """Refuse to touch data while a plugin that may hold a veto is not there; how to leave it out is said."""
        problems = [
            f"plugin {r.label} {'failed to load' if r.status == 'failed' else 'is incompatible'}: {r.reason}\n"
            f"  refusing to continue: {r.name} may veto this. Exclude it explicitly with --no-plugin {r.exclude}"
            for r in self.broken
        ]
        problems += [
            f"plugin {name!r} is required by .pamola.toml and is not loaded: {' and '.join(why) or 'install it'},"
            f" or take it out of [plugins] require"
            for name in self.required_missing()
            for why in [[r.reason for r in self.records if normalized(name) in r.names]]
        ]
        if problems:
            raise PluginError("\n".join(problems))

    def required_missing(self) -> list[str]:
        """Names that `.pamola.toml` requires, and no loaded plugin or distribution has."""
        names = {name for record in self.loaded for name in record.names}
        return [name for name in self.require if normalized(name) not in names]

    def left_out(self) -> list[str]:
        """Plugins excluded on purpose, for the report."""
        return [f"plugin {r.label} was left out on purpose" for r in self.records if r.status == "blocked"]

    def _may_serve(self, record: PluginRecord, service: str, *, wraps: bool = False) -> bool:
        """Whether a plugin may provide or wrap a service: for a guarded one it takes more than being installed."""
        kind, adds = self.services[service], self.added_services.get(service)
        if not kind.guarded or record.given or record.distribution == kind.default or record is adds:
            return True
        asked_for = {self.prefer.get(service, ""), *(self.require if wraps else ())}
        return not record.names.isdisjoint(map(normalized, asked_for))

    def passed_over(self) -> list[str]:
        """Plugins that would provide or wrap a guarded service only because they are installed, and how to have it."""
        found = []
        for service in self.services:
            for impl in self.implementations(f"pamola_provide_{service}"):
                record = self.record_of(impl)
                if not impl.trylast and not self._may_serve(record, service, wraps=impl.wrapper):
                    does = f"{'wraps' if impl.wrapper else 'offers'} {service}"
                    way = f'require = ["{record.name}"]' if impl.wrapper else f'prefer.{service} = "{record.name}"'
                    found.append(
                        f"plugin {record.label} {does} and is not used for it, as installing it is not enough:"
                        f" `{way}` under [plugins] in .pamola.toml asks for it"
                    )
        return found

    def report(self) -> list[dict[str, Any]]:
        """All plugins as reports and `pamola-task plugins --json` show them."""
        chosen = {}
        for service in self.services:
            with contextlib.suppress(PluginError):  # no plugin provides what two claim
                chosen[service] = self.provider(service)
        shown = ("name", "distribution", "version", "file", "sha256", "status", "reason", "hooks")
        return [
            {key: getattr(record, key) for key in shown}
            | {"services": [service for service, provider in chosen.items() if provider is record]}
            for record in self.records
        ]

    def offering(self, service: str) -> dict[PluginRecord, bool]:
        """Those that offer a service, in the order in which they were loaded; whether as a last resort (`trylast`)."""
        offers = [impl for impl in self.implementations(f"pamola_provide_{service}") if not impl.wrapper]
        return {self.record_of(impl): impl.trylast for impl in reversed(offers)}

    def provider(self, service: str) -> PluginRecord | None:
        """The plugin that provides a service: the preferred one, the only one, or the default; None without any.

        Raises:
            ProviderConflict: Two or more want to, and none is preferred.
            PluginError: The preferred one does not offer it.
        """
        offers = self.offering(service)
        if service in self.prefer:
            wanted = normalized(self.prefer[service])
            for record in offers:
                if wanted in record.names:
                    return record
            offered = ", ".join(record.label for record in offers) or "nobody"
            raise PluginError(
                f"plugins.prefer.{service} names {self.prefer[service]!r}, which does not offer it: {offered} does"
            )
        eager = [r for r, last_resort in offers.items() if not last_resort and self._may_serve(r, service)]
        if len(eager) > 1:
            names = " and ".join(record.label for record in eager) + (" both" if len(eager) == 2 else " all")
            raise ProviderConflict(
                f"{names} offer the service {service!r}:"
                f' say which one with `prefer.{service} = "{eager[0].name}"` under [plugins] in .pamola.toml'
            )
        default = self.services[service].default
        by_default = [r for r in offers if default == (r.distribution or f"{KERNEL}-{r.name}")]
        by_hand = [record for record in offers if not record.distribution]
        return next(iter(eager or by_default or (by_hand if len(by_hand) == 1 else ())), None)

    def foreign_provider(self, service: str, package: str) -> str:
        """The label of the plugin that provides a service, where that is not a plugin of this package; else nothing."""
        chosen = self.provider(service)
        if chosen is None:
            return ""
        module = getattr(chosen.object, "__name__", type(chosen.object).__module__)
        return "" if module.partition(".")[0] == package else chosen.label

    def provide(self, service: str, **arguments: Any) -> Any:
        """What the chosen provider gives, and the wrappers around it, never None; None where there is no provider."""
        chosen = self.provider(service)
        if chosen is None:
            return None
        others = [
            record.object
            for impl in self.implementations(f"pamola_provide_{service}")
            for record in [self.record_of(impl)]
            if (not self._may_serve(record, service, wraps=True) if impl.wrapper else record is not chosen)
        ]
        caller = self.manager.subset_hook_caller(f"pamola_provide_{service}", remove_plugins=others)
        answer = self._call(caller, arguments, [])
        if answer is None:
            raise PluginError(f"plugin {chosen.label} was chosen to provide {service!r}, and gave nothing")
        return answer

    def missing(self, service: str) -> ServiceMissing:
        """The error that says that a service is missing and what would bring it."""
        default = self.services[service].default
        if offering := " and ".join(record.label for record in self.offering(service)):
            return ServiceMissing(
                f"{offering} could provide {service!r}, but only when asked to:"
                f' say which one with `prefer.{service} = "…"` under [plugins] in .pamola.toml'
                + (f", or install {default}" if default else "")
            )
        which = f"{default}, or another plugin that does" if default else "one that does"
        return ServiceMissing(f"no plugin provides {service!r}: install {which}")

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


def assemble(
    project: Path | None,
    *,
    autoload: bool = True,
    plugins: Iterable[Any] = (),
    modules: Iterable[str] = (),
    disable: Iterable[str] = (),
    prefer: Mapping[str, str] | None = None,
    script: Path | None = None,
    importing: Callable[[PluginRecord], AbstractContextManager[Any]] = contextlib.nullcontext,
) -> Plugins:
    """The plugins of a kernel: see its arguments, and those of `Plugins`.

    Raises:
        PluginError: `.pamola.toml` is not valid, or prefers a provider of what is not a service.
        UntrustedError: The project, or a file of a plugin, is another user's, or others can change it.
    """
    modules = tuple(modules)
    for name in modules:
        if name.endswith(".py") and Path(name).is_file():
            believe(Path(name))
    if project is None and script is not None and root_of(Path.cwd())[1]:
        script = None  # the project of the current folder is the one that is used
    settings = PluginSettings(project or script or Path.cwd(), asked=project is not None)
    loaded = Plugins(
        disable=[*settings.disable, *disable],
        prefer={**settings.prefer, **(prefer or {})},
        require=settings.require,
        only=settings.only,
        importing=importing,
    )
    named = (PluginRecord(Path(name).stem if name.endswith(".py") else name, name) for name in modules)
    given = {Path(name).resolve() for name in modules}
    files = dict.fromkeys(settings.local_files() if autoload else ())
    local = (PluginRecord(path.stem, str(path), given=False) for path in files if path.resolve() not in given)
    loaded.load(*(installed() if autoload else ()), *local, *named, *map(record_for, plugins))
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
    except PamolaTaskError:
        plugins = Plugins(disable=disable)
        plugins.load(*(record for record in installed() if record.distribution == KERNEL_SERVICES["redactor"].default))
        return plugins.redactor
