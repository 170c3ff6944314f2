"""Releases of a table that grows, so that nothing follows from all of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext
from pamola_tasks.errors import DataRefused, ParameterError

from .domains import Ints
from .earlier import Earlier, earlier_releases
from .invariant_release import invariant
from .measures import Grouping
from .registering import Registration
from .release import Release, anonymized
from .release_settings import Settings

Update = Literal["none", "append", "m-invariant"]
Progress = Callable[[int], None]


def check_update(operation: Any) -> None:
    """Refuse parameters that do not go with `update`."""
    if operation.update == "none":
        return
    for name, value in (("register", False), ("recoding", "full-domain"), ("suppressed_records", "keep"),
                        ("person_records", "apart"), ("strategy", "suppression")):  # fmt: skip
        if getattr(operation, name) == value:
            shown = str(value).lower()
            raise ParameterError(f"AnonymizeOperation: `update: {operation.update}` does not go with `{name}: {shown}`")
    if operation.update == "m-invariant":
        if len(operation.sensitive_attributes) != 1:
            raise ParameterError(
                "AnonymizeOperation: `update: m-invariant` is of one sensitive attribute: name it in"
                " `sensitive_attributes`"
            )
        for name in ("t", "delta", "weights", "keep_order"):
            if getattr(operation, name):
                raise ParameterError(f"AnonymizeOperation: `update: m-invariant` does not go with `{name}`")
    if operation.population is not None:
        raise ParameterError(f"AnonymizeOperation: `update: {operation.update}` does not go with `population`")


def release_of(
    operation: Any,
    ctx: OperationContext,
    registration: Registration,
    frame: pd.DataFrame,
    settings: Settings,
    progress: Progress,
) -> Release:
    """The release of a table, which continues an earlier one where `update` says so.

    Where chance decides between classes, the same table with the same settings gets those of its earlier release.

    Args:
        operation: The step.
        ctx: Where it runs.
        registration: How persons are recognised.
        frame: The table, without the columns that are dropped.
        settings: How it is to be anonymized.
        progress: Called with how many records have found their class.

    Raises:
        DataRefused: The table does not continue any earlier release.
    """
    columns = operation.quasi_identifiers
    chance = settings.ties == "random" and settings.sensitive and settings.promise.of_sensitive
    if chance and registration.columns and operation.population is None and registration.register.exists:
        for earlier in earlier_releases(registration, frame, columns, ctx, same=True):
            if not (earlier.left or earlier.changed or earlier.table.counterfeit.any()):
                fresh = np.setdiff1d(np.arange(len(frame)), earlier.rows)
                return attrs.evolve(_joined(operation, frame, earlier, None, fresh, settings), update={})
    if operation.update == "none":
        return anonymized(frame, columns, operation.k, settings, progress)
    if not registration.columns:
        raise ParameterError(
            f"AnonymizeOperation: `update: {operation.update}` has to recognise persons: name `person`,"
            f" `direct_identifiers` or `register`"
        )
    registration.register.begin()
    if operation.update == "m-invariant":
        return invariant(operation, ctx, registration, frame, settings, progress)
    return _appended(operation, ctx, registration, frame, settings, progress)


def _appended(
    operation: Any,
    ctx: OperationContext,
    registration: Registration,
    frame: pd.DataFrame,
    settings: Settings,
    progress: Progress,
) -> Release:
    """The newest earlier release of which every person is in the table as then, and classes of the new persons.

    Nothing more is said of who was released before, so that the difference of the releases is a k-anonymous table of
    the new persons. K. LeFevre's Mondrian, or another strategy, so runs on these alone: J.-W. Byun, Y. Sohn, E. Bertino
    and N. Li: Secure anonymization for incremental datasets, SDM 2006, discuss why classes must not be joined or split.
    """
    columns, first = operation.quasi_identifiers, None
    for earlier in earlier_releases(registration, frame, columns, ctx):
        first = first or earlier
        if not (earlier.left or earlier.changed or earlier.table.counterfeit.any()):
            break
    else:
        if first is None:
            return anonymized(frame, columns, operation.k, settings, progress)
        raise _not_continued(operation, first)
    if earlier.moved:
        ctx.warn(
            f"{operation.output_dataset}: {earlier.moved:,} records have other quasi-identifiers than in"
            f" {earlier.entry}, and keep their cells of then, which may not hold them any more (`update: append`)"
        )
    fresh = np.setdiff1d(np.arange(len(frame)), earlier.rows)
    new = frame.iloc[fresh].reset_index(drop=True)
    settings_of_new = attrs.evolve(settings, persons=settings.persons and settings.persons.taken(fresh))
    if not len(new):
        return _joined(operation, frame, earlier, None, fresh, settings)
    try:
        added = anonymized(new, columns, operation.k, settings_of_new, progress)
    except DataRefused as refusal:
        raise DataRefused(
            f"`update: append` makes classes of the {len(new):,} new records alone: {refusal}", **refusal.details
        ) from None
    held_back = added.suppressed
    if held_back:
        ctx.warn(
            f"{operation.output_dataset}: {held_back:,} new records are held back, since they do not make a class of"
            f" their own: run the task again when there are more (`update: append`)"
        )
    return _joined(operation, frame, earlier, added, fresh, settings)


def _not_continued(operation: Any, earlier: Earlier) -> DataRefused:
    why = []
    if earlier.left:
        why.append(f"{earlier.left:,} of its persons are not in {operation.input_dataset}")
    if earlier.changed:
        why.append(f"{earlier.changed:,} of its persons have other records or sensitive values now")
    if earlier.table.counterfeit.any():
        why.append("it has counterfeit records")
    return DataRefused(
        f"{operation.input_dataset} does not continue {earlier.entry}: {', and '.join(why)}. `update: append` is for"
        f" tables to which persons are added and nothing else happens",
        persons_left=earlier.left,
        persons_changed=earlier.changed,
    )


def _joined(
    operation: Any, frame: pd.DataFrame, earlier: Earlier, added: Release | None, fresh: Ints, settings: Settings
) -> Release:
    """An earlier release with its cells as they were, and what was added to it."""
    columns, rows = operation.quasi_identifiers, earlier.rows
    parts = [frame.iloc[rows].assign(**cells_of(earlier, columns, earlier.group[rows], frame.index[rows]))]
    if added is not None and len(added.coded):
        text = added.frame.set_axis(frame.index[fresh[added.coded.index]])
        parts.append(text.assign(**{name: text[name].astype("string") for name in columns}))
    coded = pd.concat(parts).sort_index()
    coded = coded.assign(**{name: coded[name].astype("category") for name in columns})
    suppressed = len(fresh) if added is None else added.suppressed
    incomplete = frame.iloc[fresh][columns].isna().any(axis=1) if settings.nulls == "suppress" else np.zeros(0)
    total = len(frame)
    losses = {}
    for kind in ("ncp_set", "ncp_hier"):
        before = earlier.table.losses[kind]
        after = dict.fromkeys(columns, 1.0) if added is None else getattr(added, kind)
        losses[kind] = {name: (before[name] + after[name] * len(fresh)) / total for name in columns}
    return Release(
        coded=coded,
        suppressed=suppressed,
        suppressed_for_nulls=int(incomplete.sum()),
        dropped=suppressed,
        sizes_before=Grouping.of(frame, columns, settings.persons).sizes,
        ncp_set=losses["ncp_set"],
        ncp_hier=losses["ncp_hier"],
        published="hier" if settings.output == "labels" else "set",
        persons=settings.persons and settings.persons.taken(coded.index.to_numpy()),
        persons_before=settings.persons.count if settings.persons else 0,
        update={
            "continues": earlier.entry.number,
            "records_kept": len(rows),
            "records_new": len(coded) - len(rows),
            "records_held_back": suppressed,
        },
    )


def cells_of(earlier: Earlier, columns: list[str], group: Ints, index: pd.Index) -> dict[str, pd.Series[Any]]:
    """The cells that records of these classes of an earlier release had."""
    return {
        name: pd.Series(pd.array(np.array(earlier.table.cells[name], dtype=object), dtype="string").take(group), index)
        for name in columns
    }
