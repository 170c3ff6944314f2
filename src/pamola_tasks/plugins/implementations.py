"""What an implementation of a hook must be, looked at once when its plugin is loaded."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pamola_tasks import hookspecs
from pamola_tasks.errors import PluginError
from pamola_tasks.plugins.calling import kind_of

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pluggy import HookImpl

DEFINING = ("pamola_add_hooks", "pamola_add_services")  # asked when a plugin is loaded, before any is registered
_MARK = f"{hookspecs.PROJECT_NAME}_impl"  # how pluggy marks implementations


def refuse_passed_over(plugin: Any, registered: AbstractSet[str]) -> None:
    """Refuse what is marked as a hook and was not registered: pluggy passes over what is not a plain function.

    Args:
        plugin: The module, class or object that was registered.
        registered: Names of the hooks that pluggy found in it.

    Raises:
        PluginError: It is a property, a partial, what a cache returns, or another object that can be called.
    """
    for name in dir(plugin):
        found = inspect.getattr_static(plugin, name, None)
        inner = getattr(found, "__func__", None) or getattr(found, "fget", None)
        mark = next((vars(value)[_MARK] for value in (found, inner) if _MARK in getattr(value, "__dict__", ())), None)
        if mark is not None and (mark["specname"] or name) not in registered:
            raise PluginError(f"{name}, marked as a hook, is a {type(found).__name__}, never called: use a function")


def check_implementation(hook: str, impl: HookImpl) -> None:
    """Refuse an implementation that could never be called as its author meant it.

    Raises:
        PluginError: It is asynchronous, has parameters that pluggy does not fill, or wraps what cannot be wrapped.
    """
    kind, wraps = kind_of(hook), impl.wrapper or impl.hookwrapper
    function = getattr(impl.function, "__func__", impl.function)
    if impl.hookwrapper:
        raise PluginError(f"{hook}: old-style wrappers are not called: use @hookimpl(wrapper=True)")
    if wraps and kind == "event":
        raise PluginError(f"{hook} is an event, which cannot be wrapped")
    if wraps and hook in DEFINING:
        raise PluginError(f"{hook} is asked when a plugin is loaded, and cannot be wrapped")
    if not wraps and kind == "step":
        raise PluginError(f"{hook} has its only plain implementation in the kernel: write a wrapper")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(f"{hook}: an async function would never be awaited: hooks are called, not awaited")
    if getattr(function, "__defaults__", None) or getattr(function, "__kwdefaults__", None):
        raise PluginError(f"{hook}: a parameter has a default value, which implementations must not have")
    code = getattr(function, "__code__", None)
    if code is not None and code.co_kwonlyargcount:
        name = code.co_varnames[code.co_argcount]
        raise PluginError(f"{hook}: parameter {name!r} is keyword-only; hooks get theirs by position: remove the `*`")
