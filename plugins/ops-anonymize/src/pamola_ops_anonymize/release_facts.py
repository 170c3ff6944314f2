"""What `AnonymizeOperation` says of a release in its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext
from pamola_tasks.errors import DataRefused

from .charts import highest_and_average
from .claims import k_map
from .conditions import Promise
from .domains import encode
from .measures import Grouping
from .models import SensitiveValues
from .release import Release, mean_loss
from .release_settings import OUTPUTS


def figures(operation: Any, release: Release, grouping: Grouping, rows: int) -> dict[str, Any]:
    """Rows, classes and losses of a release, for metrics."""
    measured_k = grouping.k
    if release.population is not None:
        measured_k = k_map(
            release.coded, release.population, operation.quasi_identifiers, release.persons_of_population
        )
    counted: dict[str, Any] = {"counted": grouping.counted}
    if release.persons is not None:
        counted |= {"persons_in": release.persons_before, "persons_out": release.persons.count}
    if operation.strategy == "suppression":
        lost = release.ncp_hier.items()
        counted["cells_suppressed"] = {name: round(loss * rows) - release.suppressed for name, loss in lost}
    return {
        **counted,
        "method": operation.method,
        "strategy": operation.strategy,
        "k_claimed": operation.k,
        "k_measured": measured_k,
        "k_before": release.k_before,
        "risk": _risk(operation, release, grouping),
        "equivalence_classes": grouping.classes,
        "equivalence_classes_before": len(release.sizes_before),
        "rows_in": rows,
        "rows_out": release.records,
        "rows_suppressed": release.suppressed,
        "rows_suppressed_for_nulls": release.suppressed_for_nulls,
        "rows_suppressed_kept": release.suppressed - release.dropped,
        "ncp_set": mean_loss(release.ncp_set),
        "ncp_hier": mean_loss(release.ncp_hier),
        **({"ncp_hier_of_file_lines": mean_loss(release.ncp_file)} if release.ncp_file else {}),
        "ncp_set_by_column": release.ncp_set,
        "ncp_hier_by_column": release.ncp_hier,
        "information_loss": release.information_loss,
        "information_loss_measure": f"ncp_{release.published}",
        "information_loss_by_column": release.loss,
        "average_class_size": grouping.average_size,
        "discernibility": grouping.discernibility(release.dropped),
    }


def _risk(operation: Any, release: Release, grouping: Grouping) -> dict[str, Any]:
    """Risks of re-identification on the quasi-identifiers, within the table, before and after."""
    risks = zip(highest_and_average(release.sizes_before), highest_and_average(grouping.sizes), strict=True)
    unique = [float((sizes == 1).sum()) / max(int(sizes.sum()), 1) for sizes in (release.sizes_before, grouping.sizes)]
    names = ("highest (prosecutor)", "average (marketer)") if operation.population is None else ("highest", "average")
    sides = dict(zip((*names, f"unique {grouping.counted}"), (*risks, unique), strict=True))
    return {
        "columns": list(operation.quasi_identifiers),
        "measures": {name: {"before": before, "after": after} for name, (before, after) in sides.items()},
    }


def tell_little(operation: Any, ctx: OperationContext, release: Release, grouping: Grouping, rows: int) -> None:
    """Warn where little or nothing is left of the table, or of its quasi-identifiers."""
    written = operation.output_dataset
    if release.coded.empty:
        ctx.warn(
            f"{operation.input_dataset} has {rows - release.suppressed_for_nulls} records, fewer than k={operation.k}:"
            f" all of them were suppressed, and {written} is empty"
        )
    elif operation.suppressed_records == "keep" and release.dropped:
        ctx.warn(
            f"{written}: {release.dropped:,} suppressed records are dropped, not kept with `*`:"
            f" together they do not meet the requirements of a class"
        )
    elif grouping.classes == 1 and len(release.sizes_before) > 1:
        ctx.warn(
            f"{written}: all records are in one equivalence class, so that nothing is left of the"
            f" quasi-identifiers: require less, or leave out the quasi-identifier or sensitive attribute that asks"
            f" for it"
        )


def representatives(operation: Any, ctx: OperationContext, table: pd.DataFrame, release: Release) -> dict[str, Any]:
    """How many classes are written as the values of a record, where a class is written as its representative.

    Args:
        operation: The operation.
        ctx: Where to warn.
        table: The input that was anonymized.
        release: The release.
    """
    if (operation.output or OUTPUTS[operation.strategy]) != "representative" or release.population is not None:
        return {}
    columns = operation.quasi_identifiers
    cells = release.coded[columns].astype(object)
    cells = cells.where(cells.notna(), "")
    written = cells.drop_duplicates()
    records = pd.DataFrame({name: _as_cells(table[name]) for name in columns}, index=table.index)
    found = cells[pd.MultiIndex.from_frame(cells).isin(pd.MultiIndex.from_frame(records))]
    real = len(found.drop_duplicates())
    fresh = operation.on_real_records == "avoid" and operation.update == "none"
    if fresh and (found.to_numpy() != records.loc[found.index].to_numpy()).any():
        raise DataRefused(
            f"{operation.output_dataset} has representatives that are values of a record (`on_real_records: avoid`):"
            f" it is not released. This is a fault of the operation, please report it"
        )
    if real and operation.on_real_records == "warn":
        ctx.warn(
            f"{operation.output_dataset}: {real:,} of {len(written):,} representatives are the values of a record in"
            f" all quasi-identifiers: who knows a person takes it for that person's. `on_real_records: avoid` takes"
            f" others, `output: ranges` writes intervals"
        )
    return {"representatives": len(written), "representatives_that_are_records": real}


def _as_cells(column: pd.Series[Any]) -> Any:
    """The values of a column as cells are written."""
    domain, codes = encode(column)
    return np.array([*domain.texts(np.arange(domain.size)), ""], dtype=object)[codes.astype(np.int64)]


def randomness(operation: Any, promise: Promise) -> dict[str, Any]:
    """Whether chance decided between nearly equal classes, which it does only where sensitive values are protected."""
    if not (promise.of_sensitive and operation.sensitive_attributes):
        return {}
    return {"ties": operation.ties, **({"randomness": "system"} if operation.ties == "random" else {})}


def diversity(
    operation: Any, values: Mapping[str, SensitiveValues], grouping: Grouping, ctx: OperationContext
) -> dict[str, Any]:
    """Distinct l-diversity of each sensitive attribute, in words too; a warning where a class has one value only."""
    found: dict[str, Any] = {}
    for attribute in operation.sensitive_attributes:
        measured = grouping.diversity(values[attribute])
        if measured is None:
            continue
        meaning = measured.meaning(attribute, grouping.total, grouping.counted)
        found[attribute] = {**attrs.asdict(measured), "meaning": meaning}
        if measured.l == 1:
            ctx.warn(f"{operation.output_dataset}: {meaning}")
    return found
