"""The types that Parquet has for a table, and later pieces of it with those of the first."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import is_text


def as_stored(table: Any) -> Any:
    """The table with the types that Parquet has.

    Seconds become milliseconds, categories of anything but text the values themselves, and a column of which nothing is
    known but that all its values are missing becomes text. Categories may become more in a later piece.
    """
    for position, field in enumerate(table.schema):
        stored = field.type
        if pa.types.is_null(stored):
            stored = pa.string()
        elif pa.types.is_timestamp(stored) and stored.unit == "s":
            stored = pa.timestamp("ms", stored.tz)
        elif pa.types.is_dictionary(stored):
            values = pa.string() if pa.types.is_null(stored.value_type) else stored.value_type
            stored = pa.dictionary(pa.int32(), values, stored.ordered) if is_text(values) else values
        if stored is not field.type:
            table = table.set_column(position, field.name, table.column(position).cast(stored))
    return table


def check_types(schema: Any) -> None:
    """Refuse objects without a key, of which Parquet has no type."""
    for field in schema:
        left = [field.type]
        while left:
            type_ = left.pop()
            if pa.types.is_struct(type_) and not type_.num_fields:
                raise DataError(
                    f"column {field.name!r} holds objects without keys, which Parquet cannot store: make them text"
                )
            left += [type_.field(place).type for place in range(type_.num_fields)]


def cast(table: Any, schema: Any) -> Any:
    """A later piece with the types of the first; refused where it would lose something."""
    if table.schema.equals(schema):
        return table
    columns = []
    for name in schema.names:
        try:
            columns.append(_fitting(table.column(name), schema.field(name).type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(
                f"column {name!r} is {schema.field(name).type} in the first piece and {table.schema.field(name).type}"
                f" in a later one, with values that do not fit"
            ) from None
    return pa.table(columns, schema=schema)


def _fitting(column: Any, type_: Any) -> Any:
    """A column of a later piece as the type of the first: nothing but text becomes text, which would be read so."""
    values, wanted = (each.value_type if pa.types.is_dictionary(each) else each for each in (column.type, type_))
    if is_text(wanted) and not (is_text(values) or pa.types.is_null(values)) and column.null_count < len(column):
        raise pa.ArrowInvalid
    found = column.cast(type_)
    if column.type != type_ and not is_text(wanted) and not _is_same(column, found):
        raise pa.ArrowInvalid
    return found


def _is_same(column: Any, found: Any) -> bool:
    """Whether a column has its values in another type, too: Arrow drops times of days and fields of records."""
    if column.null_count == len(column):
        return True
    if any(is_of(column.type) is not is_of(found.type) for is_of in (pa.types.is_boolean, _has_zone)):
        return False
    if pa.types.is_nested(column.type):
        was, is_ = column.to_pylist(), found.to_pylist()
        return was == is_ or str(was) == str(is_)  # NaN is not equal to itself
    back = found.cast(column.type)
    if pa.types.is_floating(column.type):
        column, back = (pc.if_else(pc.is_nan(each), None, each) for each in (column, back))
    return bool(column.equals(back))


def _has_zone(type_: Any) -> bool:
    return getattr(type_, "tz", None) is not None
