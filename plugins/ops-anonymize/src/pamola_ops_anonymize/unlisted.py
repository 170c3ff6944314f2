"""Columns without a role that look as if they need one: dropped, warned of or refused."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pamola_tasks.errors import DataRefused

if TYPE_CHECKING:
    from pamola_tasks import OperationContext
    from pamola_tasks.plan import Plan

OnIdentifiers = Literal["warn", "drop", "fail"]
OnUnlisted = Literal["warn", "fail"]

Reasons = Mapping[Hashable, str]


def _listed(reasons: Reasons) -> str:
    return "; ".join(f"{column} ({reason})" for column, reason in reasons.items())


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


def judge_quasi_identifiers(operation: Any, ctx: OperationContext, found: Reasons) -> None:
    """Decide by `on_unlisted` about columns that look like quasi-identifiers.

    Raises:
        DataRefused: There are such columns, and `on_unlisted` is `fail`.
    """
    if not found:
        return
    remedy = "List them in `quasi_identifiers`, or in `insensitive_attributes` if they are harmless"
    if operation.on_unlisted == "fail":
        raise DataRefused(
            f"{operation.input_dataset} has columns without a role that look like quasi-identifiers: {_listed(found)}."
            f" {remedy}; or set `on_unlisted: warn`",
            columns=[str(column) for column in found],
        )
    ctx.warn(
        f"{operation.output_dataset} keeps columns without a role that look like quasi-identifiers: {_listed(found)}."
        f" k = {operation.k} does not cover them. {remedy}"
    )


def pass_on_roles(plan: Plan) -> None:
    """Set for each operation on columns those that the steps before it treat: masked telephones need no warning.

    Steps of other packs end a chain: what they do with a column is not known.
    """
    treated: dict[str, frozenset[str]] = {}
    for operation in (step.operation for step in plan):
        if hasattr(operation, "columns_with_roles"):
            before = treated.get(operation.input_dataset, frozenset())  # type: ignore[attr-defined]
            operation.treated_before = before  # type: ignore[attr-defined]
            treated[operation.output_dataset] = before | operation.columns_with_roles()  # type: ignore[attr-defined]
