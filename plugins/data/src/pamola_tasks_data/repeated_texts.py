"""Texts that a Parquet file stores once and names by a number in each row: how much they are in memory.

A file of a few hundred bytes can name a text of a megabyte a million times. Its footer does not say so: the texts
themselves are looked at before they are repeated.
"""

from __future__ import annotations

import io
import math
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet

from pamola_tasks_data.arrow import TEXT
from pamola_tasks_data.expanding import HARMLESS, check_expansion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pamola_tasks_data.parquet_footer import Chunk, Group


_PAGES = 1000  # bytes of their headers


class Repeated:
    """Columns of a file, of which some are read by number: those whose texts may be too much in memory.

    Args:
        file: The file.
        opened: The same, opened.
        unit: Of INT96 times, as it was opened.
        groups: Its row groups.
        names: The columns that are read.
        options: `expansion_limit` is how many times as large as the file its content may be.
        whole: Whether row groups are read as a whole: then texts are read once also where that is only quicker.

    Attributes:
        file: What to read from.
        paths: What it reads by number.
    """

    def __init__(
        self,
        file: IO[bytes],
        opened: Any,
        unit: str | None,
        groups: Iterable[Group],
        names: Iterable[str],
        options: Mapping[str, Any],
        *,
        whole: bool = False,
    ) -> None:
        self.file, self._schema, self._options = opened, opened.schema_arrow, options
        self._size, self._content = file.seek(0, io.SEEK_END), 0
        limit = max(HARMLESS, options.get("expansion_limit", math.inf) * self._size)
        found: dict[str, list[tuple[int, int]]] = {}
        wanted, other = set(names), {field.name for field in self._schema if not (whole and _is_text(field.type))}
        for number, group in enumerate(groups):
            for chunk in group.chunks:
                if not chunk.all_named:
                    other.add(chunk.path)
                asked = not wanted.isdisjoint((chunk.path, chunk.path.partition(".")[0]))
                if asked and chunk.values * _texts_of(chunk) > limit:  # if each were as long as all of them
                    found.setdefault(chunk.path, []).append((number, chunk.values))

        def by_number(paths: Iterable[str], **how: Any) -> Any:
            return arrow_parquet.ParquetFile(file, read_dictionary=list(paths), coerce_int96_timestamp_unit=unit, **how)

        quick = [name for name in self._schema.names if name in wanted and name not in other]
        probed = [path for path in found if path not in quick]
        probe = by_number(probed, buffer_size=1 << 16) if probed else None  # which reads the beginnings of columns
        most = {path: sum(n * _longest(probe, group, path) for group, n in found[path]) for path in probed}
        counted = [path for path in found if most.get(path, math.inf) * len(found) > limit]
        self._counted = {name for path in counted for name in (path, path.partition(".")[0])}
        self.paths = list({*counted, *quick})
        if self.paths:
            self.file = by_number(self.paths)

    def expanded(self, table: Any) -> Any:
        """What was read of `file`, as it is read otherwise; refused where it is too much with what was before it."""
        if not self.paths:
            return table
        counted = [name for name in table.schema.names if name in self._counted]
        self._content += sum(_bytes_of(chunk) for name in counted for chunk in table.column(name).chunks)
        check_expansion(self._content, self._size, self._options)
        for place, field in enumerate(table.schema):
            stored = self._schema.field(field.name)
            if pa.types.is_dictionary(field.type) and field.type != stored.type:
                type_ = TEXT if _is_text(stored.type) else stored.type
                table = table.set_column(place, stored.with_type(type_), table.column(place).cast(type_))
        return table


def _texts_of(chunk: Chunk) -> int:
    """At most how many bytes the texts are that a column of a row group names: what is left beside its numbers."""
    if chunk.type != "BYTE_ARRAY" or not chunk.named:
        return 0
    numbers = max(0, chunk.compressed - chunk.texts)
    return max(0, chunk.uncompressed - numbers) + numbers // 100 + _PAGES


def _longest(probe: Any, group: int, path: str) -> float:
    """The bytes of the longest text that a column of a row group names, from the first of its rows that has one.

    Infinite where only one was found: it may be that of a row that does not name it, but has it.
    """
    for rows in (1, 1 << 16):  # the first of them nearly always has one
        for batch in probe.iter_batches(rows, row_groups=[group], columns=[path]):
            for texts, _ in _named_in(batch.column(0)):
                if len(texts):
                    return math.inf if len(texts) == 1 else float(pc.max(pc.binary_length(texts)).as_py())
            if rows == 1:
                break
    return 0


def _bytes_of(array: Any) -> int:
    """How many bytes the texts that an array names are, repeated as often as it names them."""
    total = 0
    for texts, numbers in _named_in(array):
        total += int(pc.sum(pc.take(pc.cast(pc.binary_length(texts), pa.int64()), numbers)).as_py() or 0)
    return total


def _named_in(array: Any) -> Iterator[tuple[Any, Any]]:
    """Texts and numbers of each part of an array that has its texts by number."""
    type_ = array.type
    if pa.types.is_dictionary(type_):
        if _is_bytes(type_.value_type) or _is_text(type_.value_type):
            yield array.dictionary, array.indices
    elif pa.types.is_struct(type_):
        for part in array.flatten():
            yield from _named_in(part)
    elif pa.types.is_map(type_):
        yield from _named_in(array.keys)
        yield from _named_in(array.items)
    elif pa.types.is_nested(type_):
        yield from _named_in(array.flatten())


def _is_text(type_: Any) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _is_bytes(type_: Any) -> bool:
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))
