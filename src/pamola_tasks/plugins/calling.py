"""Calling hooks as pluggy calls them, with the plugin that each answer and each failure belongs to.

A hook is called once, with all its implementations and the wrappers around them; what comes out counts. Which plugin
gave an answer is noted by a thin layer around each plain implementation, which also names the plugin that raised.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Literal

import pluggy

from pamola_tasks import hookspecs
from pamola_tasks.errors import PamolaTaskError, PluginError
from pamola_tasks.plugins.records import PluginRecord, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pluggy import HookImpl, HookimplOpts

    from pamola_tasks.plugins.observers import Observers

Kind = Literal["service", "contribution", "check", "decision", "event", "chain", "step"]
_SINGLE: dict[str, Kind] = {
    "pamola_modify_plan": "decision",
    "pamola_find_secret": "chain",
    "pamola_run_operation": "chain",
    "pamola_run_step": "step",
}
_BEGINNING: dict[str, Kind] = {"pamola_provide_": "service", "pamola_check_": "check", "pamola_on_": "event"}


def kind_of(hook: str) -> Kind:
    """The kind of a hook, which follows from its name."""
    if hook in _SINGLE:
        return _SINGLE[hook]
    return next((kind for beginning, kind in _BEGINNING.items() if hook.startswith(beginning)), "contribution")


# Kinds whose answers and failures are attributed to plugins here; a step's own errors pass through untouched.
_ATTRIBUTED = ("contribution", "check", "decision", "chain")
_HOOKS = (FunctionType, MethodType, staticmethod, classmethod)  # what pluggy takes from a module


class PluginManager(pluggy.PluginManager):
    """pluggy's manager; one place to say which project the hooks belong to."""

    def __init__(self) -> None:
        super().__init__(hookspecs.PROJECT_NAME)
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> HookimplOpts | None:
        """Most names of a module are none of a hook: looking closely at each would cost every start."""
        if name.startswith("__") or (isinstance(plugin, ModuleType) and not isinstance(vars(plugin).get(name), _HOOKS)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


class _Call:
    """One call of a hook: which plugin gave what."""

    __slots__ = ("after_each", "answers")

    def __init__(self, after_each: Callable[[PluginRecord], None] | None) -> None:
        self.answers: list[tuple[PluginRecord, Any]] = []
        self.after_each = after_each


class HookCalls:
    """Calls the hooks of one kernel's plugins."""

    def __init__(self) -> None:
        self.manager = PluginManager()
        self._by_name: dict[str, PluginRecord] = {}
        self._event_lock = threading.RLock()
        self._observers: Observers | None = None
        self._calls = threading.local()

    def redact(self, text: str) -> str:
        """A text for messages outside of runs, without secrets; empty while no redactor is known."""
        return ""

    def record_of(self, impl: HookImpl) -> PluginRecord:
        """The plugin that an implementation belongs to."""
        return self._by_name[impl.plugin_name]

    def implementations(self, hook: str) -> list[HookImpl]:
        """All implementations of a hook, in the order in which they are called; none where there is no such hook."""
        caller = getattr(self.manager.hook, hook, None)
        return list(reversed(caller.get_hookimpls())) if caller is not None else []

    # ------------------------------------------------------------ contributions, checks, decisions

    def each(
        self, hook: str, *, after_each: Callable[[PluginRecord], None] | None = None, **arguments: Any
    ) -> Iterator[tuple[PluginRecord, Any]]:
        """Call a hook and give what comes out of it, each answer with the plugin that gave it.

        An answer that no plain implementation gave belongs to the outermost wrapper.

        Args:
            hook: The hook's name.
            after_each: Called with the plugin after each implementation, and after each half of a wrapper.
            **arguments: Those of the hook.

        Raises:
            PluginError: A plugin raised an exception that is not one of ours; it names plugin, distribution, version.
        """
        caller = getattr(self.manager.hook, hook)
        if not caller.get_hookimpls():
            return iter(())
        call, answers = self._called(caller, after_each, arguments)
        wrappers = [impl for impl in self.implementations(hook) if impl.wrapper or impl.hookwrapper]
        if not isinstance(answers, list | tuple):
            label = self.record_of(wrappers[0]).label if wrappers else hook
            raise PluginError(f"plugin {label}: a wrapper of {hook} returns the list of answers, not {answers!r}")
        found = []
        for answer in answers:
            owners = (record for record, given in call.answers if given is answer)
            found.append((next(owners, None) or self.record_of(wrappers[0]), answer))
        return iter(found)

    def first(self, hook: str, **arguments: Any) -> Any:
        """Call a hook of which the first answer that is not None counts."""
        return self._called(getattr(self.manager.hook, hook), None, arguments)[1]

    def _called(
        self, caller: Any, after_each: Callable[[PluginRecord], None] | None, arguments: dict[str, Any]
    ) -> tuple[_Call, Any]:
        outer = getattr(self._calls, "now", None)
        self._calls.now = call = _Call(after_each)
        try:
            return call, caller(**arguments)
        finally:
            self._calls.now = outer

    def objections(self, hook: str, **arguments: Any) -> list[str]:
        """What plugins object in a check; a check that fails is an error."""
        found: list[str] = []
        for record, answer in self.each(hook, **arguments):
            texts = [answer] if isinstance(answer, str) else answer or ()
            several = isinstance(texts, list | tuple | set | frozenset)
            if not several or not all(isinstance(text, str) for text in texts):
                raise PluginError(f"plugin {record.label}: {hook} returns objections as text, not {answer!r}")
            found += [f"{text} (plugin {record.name})" for text in texts]
        return found

    # ------------------------------------------------------------ events

    def emit(self, observers: Observers, hook: str, **arguments: Any) -> None:
        """Notify all observers, never two at a time. What they do wrong is recorded with `observers`."""
        caller = getattr(self.manager.hook, hook)
        if not caller.get_hookimpls():
            return
        with self._event_lock:
            before, self._observers = self._observers, observers
            try:
                caller(**arguments)
            finally:
                self._observers = before

    # ------------------------------------------------------------ the layer around implementations

    def guard(self, impl: HookImpl, record: PluginRecord, hook: str) -> None:
        """Put the layer around an implementation that its kind of hook wants."""
        kind = kind_of(hook)
        if kind == "event":
            impl.function = self._observing(impl.function, record, hook)  # type: ignore[misc]
        elif kind in _ATTRIBUTED:
            wraps = impl.wrapper or impl.hookwrapper
            around = self._wrapping if wraps else self._answering
            impl.function = around(impl.function, record, hook)  # type: ignore[misc]

    def _answering(self, function: Callable[..., Any], record: PluginRecord, hook: str) -> Callable[..., Any]:
        def answering(*arguments: Any) -> Any:
            try:
                answer = function(*arguments)
                if isinstance(answer, Iterator):
                    answer = list(answer)  # a generator runs here, where its failure is known to be this plugin's
            except PamolaTaskError:
                raise
            except (Exception, SystemExit) as error:
                raise PluginError(f"plugin {record.label} failed in {hook}: {reason(error, self.redact)}") from error
            self._note(record, answer)
            return answer

        return answering

    def _note(self, record: PluginRecord, answer: Any = None) -> None:
        call: _Call | None = getattr(self._calls, "now", None)
        if call is not None:
            call.answers.append((record, answer))
            if call.after_each is not None:
                call.after_each(record)

    def _wrapping(self, function: Callable[..., Any], record: PluginRecord, hook: str) -> Callable[..., Any]:
        def wrapping(*arguments: Any) -> Generator[Any, Any, Any]:
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
                raise PluginError(f"plugin {record.label}: a wrapper of {hook} yields once")
            except StopIteration as end:
                self._note(record)
                return end.value
            except (PamolaTaskError, GeneratorExit):
                raise
            except (Exception, SystemExit) as error:
                raise PluginError(
                    f"plugin {record.label} failed around {hook}: {reason(error, self.redact)}"
                ) from error

        return wrapping

    def _observing(self, function: Callable[..., Any], record: PluginRecord, hook: str) -> Callable[..., Any]:
        def observing(*arguments: Any) -> None:
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

        return observing
