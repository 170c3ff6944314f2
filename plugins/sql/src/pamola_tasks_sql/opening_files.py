"""Opens the tables of files, and writes them, by the library of their kind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pamola_tasks_sql.connecting import DatabaseError, DatabaseUnavailable

if TYPE_CHECKING:
    from pamola_tasks import OperationContext
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_sql.address import Address
    from pamola_tasks_sql.file_tables import FileTable
    from pamola_tasks_sql.reading import Fingerprint


@contextlib.contextmanager
def file_table(run: RunServices, address: Address, *, reads: bool) -> Iterator[FileTable]:
    """A table of a file, open while the block runs.

    Raises:
        DataError: The file cannot be read or written, or its library refuses something: in words without values.
    """
    kind: type[FileTable]
    if address.scheme == "sqlite":
        from pamola_tasks_sql.in_sqlite import SqliteTable as kind
    else:
        from pamola_tasks_sql.in_duckdb import DuckdbTable as kind
    table: FileTable | None = None
    try:
        table = kind(run, address, reads=reads)
        yield table
    except kind.errors as error:
        said = kind.in_words(error)
        vars(error)["holds_no_data"] = said == str(error)  # what is said of it may be shown
        raise (DatabaseUnavailable if kind.passes(error) else DatabaseError)(f"{address}: {said}") from None
    finally:
        if table is not None:
            table.close()


def write_file(ctx: OperationContext, address: Address, dataset: str) -> Fingerprint:
    """Write a dataset into a table of a file, and return what is then in it."""
    from pamola_tasks_sql.writing import batches_of, schema_of

    ctx.stage("looking at the dataset")
    schema = schema_of(ctx, dataset)
    with file_table(ctx.run, address, reads=False) as table:
        ctx.stage("writing")
        table.replace(schema, batches_of(ctx, dataset, schema))
    with file_table(ctx.run, address, reads=True) as table:
        return table.content()
