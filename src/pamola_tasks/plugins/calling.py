"""Calling hooks as pluggy calls them, with the plugin that each answer and each failure belongs to.

A hook is called once, with all its implementations and the wrappers around them; what comes out counts. Which plugin
gave an answer is noted by a thin layer around each plain implementation, which also names the plugin that raised.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from pamola_tasks import hookspecs
from pamola_tasks.errors import PamolaTaskError, PluginError
from pamola_tasks.plugins.discovery import PluginRecord, reason, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pluggy import HookImpl, HookimplOpts

    from pamola_tasks.plugins.observers import Observers
    from pamola_tasks.protocols.services import Service

_KINDS = {  # by how the name of a hook begins; all others are contributions
    "pamola_provide_": "service",
    "pamola_check_": "check",
    "pamola_on_": "event",
    "pamola_modify_plan": "decision",
    "pamola_find_secret": "chain",
    "pamola_run_operation": "chain",
    "pamola_run_step": "step",
}
DEFINING = ("pamola_add_hooks", "pamola_add_services")  # asked when a plugin is loaded, before any is registered
_MARK = f"{hookspecs.PROJECT_NAME}_impl"  # how pluggy marks implementations
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def kind_of(hook: str) -> str:
    """The kind of a hook: `service, contribution, check, decision, event, chain` or `step`; its name says it."""
    return next((kind for beginning, kind in _KINDS.items() if hook.startswith(beginning)), "contribution")


class PluginManager(pluggy.PluginManager):
    """pluggy's manager, which refuses what is marked as a hook and would never be called."""

    def __init__(self) -> None:
        super().__init__(hookspecs.PROJECT_NAME)
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> HookimplOpts | None:
        """What an attribute says as an implementation; quick for the many that are none, as every start looks at each.

        Raises:
            PluginError: It is marked and not a function: a property, a partial, what a cache returns.
        """
        if not isinstance(plugin, ModuleType):
            found = inspect.getattr_static(plugin, name, None)
        elif isinstance(found := vars(plugin).get(name), FunctionType):
            options: HookimplOpts | None = getattr(found, _MARK, None)
            return options
        elif name.startswith("__"):
            return None
        inner = getattr(found, "__func__", None) or getattr(found, "fget", None)
        if _MARK not in getattr(found, "__dict__", ()) and _MARK not in getattr(inner, "__dict__", ()):
            return None
        if not isinstance(found, FunctionType | MethodType | staticmethod | classmethod):
            raise PluginError(f"{name}, marked as a hook, is a {type(found).__name__}, never called: use a function")
        return super().parse_hookimpl_opts(plugin, name)

    def hooks_in(self, plugin: Any) -> dict[str, str]:
        """The hooks that a plugin implements, each with the name of the implementation; `PluginError` for two."""
        hooks: dict[str, str] = {}
        in_module = isinstance(plugin, ModuleType)
        for name in vars(plugin) if in_module else dir(plugin):
            if not in_module:
                getattr(plugin, name)  # pluggy releases disagree on properties; here they all are looked at
            options = self.parse_hookimpl_opts(plugin, name)
            if options is not None:
                hook = options.get("specname") or name
                if hook in hooks:
                    raise PluginError(f"{hook} is implemented twice: use two plugins")
                hooks[hook] = name
        return hooks


def _check(hook: str, kind: str, impl: HookImpl) -> None:
    """Refuse an implementation that could never be called as its author meant it.

    Raises:
        PluginError: It is asynchronous, has parameters that pluggy does not fill, or wraps what cannot be wrapped.
    """
    function = getattr(impl.function, "__func__", impl.function)
    code = function.__code__
    by_name = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    problems = {
        ": old-style wrappers are not called: use @hookimpl(wrapper=True)": impl.hookwrapper,
        " is an event, which cannot be wrapped": impl.wrapper and kind == "event",
        " is asked when a plugin is loaded, and cannot be wrapped": impl.wrapper and hook in DEFINING,
        " has its only plain implementation in the kernel: write a wrapper": kind == "step" and not impl.wrapper,
        ": an async function would never be awaited: hooks are called, not awaited": code.co_flags & _ASYNC,
        ": a parameter has a default value, which implementations must not have": (
            function.__defaults__ or function.__kwdefaults__
        ),
        f": {', '.join(by_name)!r} is keyword-only; hooks get parameters by position: remove the `*`": by_name,
    }
    for problem, found in problems.items():
        if found:
            raise PluginError(f"{hook}{problem}")


