"""The steps that read a table of a database, and that write one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pamola_tasks import Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError
from pamola_tasks_sql.address import FILES, Address
from pamola_tasks_sql.connecting import connected, database_of, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pamola_tasks.protocols import RunServices
    from pamola_tasks_sql.file_tables import FileTable
    from pamola_tasks_sql.reading import TableReader


@contextlib.contextmanager
def reading(run: RunServices, address: Address, by: str = "") -> Iterator[TableReader | FileTable]:
    """What reads a table, or the rows of a query, while the block runs.

    Args:
        by: How changes of a table on a server are seen, if not as the project file has it.
    """
    if address.scheme in FILES:
        from pamola_tasks_sql.opening_files import file_table

        with file_table(run, address, reads=True) as table:
            yield table
        return
    from pamola_tasks_sql.reading import TableReader

    database = database_of(run.config, address.database)
    with connected(run.config, address.database, reads=True) as connection, explained(str(address)):
        yield TableReader(connection, address, by or database.fingerprint)


class ReadTableOperation(Operation):
    """Read a table of a database, or the rows of a query, as they are at one moment.

    Attributes:
        source: `postgresql://DATABASE?table=SCHEMA.TABLE`, or `?query=…` with a query in the form of URLs; DATABASE is
            a name under `sql.databases` in the project file. Of files it is `sqlite://…` or `duckdb://…`.
        output_dataset: The dataset that is written: a copy that all later steps of the run read.
    """

    category = "data"
    source: str
    output_dataset: str = writes()

    @property
    def address(self) -> Address:
        """What is read."""
        return Address.of(self.source)

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Stream the rows into the dataset."""
        address = self.address
        with reading(ctx.run, address) as reader:
            ctx.stage("looking at the table")
            found, order, types = reader.fingerprint(), reader.order, reader.types()
            ctx.stage("reading")
            cell_text = getattr(ctx.run.data_source, "cell_text", None)
            if cell_text is None:
                raise DataError("the data service of this run takes no tables of databases: use pamola-tasks-data")
            pieces = self._counted(ctx, reader, cell_text, found.count)
            written = ctx.data.write(self.output_dataset, pieces)
            ctx.data.fetched(written, str(address), version=found.text)
        for warning in reader.warnings:
            ctx.warn(warning)
        if not order:
            ctx.warn(f"{address}: the query has no ORDER BY, so its rows may come in another order the next time")
        return OperationResult.success(
            metrics={
                "source": str(address),
                "rows": found.count,
                "fingerprint": found.text,
                "changes_seen_by": found.how,
                "order": order or "not determined",
                "sha256": written.sha256,
                "types": types,
            }
        )

    def _counted(
        self,
        ctx: OperationContext,
        reader: TableReader | FileTable,
        cell_text: Callable[[Any], str | None],
        expected: int,
    ) -> Iterator[Any]:
        rows = 0
        for table in reader.tables(cell_text):
            yield table
            rows += table.num_rows
            ctx.progress(rows, expected, "rows")
        if rows != expected:
            raise DataError(f"{self.address}: {rows:,} rows came, and it has {expected:,}")


class WriteTableOperation(Operation):
    """Write a dataset into a table of a database, in one transaction: whole, or the table stays as it was.

    Attributes:
        input_dataset: The dataset.
        target: `postgresql://DATABASE?table=SCHEMA.TABLE`, which is made, or replaced if there is one; DATABASE is a
            name under `sql.databases` in the project file, which has to list the table under `write`.
    """

    category = "data"
    input_dataset: str = reads()
    target: str

    def __attrs_post_init__(self) -> None:
        #: gives the types of columns that have been read from a database and are as they were there, by column
        self.kept_types: Callable[[], dict[str, str]] = dict

    @property
    def address(self) -> Address:
        """What is written."""
        return Address.of(self.target)

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Stream the dataset into a new table, and put that in the place of the old one."""
        from pamola_tasks_sql.opening_files import write_file
        from pamola_tasks_sql.writing import write

        address = self.address
        types: dict[str, str] = {}
        if address.scheme in FILES:
            found = write_file(ctx, address, self.input_dataset)
        else:
            with connected(ctx.config, address.database, reads=False) as connection, explained(str(address)):
                found, types = write(ctx, connection, address, self.input_dataset, self.kept_types())
        return OperationResult.success(
            metrics={
                "target": str(address),
                "sha256": ctx.run.data_source.describe(self.input_dataset).sha256,
                "kept_types": types,
                "rows": found.count,
                "fingerprint": found.text,
                "changes_seen_by": found.how,
            }
        )
