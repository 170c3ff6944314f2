"""Columns without a role that look as if they need one: dropped, warned of or refused."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pamola_tasks.errors import DataRefused

from .roles import ColumnRole, said_by, without_counts

if TYPE_CHECKING:
    from pamola_tasks import OperationContext
    from pamola_tasks.plan import Plan

OnIdentifiers = Literal["warn", "drop", "fail"]
OnUnlisted = Literal["warn", "fail", "quasi"]

Reasons = Mapping[Hashable, str]


def _listed(reasons: Reasons) -> str:
    """The columns by their reasons, without whom each singles out, which is said with the roles."""
    columns: dict[str, list[str]] = {}
    for column, reason in reasons.items():
        columns.setdefault(without_counts(reason), []).append(str(column))
    return "; ".join(f"{', '.join(named)} ({reason})" for reason, named in columns.items())


def identifiers_to_drop(operation: Any, ctx: OperationContext, found: Reasons) -> list[Hashable]:
    """Decide by `on_identifiers` about columns that look like direct identifiers.

    Args:
        operation: Has `on_identifiers`, `input_dataset` and `output_dataset`.
        found: The columns, with the reasons.

    Returns:
        The columns to leave out.

    Raises:
        DataRefused: There are such columns, and `on_identifiers` is `fail`.
    """
    if not found:
        return []
    if operation.on_identifiers == "fail":
        raise DataRefused(
            f"{operation.input_dataset} has columns that look like direct identifiers: {_listed(found)}. Set"
            f" `on_identifiers: drop` to leave them out; list those that are harmless in `insensitive_attributes`",
            columns=[str(column) for column in found],
        )
    if operation.on_identifiers == "warn":
        ctx.warn(
            f"{operation.output_dataset} keeps columns that look like direct identifiers: {_listed(found)}. To leave"
            f" them out, set `on_identifiers: drop`; list those that are harmless in `insensitive_attributes`"
        )
        return []
    ctx.warn(
        f"{operation.output_dataset}: dropped columns that look like direct identifiers: {_listed(found)}. To keep a"
        f" harmless one, list it in `insensitive_attributes`; `on_identifiers: warn` keeps all"
    )
    return list(found)


def judge_quasi_identifiers(operation: Any, ctx: OperationContext, found: Reasons) -> list[Hashable]:
    """Decide by `on_unlisted` about columns that look like quasi-identifiers.

    Returns:
        Those to take for quasi-identifiers.

    Raises:
        DataRefused: There are such columns, and `on_unlisted` is `fail`.
    """
    if not found:
        return []
    remedy = "List them in `quasi_identifiers`, or in `insensitive_attributes` if they are harmless"
    if operation.on_unlisted == "fail":
        raise DataRefused(
            f"{operation.input_dataset} has columns without a role that look like quasi-identifiers: {_listed(found)}."
            f" {remedy}; `on_unlisted: quasi` takes them for quasi-identifiers, `warn` keeps them as they are",
            columns=[str(column) for column in found],
        )
    if operation.on_unlisted == "quasi":
        ctx.warn(
            f"{operation.output_dataset} takes columns without a role for quasi-identifiers, as they look like some:"
            f" {_listed(found)}. List in `insensitive_attributes` those that are harmless"
        )
        return list(found)
    ctx.warn(
        f"{operation.output_dataset} keeps columns without a role that look like quasi-identifiers: {_listed(found)}."
        f" k = {operation.k} does not cover them. {remedy}; `on_unlisted: quasi` does the former for all"
    )
    return []


def pass_on_roles(plan: Plan) -> None:
    """Set for each operation on columns those that the steps before it treat: masked telephones need no warning; and
    what they say of their roles.

    Steps of other packs end a chain: what they do with a column is not known.
    """
    treated: dict[str, frozenset[str]] = {}
    roles: dict[str, dict[str, ColumnRole]] = {}
    for operation in (step.operation for step in plan):
        if hasattr(operation, "columns_with_roles"):
            before = treated.get(operation.input_dataset, frozenset())  # type: ignore[attr-defined]
            operation.treated_before = before  # type: ignore[attr-defined]
            treated[operation.output_dataset] = before | operation.columns_with_roles()  # type: ignore[attr-defined]
            operation.roles_before = roles.get(operation.input_dataset, {})  # type: ignore[attr-defined]
            roles[operation.output_dataset] = _said_by(operation)  # type: ignore[attr-defined]


def _said_by(operation: Any) -> dict[str, ColumnRole]:
    if hasattr(operation, "done"):
        return said_by(operation)
    from .column_roles import said_by_release  # which a run of operations on columns does not need

    return said_by_release(operation)
