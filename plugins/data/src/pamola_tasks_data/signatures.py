"""Files of another kind than their name says, by their first bytes: magic numbers as in file(1) and RFC 6713."""

from __future__ import annotations

import re
from typing import IO

from pamola_tasks.errors import DataError

_HEAD = 4096
_WORDS = {"csv": "CSV", "parquet": "Parquet", "json": "JSON", "jsonl": "JSON Lines", "xlsx": "an Excel workbook"}
_SAVE = "save the table as CSV, Parquet, JSON or .xlsx"
# How such a file begins, what it is, and the format that reads it or what to do.
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"PK\x03\x04.{0,4000}(?:\[Content_Types\]|xl/)", "an Excel workbook, or another file of Office", "xlsx"),
    (rb"PK\x03\x04.{26,40}mimetypeapplication/vnd\.oasis", "an OpenDocument file (.ods)", _SAVE),
    (rb"PK(?:\x03\x04|\x05\x06)", "a zip archive", "zip"),
    (rb"PAR[1E][\0-\x08\x0b\x0c\x0e-\x1f]", "a Parquet file", "parquet"),
    (rb"ARROW1\0\0|FEA1\0|\xff\xff\xff\xff.{3}\0", "a file of Arrow (Feather)", _SAVE),
    (rb"\x1f\x8b", "compressed with gzip", "gz"),
    (rb"\x28\xb5\x2f\xfd", "compressed with Zstandard", "zst"),
    (rb"BZh[1-9]1AY&SY", "compressed with bzip2", "expand it, or compress it with gzip"),
    (rb"\xfd7zXZ\0", "compressed with xz", "expand it, or compress it with gzip"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07", "an archive (7z, rar)", "unpack it"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of before 2007 (.xls), or encrypted", "save it as .xlsx"),
    (rb"SQLite format 3\0", "a database of SQLite", _SAVE),
    (rb"%PDF-", "a PDF document", _SAVE),
    (rb"\{\\rtf", "a text document (RTF)", _SAVE),
    (rb"\$FL[23]@\(#\)|\xc1\xe2\xc6\xd3", "a file of SPSS (.sav)", _SAVE),
    (rb"<stata_dta>", "a file of Stata (.dta)", _SAVE),
    (rb"\0{12}\xc2\xea\x81\x60\xb3\x14\x11\xcf", "a file of SAS (.sas7bdat)", _SAVE),
    (rb"\x80[\x02-\x05](?:\x95|[\]}c(])", "a pickle of Python, which is not read since it may run code", _SAVE),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", _SAVE),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a", "a picture", _SAVE),
    (rb"age-encryption\.org/v1\n|-----BEGIN (?:AGE|PGP)", "encrypted", "decrypt it"),
    (rb"(?i)\s*<(?:!doctype html|html|table|head|body)\b", "a page in HTML", _SAVE),
    (rb"\s*<\?xml ", "an XML document", _SAVE),
    (rb"\s*\[\s*\{\s*\"", "an array of JSON objects", "json"),
    (rb"\s*\{\s*\"(?:[^\"\\]|\\.)*\"\s*:", "JSON Lines (an object a line)", "jsonl"),
)
_FOUND = tuple((re.compile(pattern, re.DOTALL), what, mend) for pattern, what, mend in _KINDS)
_COMPRESSED = ("gz", "zst", "zip")
_OWN = {"json": ("json", "jsonl"), "jsonl": ("jsonl",), "parquet": ("parquet",), "xlsx": ("xlsx", "zip"), "csv": ()}
_MARK = b"\xef\xbb\xbf"


def check_kind(file: IO[bytes], format: str) -> None:
    """Refuse a file that does not hold what it is read as.

    Args:
        file: At its beginning, where it is left.
        format: `csv`, `parquet`, `json`, `jsonl` or `xlsx`.

    Raises:
        DataError: It is of another kind; the message says which, and what to do.
    """
    head = file.read(_HEAD)
    file.seek(0)
    head = head.removeprefix(_MARK)
    for pattern, what, mend in _FOUND:
        if pattern.match(head):
            if mend in _OWN[format]:
                return
            if mend in _COMPRESSED:
                mend = "unpack it" if format in ("parquet", "xlsx") else f"give it the ending .{format}.{mend}"
            advice = f"give it the ending .{mend}" if mend in _WORDS else mend
            raise DataError(f"its content is not {_WORDS[format]}; it is {what}: {advice}")
