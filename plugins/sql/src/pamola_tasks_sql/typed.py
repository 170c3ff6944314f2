"""A table whose columns have other types than a dataset gives them: filled from one that has the dataset's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pyarrow as pa

from pamola_tasks_sql.address import literal, quoted
from pamola_tasks_sql.connecting import rows

_OF_ARROW = {
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.string(): "text",
    pa.date32(): "date",
    pa.time64("us"): "time without time zone",
    pa.timestamp("us"): "timestamp without time zone",
}


@attrs.frozen
class _Type:
    name: str  # as the database writes it
    is_nested: bool  # whether its values are JSON in the dataset: arrays and composite types


def natural(type_: Any) -> str:
    """The type that a column gets in PostgreSQL for one of Arrow."""
    if pa.types.is_decimal(type_):
        return "numeric"
    if pa.types.is_timestamp(type_) and type_.tz:
        return "timestamp with time zone"
    return _OF_ARROW.get(type_, "")


class TypedTable:
    """The types that columns get for which the dataset itself says another one, and how to fill them.

    Args:
        connection: To the database.
        schema: The dataset's columns, with types that PostgreSQL has.
        types: The types wanted, by column; one that the database does not have is left alone.
    """

    def __init__(self, connection: Any, schema: Any, types: Mapping[str, str]) -> None:
        self._schema = schema
        wanted = [field.name for field in schema if types.get(field.name, natural(field.type)) != natural(field.type)]
        kinds = {type_: _kind(connection, type_) for type_ in {types[name] for name in wanted}}
        self._types = {name: kind for name in wanted if (kind := kinds[types[name]]) is not None}
        self.unknown = {name: types[name] for name in wanted if name not in self._types}  #: not in this database

    @property
    def types(self) -> dict[str, str]:
        """The type by column, of those that need another one than the dataset's."""
        return {name: type_.name for name, type_ in self._types.items()}

    def statements(self, source: str, target: str) -> list[str]:
        """Statements that make a table and fill it from another one, in its order.

        Args:
            source: The table that has the dataset, as SQL names it.
            target: The new table, likewise.
        """
        columns = [f"{quoted(each.name)} {self.types.get(each.name) or natural(each.type)}" for each in self._schema]
        cells = ", ".join(self._cell(each.name, target) for each in self._schema)
        return [f"create table {target} ({', '.join(columns)})", f"insert into {target} select {cells} from {source} q"]

    def _cell(self, name: str, target: str) -> str:
        cell, type_ = f"q.{quoted(name)}", self._types.get(name)
        if type_ is None:
            return cell
        if type_.is_nested:
            cells = f"json_build_object({literal(name)}, {cell}::json)"
            return f"(json_populate_record(null::{target}, {cells})).{quoted(name)}"
        return f"decode({cell}, 'base64')" if type_.name == "bytea" else f"{cell}::{type_.name}"


def _kind(connection: Any, name: str) -> _Type | None:
    """A type that the database has; None where it has none of this name."""
    found = rows(
        connection,
        "select typcategory = 'A' or typtype = 'c' or exists (select from pg_type b where b.oid = t.typbasetype and"
        f" b.typtype = 'c') from pg_type t where oid = to_regtype({literal(name)})",
    )
    return _Type(name, found[0][0]) if found else None
