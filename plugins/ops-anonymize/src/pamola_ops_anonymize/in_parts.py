"""A release of more combinations than memory holds: each part of the domain is released by itself.

What is kept of a part is small: its classes, each once for each sensitive value in it, and 12 bytes for each of its
combinations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataError, DataRefused

from .coarse import Parts, universe_of
from .distributions import Distribution
from .domains import Codes, Ints, counted
from .generalization import as_text
from .isolation import Isolated, isolated_in
from .located import Located, distinct_values
from .measures import Grouping
from .privacy_models import LDiversity
from .release import Release, anonymized
from .release_settings import OUTPUTS, Settings

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

    from .conditions import Promise

_OBJECT = 64  # bytes that an object takes


def bytes_of_row(sample: pd.DataFrame, columns: Sequence[str]) -> int:
    """About how many bytes a combination of these columns takes as a row of a frame, judged by a sample."""
    total = 8
    for name in columns:
        dtype: Any = sample[name].dtype
        if isinstance(dtype, pd.CategoricalDtype):
            total += 4
        elif isinstance(dtype, pd.StringDtype):
            total += 8 + int(np.ceil(sample[name].str.len().mean() if sample[name].notna().any() else 0))
        else:
            total += _OBJECT if pd.api.types.is_object_dtype(dtype) else int(dtype.itemsize)
    return total


def refuse(operation: Any, promise: Promise, persons_by: Sequence[Sequence[str]], said: str) -> None:
    """Refuse what has to see all combinations, or records, together.

    Raises:
        DataError: It begins with `said`.
    """
    asked = {
        "`recoding: full-domain`": operation.strategy == "hierarchy" and operation.recoding == "full-domain",
        "`output: representative`": (operation.output or OUTPUTS[operation.strategy]) == "representative",
        "`keep_order`": operation.keep_order,
        "`row_id`": operation.row_id,
        "the register of releases (set `register: false`)": bool(persons_by),
        **{model.name: not isinstance(model, LDiversity) for model in promise.of_sensitive},
    }
    if needed := [name for name, is_asked in asked.items() if is_asked]:
        raise DataError(
            f"{said}. They cannot be divided part by part with {', '.join(needed)}. Generalize columns of many values"
            f" first (GeneralizeOperation), leave some out of `quasi_identifiers`, or raise the limit"
        )


class InParts:
    """Releases the parts of a table one after the other, and gives each record of them its cells.

    Args:
        ctx: Of the step.
        tables: The tables of the step.
        dataset: The table.
        sample: Records of it, in all columns.
        most: How many combinations memory holds at once.
    """

    def __init__(self, ctx: OperationContext, tables: Any, dataset: str, sample: pd.DataFrame, most: int) -> None:
        self._ctx = ctx
        self._tables = tables
        self._dataset = dataset
        self._sample = sample
        self._most = most
        self._open = ExitStack()
        self._row_of: list[Codes] = []  # by part, of each combination the row of the joined release
        self.isolated = Isolated(0, 0)
        self.said: dict[str, Any] = {}  #: for metrics

    def released(
        self, operation: Any, settings: Settings, dropped: Sequence[Any], combinations: int, rows: int
    ) -> Release:
        """The release of all parts together; `combinations` and `rows` are how many the table has."""
        ctx, columns = self._ctx, list(operation.quasi_identifiers)
        self._columns, self._decide = columns, list(dict.fromkeys([*columns, *operation.sensitive_attributes]))
        universe = universe_of(ctx, self._dataset, columns, self._sample.dtypes)
        settings = attrs.evolve(settings, universe=universe)
        cut = Parts.of(self._sample[columns], universe, -(-2 * combinations // self._most))
        self._tell(operation, settings, cut, combinations)
        kept = [name for name in self._sample.columns if name not in dropped]
        ctx.stage("dividing")
        self._parts = self._open.enter_context(
            self._tables.divided(self._dataset, cut.of_rows, cut.count, columns=kept)
        )
        joined, done = _Joined(columns), 0
        for number, part in enumerate(self._parts):
            frame, times = self._combinations_of(part, number)
            if not len(frame):
                self._row_of.append(np.zeros(0, dtype=np.int32))
                continue
            release = _anonymized(frame, operation, settings, times, f"part {number + 1} of {cut.count}")
            grouping = Grouping.of(release.coded, columns, None, release.times)
            found = isolated_in(operation, frame, release, grouping)
            self.isolated = Isolated(self.isolated.classes + found.classes, self.isolated.records + found.records)
            self._row_of.append(joined.add(release, len(frame), int(times.sum())))
            done += part.rows
            ctx.progress(done, rows, "rows")
        return joined.release()

    def pieces(self, recoded: Callable[[pd.DataFrame, Ints], pd.DataFrame]) -> Any:
        """What becomes of the records, piece by piece, given those of a piece and the row of the release of each."""
        with self._open:
            for number, part in enumerate(self._parts):
                frame, _ = self._combinations_of(part, number)
                if not len(frame):
                    continue
                located = Located(frame, self._columns, self._dataset)
                row_of = self._row_of[number][located.rows(frame)].astype(np.int64)
                del frame
                for piece in part.pieces():
                    yield recoded(piece, row_of[located.rows(piece)])

    def _combinations_of(self, part: Any, number: int) -> tuple[pd.DataFrame, Ints]:
        found = part.combinations(self._decide).read_pandas()
        if len(found) > self._most:
            raise DataError(
                f"{self._dataset} cannot be cut into parts whose combinations fit into memory_limit_mb"
                f" ({self._ctx.config.memory_limit_mb} MiB): part {number + 1} of {len(self._parts)} has"
                f" {len(found):,}. Generalize columns of many values first (GeneralizeOperation), or raise the limit"
            )
        return found.iloc[:, :-1], found.iloc[:, -1].to_numpy(dtype=np.int64)

    def _tell(self, operation: Any, settings: Settings, cut: Parts, combinations: int) -> None:
        """Say that the table is cut, and what that loses: measured on the sample, released whole and in parts."""
        sample, part = self._sample[self._decide], cut.of_rows(self._sample)
        quiet = attrs.evolve(settings, stage=str)
        lost: dict[str, float] = {}
        try:
            lost["whole"] = anonymized(sample, self._columns, operation.k, quiet).information_loss
            joined = _Joined(self._columns)
            for number in np.unique(part).tolist():
                frame = sample[part == number].reset_index(drop=True)
                joined.add(anonymized(frame, self._columns, operation.k, quiet), len(frame), len(frame))
            lost["in_parts"] = joined.release().information_loss
        except DataRefused:  # too few records of a value in the sample
            lost.clear()
        self.said = {
            "parts": cut.count,
            "cut_by": cut.columns,
            "combinations": combinations,
            "sample_records": len(sample),
            "information_loss_of_sample": lost or None,
        }
        measured = (
            f"in a sample of {len(sample):,} records that raises the information loss from {lost['whole']:.4f} to"
            f" {lost['in_parts']:.4f}"
            if lost
            else "what that loses could not be measured on a sample"
        )
        self._ctx.warn(
            f"{self._dataset} has {combinations:,} combinations, more than memory_limit_mb"
            f" ({self._ctx.config.memory_limit_mb} MiB) has room for: it is cut into {cut.count} parts along"
            f" {', '.join(cut.columns)}, and no class reaches across; {measured}"
        )


def _anonymized(frame: pd.DataFrame, operation: Any, settings: Settings, times: Ints, which: str) -> Release:
    try:
        return anonymized(frame, list(operation.quasi_identifiers), operation.k, settings, None, times)
    except DataRefused as refusal:
        raise DataRefused(
            f"{operation.input_dataset} is divided in parts, since memory_limit_mb has no room for all of its"
            f" combinations, and {which}: {refusal}. A higher limit makes fewer parts",
            **refusal.details,
        ) from None


class _Joined:
    """The releases of parts as one."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._coded: list[pd.DataFrame] = []
        self._times: list[Ints] = []
        self._releases: list[tuple[Release, int]] = []
        self._rows = 0

    def add(self, release: Release, combinations: int, records: int) -> Codes:
        """Take the release of so many combinations and records; the row of each combination, or -1."""
        coded = release.coded
        key = np.zeros(len(coded), dtype=np.int64)
        for name in coded.columns:
            codes, values = distinct_values(coded[name])
            key = pd.factorize(key * (len(values) + 1) + codes + 1)[0].astype(np.int64)
        _, first = np.unique(key, return_index=True)
        row_of = np.full(combinations, -1, dtype=np.int32)
        row_of[coded.index] = key + self._rows
        self._rows += len(first)
        taken = coded.iloc[first]
        self._coded.append(taken.assign(**{name: as_text(taken[name]) for name in self._columns}))
        self._times.append(counted(key, len(first), release.times))
        self._releases.append((attrs.evolve(release, coded=coded.iloc[:0], times=None), records))
        return row_of

    def release(self) -> Release:
        """All of them."""
        releases = [each for each, _ in self._releases]
        total = sum(records for _, records in self._releases)
        coded = pd.concat(self._coded, ignore_index=True)

        def lost(kind: str) -> dict[str, float]:
            return {
                name: sum(getattr(each, kind)[name] * records for each, records in self._releases) / total
                for name in getattr(releases[0], kind)
            }

        return Release(
            coded=coded.assign(**{name: coded[name].astype("category") for name in self._columns}),
            suppressed=sum(each.suppressed for each in releases),
            suppressed_for_nulls=sum(each.suppressed_for_nulls for each in releases),
            dropped=sum(each.dropped for each in releases),
            sizes_before=np.concatenate([each.sizes_before for each in releases]),
            ncp_set=lost("ncp_set"),
            ncp_hier=lost("ncp_hier"),
            ncp_file=lost("ncp_file"),
            published=releases[0].published,
            distributions={name: _together([each.distributions for each in releases], name) for name in self._columns},
            times=np.concatenate(self._times),
        )


def _together(found: Sequence[Mapping[str, Distribution]], name: str) -> Distribution:
    each = [of[name] for of in found]
    return Distribution(
        each[0].domain,
        np.sum([one.before for one in each], axis=0),
        np.sum([one.after for one in each], axis=0),
        sum(one.untold for one in each),
    )
