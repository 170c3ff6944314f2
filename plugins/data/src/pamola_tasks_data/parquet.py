"""Parquet: types, categories and missing values as they are; lists, structs, maps and bytes as text (`cells`).

Columns are those that the file stores, and the levels of an index that have names, which may be no more than a note of
pandas: first, last and step.
"""

from __future__ import annotations

import io
import json
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import TEXT, can_be_nullable, content, is_text, to_frame, to_table
from pamola_tasks_data.cells import BYTES, NESTED, tell, texts
from pamola_tasks_data.dataset import check_columns
from pamola_tasks_data.dialect import check_header
from pamola_tasks_data.expanding import CELL, check_expansion, check_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd


_FAR = (2**63 - 1) // 1000  # microseconds since 1970, of which nanoseconds do not fit 64 bits
_OTHER_YEARS = "days or times of other years than 1 to 9999"


def read(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """The whole table, or some columns of it: others are not read from the disk."""
    opened = _opened(file, options)
    stored = _Columns(opened.schema_arrow)
    wanted = stored.wanted(columns)
    table = opened.read(columns=stored.of_file(wanted))
    return to_frame(_flat(stored.table(table, wanted, 0), options), _nullable(opened))


def chunks(
    file: IO[bytes], size: int, columns: Sequence[str] | None, options: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """The table in pieces of at most `size` rows."""
    opened = _opened(file, options)
    stored, nullable = _Columns(opened.schema_arrow), _nullable(opened)
    wanted, rows = stored.wanted(columns), 0
    for batch in opened.iter_batches(batch_size=size, columns=stored.of_file(wanted)):
        yield to_frame(_flat(stored.table(pa.Table.from_batches([batch]), wanted, rows), options), nullable)
        rows += batch.num_rows
    if not rows:
        yield to_frame(_flat(stored.table(opened.schema_arrow.empty_table(), wanted, 0), options), nullable)


def schema(file: IO[bytes], options: Mapping[str, Any]) -> dict[str, str]:
    """Columns and the dtypes that they are read as, from the footer."""
    opened = _opened(file, options)
    stored = _Columns(opened.schema_arrow)
    frame = to_frame(
        _flat(stored.table(opened.schema_arrow.empty_table(), stored.names, 0), options), _nullable(opened)
    )
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def write(frames: Iterable[pd.DataFrame], file: IO[bytes], options: Mapping[str, Any]) -> int:
    """Write frames with the same columns; the first one's types hold for all. Returns the number of rows."""
    rows = 0
    writer: Any = None
    with ExitStack() as stack:
        for frame in frames:
            table = to_table(frame)
            if writer is None:
                table = _as_stored(table)
                _check_types(table.schema)
                writer = stack.enter_context(arrow_parquet.ParquetWriter(file, table.schema, compression="zstd"))
            writer.write_table(_cast(table, writer.schema))
            rows += table.num_rows
    return rows


def as_read(frame: pd.DataFrame) -> pd.DataFrame:
    """What `read` would give of a file that `write` made of this frame."""
    table = _flat(_as_stored(to_table(frame)), {})
    return to_frame(table, [f.name for f in table.schema if table.column(f.name).null_count])


class _Columns:
    """The columns of a file, of which some may be stored as a note of pandas only."""

    def __init__(self, schema: Any) -> None:
        noted = schema.pandas_metadata or {}
        index = noted.get("index_columns") or []
        self._ranges = {each["name"]: each for each in index if isinstance(each, dict) and each.get("name") is not None}
        of_pandas = {each.get("field_name"): each["name"] for each in noted.get("columns") or []}
        levels = [each for each in index if isinstance(each, str)]
        hidden = [level for level in levels if level in schema.names and of_pandas.get(level, level) is None]
        first = [each["name"] if isinstance(each, dict) else each for each in index]
        order = dict.fromkeys(
            [*(name for name in first if name in self._ranges or name in schema.names), *schema.names]
        )
        self.names = [name for name in order if name not in hidden]
        self._noted = {"pandas": json.dumps({**noted, "index_columns": [], "column_indexes": []})} if noted else None

    def wanted(self, columns: Sequence[str] | None) -> list[str]:
        """The columns asked for."""
        check_columns(columns or (), self.names)
        return list(self.names if columns is None else columns)

    def of_file(self, wanted: Sequence[str]) -> list[str]:
        """Those that have to be read; of a file that has others, at least one, for the number of rows."""
        return [name for name in wanted if name not in self._ranges] or self.names[len(self._ranges) :][:1]

    def table(self, read: Any, wanted: Sequence[str], before: int) -> Any:
        """What was read behind so many rows, as a table of these columns."""
        rows = np.arange(before, before + read.num_rows)
        columns = {name: each["start"] + each["step"] * rows for name, each in self._ranges.items()}
        cells = [pa.array(columns[name]) if name in columns else read.column(name) for name in wanted]
        fields = [pa.field(name, pa.int64()) if name in columns else read.schema.field(name) for name in wanted]
        for name, cell in zip(wanted, cells, strict=True):
            _check_texts(name, cell)
            _check_times(name, cell)
        return pa.Table.from_arrays(cells, schema=pa.schema(fields, self._noted))


def _check_texts(name: str, cells: Any) -> None:
    """Refuse texts that are not UTF-8, which would fail whoever looks at them first."""
    if pa.types.is_primitive(cells.type) or pa.types.is_null(cells.type):
        return
    flat = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
    if flat and all(piece.isascii() for chunk in cells.chunks for piece in content(chunk)):
        return
    try:
        cells.validate(full=True)
    except pa.ArrowInvalid:
        raise DataError(
            f"column {name!r} has a text that is not UTF-8: export the file again from where it comes"
        ) from None


def _check_times(name: str, cells: Any) -> None:
    """Refuse days and times of other years than 1 to 9999, also in their zone: they fail whoever looks at them."""
    type_ = cells.type
    if not (pa.types.is_timestamp(type_) or pa.types.is_date(type_)):
        return
    unit: Any = "D" if pa.types.is_date32(type_) else getattr(type_, "unit", "ms")
    ends = [end for end in pc.min_max(cells).values() if end.is_valid]
    first, last = (int(np.datetime64(day, unit).astype(np.int64)) for day in ("0001-01-01", "10000-01-01"))
    if unit != "ns" and not all(first <= end.value < last for end in ends):
        raise DataError(f"column {name!r} has {_OTHER_YEARS}")
    zone = getattr(type_, "tz", None)
    if zone and not all(1 <= year <= 9999 for year in pc.year(pa.array(ends, type_)).to_pylist()):
        raise DataError(f"column {name!r} has {_OTHER_YEARS}, as they are in its zone: write it in UTC")


def _flat(table: Any, options: Mapping[str, Any]) -> Any:
    """The table with text for cells that hold several values, and for bytes: base64, unless text is stated for them."""
    for position, field in enumerate(table.schema):
        nested, extended = pa.types.is_nested(field.type), isinstance(field.type, pa.UuidType)
        if not (nested or extended or _is_bytes(field.type)):
            continue
        column = table.column(position)
        if _is_bytes(field.type) and field.name in (options.get("text_columns") or ()):
            text = _decoded(column, field.name)
        else:
            try:
                text = pa.chunked_array([texts(map(_named, chunk.to_pylist())) for chunk in column.chunks], TEXT)
            except (ValueError, OverflowError):  # the message would show a part of it
                raise DataError(
                    f"column {field.name!r} holds in a cell what is not read, such as {_OTHER_YEARS}: write text"
                ) from None
            if not extended and field.name not in (options.get("text_columns") or ()):
                tell(field.name, NESTED if nested else BYTES, options.get("notes", {}), options.get("warn", str))
        table = table.set_column(position, pa.field(field.name, text.type), text)
    return table


def _is_bytes(type_: Any) -> bool:
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(is_of(type_) for is_of in kinds)


def _decoded(column: Any, name: str) -> Any:
    try:
        return column.cast(pa.large_binary()).cast(TEXT)
    except pa.ArrowInvalid:
        raise DataError(f"column {name!r} holds bytes that are not UTF-8, although text is stated for it") from None


def _named(cell: Any) -> Any:
    """A cell, where it is a map with names as its keys as the object that it means."""
    if isinstance(cell, list) and cell and all(isinstance(each, tuple) and isinstance(each[0], str) for each in cell):
        named = dict(cell)
        return named if len(named) == len(cell) else cell
    return cell


def _opened(file: IO[bytes], options: Mapping[str, Any]) -> Any:
    """The open file, refused where the footer says that its table is far larger than it."""
    opened = arrow_parquet.ParquetFile(file, coerce_int96_timestamp_unit="us")
    check_header(opened.schema_arrow.names)
    for column in opened.schema_arrow:
        _check_zone(column)
    known = opened.metadata
    check_width(len(opened.schema_arrow), options)
    stored = sum(known.row_group(group).total_byte_size for group in range(known.num_row_groups))
    cells = known.num_rows * sum(map(_width, opened.schema_arrow.types))
    check_expansion(max(stored, cells), file.seek(0, io.SEEK_END), options)
    stored_as = (opened.schema.column(place) for place in range(len(opened.schema)))
    int96 = [column.path for column in stored_as if column.physical_type == "INT96" and column.path == column.name]
    finer = arrow_parquet.ParquetFile(file) if int96 else opened
    return finer if int96 and _has_nanoseconds(opened, finer, int96) else opened


def _check_zone(column: Any) -> None:
    zone = getattr(column.type, "tz", None)
    try:
        pc.year(pa.array([0] if zone else [], column.type if zone else pa.timestamp("us")))
    except pa.ArrowInvalid:
        raise DataError(f"column {column.name!r} has times in {zone!r}, a zone that is not known: write UTC") from None


def _has_nanoseconds(opened: Any, finer: Any, names: list[str]) -> bool:
    """Whether INT96 times have to be read in nanoseconds, which hold the years 1677 to 2262 only.

    Raises:
        DataError: They would have to, but some are of other years.
    """
    found = far = False
    for name in names:
        for batch, other in zip(*(file.iter_batches(columns=[name]) for file in (opened, finer)), strict=True):
            micro = pc.fill_null(batch.column(0).cast(pa.int64()), 0).to_numpy()
            nano = pc.fill_null(other.column(0).cast(pa.int64()), 0).to_numpy()
            found = found or bool((nano != micro * 1000).any())  # both without what does not fit 64 bits
            far = far or bool((abs(micro) > _FAR).any())
    if found and far:
        raise DataError(
            f"column {names[0]!r} has times to the nanosecond of years before 1677 or after 2262, which nothing here"
            " holds: write it to the microsecond"
        )
    return found


def _width(type_: Any) -> int:
    """Bytes of a cell of this type in memory, or of what points to it."""
    try:
        return max(1, int((type_.index_type if pa.types.is_dictionary(type_) else type_).bit_width) // 8)
    except ValueError:
        return CELL


def _nullable(opened: Any) -> set[str]:
    """Columns of whole numbers or booleans in which values are missing, or may be, judged by the footer."""
    metadata = opened.metadata
    found = {field.name for field in opened.schema_arrow if field.nullable and can_be_nullable(field.type)}
    if not found:
        return found
    missing: set[str] = set()
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for position in range(row_group.num_columns):
            column = row_group.column(position)
            if column.path_in_schema in found and _may_have_nulls(column.statistics):
                missing.add(column.path_in_schema)
    return missing


def _may_have_nulls(statistics: Any) -> bool:
    return statistics is None or not statistics.has_null_count or statistics.null_count > 0


def _as_stored(table: Any) -> Any:
    """The table with the types that Parquet has.

    Seconds become milliseconds, categories of anything but text the values themselves, and a column of which nothing is
    known but that all its values are missing becomes text.
    """
    for position, field in enumerate(table.schema):
        stored = field.type
        if pa.types.is_null(stored):
            stored = pa.string()
        elif pa.types.is_timestamp(stored) and stored.unit == "s":
            stored = pa.timestamp("ms", stored.tz)
        elif pa.types.is_dictionary(stored) and not is_text(stored.value_type):
            stored = stored.value_type
        if stored is not field.type:
            table = table.set_column(position, field.name, table.column(position).cast(stored))
    return table


def _check_types(schema: Any) -> None:
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


def _cast(table: Any, schema: Any) -> Any:
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
    values = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(type_) and not (is_text(values) or pa.types.is_null(values)) and column.null_count < len(column):
        raise pa.ArrowInvalid
    return column.cast(type_)
