"""The rows of a table or a query as Arrow, in pieces, and what the database says of whether they have changed."""

from __future__ import annotations

import decimal
import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pyarrow as pa

from pamola_tasks.errors import DataError
from pamola_tasks_sql.address import literal, quoted
from pamola_tasks_sql.connecting import rows

if TYPE_CHECKING:
    from pamola_tasks_sql.address import Address

# Types that Arrow has too, as the driver gives them. All others are read as the text that the server writes.
_NATIVE = {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "date", "time"}
_NATIVE |= {"timestamp", "timestamptz", "bytea"}
_DIGITS = 38  # that a decimal of Arrow has at most
_STORED = ("r", "p", "m")  # relations with rows of their own: tables, partitioned ones, materialized views
ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)
PIECE = 16 << 20  # bytes that the driver gathers for a piece


@attrs.frozen(kw_only=True)
class Fingerprint:
    """What the database says of rows."""

    text: str  #: equal for equal rows
    count: int  #: how many rows there are
    how: str  #: how a change is seen, in words


@attrs.frozen(kw_only=True)
class _Column:
    name: str
    select: str  # the expression that is read
    type: Any  # the Arrow type that it becomes
    is_json: bool = False  # cells are JSON, which becomes text by the rule of the data service


class TableReader:
    """Reads one table, or the rows of one query, in one transaction.

    Args:
        connection: In a transaction that sees one snapshot.
        address: What is read.
        by: `xmin` or `hash`: how a change of a table is seen.
    """

    def __init__(self, connection: Any, address: Address, by: str = "xmin") -> None:
        self._connection = connection
        self._address = address
        self._by = by
        self.warnings: list[str] = []  #: what was found out about columns
        self._kind, self._oid = self._relation()

    def fingerprint(self) -> Fingerprint:
        """Whether rows are the same as before, by what is cheapest and sure.

        Of a table it is the number of rows and the sum of the transactions that wrote them (`xmin`), with its oid and
        columns: every row that is written gets a newer transaction than all before, and a deleted one is missing in the
        number, so that two states are alike only if 2^32 transactions lie between them. Of a view and a query it is the
        number of rows and the sum of a 64-bit hash of each (`hashtextextended`), whatever their order.
        """
        if self._by == "xmin" and self._kind in _STORED:
            counted = f"select count(*), coalesce(sum(xmin::text::numeric), 0)::text from {self._address.quoted}"
            count, total = rows(self._connection, counted)[0]
            columns = rows(
                self._connection,
                "select md5(string_agg(attname || ' ' || format_type(atttypid, atttypmod), ',' order by attnum))"
                f" from pg_attribute where attrelid = {self._oid} and attnum > 0 and not attisdropped",
            )[0][0]
            text = f"{count} rows, xmin {total}, relation {self._oid}, columns {columns}"
            return Fingerprint(text=text, count=count, how="number of rows and xmin")
        hashed = "coalesce(sum(hashtextextended(q::text, 0)::numeric), 0)::text"
        count, total = rows(self._connection, f"select count(*), {hashed} from {self._address.sql} q")[0]
        return Fingerprint(
            text=f"{count} rows, hash {total}", count=count, how="number of rows and a hash of all values"
        )

    def types(self) -> dict[str, str]:
        """The type of each column, as the database calls it; empty text where it does not say."""
        if self._oid:
            found = rows(
                self._connection,
                "select attname::text, format_type(atttypid, atttypmod) from pg_attribute"
                f" where attrelid = {self._oid} and attnum > 0 and not attisdropped order by attnum",
            )
            return dict(found)
        metadata = {field.name: field.metadata or {} for field in self._schema()}
        asked = ", ".join(
            f"format_type(to_regtype({literal(quoted(facts.get(b'POSTGRESQL:type', b'').decode()))}),"
            f" {int(facts.get(b'POSTGRESQL:typmod', b'-1'))})"
            for facts in metadata.values()
        )
        said = rows(self._connection, f"select {asked}")[0]
        return {name: type_ or "" for name, type_ in zip(metadata, said, strict=True)}

    @property
    def order(self) -> str:
        """The order of rows, in words; empty where it is not determined."""
        if self._keys():
            return f"by the primary key ({', '.join(self._keys())})"
        if self._kind in _STORED:
            return "as they are stored"
        return "as the query orders them" if ORDERED.search(self._address.query) else ""

    def tables(self, cell_text: Callable[[Any], str | None]) -> Iterator[Any]:
        """The rows as Arrow tables of one schema, at least one; `cell_text` makes text of a cell of several values."""
        columns = self._columns()
        keys = f" order by {', '.join(f'q.{quoted(key)}' for key in self._keys())}" if self._keys() else ""
        selected = ", ".join(column.select for column in columns)
        schema = pa.schema([(column.name, column.type) for column in columns])
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(PIECE)})
            cursor.execute(f"select {selected} from {self._address.sql} q{keys}")
            yield schema.empty_table()
            for batch in cursor.fetch_record_batch():
                cells = [_cells(batch.column(n), column, cell_text) for n, column in enumerate(columns)]
                yield pa.Table.from_arrays(cells, schema=schema)

    # ------------------------------------------------------------ what is there

    def _relation(self) -> tuple[str, int]:
        """The kind of the table, as `pg_class.relkind` has it, and its oid; nothing of a query."""
        if not self._address.table:
            return "", 0
        found = rows(
            self._connection,
            f"select relkind::text, oid::bigint from pg_class where oid = to_regclass({literal(self._address.quoted)})",
        )
        if not found:
            raise DataError(f"{self._address}: there is no such table, or you may not see it")
        return found[0][0], found[0][1]

    def _keys(self) -> list[str]:
        """The columns of the primary key."""
        found = rows(
            self._connection,
            "select a.attname::text from pg_index i, unnest(i.indkey) with ordinality k(attnum, place), pg_attribute a"
            f" where i.indrelid = {self._oid} and i.indisprimary and a.attrelid = i.indrelid"
            " and a.attnum = k.attnum order by k.place",
        )
        return [name for (name,) in found]

    def _schema(self) -> Any:
        """The columns as the driver sees them."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"select * from {self._address.sql} q limit 0")
            schema = cursor.fetch_record_batch().schema
        if len(set(schema.names)) < len(schema.names) or not schema.names:
            raise DataError(f"{self._address}: its columns must have a name each, and different ones: rename them")
        return schema

    def _columns(self) -> list[_Column]:
        """How each column is read: what the driver has no type for, as text; numbers with all their digits."""
        schema = self._schema()
        kinds = {field.name: (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for field in schema}
        precisions = self._measured([name for name, kind in kinds.items() if kind == "numeric"], schema)
        columns = []
        for field in schema:
            name, kind, cell = field.name, kinds[field.name], f"q.{quoted(field.name)}"
            if kind in _NATIVE:
                columns.append(_Column(name=name, select=cell, type=field.type))
            elif kind == "numeric":
                columns.append(_Column(name=name, select=f"{cell}::text", type=precisions[name] or pa.string()))
            elif kind == "money":
                columns.append(_Column(name=name, select=f"{cell}::numeric::text", type=pa.decimal128(19, 2)))
            elif kind in ("json", "jsonb"):
                columns.append(_Column(name=name, select=f"{cell}::text", type=pa.string(), is_json=True))
            elif kind.startswith("_") or pa.types.is_nested(field.type):
                columns.append(_Column(name=name, select=f"to_json({cell})::text", type=pa.string(), is_json=True))
            else:
                columns.append(_Column(name=name, select=f"{cell}::text", type=pa.string()))
        return columns

    def _measured(self, names: list[str], schema: Any) -> dict[str, Any]:
        """The decimal type of each numeric column: as declared, else as its values need; None where none holds them."""
        found: dict[str, Any] = {}
        for name in names:
            modifier = int((schema.field(name).metadata or {}).get(b"POSTGRESQL:typmod", b"-1"))
            if modifier >= 4:
                precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
                if scale <= precision <= _DIGITS:
                    found[name] = pa.decimal128(precision, scale)
        left = [name for name in names if name not in found]
        for name in left:
            cell = f"q.{quoted(name)}"
            (whole, scale, odd), *_ = rows(
                self._connection,
                f"select coalesce(max(length(trunc(abs({cell}))::text)), 1), coalesce(max(scale({cell})), 0),"
                f" coalesce(bool_or({cell}::text ~ '[a-zA-Z]'), false) from {self._address.sql} q",
            )
            found[name] = pa.decimal128(whole + scale, scale) if not odd and whole + scale <= _DIGITS else None
        return found


def _cells(cells: Any, column: _Column, cell_text: Callable[[Any], str | None]) -> Any:
    if column.is_json:
        return pa.array([None if text is None else cell_text(_parsed(text)) for text in cells.to_pylist()], pa.string())
    return cells if cells.type == column.type else cells.cast(column.type)


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=exact_number)


def exact_number(text: str) -> float | decimal.Decimal:
    """A number of JSON as a float where that is the same number."""
    exact, near = decimal.Decimal(text), float(text)
    return near if decimal.Decimal(repr(near)) == exact else exact
