"""Compressed files (`.gz`, `.zst`, `.zip`), expanded while they are read; and refusals of files that hold too much."""

from __future__ import annotations

import contextlib
import errno
import io
import math
import os
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, cast

from pamola_tasks.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SUFFIXES = (".gz", ".zst", ".zip")
HARMLESS = 64 << 20  # bytes: what expands to less is read, however small the file is
_IF_MEANT = "if it is meant to, set data.expansion_limit higher than"
_SYSTEM_FILES = (".ds_store", "thumbs.db", "desktop.ini")
_LOOKED_AT = 1 << 23  # bytes
EXPANSION = 200.0  # `data.expansion_limit`, unless it is set
CELL = 8  # bytes of a cell in memory, at least, in most columns


def is_compressed(path: str) -> bool:
    """Whether the name says so."""
    return PurePath(path).suffix.lower() in SUFFIXES


def inner_name(path: str) -> str:
    """The name without the ending of the compression: `people.csv.gz` gives `people.csv`."""
    return str(PurePath(path).with_suffix("")) if is_compressed(path) else path


@contextlib.contextmanager
def expanded(file: IO[bytes], path: str, limit: float) -> Iterator[IO[bytes]]:
    """What a file holds: its bytes, expanded where its name (`path`) says that it is compressed.

    Refused, also while it is read, if that is more than `limit` times as large as the file, and more than `HARMLESS`
    bytes; or if an archive does not hold exactly one file.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix not in SUFFIXES:
        yield file
        return
    size = file.seek(0, io.SEEK_END)

    def begin() -> IO[bytes]:
        file.seek(0)
        return _BEGIN[suffix](file)

    with io.BufferedReader(_Expanding(begin, size, limit), 1 << 18) as content:
        yield cast("IO[bytes]", content)


def content_size(file: IO[bytes], content: IO[bytes], path: str) -> float:
    """How many bytes the content of a file has: of a compressed one as an archive says, or by its first bytes."""
    if not is_compressed(path):
        return content.seek(0, io.SEEK_END)
    if PurePath(path).suffix.lower() == ".zip":
        import zipfile

        with zipfile.ZipFile(file) as archive:
            return max(part.file_size for part in archive.infolist())
    content.seek(0)
    head, read = len(content.read(_LOOKED_AT)), file.tell()
    whole = head < _LOOKED_AT
    content.seek(0)
    return head if whole else head * file.seek(0, io.SEEK_END) / max(read, 1)


def check_archive(file: IO[bytes], limit: float) -> int:
    """The size of an archive, such as an Excel file; refused where its parts together expand too far."""
    import zipfile

    size = file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        _check(sum(part.file_size for part in archive.infolist()), size, limit)
    file.seek(0)
    return size


def check_expansion(content: int, size: int, options: Mapping[str, Any]) -> None:
    """Refuse a table of too many bytes in memory for so many of a file."""
    _check(content, size, options.get("expansion_limit", math.inf))


def check_width(columns: int, options: Mapping[str, Any]) -> None:
    """Refuse a table of too many columns."""
    limit = options.get("column_limit", math.inf)
    if columns > limit:
        raise DataError(
            f"it has {columns:,} columns, and {limit:,} are allowed: if it is meant to, set data.column_limit higher"
        )


def check_sparse(file: IO[bytes], size: int, limit: float) -> None:
    """Refuse a file of which nearly all is holes: far longer than what is stored of it."""
    if size <= HARMLESS or not hasattr(os, "SEEK_DATA"):
        return
    stored = end = 0
    try:
        while end < size and max(stored, 1) * limit < size:
            begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            stored += end - begin
    except OSError as problem:  # no data behind the last hole; or no file of the operating system
        if problem.errno != errno.ENXIO:
            return
    finally:
        file.seek(0)
    if size > max(stored, 1) * limit:
        raise DataError(
            f"it is {size:,} bytes long, of which {stored:,} are stored and the others are holes, which are read as"
            f" zeros: {_IF_MEANT} {limit:g}"
        )


def _check(content: int, size: int, limit: float) -> None:
    if content > max(HARMLESS, limit * size):
        raise DataError(
            f"its {size:,} bytes expand to more than {max(HARMLESS, int(limit * size)):,}, as those of files do that"
            f" are made to fill memory or disk: {_IF_MEANT} {limit:g}"
        )


class Stream(io.RawIOBase):
    """A file that is only read, at any place that `seek` lets it begin."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class _Expanding(Stream):
    """A stream of expanded bytes that can be begun again."""

    def __init__(self, begin: Callable[[], IO[bytes]], size: int, limit: float) -> None:
        self._begin = begin
        self._stream = begin()
        self._size, self._limit = size, limit
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR and offset == 0:
            return self._position
        if whence != io.SEEK_SET or offset:
            raise io.UnsupportedOperation("a compressed file is read from its beginning on")
        self._stream, self._position = self._begin(), 0
        return 0

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        _check(self._position, self._size, self._limit)
        return len(data)


def _gzip(file: IO[bytes]) -> IO[bytes]:
    import gzip

    return cast("IO[bytes]", gzip.GzipFile(fileobj=file))


def _zstandard(file: IO[bytes]) -> IO[bytes]:
    import pyarrow as pa

    return cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(Borrowed(file), "r"), "zstd"))


def _of_the_system(path: str) -> bool:
    """Whether macOS or Windows adds this file to archives and folders by itself."""
    parts = path.replace("\\", "/").split("/")
    return "__MACOSX" in parts[:-1] or parts[-1].startswith("._") or parts[-1].lower() in _SYSTEM_FILES


def _zip(file: IO[bytes]) -> IO[bytes]:
    import zipfile

    archive = zipfile.ZipFile(file)
    parts = [part for part in archive.infolist() if not part.is_dir() and not _of_the_system(part.filename)]
    if len(parts) != 1:
        raise DataError(f"the archive holds {len(parts)} files: pack each dataset into a separate archive")
    if parts[0].flag_bits & 1:
        raise DataError("the archive has a password: unpack it, and encrypt the file with `pamola-task encrypt`")
    return archive.open(parts[0])


_BEGIN: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {".gz": _gzip, ".zst": _zstandard, ".zip": _zip}


class Borrowed(io.RawIOBase):
    """A file that Arrow may close, and the caller's is not."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


def read_with_room(file: IO[bytes], room: int) -> tuple[bytearray, int]:
    """All bytes of a file, in memory for `room` bytes more, as growing it would copy it; and how many the file has."""
    try:
        size = file.seek(0, io.SEEK_END)
    except OSError:  # it is compressed
        size = 0
    file.seek(0)
    content, filled = bytearray(size + room), 0
    with memoryview(content) as view:
        while filled < size and (more := cast("Any", file).readinto(view[filled:size])):
            filled += more
    if rest := file.read():
        content[filled:] = rest
        content += bytes(room)
    return content, filled + len(rest)
