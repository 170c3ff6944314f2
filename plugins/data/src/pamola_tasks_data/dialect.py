"""How a CSV file is written: delimiter, quote character, encoding; as stated, or found out from its first bytes."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import math
import operator
import re
from collections import Counter
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError
from pamola_tasks_data.character_damage import misread
from pamola_tasks_data.delimiters import DELIMITERS, LIKE_DATA, Choice, check_one_column, chosen, looks_like_data
from pamola_tasks_data.expanding import check_width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEAD_SIZE = 1 << 16
FALLBACK_ENCODING = "cp1252"

BYTE_ORDER_MARK = "\ufeff"
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_WIDE = {"utf16": ("utf-16-le", "utf-16-be"), "utf32": ("utf-32-le", "utf-32-be")}
_ROWS_LOOKED_AT = 100
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?(?:\r\n|\r|\n|$)', re.I)
_NAME = 512  # bytes that the name of a column may have, on average


@attrs.frozen(kw_only=True)
class CsvHead:
    """The dialect and header found at the start of a CSV file."""

    delimiter: str
    quotechar: str
    encoding: str
    lines_before: int  #: lines above the header: `sep=;`, by which Excel is told the delimiter
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  #: the first below the header
    only_header: bool  #: the file has no rows
    guessed_encoding: bool  #: the bytes are not UTF-8, and no encoding was stated
    notes: tuple[str, ...] = ()  #: what the user should know of the delimiter that was found, and of the header


def examine(file: IO[bytes], stated: Mapping[str, Any]) -> CsvHead:
    """Find out how a file is written, from its first `HEAD_SIZE` bytes, or as many as its header has.

    `delimiter`, `quotechar` and `encoding` may be stated. An empty file, one in another encoding than stated, and a
    header that no table can have, are refused.
    """
    most = max(HEAD_SIZE, _NAME * stated.get("column_limit", math.inf))
    head, size = b"", HEAD_SIZE
    while True:
        head += file.read(size - len(head))
        whole = len(head) < size
        if found := _found(head, whole, stated):
            return found
        if whole:
            raise DataError("a quote in the header is never closed: close it, or state default_quotechar")
        if size >= most:
            raise DataError(
                f"the header is longer than {len(head) >> 10:,} KiB, or its quotes are not closed: if it is that long,"
                " set data.column_limit higher"
            )
        size = min(4 * size, most)


def _found(head: bytes, whole: bool, stated: Mapping[str, Any]) -> CsvHead | None:
    encoding, guessed = encoding_of(head, stated.get("encoding"))
    text = _decoded(head, encoding)
    quotechar = stated.get("quotechar") or '"'
    named = _SEPARATOR_LINE.match(text)
    if named:
        text = text[named.end() :]
    if not text.strip():
        raise DataError("the file is empty: a CSV file starts with the names of its columns")
    choice = Choice(stated.get("delimiter") or (named[1] if named else ""))
    if not choice.delimiter:
        divided = {each: _rows(text, each, quotechar, whole) for each in DELIMITERS}
        if not any(divided.values()) or (not whole and len(max(divided.values(), key=len)) < 2):
            return None
        choice = chosen(divided)
    delimiter = choice.delimiter
    rows = _rows(text, delimiter, quotechar, whole)
    if not rows:
        return None
    header = tuple(rows[0])
    check_width(len(header), stated)
    if len(header) == 1:
        others = {each: _rows(text, each, quotechar, whole) for each in DELIMITERS if each != delimiter}
        check_one_column(others, stated=bool(stated.get("delimiter") or named or choice.note))
    check_header(header)
    return CsvHead(
        delimiter=delimiter,
        quotechar=quotechar,
        encoding=encoding,
        lines_before=1 if named else 0,
        header=header,
        rows=tuple(map(tuple, rows[1:])),
        only_header=whole and len(rows) == 1 and _has_one_line(text, delimiter, quotechar, blank=len(header) == 1),
        guessed_encoding=guessed,
        notes=(choice.note, LIKE_DATA if looks_like_data(rows) else ""),
    )


def check_header(header: Sequence[str]) -> None:
    """Refuse names that are not unique."""
    repeated = sorted(name for name, times in Counter(header).items() if times > 1)
    if repeated:
        shown = ", ".join(map(repr, repeated[:5])) + (" …" if len(repeated) > 5 else "")
        raise DataError(f"the header has {shown} more than once: rename its columns, so that names are unique")


def _decoded(head: bytes, encoding: str) -> str:
    """The beginning of a file as text; a character truncated at its end is left out."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head).removeprefix(BYTE_ORDER_MARK)
        utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    except LookupError:
        raise DataError(f"unknown encoding {encoding!r}") from None
    except UnicodeDecodeError:
        found = misread(io.BytesIO(head), encoding)
        assert found is not None
        raise found.error() from None
    if text.startswith(BYTE_ORDER_MARK):
        raise DataError("it begins with more than one byte order mark: save it with one, or without")
    if head.startswith(codecs.BOM_UTF8) and not utf8:
        raise DataError(
            f"it begins with the byte order mark of UTF-8, but would be read as {encoding}: state utf-8, or mend"
            " the bytes that are not UTF-8"
        )
    return text


def encoding_of(head: bytes, stated: str | None) -> tuple[str, bool]:
    """The encoding, as its byte order mark says, as stated, or as the bytes show; and whether that is a guess."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark) and not (stated and encoding == "utf-8"):
            return encoding, False
    normal = (stated or "").lower().replace("_", "-")
    wide = _WIDE.get(normal.replace("utf-", "utf"), ())
    for encoding in wide or (() if stated or b"\0" not in head else (*_WIDE["utf32"], *_WIDE["utf16"])):
        if _fits(head, encoding):
            return encoding, False
    if stated:
        utf8 = normal in ("utf8", "utf-8", "utf-8-sig", "ascii", "us-ascii")
        return ("utf-8" if utf8 else wide[0] if wide else stated), False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return "utf-8", False
    except UnicodeDecodeError:
        return FALLBACK_ENCODING, True


def _fits(head: bytes, encoding: str) -> bool:
    """Whether bytes are text in an encoding of two or four bytes a character: without NULs in it, and with most of the
    bytes that would be delimiters and line ends being such."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    marks = ("\n", "\r", *DELIMITERS)
    found, bytes_ = sum(map(text.count, marks)), sum(head.count(mark.encode()) for mark in marks)
    return "\0" not in text and 2 * found > bytes_


def _has_one_line(text: str, delimiter: str, quotechar: str, *, blank: bool) -> bool:
    """Whether a file has a header only: in one of one column, `blank` lines under it are rows without a value."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quotechar)
    try:
        return sum(1 for row in itertools.dropwhile(operator.not_, lines) if row or blank) == 1
    except csv.Error:  # a cell is longer than this reader takes
        return False


def _rows(text: str, delimiter: str, quotechar: str, whole: bool) -> list[list[str]]:
    """The first rows, blank lines left out; a last row that may be cut off is left out too."""
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quotechar):
            found.append(row)
            if len(found) > _ROWS_LOOKED_AT:
                break
        else:
            if not whole:
                found.pop()
    except (csv.Error, TypeError) as problem:
        if "field limit" in str(problem):  # a wrong delimiter, or a quote that is not closed
            return [row for row in found if row]
        raise DataError(
            f"its beginning cannot be read as CSV with delimiter {delimiter!r} and quote character {quotechar!r},"
            f" which must be one character each"
        ) from None
    return [row for row in found if row]