class HookCalls:
    """Calls the hooks of one kernel's plugins. `redact` hides secrets in messages outside of runs."""

    services: dict[str, Service]

    def __init__(self, redact: Callable[[str], str]) -> None:
        self.manager = PluginManager()
        self._redact = redact
        self._by_name: dict[str, PluginRecord] = {}
        self._event_lock = threading.RLock()
        self._observers: Observers | None = None
        self._calls = threading.local()  # `now`: what notes the answers of the innermost call that is under way

    def record_of(self, impl: HookImpl) -> PluginRecord:
        """The plugin that an implementation belongs to."""
        return self._by_name[impl.plugin_name]

    def implementations(self, hook: str) -> list[HookImpl]:
        """All implementations of a hook, in the order in which they are called; none where there is no such hook."""
        caller = getattr(self.manager.hook, hook, None)
        return caller.get_hookimpls()[::-1] if caller is not None else []

    def each(
        self,
        hook: str,
        *,
        after_each: Callable[[PluginRecord], None] | None = None,
        failures: list[PluginError] | None = None,
        **arguments: Any,
    ) -> list[tuple[PluginRecord, Any]]:
        """Call a hook and give what comes out of it, each answer with the plugin that gave it.

        An answer that no plain implementation gave belongs to the outermost wrapper. An exception that is not one of
        ours becomes a `PluginError`, which names the plugin.

        Args:
            hook: The hook's name.
            after_each: Called with the plugin after each implementation, and after each half of a wrapper.
            failures: Takes the errors of implementations, each of which else ends the call.
            **arguments: Those of the hook.
        """
        given: list[tuple[PluginRecord, Any]] = []
        answers = self._call(getattr(self.manager.hook, hook), arguments, given, after_each, failures)
        outermost = [self.record_of(impl) for impl in self.implementations(hook) if impl.wrapper][:1]
        if not isinstance(answers, list | tuple):
            label = outermost[0].label if outermost else hook
            raise PluginError(f"plugin {label}: a wrapper of {hook} returns the list of answers, not {answers!r}")
        owners = {id(answer): record for record, answer in reversed(given)}
        return [(owners.get(id(answer)) or outermost[0], answer) for answer in answers]

    def first(self, hook: str, **arguments: Any) -> Any:
        """Call a hook of which the first answer that is not None counts."""
        return self._call(getattr(self.manager.hook, hook), arguments, [])

    def _call(
        self,
        caller: Callable[..., Any],
        arguments: dict[str, Any],
        given: list[tuple[PluginRecord, Any]],
        after_each: Callable[[PluginRecord], None] | None = None,
        failures: list[PluginError] | None = None,
    ) -> Any:
        outer = getattr(self._calls, "now", None)
        self._calls.now = given, after_each, failures
        try:
            return caller(**arguments)
        finally:
            self._calls.now = outer

    def objections(self, hook: str, **arguments: Any) -> list[str]:
        """What plugins object in a check; a check that fails is an error."""
        found = self.items(hook, str, "objections as text", **arguments)
        for record in (record for record, text in found if not text.strip()):
            raise PluginError(
                f"plugin {record.label}: {hook} returns an objection without words, where None means none"
            )
        return [f"{text} (plugin {record.name})" for record, text in found]

    def items(
        self, hook: str, kind: Any, what: str, *, failures: list[PluginError] | None = None, **arguments: Any
    ) -> list[tuple[PluginRecord, Any]]:
        """The items of all answers, each with its plugin: an answer is None, one of this kind (`what` in words), or
        several. Errors of plugins end the call, unless `failures` takes them."""
        found = []
        for record, answer in self.each(hook, failures=failures, **arguments):
            items = [answer] if isinstance(answer, kind) else () if answer is None else answer
            several = isinstance(items, Iterable) and not isinstance(items, str | bytes | Mapping)
            items = list(items) if several else [answer]
            wrong = [item for item in items if not isinstance(item, kind)]
            if not wrong:
                found += [(record, item) for item in items]
                continue
            name = type(wrong[0]).__name__
            article = "an" if name[0] in "aeiou" else "a"
            error = PluginError(f"plugin {record.label}: {hook} returns {what}, not {article} {name}")
            if failures is None:
                raise error
            failures.append(error)
        return found

    def emit(self, observers: Observers, hook: str, **arguments: Any) -> None:
        """Notify all observers of an event, never two at a time. What they do wrong is recorded with `observers`."""
        if self.implementations(hook):
            with self._event_lock:
                before, self._observers = self._observers, observers
                try:
                    getattr(self.manager.hook, hook)(**arguments)
                finally:
                    self._observers = before

    def guard(self, impl: HookImpl, record: PluginRecord, hook: str) -> None:
        """Put the layer around an implementation that its kind of hook wants; refuse one that could not be called."""
        kind = kind_of(hook)
        _check(hook, kind, impl)
        if kind != "step":  # whose own errors pass through untouched
            layer = self._notify if kind == "event" else self._wrap if impl.wrapper else self._answer
            impl.function = partial(layer, record, hook, impl.function)  # type: ignore[misc]

    @contextlib.contextmanager
    def blaming(self, record: PluginRecord, what: str) -> Iterator[None]:
        """Turn errors that are not ours into a `PluginError` that names the plugin."""
        try:
            yield
        except PamolaTaskError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f"plugin {record.label} {what}: {reason(error, self._redact)}") from error

    def _answer(self, record: PluginRecord, hook: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            service = hook.removeprefix("pamola_provide_") if hook.startswith("pamola_provide_") else ""
            with self.blaming(record, f"failed to provide {service!r}" if service else f"failed in {hook}"):
                answer = function(*arguments)
                if service:
                    self._refuse_unlike(record, service, answer)
                elif isinstance(answer, Iterator):
                    answer = list(answer)  # a generator runs here, where its failure is known to be this plugin's
        except PluginError as error:
            if (failures := self._calls.now[-1]) is None:
                raise
            failures.append(error)
            return None
        self._note(record, answer)
        return answer

    def _wrap(
        self, record: PluginRecord, hook: str, function: Callable[..., Any], *arguments: Any
    ) -> Generator[Any, Any, Any]:
        with self.blaming(record, f"failed around {hook}"):
            inner = function(*arguments)
            try:
                given = next(inner)
                self._note(record)
                try:
                    result = yield given
                except BaseException as error:
                    inner.throw(error)
                else:
                    inner.send(result)
            except StopIteration as end:
                self._note(record)
                if hook.startswith("pamola_provide_"):
                    service = hook.removeprefix("pamola_provide_")
                    if end.value is None and result is not None:
                        raise PluginError(f"plugin {record.label}: its wrapper of {hook} returns nothing") from None
                    self._refuse_unlike(record, service, end.value)
                return end.value
            raise PluginError(f"plugin {record.label}: a wrapper of {hook} yields once")

    def _refuse_unlike(self, record: PluginRecord, service: str, answer: Any) -> None:
        """Refuse what a plugin gives as a service, if it is not what the service's protocol says."""
        kind = self.services[service]
        is_default = bool(record.distribution) and record.distribution == kind.default  # which releases are tested with
        if answer is not None and not is_default:
            from pamola_tasks.plugins.structure import unlike

            protocol = resolve(kind.protocol) if isinstance(kind.protocol, str) else kind.protocol
            if problems := unlike(protocol, answer, service):
                raise PluginError(f"plugin {record.label}: {'; '.join(problems)}")

    def _note(self, record: PluginRecord, answer: Any = None) -> None:
        if now := getattr(self._calls, "now", None):
            given, after_each, _ = now
            given.append((record, answer))
            if after_each is not None:
                after_each(record)

    def _notify(self, record: PluginRecord, hook: str, function: Callable[..., Any], *arguments: Any) -> None:
        if self._observers is None:
            function(*arguments)
        else:
            self._observers.notify(record, hook, partial(function, *arguments))
