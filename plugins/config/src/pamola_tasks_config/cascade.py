"""Which layer wins each key: leaf by leaf, so that a layer may set one key of a section and leave the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from pamola_tasks.protocols import ConfigLayer
from pamola_tasks_config.checking import TypedLayer
from pamola_tasks_config.document import dotted
from pamola_tasks_config.layer import WRITTEN

Leaf = tuple[str, ...]


@attrs.define
class Entry:
    """The value of a key, as written and typed, the layer that set it, and the entries that it overrides."""

    value: Any
    typed: Any
    layer: ConfigLayer
    place: str
    overridden: list[Entry] = attrs.Factory(list)


def leaves(values: Mapping[str, Any], path: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """Every value that is no mapping, with its path; an empty mapping is a value too."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def merge(layers: Iterable[TypedLayer], is_section: Callable[[str], bool]) -> dict[Leaf, Entry]:
    """The winner of every key.

    Args:
        layers: The layers; higher ranks override lower ones.
        is_section: Whether a top-level key holds keys, so that an empty value sets nothing.
    """
    winners: dict[Leaf, Entry] = {}
    inner: dict[Leaf, Leaf] = {}  # paths that lead to winners, and to which first
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


def _at(values: Any, path: Leaf, otherwise: Any) -> Any:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return otherwise
        values = values[part]
    return values


def _keep_encryption_on(winners: dict[Leaf, Entry]) -> None:
    """Encryption that any layer turns on is turned off only by a written `false` of higher rank."""
    winner = winners.get(("use_encryption",))
    if winner is None or winner.value is not False or winner.layer.name in WRITTEN:
        return
    candidates = [winner, *winner.overridden]
    for index, entry in enumerate(candidates):
        if entry.value is False and entry.layer.name in WRITTEN:
            return
        if entry.value is True:
            others = candidates[:index] + candidates[index + 1 :]
            winners["use_encryption",] = Entry(entry.value, entry.typed, entry.layer, entry.place, others)
            return


def nest(values: Mapping[Leaf, Any]) -> dict[str, Any]:
    """Leaves as nested mappings."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        place = found
        for part in path[:-1]:
            inner = place.get(part)
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        place[path[-1]] = value
    return found
