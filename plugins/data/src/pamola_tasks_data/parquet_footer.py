"""What the footer of a Parquet file says, read and checked before Arrow believes it.

A footer that does not fit its schema ends the whole process in pyarrow, which lets an exception of C++ through where
it is asked for a column of a row group. One whose counts and offsets lie has Arrow make room for what is not there, or
leave rows out in silence. So it is read here, in time and memory as its own length.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import IO, Any

import attrs

from pamola_tasks.errors import DataError

_TYPES = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
_DICTIONARIES = {2, 8}  # encodings: PLAIN_DICTIONARY, RLE_DICTIONARY
_DATA_PAGES = {0, 3}  # and those of version 2
_END = 8  # bytes: the length of the footer, and the mark
_DEPTH = 32  # of structures of Thrift
_LIES = "its footer is damaged or forged: {}. Export the file again from where it comes"


@attrs.define
class Chunk:
    """A column of a row group.

    Attributes:
        path: Its name, and those of its parts, as Parquet puts them together.
        type: How it is stored: the name of a physical type.
        named: Whether texts may be stored once and named by number.
        all_named: Whether the footer says that all are.
        values: How many values it has, missing ones among them.
        uncompressed: Bytes of its pages, expanded.
        compressed: Bytes of its pages in the file.
        begin: Where its first page is in the file.
        texts: Bytes between its first page and that of its values.
        missing: How many values are missing; None where the footer does not say so.
    """

    path: str
    type: str
    named: bool
    all_named: bool
    values: int
    uncompressed: int
    compressed: int
    begin: int
    texts: int
    missing: int | None


@attrs.define
class Group:
    """A row group: its rows, the bytes that the footer says it has in memory, and its columns."""

    rows: int
    bytes: int
    chunks: list[Chunk]


def row_groups_of(file: IO[bytes], opened: Any) -> list[Group]:
    """The row groups of an open file.

    Raises:
        DataError: They do not fit its schema, its number of rows, its size or each other.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(size - _END)
    begin = size - _END - int.from_bytes(file.read(4), "little")
    file.seek(max(begin, 0))
    try:
        said, _ = _FOOTER(file.read(size - _END - begin), 0, _STRUCT)
        groups = [_group(each) for each in said[4]]
    except (IndexError, KeyError, ValueError, UnicodeDecodeError):
        raise DataError(_LIES.format("it is not what Parquet describes")) from None
    for wrong in _lies(groups, opened, begin):
        raise DataError(_LIES.format(wrong))
    return groups


def _group(said: dict[int, Any]) -> Group:
    if any(8 in each or 9 in each for each in said[1]):
        raise DataError("it has columns that Parquet itself encrypts, which are not read: export it without that")
    return Group(said[3], said[2], [_chunk(each[3]) for each in said[1]])


def _chunk(said: dict[int, Any]) -> Chunk:
    type_, pages = _TYPES[said[1]], said[9]
    if 16 in said and 1 in said[16] and type_ != "BYTE_ARRAY":
        raise ValueError  # the size of texts, of a column of numbers
    texts = pages - said[11] if 0 < said.get(11, 0) < pages else 0
    used = [each.get(2) for each in said.get(13, ()) if each.get(1) in _DATA_PAGES]  # encodings
    return Chunk(
        ".".join(part.decode() for part in said[3]),
        type_,
        not _DICTIONARIES.isdisjoint(said[2]),
        bool(used) and _DICTIONARIES.issuperset(used),
        said[5],
        said[6],
        said[7],
        pages - texts,
        texts,
        said.get(12, {}).get(3),
    )


def _lies(groups: list[Group], opened: Any, end: int) -> Iterator[str]:
    columns = [opened.schema.column(place) for place in range(len(opened.schema))]
    known = [(column.path, column.physical_type, column.max_repetition_level == 0) for column in columns]
    rows = stored = 0
    for number, group in enumerate(groups, 1):
        if len(group.chunks) != len(known):
            yield f"row group {number:,} has {len(group.chunks):,} columns and the table {len(known):,}"
        for chunk, (path, type_, flat) in zip(group.chunks, known, strict=True):
            if chunk.path != path or chunk.type != type_:
                yield f"column {path!r} is another one in row group {number:,}"
            if chunk.values != group.rows if flat else not chunk.values >= group.rows >= 0:
                yield f"column {path!r} has {chunk.values:,} values in row group {number:,} of {group.rows:,} rows"
            if group.rows and not (0 < chunk.begin < chunk.begin + chunk.compressed <= end and chunk.uncompressed >= 0):
                yield f"column {path!r} of row group {number:,} is at no place of the file"
            stored += chunk.compressed if group.rows else 0
        rows += group.rows
    if rows != opened.metadata.num_rows or min((group.rows for group in groups), default=0) < 0:
        yield f"it has {opened.metadata.num_rows:,} rows, and its row groups {rows:,}"
    if stored > end:
        yield "its columns are longer than the file"


