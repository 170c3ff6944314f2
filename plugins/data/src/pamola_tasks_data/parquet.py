"""Parquet: types, categories and missing values as they are; lists, structs, maps and bytes as text (`cells`).

Columns are those that the file stores, and the levels of an index that have names, which may be no more than a note of
pandas: first, last and step.
"""

from __future__ import annotations

import io
import itertools
import json
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import TEXT, can_be_nullable, to_frame, to_table
from pamola_tasks_data.cells import BYTES, NESTED, tell, texts
from pamola_tasks_data.dataset import check_columns
from pamola_tasks_data.dialect import check_header
from pamola_tasks_data.expanding import CELL, check_expansion, check_width
from pamola_tasks_data.parquet_footer import Group, row_groups_of
from pamola_tasks_data.parquet_types import as_stored, cast, check_types
from pamola_tasks_data.repeated_texts import Repeated
from pamola_tasks_data.row_groups import row_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd


_FAR = (2**63 - 1) // 1000  # microseconds since 1970, of which nanoseconds do not fit 64 bits
_GROUPS, _ROWS = 5, 2_000  # that a sample has at most, and rows of each
_OTHER_YEARS = "days or times of other years than 1 to 9999"


def read(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> pd.DataFrame:
    """The whole table, or some columns of it: others are not read from the disk."""
    opened, unit, groups = _opened(file, options)
    stored = _Columns(opened.schema_arrow)
    wanted = stored.wanted(columns)
    read = stored.of_file(wanted)
    repeated = Repeated(file, opened, unit, groups, read, options, whole=True)
    table = repeated.expanded(repeated.file.read(columns=read))
    _check_rows(table.num_rows, opened)
    return to_frame(_flat(stored.table(table, wanted, 0), options), _nullable(opened, groups))


def chunks(
    file: IO[bytes], size: int, columns: Sequence[str] | None, options: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """The table in pieces of at most `size` rows."""
    opened, unit, groups = _opened(file, options)
    stored, nullable = _Columns(opened.schema_arrow), _nullable(opened, groups)
    wanted, rows = stored.wanted(columns), 0
    read = stored.of_file(wanted)
    repeated = Repeated(file, opened, unit, groups, read, options)
    for batch in repeated.file.iter_batches(batch_size=size, columns=read):
        table = repeated.expanded(pa.Table.from_batches([batch]))
        yield to_frame(_flat(stored.table(table, wanted, rows), options), nullable)
        rows += batch.num_rows
    _check_rows(rows, opened)
    if not rows:
        yield to_frame(_flat(stored.table(opened.schema_arrow.empty_table(), wanted, 0), options), nullable)


def sample(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> tuple[pd.DataFrame, float]:
    """The first rows of some row groups, and how many rows there are."""
    opened, unit, groups = _opened(file, options)
    stored, many = _Columns(opened.schema_arrow), len(groups)
    wanted, batches = stored.wanted(columns), []
    repeated = Repeated(file, opened, unit, groups, stored.of_file(wanted), options)
    streamed = {"buffer_size": 1 << 16, "coerce_int96_timestamp_unit": "us", "read_dictionary": repeated.paths}
    for group in sorted({many * place // _GROUPS for place in range(_GROUPS if many else 0)}):
        parts = arrow_parquet.ParquetFile(file, **streamed).iter_batches(_ROWS, [group], stored.of_file(wanted))
        batches += [batch for batch in [next(parts, None)] if batch is not None]
    schema = batches[0].schema if batches else opened.schema_arrow
    table = stored.table(repeated.expanded(pa.Table.from_batches(batches, schema)), wanted, 0)
    return to_frame(_flat(table, options), _nullable(opened, groups)), float(opened.metadata.num_rows)


def schema(file: IO[bytes], options: Mapping[str, Any]) -> dict[str, str]:
    """Columns and the dtypes that they are read as, from the footer."""
    opened, _, groups = _opened(file, options)
    stored = _Columns(opened.schema_arrow)
    table = stored.table(opened.schema_arrow.empty_table(), stored.names, 0)
    frame = to_frame(_flat(table, options), _nullable(opened, groups))
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def write(frames: Iterable[pd.DataFrame], file: IO[bytes], options: Mapping[str, Any]) -> int:
    """Write frames with the same columns; the first one's types hold for all. Returns the number of rows."""
    rows = 0
    tables = (frame if isinstance(frame, pa.Table) else to_table(frame) for frame in frames)
    first = next(tables, None)
    if first is None:
        return rows
    first = as_stored(first)
    check_types(first.schema)
    with arrow_parquet.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for table in row_groups(itertools.chain([first], (cast(table, first.schema) for table in tables))):
            writer.write_table(table)
            rows += table.num_rows
    return rows


def as_read(frame: pd.DataFrame) -> pd.DataFrame:
    """What `read` would give of a file that `write` made of this frame."""
    table = _flat(as_stored(to_table(frame)), {})
    return to_frame(table, [f.name for f in table.schema if table.column(f.name).null_count])


def flat_frame(table: Any) -> pd.DataFrame:
    """What `read` would give of a file that has just this table: the same dtypes, whatever cells are missing."""
    return to_frame(_flat(as_stored(table), {}), table.column_names)


class _Columns:
    """The columns of a file, of which some may be stored as a note of pandas only."""

    def __init__(self, schema: Any) -> None:
        try:
            noted = schema.pandas_metadata or {}
            index = noted.get("index_columns") or []
            ranges = [each for each in index if isinstance(each, dict) and each.get("name") is not None]
            of_pandas = {each.get("field_name"): each["name"] for each in noted.get("columns") or []}
            self._ranges = {str(each["name"]): (int(each["start"]), int(each["step"])) for each in ranges}
            if any(abs(start) >> 62 or abs(step) >> 31 for start, step in self._ranges.values()):
                raise OverflowError
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            raise DataError("what pandas notes in it of its columns is damaged: export the file again") from None
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
        columns = {name: start + step * rows for name, (start, step) in self._ranges.items()}
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
    if flat and all(map(_is_ascii, cells.chunks)):
        return
    try:
        cells.validate(full=True)
    except pa.ArrowInvalid:
        raise DataError(
            f"column {name!r} has a text that is not UTF-8: export the file again from where it comes"
        ) from None


def _is_ascii(texts: Any) -> bool:
    _, _, data = texts.buffers()
    return not data or bool(np.frombuffer(data, np.int8).min(initial=0) >= 0)


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
        if pa.types.is_dictionary(field.type) and field.type.ordered and table.column(position).num_chunks > 1:
            column = _in_order(table.column(position))
            table = table.set_column(position, pa.field(field.name, column.type), column)
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


def _in_order(column: Any) -> Any:
    """Ordered categories of pieces, of which each has those that it uses, as one: without an order where these leave
    open which is less."""
    before: dict[Any, set[Any]] = {}
    for used in dict.fromkeys(tuple(chunk.dictionary.to_pylist()) for chunk in column.chunks):
        for place, each in enumerate(used):
            before.setdefault(each, set()).update(used[max(place - 1, 0) : place])
    sorter, order = TopologicalSorter(before), []
    try:
        sorter.prepare()
    except CycleError:
        order = list(before)
    known = not order
    while known and sorter.is_active():
        ready = sorter.get_ready()
        known = len(ready) == 1
        order += ready
        sorter.done(*ready)
    values = column.type.value_type
    order = pa.array(order if known else list(before), values)
    codes = [pc.index_in(chunk.cast(values), value_set=order) for chunk in column.chunks]
    return pa.chunked_array([pa.DictionaryArray.from_arrays(code, order, ordered=known) for code in codes])


@cache
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


def _check_rows(rows: int, opened: Any) -> None:
    """Refuse pages with other rows than the footer says: Arrow reads as many as there are."""
    if rows != opened.metadata.num_rows:
        raise DataError(
            f"{rows:,} rows were found in it, and its footer says {opened.metadata.num_rows:,}: it is damaged or forged"
        )


def _opened(file: IO[bytes], options: Mapping[str, Any]) -> tuple[Any, str | None, list[Group]]:
    """The open file, refused where its footer lies or says that its table is far larger than it; and its row groups.

    Between these: the unit of INT96.
    """
    opened = arrow_parquet.ParquetFile(file, coerce_int96_timestamp_unit="us")
    check_header(opened.schema_arrow.names)
    for column in opened.schema_arrow:
        if zone := getattr(column.type, "tz", None):
            _check_zone(column, zone)
    known = opened.metadata
    check_width(len(opened.schema_arrow), options)
    groups = row_groups_of(file, opened)
    cells = known.num_rows * sum(map(_width, opened.schema_arrow.types))
    inner = CELL * sum(chunk.values - group.rows for group in groups for chunk in group.chunks)
    stored = sum(group.bytes for group in groups)
    check_expansion(max(stored, cells + inner), file.seek(0, io.SEEK_END), options)
    stored_as = (opened.schema.column(place) for place in range(len(opened.schema)))
    int96 = [column.path for column in stored_as if column.physical_type == "INT96" and column.path == column.name]
    finer = arrow_parquet.ParquetFile(file) if int96 else opened
    nanoseconds = int96 and _has_nanoseconds(opened, finer, int96)
    return (finer, None, groups) if nanoseconds else (opened, "us", groups)


def _check_zone(column: Any, zone: str) -> None:
    try:
        pc.year(pa.array([0], column.type))
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


def _nullable(opened: Any, groups: list[Group]) -> set[str]:
    """Columns of whole numbers or booleans in which values are missing, or may be, judged by the footer."""
    found = {field.name for field in opened.schema_arrow if field.nullable and can_be_nullable(field.type)}
    return {chunk.path for group in groups for chunk in group.chunks if chunk.missing != 0 and chunk.path in found}
