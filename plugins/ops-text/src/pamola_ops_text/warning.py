"""What a user of redacted texts has to know: what cannot be found, what was not, what is kept beside the texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

    from .agreement import Agreement

MOST_JUDGED = 100_000


def of_method(ctx: OperationContext, operation: Any) -> None:
    """Warn of what the recognizers cannot find, and of recall that was not measured."""
    where = f"{operation.output_dataset}: {', '.join(operation.columns)}"
    if not operation.models:
        sources = [
            name for name in ("known_columns", "deny_datasets", "deny_list", "patterns") if getattr(operation, name)
        ]
        ctx.warn(
            f"{where} may still name persons and places: without a language model (`model`) these are found only"
            f" through {' and '.join(sources) if sources else '`known_columns` and `deny_list`, which are not set'}"
        )
    if operation.labelled_dataset is None:
        ctx.warn(
            f"{where} was redacted with unknown recall: label a sample and set `labelled_dataset`, or read a sample,"
            f" before you release it"
        )


def of_labels(
    ctx: OperationContext,
    operation: Any,
    agreement: Agreement,
    figures: Mapping[str, Any],
    known: Sequence[str],
) -> None:
    """Warn of labels that were not covered, and of columns that the labelled texts do not have."""
    covered = figures["all"]["covered"]
    if covered is None:
        ctx.warn(f"{operation.labelled_dataset} has no labels: recall is not measured")
    elif left := figures["all"]["labelled"] - covered["count"]:
        ctx.warn(
            f"{operation.output_dataset}: {left:,} of {figures['all']['labelled']:,} labelled entities in"
            f" {agreement.texts:,} texts stay readable, in whole or in part: a share of"
            f" {1 - covered['share']:.3g}, and up to {1 - covered['interval'][0]:.3g} in other texts (95 %)"
        )
    if operation.known and not known:
        ctx.warn(
            f"known values took no part in the measure: {operation.labelled_dataset} lacks {', '.join(operation.known)}"
        )


def roles(operation: Any, there: Sequence[Any]) -> list[dict[str, Any]]:
    """What each column is, and what became of it, as far as this step and those before it say."""
    found = {name: attrs.asdict(role) for name, role in operation.roles_before.items()}
    for name in operation.columns:
        role = found.get(name, {}).get("role", operation.role)
        found[name] = {"column": name, "role": role, "said": "stated", "reason": "", "done": operation.done}
    return [{"loss": None, **found[name]} for name in map(str, there) if name in found]


def kept_identifiers(ctx: OperationContext, operation: Any, there: Sequence[Any], rows: int) -> None:
    """Warn of columns of a published table that nothing was done to, and that look like direct identifiers."""
    service: Any = getattr(ctx.run, "identifiers", None)  # of another pack
    treated = operation.treated_before | operation.columns_with_roles()
    others = [name for name in map(str, there) if name not in treated]
    if not hasattr(service, "roles") or not others or not rows:
        return
    found = service.roles(_sampled(ctx, operation, others, rows), set(others), ()).get("direct identifier", {})
    if found:
        ctx.warn(
            f"{operation.output_dataset} keeps columns that look like direct identifiers: {', '.join(map(str, found))}."
            f" DropOperation or PseudonymizeOperation takes them away"
        )


def _sampled(ctx: OperationContext, operation: Any, columns: list[str], rows: int) -> pd.DataFrame:
    """All records, or a random sample of a large table, in some columns."""
    chosen = np.arange(rows) if rows <= MOST_JUDGED else np.sort(ctx.rng.choice(rows, MOST_JUDGED, replace=False))
    pieces, before = [], 0
    for piece in ctx.data.chunks(operation.input_dataset, columns=columns):
        first, last = np.searchsorted(chosen, [before, before + len(piece)])
        pieces.append(piece.iloc[chosen[first:last] - before])
        before += len(piece)
    frame: pd.DataFrame = pd.concat(pieces, ignore_index=True)
    if len(frame) < rows:
        frame.attrs["records"] = rows
    return frame
