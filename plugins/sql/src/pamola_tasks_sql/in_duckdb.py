"""Tables of DuckDB files, as Arrow, by the library `duckdb`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from pamola_tasks.errors import DataError
from pamola_tasks_sql.address import literal, quoted
from pamola_tasks_sql.file_tables import FileTable, json_text
from pamola_tasks_sql.reading import Fingerprint

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_sql.address import Address

_ROWS = 50_000  # of a piece
_SHARE = 0.5  # of the memory that a run may use
# Types that Arrow has too; all others are read as text.
_NATIVE = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_NATIVE |= {"FLOAT", "DOUBLE", "VARCHAR", "BLOB", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}
_SPEAKING = (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException, duckdb.PermissionException)


class DuckdbTable(FileTable):
    """A table of a DuckDB file, or the rows of a query."""

    kind = "duckdb"
    errors = (duckdb.Error,)

    def __init__(self, run: RunServices, address: Address, *, reads: bool) -> None:
        super().__init__(run, address, reads=reads)
        settings: dict[str, Any] = {
            "memory_limit": f"{max(int(self.memory_mb * _SHARE), 64)}MiB",
            "temp_directory": "",  # nothing is spilled beside the file
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._connection = duckdb.connect(self.path, read_only=reads, config=settings)
        with contextlib.suppress(duckdb.Error):  # of a build without time zones
            self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("set enable_external_access = false")  # a query reads this file and no other
        self._connection.execute("set lock_configuration = true")
        self._failure: Exception | None = None

    def close(self) -> None:
        """Undo what was not committed, and close the file."""
        self._connection.close()

    def one(self, statement: str) -> Any:
        """The only value that a statement gives."""
        return self._connection.execute(statement).fetchall()[0][0]

    @staticmethod
    def in_words(error: Exception) -> str:
        """What an error says, without values."""
        if isinstance(error, duckdb.IOException) and "lock" in str(error).lower():
            return "another program has the file in use"
        if isinstance(error, _SPEAKING):
            return str(error).partition("\n")[0].partition(" Error: ")[2]  # without the line of the query
        return f"DuckDB refuses this ({type(error).__name__}); its message may quote values"

    @property
    def order(self) -> str:
        """The order of rows, in words; empty where it is not determined."""
        if not self.address.table:
            return self.query_order()
        *schema, name = self.address.parts
        where = f" and table_schema = {_literal(schema[0])}" if schema else ""
        found = self._connection.execute(
            f"select table_type from information_schema.tables where table_name = {_literal(name)}{where}"
        ).fetchone()
        if found is None:
            raise DataError(f"{self.address}: there is no such table")
        return "as they are stored" if found[0] == "BASE TABLE" else ""

    def content(self) -> Fingerprint:
        """Whether the rows of a table are the same as before: by the sum of a hash of each."""
        asked = f"select count(*), coalesce(sum(hash(q::text)::hugeint), 0)::text from {self.address.sql} q"
        count, total = self._connection.execute(asked).fetchall()[0]
        how = "number of rows and a hash of all values"
        return Fingerprint(text=f"{count} rows, hash {total}", count=count, how=how)

    def tables(self, cell_text: Callable[[Any], str | None]) -> Iterator[Any]:
        """The rows as Arrow tables of one schema, at least one; `cell_text` makes text of a cell of several values."""
        described = self._connection.execute(f"describe select * from {self.address.sql} q").fetchall()
        names = [about[0] for about in described]
        if len(set(names)) < len(names):
            raise DataError(f"{self.address}: its columns must have different names: rename them")
        cells, nested = [], []
        for place, (name, type_) in enumerate((about[0], str(about[1])) for about in described):
            cell = f"q.{quoted(name)}"
            if type_ in _NATIVE or type_.startswith("DECIMAL("):
                cells.append(cell)
            elif type_ == "JSON" or type_.endswith("]") or type_.startswith(("STRUCT(", "MAP(", "UNION(")):
                nested.append(place)
                cells.append(f"to_json({cell})::varchar as {quoted(name)}")
            else:
                cells.append(f"{cell}::varchar as {quoted(name)}")
        found = self._connection.sql(f"select {', '.join(cells)} from {self.address.sql} q")
        reader = (getattr(found, "to_arrow_reader", None) or found.fetch_arrow_reader)(_ROWS)  # before DuckDB 2
        yield reader.schema.empty_table()
        for batch in reader:
            columns = list(batch.columns)
            for place in nested:
                texts = [json_text(text, cell_text) for text in columns[place].to_pylist()]
                columns[place] = pa.array(texts, reader.schema.field(place).type)
            yield pa.Table.from_arrays(columns, schema=reader.schema)

    def replace(self, schema: Any, batches: Iterator[Any]) -> None:
        """Fill a new table and put it in the place of the old one, in one transaction."""
        new, execute = self.new_name(), self._connection.execute
        self._connection.register("pamola_pieces", pa.RecordBatchReader.from_batches(schema, self._sent(batches)))
        execute("begin transaction")
        try:
            execute(f"create table {new} as select * from pamola_pieces")
        except Exception:
            if self._failure is not None:  # as it was, before DuckDB made a text of it
                raise self._failure from None
            raise
        execute(f"drop table if exists {self.address.quoted}")
        execute(f"alter table {new} rename to {quoted(self.address.parts[-1])}")
        execute("commit")
        with contextlib.suppress(duckdb.Error):  # another connection of this process may be open
            execute("checkpoint")

    def _sent(self, batches: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from batches
        except Exception as failure:
            self._failure = failure
            raise


def _literal(text: str) -> str:
    return literal(text).replace("E'", "'", 1).replace("\\\\", "\\")
