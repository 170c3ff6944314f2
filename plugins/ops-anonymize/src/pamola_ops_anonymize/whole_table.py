"""A table that is read whole, and its release as one frame."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import pandas as pd

from .isolation import Isolated, isolated_in
from .persons import least_persons, repeated, smallest_class
from .registering import Registration
from .release import Release
from .row_ids import ROW_ID, lines, row_ids_file
from .row_order import by_cells
from .updating import release_of
from .verdict import Knowable

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

    from .conditions import Promise
    from .measures import Grouping


class WholeTable:
    """What `AnonymizeOperation` releases, all of it in memory.

    Attributes:
        judged: The records by which it is judged what columns look like: all of them.
        rows: How many there are.
        kept: Once there is a release, the table that it was made of, without dropped columns, by its row labels.
        cut: Nothing: it is released as one.
    """

    def __init__(self, ctx: OperationContext, dataset: str) -> None:
        self._ctx = ctx
        ctx.stage("reading")
        self.judged: pd.DataFrame = ctx.data.frame(dataset)
        self.rows = len(self.judged)
        self.kept = pd.DataFrame()
        self.cut: dict[str, Any] = {}

    def released(
        self, operation: Any, promise: Promise, dropped: Sequence[Hashable], identifying: Sequence[Any]
    ) -> Release:
        """The release of the table without some columns; `identifying` are its direct identifiers."""
        ctx, rows = self._ctx, self.rows
        self.kept = self.judged.drop(columns=list(dropped)).reset_index(drop=True)
        self._registration = Registration(operation, ctx, self.judged, identifying)
        how = attrs.evolve(operation.settings_for(ctx, promise, self.judged), stage=ctx.stage)
        return release_of(
            operation, ctx, self._registration, self.kept, how, lambda done: ctx.progress(done, rows, "rows")
        )

    def repeats(self, operation: Any, identifiers: Sequence[Any], release: Release, grouping: Grouping) -> str | None:
        """Warn, and say it, where counting records counts a person several times: a direct identifier repeats."""
        frame = self.judged
        found = repeated(frame, identifiers)
        if not found or release.coded.empty:
            return None
        released = frame[list(found)].iloc[release.coded.index]
        if operation.person_columns:
            finest, least = least_persons(released, found, grouping.group, grouping.classes)
            return f"by {finest}, the smallest class holds {least:,} of them" if least < operation.k else None
        smallest = smallest_class(released, found, grouping.group, grouping.classes)
        said = told_of_repeats(operation, found, len(frame), smallest)
        self._ctx.warn(said)
        return said

    def isolated(self, operation: Any, release: Release, grouping: Grouping) -> Isolated:
        """The isolated records of the release."""
        return isolated_in(operation, self.kept, release, grouping)

    def knowable(self, release: Release, columns: Sequence[str], grouping: Grouping) -> Knowable:
        """What is measured on all columns that look knowable."""
        return Knowable.of(release, columns, grouping)

    def write(self, operation: Any, release: Release, shown: Sequence[str], grouping: Grouping) -> dict[str, Any]:
        """Write the release, and where it is asked for which record of the input each of its records is.

        Returns:
            The metrics `releases`: how it compares with earlier releases.
        """
        ctx = self._ctx
        ctx.stage("writing")
        releases = self._registration.compare(release, grouping)
        # Parquet would keep the categories, and who groups by them later would get the empty ones too
        output = release.frame if ctx.data.format_of(operation.output_dataset) == "parquet" else release.coded
        if not operation.keep_order:
            output = output.iloc[by_cells(release.coded)]
        self._registration.written(ctx.data.write(operation.output_dataset, output.reset_index(drop=True)))
        if operation.row_id:
            with row_ids_file(ctx, operation) as file:
                file.write(f"{ROW_ID}\n".encode() + lines(output.index.tolist()))
        return releases


def told_of_repeats(operation: Any, found: dict[Hashable, int], records: int, smallest: str) -> str:
    """What is said of direct identifiers that repeat; `found` has how many different values each has."""
    listed = ", ".join(f"{name} ({count:,} different in {records:,} records)" for name, count in found.items())
    return (
        f"{operation.output_dataset} has direct identifiers that repeat, so a person may have several records:"
        f" {listed}. k = {operation.k} counts records; {smallest}"
    )
