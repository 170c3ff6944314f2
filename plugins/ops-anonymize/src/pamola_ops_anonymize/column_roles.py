"""The role of each column of a table that is released: stated by a person or proposed, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Any

from .registering import stated_columns
from .release_settings import OUTPUTS
from .roles import CELLS, DIRECT, DROPPED, INSENSITIVE, NOTHING_KNOWN, PERSON, QUASI, SENSITIVE, UNCHANGED, ColumnRole

_WRITTEN = {
    "ranges": "intervals and sets",
    "labels": "labels of a hierarchy",
    "representative": "a value for its class",
}


def stated_roles(operation: Any) -> dict[str, str]:
    """The role of each column that the task names."""
    named = {
        PERSON: operation.person_columns,
        DIRECT: [*stated_columns(operation), *operation.direct_identifiers],
        SENSITIVE: operation.sensitive_attributes,
        INSENSITIVE: operation.insensitive_attributes,
        QUASI: operation.quasi_identifiers,
    }
    return {column: role for role, columns in named.items() for column in columns}


def said_by_release(operation: Any) -> dict[str, ColumnRole]:
    """What `AnonymizeOperation` says by its parameters, and what steps before it said of other columns."""
    roles = stated_roles(operation).items()
    written = _written(operation)
    found = {
        name: ColumnRole(
            column=name,
            role=role,
            said="proposed" if name in operation.unconfirmed else "stated",
            done=written if role == QUASI else UNCHANGED,
        )
        for name, role in roles
    }
    return {**getattr(operation, "roles_before", {}), **found}


def _written(operation: Any) -> str:
    """What becomes of quasi-identifiers."""
    if operation.strategy == "suppression":
        return CELLS
    return _WRITTEN[operation.output or OUTPUTS[operation.strategy]]


def roles_of(
    operation: Any,
    columns: Iterable[Hashable],
    stated: Mapping[str, str],
    likely: Mapping[str, Mapping[Hashable, str]],
    dropped: Collection[Hashable],
    loss: Mapping[str, float],
) -> list[ColumnRole]:
    """The role of each column of a table that `AnonymizeOperation` released.

    Args:
        operation: The operation, which says how a class is written.
        columns: The columns of the input, in their order.
        stated: The roles that the task states.
        likely: For each role the columns that look like it, with the reasons.
        dropped: The columns that are left out.
        loss: The loss of each quasi-identifier, of those that `on_unlisted: quasi` added too.
    """
    looks = {name: (role, reason) for role, found in likely.items() for name, reason in found.items()}
    nothing = (INSENSITIVE, NOTHING_KNOWN)
    before: Mapping[str, ColumnRole] = getattr(operation, "roles_before", {})
    direct = {name: DIRECT for name, each in before.items() if each.role == DIRECT and each.done != UNCHANGED}
    stated = {**direct, **stated}
    written = _written(operation)

    def of(name: Hashable) -> ColumnRole:
        column = str(name)
        role, reason = looks.get(name, nothing)
        lost, done = loss.get(column), before[column].done if column in before else UNCHANGED
        return ColumnRole(
            column=column,
            role=stated.get(column, role),
            said="stated" if column in stated and column not in operation.unconfirmed else "proposed",
            reason="" if column in stated else reason,
            done=DROPPED if name in dropped else written if lost else done,
            loss=lost,
        )

    return [of(name) for name in columns]
