"""Whether an object has what a protocol names, before anything uses it: methods with their parameters, attributes."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from pamola_tasks.errors import ServiceNotReady

_MAY_LACK = ("record_key",)  # methods of services that are done without where a provider has none


def unlike(protocol: type, thing: Any, called: str) -> list[str]:
    """What a provider gives that does not fit a protocol, in sentences; none where it fits.

    A method has to take what the protocol's takes: parameters without a default by position, the others by name. Of a
    class other than a protocol only methods and properties are wanted. What only the docstring of a protocol names
    ("may have") is not looked for.

    Args:
        protocol: The class that says what there has to be.
        thing: The object.
        called: The name of the service.
    """
    missing: list[str] = []
    problems: list[str] = []
    for name, (shown, call) in _members(protocol).items():
        try:
            found = getattr(thing, name, missing)
        except ServiceNotReady:
            continue  # it is there, and needs what comes later
        if found is missing or (call is not None and not callable(found)):
            missing.append(shown)
        elif call is not None and (why := _refusal(found, *call)):
            problems.append(f"its {called} cannot be called as {shown}: {why}")
    if missing:
        lack = "lack" if called.endswith("s") and not called.endswith("ss") else "lacks"
        more = f" and {len(missing) - 3} more of {protocol.__name__}" if len(missing) > 3 else ""
        problems.insert(0, f"its {called} {lack} {', '.join(missing[:3])}{more}")
    return problems


@cache
def _members(protocol: type) -> dict[str, tuple[str, tuple[int, tuple[str, ...]] | None]]:
    """Public methods and properties, of a protocol attributes too: how messages show each, and how methods are called:
    with how many parameters by position, and with which by name."""
    found: dict[str, Any] = {}
    for cls in reversed(protocol.__mro__[:-1]):
        if getattr(cls, "_is_protocol", False):
            found |= dict.fromkeys(vars(cls).get("__annotations__", ()))
        found |= {n: each for n, each in vars(cls).items() if inspect.isfunction(each) or isinstance(each, property)}
    return {
        name: _shown(name, member) if inspect.isfunction(member) else (f"`{name}`", None)
        for name, member in found.items()
        if (name[0] != "_" or name == "__call__") and name not in _MAY_LACK
    }


def _shown(name: str, method: Any) -> tuple[str, tuple[int, tuple[str, ...]]]:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    single = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    named = tuple(p.name for p in single if p.default is not p.empty or p.kind is p.KEYWORD_ONLY)
    return f"`{name}({', '.join(each.name for each in parameters)})`", (len(single) - len(named), named)


def _refusal(method: Any, positional: int, named: tuple[str, ...]) -> str:
    """Why a method cannot be called so; nothing where it can, or does not say."""
    try:
        inspect.signature(method).bind(*range(positional), **dict.fromkeys(named))
    except TypeError as error:
        return str(error)
    except ValueError:  # one of a built-in type, which shows no parameters
        return ""
    return ""
