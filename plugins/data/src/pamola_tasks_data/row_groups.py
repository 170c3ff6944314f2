"""Row groups of Parquet files: which rows they hold depends on the rows, not on the pieces in which these come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_ROWS = 1 << 17
_BYTES = 64 << 20
_BLOCK = 1 << 13  # rows after which a group may end


def row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Tables with the same schema, put together and divided again; at least one, which may be empty.

    A group has 131,072 rows, or fewer where these are large: it ends at a multiple of 8,192 rows once it has 64 MiB.
    It also ends before a table with other categories, because theirs would get an order that neither of both has.
    """
    held: list[pa.Table] = []
    rows, size, some = 0, 0, False
    for table in tables:
        schema = table.schema
        if held and not _same_categories(held[-1], table):
            yield _joined(held)
            held, rows, size, some = [], 0, 0, True
        while table.num_rows:
            part = table.slice(0, _BLOCK - rows % _BLOCK)
            table = table.slice(part.num_rows)
            held.append(part)
            rows, size = rows + part.num_rows, size + sum(map(_bytes_of, part.columns))
            if not rows % _BLOCK and (rows >= _ROWS or size >= _BYTES):
                yield _joined(held)
                held, rows, size, some = [], 0, 0, True
    if held or not some:
        yield _joined(held) if held else schema.empty_table()


def _joined(tables: list[pa.Table]) -> pa.Table:
    """One table, whose columns are in one part each: pages of a file end where parts do."""
    return pa.concat_tables(tables).combine_chunks()


def _same_categories(one: pa.Table, other: pa.Table) -> bool:
    """Whether columns of categories have the same ones."""
    for name in [field.name for field in one.schema if pa.types.is_dictionary(field.type)]:
        parts = [*one.column(name).chunks, *other.column(name).chunks]
        if any(not part.dictionary.equals(parts[0].dictionary) for part in parts[1:]):
            return False
    return True


def _bytes_of(column: Any) -> int:
    """What the values take, without what depends on the pieces that they came in."""
    kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind):
        return (pc.sum(pc.binary_length(column)).as_py() or 0) + 4 * len(column)
    return 8 * len(column)
