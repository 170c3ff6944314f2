"""A table larger than memory, released by its combinations: counted, partitioned, rewritten, and counted again.

Classes depend on which combinations of quasi-identifiers and sensitive values a table has, and how many records have
each. These are counted piece by piece (service `tables`), the strategies run on them as they do on records, and the
table is read once more to give every record the cells of its combination. Where records themselves are units (persons,
populations, strategies that group records), the columns that decide are read whole, and no others.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa

from pamola_tasks.errors import DataError, DataRefused

from .counted_registration import CountedRegistration
from .domains import Ints, counted
from .generalization import as_text
from .located import Located
from .persons import holds_names
from .release import Release, anonymized
from .sampled import Sample
from .verdict import Knowable
from .whole_table import WholeTable, told_of_repeats

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

    from .conditions import Promise
    from .measures import Grouping

STRATEGIES = ("mondrian", "hierarchy")  # of which classes are classes of combinations, not of records


class CountedTable:
    """What `AnonymizeOperation` releases, of which no more than the distinct combinations are in memory.

    Attributes:
        judged: The records by which it is judged what columns look like: a random sample.
        rows: How many records the table has.
        kept: Once there is a release, the distinct combinations that it was made of, or the records in the columns that
            decide, by its row labels.
    """

    def __init__(self, ctx: OperationContext, dataset: str) -> None:
        self._ctx = ctx
        self._dataset = dataset
        self._tables: Any = ctx.run.tables.of(ctx)
        sample = Sample.of(ctx, dataset)
        self.judged, self.rows = sample.frame, sample.records
        self.kept = pd.DataFrame()
        self._columns: list[str] = []
        self._dropped: list[Hashable] = []
        self._values: dict[Any, tuple[int, int]] = {}

    def released(
        self, operation: Any, promise: Promise, dropped: Sequence[Hashable], identifying: Sequence[Any]
    ) -> Release:
        """The release of the table without some columns; `identifying` are its direct identifiers."""
        self._registration = CountedRegistration(operation, self._ctx, self.rows, self._values_of, identifying)
        self._refuse(operation, promise)
        self._columns, self._dropped = list(operation.quasi_identifiers), list(dropped)
        self._ctx.stage("counting")
        self.kept, self._times = self._counted(operation)
        settings = attrs.evolve(operation.settings_for(self._ctx, promise, self.kept), stage=self._ctx.stage)
        self.kept = self.kept[[*self._columns, *operation.sensitive_attributes]]

        def progress(done: int) -> None:
            self._ctx.progress(done, self.rows, "rows")

        return anonymized(self.kept, self._columns, operation.k, settings, progress, self._times)

    def _counted(self, operation: Any) -> tuple[pd.DataFrame, Ints | None]:
        """The combinations, and how many records have each; or the records in the columns that decide."""
        decide = [*self._columns, *operation.sensitive_attributes]
        whole = operation.strategy not in STRATEGIES or operation.person_columns or operation.population is not None
        if whole:
            columns = list(dict.fromkeys([*decide, *operation.person_columns]))
            return self._ctx.data.frame(self._dataset, columns), None
        found = self._tables.combinations(self._dataset, decide).read_pandas()
        limit, takes = self._ctx.config.memory_limit_mb, found.memory_usage(deep=True).sum() >> 20
        if takes > limit:
            raise DataError(
                f"{self._dataset} has {len(found):,} combinations of {', '.join(decide)} in {self.rows:,} records:"
                f" they take {takes:,} MiB, more than memory_limit_mb ({limit} MiB). Generalize columns of many values"
                f" first (GeneralizeOperation), leave some out of `quasi_identifiers`, or raise the limit"
            )
        return found.iloc[:, :-1], found.iloc[:, -1].to_numpy(dtype=np.int64)

    def repeats(self, operation: Any, identifiers: Sequence[Any], release: Release, grouping: Grouping) -> str | None:
        """Warn, and say it, where counting records counts a person several times: a direct identifier repeats."""
        listed = list(dict.fromkeys(identifiers))
        found: dict[Hashable, int] = {}
        for name in [name for name in listed if not holds_names(name)] or listed:
            distinct, there = self._values_of(name)
            if 0 < distinct < there:
                found[name] = distinct
        if not found or release.coded.empty or operation.person_columns:
            return None
        finest = max(found, key=lambda name: found[name])
        said = told_of_repeats(operation, found, self.rows, f"state `person: [{finest}]` to count persons")
        self._ctx.warn(said)
        return said

    def write(self, operation: Any, release: Release, shown: Sequence[str], grouping: Grouping) -> dict[str, Any]:
        """Write the release, and count again in what is written.

        Returns:
            The metrics `releases`: how it compares with earlier releases.

        Raises:
            DataRefused: A class has not as many records as were counted before.
        """
        ctx, columns, registration = self._ctx, self._columns, self._registration
        registers = bool(registration.columns)
        if registers:
            registration.register.begin()
        coded = release.coded
        row_of = np.full(len(self.kept), -1, dtype=np.int64)
        row_of[coded.index] = np.arange(len(coded))
        located: Located | _InOrder = _InOrder()
        if self._times is not None:
            # for the register sensitive values have to be found, too; for cells one of their combinations is enough
            located = Located(self.kept, list(self.kept.columns) if registers else columns, self._dataset)
            row_of = row_of[located.rows(self.kept)]
            if not registers:
                self.kept = self.kept.iloc[:0]  # what has been found in it is known, and memory is scarce
        cells = {name: coded[name] for name in columns}

        def as_texts(piece: pd.DataFrame) -> pd.DataFrame:
            return piece.assign(**{name: as_text(piece[name]) for name in columns})

        pa.default_memory_pool().release_unused()  # what was counted until now took more than what comes
        finish = as_texts if ctx.data.format_of(operation.output_dataset) == "parquet" else None
        seen = np.zeros(grouping.classes, dtype=np.int64)
        others = [name for name in shown if name not in columns]
        keys: list[Ints] = []

        def recoded(piece: pd.DataFrame) -> pd.DataFrame:
            combination = located.rows(piece)
            if registers:
                registration.see(piece, combination)
            row = row_of[combination]
            released = np.flatnonzero(row >= 0)
            row = row[released]
            group = grouping.group[row]
            seen[:] += np.bincount(group, minlength=len(seen))
            out = piece.drop(columns=self._dropped).take(released)
            if others:
                keys.append(_keys(group, out[others]))
            return out.assign(**{name: column.take(row).set_axis(out.index) for name, column in cells.items()})

        self._ctx.stage("writing")
        sorted_by = None if operation.keep_order else "cells"
        record = self._tables.rewrite(
            self._dataset, recoded, operation.output_dataset, sorted_by=sorted_by, finish=finish
        )
        if not np.array_equal(seen, counted(grouping.group, len(seen), release.times)):
            raise DataRefused(
                f"{operation.output_dataset} has other classes, as it is written, than were counted in"
                f" {self._dataset}: it is not released. This is a fault of the operation, please report it"
            )
        self._keys = keys
        registration.seen(self.kept)
        releases = registration.compare(release, grouping)
        registration.written(record)
        return releases

    def knowable(self, release: Release, columns: Sequence[str], grouping: Grouping) -> Knowable:
        """What is measured on all columns that look knowable, counted while the release was written."""
        if len(columns) <= len(release.loss) or release.coded.empty:
            return Knowable.of(release, columns, grouping)
        keys = np.concatenate(self._keys)
        self._keys.clear()
        if release.persons is not None:
            group, distinct = pd.factorize(keys)
            sizes = release.persons.in_classes(group.astype(np.int64), len(distinct))
            alone = release.persons.alone(group.astype(np.int64), sizes)
            return Knowable.of_sizes(columns, sizes, release.persons.count, alone)
        keys.sort()
        sizes = np.diff(np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1], [True]))))
        return Knowable.of_sizes(columns, sizes.astype(np.int64), release.records)

    def _values_of(self, name: Any) -> tuple[int, int]:
        """How many different values a column has, and in how many records."""
        if name not in self._values:
            sizes, count = self._tables.class_sizes(self._dataset, [name])
            missing = sum(
                int(piece[name].isna().sum()) for piece in self._ctx.data.chunks(self._dataset, columns=[name])
            )
            self._values[name] = int(count.sum()) - bool(missing), int(np.dot(sizes, count)) - missing
        return self._values[name]

    def _refuse(self, operation: Any, promise: Promise) -> None:
        """Refuse what needs the records themselves."""
        limit = self._ctx.config.memory_limit_mb
        protects = operation.sensitive_attributes and promise.of_sensitive and operation.ties == "random"
        # made once more, the release would have other classes, and count as another one
        chance = protects and bool(self._registration.columns)
        asked = {
            f"`update: {operation.update}`": operation.update != "none",
            "`row_id`": operation.row_id,
            "`ties: random` with a register of releases (set `ties: fixed`, or `register: false`)": chance,
        }
        takes = self._registration.bytes >> 20
        if takes > limit:
            raise DataError(
                f"{self._dataset}: to compare the release with earlier ones of the same persons takes about {takes:,}"
                f" MiB, more than memory_limit_mb ({limit} MiB) allows: raise the limit, or set `register: false`"
            )
        needed = [name for name, is_asked in asked.items() if is_asked]
        if needed:
            raise DataError(
                f"{self._dataset} is larger than memory_limit_mb ({limit} MiB), and needs its records themselves for"
                f" {', '.join(needed)}. Raise the limit, or do without"
            )


class _InOrder:
    """Finds the records of pieces by their order."""

    def __init__(self) -> None:
        self._before = 0

    def rows(self, piece: pd.DataFrame) -> Ints:
        """The places of the records of the next piece."""
        found = np.arange(self._before, self._before + len(piece), dtype=np.int64)
        self._before += len(piece)
        return found


def _keys(group: Ints, others: pd.DataFrame) -> Ints:
    """For each record a hash of 64 bits of its class and other columns: equal for equal ones, else hardly ever."""
    hashes = pd.util.hash_pandas_object(others, index=False).to_numpy()
    with np.errstate(over="ignore"):
        mixed = hashes + group.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return mixed.view(np.int64)


def table_of(ctx: OperationContext, dataset: str) -> WholeTable | CountedTable:
    """The table to release: whole where memory holds it, by its combinations where not."""
    counts = getattr(ctx.run, "tables", None) is not None
    limit, takes = ctx.config.memory_limit_mb, ctx.data.memory_mb(dataset)  # infinite where nobody knows
    return CountedTable(ctx, dataset) if counts and limit < takes < math.inf else WholeTable(ctx, dataset)
