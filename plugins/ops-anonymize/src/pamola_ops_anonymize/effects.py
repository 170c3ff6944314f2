"""What the operations of the pack say of columns: kept, hidden, counted together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pamola_tasks import Effect, Effects

Columns = dict[str, Collection[Effect]]


def kept(dataset: str, names: Iterable[str]) -> Columns:
    """Columns that are written as they are."""
    return {name: [Effect(dataset, name)] for name in names}


def hidden(dataset: str, names: Iterable[str], *others: Effect) -> Columns:
    """Columns whose values are hidden by others in their place, which follow from further columns, too."""
    return {name: [Effect(dataset, name, "TRANSFORMATION", masking=True), *others] for name in names}


def of_each(dataset: str, names: Iterable[str], kind: Any) -> list[Effect]:
    """The effect of each column of a dataset, once."""
    return [Effect(dataset, name, kind) for name in dict.fromkeys(names)]


def if_all(names: Sequence[str], there: Collection[str]) -> Sequence[str]:
    """The columns where a table has all of them: those that identify persons may be in one table only."""
    return names if set(names) <= set(there) else ()


def document(measured: Mapping[str, Iterable[str]], groups: Mapping[str, Iterable[str]] | None = None) -> Effects:
    """A document about tables: measures of some columns of each dataset, and others in which records are alike."""
    kinds: tuple[tuple[Any, bool, Mapping[str, Iterable[str]]], ...] = (
        ("AGGREGATION", True, measured),
        ("GROUP_BY", False, groups or {}),
    )
    return Effects(
        whole=[
            Effect(dataset, name, kind, masking)
            for kind, masking, named in kinds
            for dataset, names in named.items()
            for name in dict.fromkeys(names)
        ]
    )
