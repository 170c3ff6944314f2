"""Which layer wins each key: leaf by leaf, so that a layer may set one key of a section and leave the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from pamola_tasks.protocols import ConfigLayer
from pamola_tasks_config.checking import TypedLayer
from pamola_tasks_config.document import KeyPath, dotted, leaves
from pamola_tasks_config.layers import WRITTEN


@attrs.define
class Entry:
    """The value of a key, as written and typed, the layer that set it, and the entries that it overrides."""

    value: Any
    typed: Any
    layer: ConfigLayer
    place: str
    overridden: list[Entry] = attrs.Factory(list)


def merge(layers: Iterable[TypedLayer], is_section: Callable[[str], bool]) -> dict[KeyPath, Entry]:
    """The winner of every key.

    Args:
        layers: The layers; higher ranks override lower ones.
        is_section: Whether a top-level key holds keys, so that an empty value sets nothing.
    """
    winners: dict[KeyPath, Entry] = {}
    inner: dict[KeyPath, KeyPath] = {}  # paths that lead to winners, and to which first
    for typed in sorted(layers, key=lambda typed: -typed.layer.rank):
        layer = typed.layer
        for path, value in leaves(layer.values):
            if len(path) == 1 and is_section(path[0]) and (value is None or value == {}):
                continue
            entry = Entry(value, _at(typed.values, path, value), layer, layer.places.get(dotted(path), layer.origin))
            above = next((path[:n] for n in range(1, len(path) + 1) if path[:n] in winners), None)
            if above is not None and winners[above].layer is not layer:
                winners[above].overridden.append(entry)
            elif path in inner:
                if value != {}:
                    winners[inner[path]].overridden.append(entry)
            else:
                winners[path] = entry
                for length in range(1, len(path)):
                    inner.setdefault(path[:length], path)
    _keep_encryption_on(winners)
    return winners


def _at(values: Any, path: KeyPath, otherwise: Any) -> Any:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return otherwise
        values = values[part]
    return values


def _keep_encryption_on(winners: dict[KeyPath, Entry]) -> None:
    """Encryption that any layer turns on is turned off only by a written `false` of higher rank."""
    winner = winners.get(("use_encryption",))
    if winner is None or winner.value is not False:
        return
    candidates = [winner, *winner.overridden]
    for entry in candidates:
        if entry.value is False and entry.layer.name in WRITTEN:
            return
        if entry.value is True:
            others = [other for other in candidates if other is not entry]
            winners["use_encryption",] = attrs.evolve(entry, overridden=others)
            return