# ---------------------------------------------------------------- Thrift's compact protocol

_Read = Callable[[bytes, int, int], tuple[Any, int]]
_TRUE, _FALSE, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LISTS, _MAP, _STRUCT = 1, 2, 3, (4, 5, 6), 7, 8, (9, 10), 11, 12


def _varint(data: bytes, at: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found, at
    raise ValueError


def _integer(data: bytes, at: int, type_: int) -> tuple[int, int]:
    if type_ not in _INTEGERS:
        raise ValueError
    found, at = (data[at], at + 1) if data[at] < 128 else _varint(data, at)
    return (found >> 1) ^ -(found & 1), at


def _binary(data: bytes, at: int, type_: int) -> tuple[bytes, int]:
    if type_ != _BINARY:
        raise ValueError
    length, at = _varint(data, at)
    return data[at : at + length], at + length


def _list(of: _Read) -> _Read:
    def read(data: bytes, at: int, type_: int) -> tuple[list[Any], int]:
        if type_ not in _LISTS:
            raise ValueError
        count, inner, at = _counted(data, at)
        found = []
        for _ in range(count):
            each, at = of(data, at, inner)
            found.append(each)
        return found, at

    return read


def _struct(wanted: dict[int, _Read]) -> _Read:
    """Some fields of a structure; others are passed over."""

    def read(data: bytes, at: int, type_: int, depth: int = 0) -> tuple[dict[int, Any], int]:
        if type_ != _STRUCT:
            raise ValueError
        found: dict[int, Any] = {}
        field = 0
        while head := data[at]:
            at += 1
            inner = head & 15
            if head >> 4:
                field += head >> 4
            else:
                field, at = _integer(data, at, _INTEGERS[0])
            if field in wanted:
                found[field], at = wanted[field](data, at, inner)
            else:
                at = _passed(data, at, inner, depth)
        return found, at + 1

    return read


def _passed(data: bytes, at: int, type_: int, depth: int, *, in_list: bool = False) -> int:
    """Where a value ends that nobody asked for."""
    if depth > _DEPTH:
        raise ValueError
    if type_ in _INTEGERS:
        return at + 1 if data[at] < 128 else _varint(data, at)[1]
    if type_ == _BINARY:
        length, at = _varint(data, at)
        return at + length
    if type_ in (_TRUE, _FALSE):
        return at + in_list  # of a field, its type says it
    if type_ in (_BYTE, _DOUBLE):
        return at + (1 if type_ == _BYTE else 8)
    if type_ in _LISTS:
        count, inner, at = _counted(data, at)
        for _ in range(count):
            at = _passed(data, at, inner, depth + 1, in_list=True)
        return at
    if type_ == _STRUCT:
        return _NOTHING(data, at, type_, depth + 1)[1]  # type: ignore[call-arg]
    raise ValueError


def _counted(data: bytes, at: int) -> tuple[int, int, int]:
    head = data[at]
    count, at = _varint(data, at + 1) if head >> 4 == 15 else (head >> 4, at + 1)
    if count > len(data):
        raise ValueError
    return count, head & 15, at


_NOTHING = _struct({})
_COLUMN = {1: _integer, 2: _list(_integer), 3: _list(_binary), **dict.fromkeys((5, 6, 7, 9, 11), _integer)}
_ENCODINGS = _list(_struct({1: _integer, 2: _integer}))
_SAID = _struct({**_COLUMN, 12: _struct({3: _integer}), 13: _ENCODINGS, 16: _struct({1: _integer})})
_CHUNK = _struct({3: _SAID, 8: _NOTHING, 9: _binary})
_FOOTER = _struct({4: _list(_struct({1: _list(_CHUNK), 2: _integer, 3: _integer}))})
