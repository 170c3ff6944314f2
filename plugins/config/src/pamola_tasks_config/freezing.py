"""Lists and mappings of a run's configuration, which nothing can change in place; a copy of one can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import attrs

from pamola_tasks.errors import ConfigurationError

_PLAIN = frozenset((str, int, float, bool, type(None)))
FROZEN = "the configuration of a run cannot be changed once the run has begun"


def _refuse(self: Any, *_: Any, **__: Any) -> NoReturn:
    kind = "list" if isinstance(self, list) else "mapping"
    raise ConfigurationError(
        f"{FROZEN}: this {kind} is a part of it; change a copy ({type(self).__bases__[0].__name__}(…))"
    )


class FrozenList(list[Any]):
    """A list that reads like any other. `copy`, pickle and `list(…)` make a usual one of it."""

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)


class FrozenDict(dict[Any, Any]):
    """A dictionary that reads like any other. `copy`, pickle and `dict(…)` make a usual one of it."""

    update = setdefault = pop = popitem = clear = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (dict(self),)


def frozen(value: Any) -> Any:
    """The value with all lists, mappings and sets in it frozen; in sections, which stay what they are, too."""
    if type(value) in _PLAIN:  # most of them, and no check of a kind is as quick
        return value
    if isinstance(value, Mapping):
        return FrozenDict({key: frozen(item) for key, item in value.items()})
    if isinstance(value, list):
        return FrozenList(map(frozen, value))
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(map(frozen, value))
    if isinstance(value, set):
        return frozenset(value)
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            object.__setattr__(value, field.name, frozen(getattr(value, field.name)))
    return value
