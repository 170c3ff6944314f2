"""Tables of SQLite files. A column has the type of its values, which SQLite stores each by itself."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pamola_tasks.errors import DataError
from pamola_tasks_sql.address import quoted
from pamola_tasks_sql.file_tables import FileTable
from pamola_tasks_sql.reading import Fingerprint

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_sql.address import Address

_ROWS = 10_000  # of a piece
_CLASSES = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string(), "blob": pa.binary()}


class SqliteTable(FileTable):
    """A table of a SQLite file, or the rows of a query."""

    kind = "sqlite"
    errors = (sqlite3.Error,)

    def __init__(self, run: RunServices, address: Address, *, reads: bool) -> None:
        super().__init__(run, address, reads=reads)
        how = "mode=ro&immutable=1" if reads else "mode=rwc"
        self._connection = sqlite3.connect(f"{self.uri}?{how}", uri=True, isolation_level=None, timeout=60)

    def close(self) -> None:
        """Undo what was not committed, and close the file."""
        self._connection.close()

    def one(self, statement: str) -> Any:
        """The only value that a statement gives."""
        return self._connection.execute(statement).fetchone()[0]

    @staticmethod
    def in_words(error: Exception) -> str:
        """What an error says, without values."""
        if "locked" in str(error):
            return "another program has the file in use: it was waited for 60 seconds"
        if "decode" in str(error).lower():
            return "a text is not UTF-8: read it as a blob, by a query with cast(… as blob)"
        return str(error)

    @property
    def order(self) -> str:
        """The order of rows, in words; empty where it is not determined."""
        if not self.address.table or not self._is_table():
            return self.query_order()
        keys = self._keys()
        return f"by the primary key ({', '.join(keys)})" if keys else "as they are stored"

    def _is_table(self) -> bool:
        found = self._connection.execute(
            "select type from sqlite_schema where name = ? collate nocase", (self.address.parts[-1],)
        ).fetchone()
        if found is None:
            raise DataError(f"{self.address}: there is no such table")
        return bool(found[0] == "table")

    def _keys(self) -> list[str]:
        asked = "select name from pragma_table_info(?) where pk > 0 order by pk"
        return [name for (name,) in self._connection.execute(asked, (self.address.parts[-1],))]

    def _select(self) -> str:
        """The rows in their order, whatever indexes there are."""
        keys = ""
        if self.address.table and self._is_table():
            keys = f" order by {', '.join(map(quoted, self._keys())) or 'rowid'}"
        return f"select * from {self.address.sql}{keys}"

    def content(self) -> Fingerprint:
        """Whether the rows of a table are the same as before: by a hash of all values, in their order."""
        digest, count = hashlib.sha256(), 0
        for row in self._connection.execute(self._select()):
            digest.update(repr(row).encode())
            count += 1
        how = "number of rows and a hash of all values"
        return Fingerprint(text=f"{count} rows, hash {digest.hexdigest()}", count=count, how=how)

    def tables(self, cell_text: Callable[[Any], str | None]) -> Iterator[Any]:
        """The rows as Arrow tables of one schema, at least one."""
        schema, mixed = self._schema()
        yield schema.empty_table()
        cursor = self._connection.execute(self._select())
        while rows := cursor.fetchmany(_ROWS):
            cells = list(zip(*rows, strict=True))
            for place in mixed:
                cells[place] = tuple(None if cell is None else _text(cell) for cell in cells[place])
            yield pa.Table.from_arrays(
                [pa.array(column, field.type) for column, field in zip(cells, schema, strict=True)], schema=schema
            )

    def _schema(self) -> tuple[Any, list[int]]:
        """A type for each column, by the storage classes of all its values; and places of columns read as text."""
        source = self.address.sql
        names = [about[0] for about in self._connection.execute(f"select * from {source} q limit 0").description]
        if len(set(names)) < len(names):
            raise DataError(f"{self.address}: its columns must have different names: rename them")
        fields, mixed = [], []
        asked = ", ".join(f"group_concat(distinct typeof({quoted(name)}))" for name in names)
        said = self._connection.execute(f"select {asked} from {source} q").fetchone()
        for place, (name, found) in enumerate(zip(names, said, strict=True)):
            classes = sorted(set((found or "null").split(",")) - {"null"})
            if len(classes) > 1 and "blob" in classes:
                raise DataError(
                    f"{self.address}: column {name!r} has blobs among its values ({', '.join(classes)}): read it by a"
                    " query that makes them alike, with cast(… as blob) or cast(… as text)"
                )
            if len(classes) > 1:
                mixed.append(place)
                self.warnings.append(
                    f"{self.address}: column {name} has values of several kinds ({', '.join(classes)}) and is read as"
                    " text: a query with cast(… as …) says otherwise"
                )
            fields.append((name, _CLASSES[classes[0]] if len(classes) == 1 else pa.string()))
        return pa.schema(fields), mixed

    def replace(self, schema: Any, batches: Iterator[Any]) -> None:
        """Fill a new table and put it in the place of the old one, in one transaction."""
        new, execute = self.new_name(), self._connection.execute
        execute("pragma legacy_alter_table = on")  # views keep the name that they use
        execute("begin immediate")
        execute(f"create table {new} ({', '.join(f'{quoted(each.name)} {_stored(each.type)}' for each in schema)})")
        places = ", ".join("?" * len(schema))
        for batch in batches:
            columns = [_cells(batch.column(place), field.type) for place, field in enumerate(schema)]
            self._connection.executemany(f"insert into {new} values ({places})", zip(*columns, strict=True))
        execute(f"drop table if exists {self.address.quoted}")
        execute(f"alter table {new} rename to {quoted(self.address.parts[-1])}")
        execute("commit")


def _text(cell: Any) -> str:
    """A number as the shortest text that gives it back."""
    return cell if isinstance(cell, str) else repr(cell)


def _stored(type_: Any) -> str:
    """The type of a column; what SQLite has no class for is stored as text."""
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        return "integer"
    return "real" if pa.types.is_floating(type_) else "blob" if pa.types.is_binary(type_) else "text"


def _cells(column: Any, type_: Any) -> list[Any]:
    return list((column if _stored(type_) != "text" else column.cast(pa.string())).to_pylist())
