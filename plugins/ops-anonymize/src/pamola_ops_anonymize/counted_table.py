"""A table larger than memory, released by its combinations: counted, partitioned, rewritten, and counted again.

Classes depend on which combinations of quasi-identifiers and sensitive values a table has, and how many records have
each. These are counted piece by piece (service `tables`), the strategies run on them as they do on records, and the
table is read once more to give every record the cells of its combination. Where they are too many for memory, too, the
domain is cut into parts that are released one by one (`in_parts`). Where records themselves are units (persons,
populations, strategies that group records), the columns that decide are read whole, and no others.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa

from pamola_tasks.errors import DataError, DataRefused

from .alike import NearCollisions
from .columns import distinct_texts
from .counted_registration import CountedRegistration
from .domains import Ints, counted
from .generalization import as_text
from .in_parts import InParts, bytes_of_row, refuse
from .isolation import Isolated, isolated_in
from .located import Located
from .persons import holds_names
from .release import Release, anonymized
from .row_ids import Numbered, row_ids_file
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
        cut: Where parts of the table were released one by one, what is said of that.
    """

    def __init__(self, ctx: OperationContext, dataset: str) -> None:
        self._ctx = ctx
        self._dataset = dataset
        self._tables: Any = ctx.run.tables.of(ctx)
        sample = Sample.of(ctx, dataset)
        self.judged, self.rows = sample.frame, sample.records
        self.kept = pd.DataFrame()
        self.cut: dict[str, Any] = {}
        self._parts: InParts | None = None
        self._times: Ints | None = None
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
        found = self._counted(operation)
        if isinstance(found, int):
            return self._in_parts(operation, promise, found)
        self.kept, self._times = found
        settings = attrs.evolve(operation.settings_for(self._ctx, promise, self.kept), stage=self._ctx.stage)
        self.kept = self.kept[[*self._columns, *operation.sensitive_attributes]]

        def progress(done: int) -> None:
            self._ctx.progress(done, self.rows, "rows")

        return anonymized(self.kept, self._columns, operation.k, settings, progress, self._times)

    def _in_parts(self, operation: Any, promise: Promise, combinations: int) -> Release:
        """The release of more combinations than memory holds."""
        ctx, limit = self._ctx, self._ctx.config.memory_limit_mb
        said = (
            f"{self._dataset} has {combinations:,} combinations of {', '.join(self._deciding(operation))} in"
            f" {self.rows:,} records, more than memory_limit_mb ({limit} MiB) has room for"
        )
        refuse(operation, promise, self._registration.columns, said)
        settings = operation.settings_for(ctx, promise, self.judged[:0])
        self._parts = InParts(ctx, self._tables, self._dataset, self.judged, self._most(operation))
        release = self._parts.released(operation, settings, self._dropped, combinations, self.rows)
        self.cut, self._dropped = self._parts.said, []
        return release

    def _deciding(self, operation: Any) -> list[str]:
        return list(dict.fromkeys([*self._columns, *operation.sensitive_attributes]))

    def _most(self, operation: Any) -> int:
        """How many combinations memory holds."""
        limit: int = self._ctx.config.memory_limit_mb * 2**20
        return max(limit // bytes_of_row(self.judged, self._deciding(operation)), 1)

    def _counted(self, operation: Any) -> tuple[pd.DataFrame, Ints | None] | int:
        """The combinations, and how many records have each; or the records in the columns that decide.

        Only how many combinations there are, where these are too many for memory.
        """
        decide = [*self._columns, *operation.sensitive_attributes]
        whole = operation.strategy not in STRATEGIES or operation.person_columns or operation.population is not None
        if whole:
            columns = list(dict.fromkeys([*decide, *operation.person_columns]))
            return self._ctx.data.frame(self._dataset, columns), None
        stream, most = self._tables.combinations(self._dataset, decide), self._most(operation)
        batches, count = [], 0
        for batch in stream:
            count += batch.num_rows
            batches.append(batch)
            if count > most:
                batches.clear()
        if count > most:
            return count
        found = pa.Table.from_batches(batches, stream.schema).to_pandas()
        return found.iloc[:, :-1], found.iloc[:, -1].to_numpy(dtype=np.int64)

    def isolated(self, operation: Any, release: Release, grouping: Grouping) -> Isolated:
        """The isolated records of the release."""
        return self._parts.isolated if self._parts else isolated_in(operation, self.kept, release, grouping)

    def repeats(self, operation: Any, identifiers: Sequence[Any], release: Release, grouping: Grouping) -> str | None:
        """Warn, and say it, where counting records counts a person several times: a direct identifier repeats."""
        listed = list(dict.fromkeys(identifiers))
        found: dict[Hashable, int] = {}
        for name in [name for name in listed if not holds_names(name)] or listed:
            distinct, there = self._values_of(name)
            distinct -= self._spare(name)
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
        found = _Found(self.kept, coded, None if self._times is None else self._located(columns, registers))
        if self._times is not None and not registers:
            self.kept = self.kept.iloc[:0]  # what has been found in it is known, and memory is scarce
        cells = {name: coded[name] for name in columns}

        def finished(piece: pd.DataFrame) -> pd.DataFrame:
            piece = piece if numbered is None else numbered.taken(piece)
            if ctx.data.format_of(operation.output_dataset) != "parquet":
                return piece
            return piece.assign(**{name: as_text(piece[name]) for name in columns})

        pa.default_memory_pool().release_unused()  # what was counted until now took more than what comes
        seen = np.zeros(grouping.classes, dtype=np.int64)
        others = [name for name in shown if name not in columns]
        keys: list[Ints] = []

        def counting(piece: pd.DataFrame) -> pd.DataFrame:
            combination = found.combinations(piece)
            if registers:
                registration.see(piece, combination)
            piece = piece if numbered is None else numbered.added(piece)
            return recoded(piece, found.row_of[combination])

        def recoded(piece: pd.DataFrame, row: Ints) -> pd.DataFrame:
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
        target = operation.output_dataset
        with contextlib.ExitStack() as stack:
            numbered: Numbered | None = None
            if operation.row_id:
                numbered = Numbered(stack.enter_context(row_ids_file(ctx, operation)), self.judged.columns)
            if self._parts:
                pieces = self._parts.pieces(recoded)
                record = self._tables.write(target, pieces, sorted_by=sorted_by, finish=finished)
            else:
                record = self._tables.rewrite(self._dataset, counting, target, sorted_by=sorted_by, finish=finished)
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

    def _located(self, columns: list[str], registers: bool) -> Located:
        # for the register sensitive values have to be found, too; for cells one of their combinations is enough
        return Located(self.kept, list(self.kept.columns) if registers else columns, self._dataset)

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

    def _spare(self, name: Any) -> int:
        """By how many the texts of a column are more than what a reader distinguishes."""
        texts = NearCollisions()
        for piece in self._ctx.data.chunks(self._dataset, columns=[name]):
            texts.add(distinct_texts(piece[name])[1])
        return texts.spare

    def _refuse(self, operation: Any, promise: Promise) -> None:
        """Refuse what needs the records themselves."""
        limit = self._ctx.config.memory_limit_mb
        protects = operation.sensitive_attributes and promise.of_sensitive and operation.ties == "random"
        # made once more, the release would have other classes, and count as another one
        chance = protects and bool(self._registration.columns)
        asked = {
            f"`update: {operation.update}`": operation.update != "none",
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


class _Found:
    """The rows of a release that records of its input have.

    Args:
        kept: The combinations or records that were released.
        coded: The release, by their row labels.
        located: Finds combinations; records are found by their order.
    """

    def __init__(self, kept: pd.DataFrame, coded: pd.DataFrame, located: Located | None) -> None:
        self.row_of: Ints = np.full(len(kept), -1, dtype=np.int64)  #: of each of them, -1 for none
        self._located = located
        self._before = 0
        if len(kept):
            self.row_of[coded.index] = np.arange(len(coded))
            if located is not None:
                self.row_of = self.row_of[located.rows(kept)]

    def combinations(self, piece: pd.DataFrame) -> Ints:
        """The places of the records of the next piece among them."""
        if self._located is not None:
            return self._located.rows(piece)
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
