"""What JSON text may hold and a table cannot: a key twice in one object, half of a character."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pamola_tasks.errors import DataError

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.S)
_KEY_END = re.compile(rb'"[ \t\r\n]*:')  # and where a text begins or goes on with a colon
_PIECE = 1 << 16  # bytes that stay in the cache of a processor
_MAYBE_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character beyond the first 65,536: RFC 8259, section 8.2


def check_keys(block: bytes, number: int) -> None:
    """Refuse objects that have a key twice: of the values, all but the last would be lost."""
    for place, line in enumerate(block.split(b"\n"), number):
        try:
            json.loads(line.strip() or b"0", object_pairs_hook=unique)
        except DataError as problem:
            raise DataError(f"line {place:,}: {problem}") from None


def has_keys(records: Sequence[Mapping[str, Any]], text: bytes) -> bool:
    """Whether records have as many keys, with those of what is in them, as this text: none was lost."""
    colons = _colons(text)
    if colons == sum(map(len, records)):
        return True
    keys = sum(map(_keys, records))
    return keys in (colons, len(_KEY_END.findall(text)))


def _colons(text: bytes) -> int:
    """How many colons follow a quote or a blank, as each does that follows a key, and some in texts may."""
    marks = np.frombuffer(text, np.uint8)
    found = 0
    for place in range(0, len(marks), _PIECE):
        piece = marks[place : place + _PIECE + 1]
        found += int(np.count_nonzero((piece[1:] == ord(":")) & (piece[:-1] <= ord('"'))))
    return found


def _keys(value: Any) -> int:
    """How many keys it has, with those of what is in it."""
    if isinstance(value, dict):
        return len(value) + sum(map(_keys, value.values()))
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these keys and values; DataError if a key is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise DataError(f"an object has the key {repeated!r} more than once: name each value differently")
    return found


def half_of_a_character(text: str) -> int | None:
    """Where JSON text has an escape of one half of a character without the other."""
    if "\\" not in text or _MAYBE_HALF.search(text) is None:
        return None
    first: int | None = None  # half, behind which the second has to follow
    for escape in _ESCAPE.finditer(text):
        code = int(escape[1] or "0", 16)
        if 0xDC00 <= code < 0xE000 and first is not None and first + 6 == escape.start():
            first = None
        elif first is not None:
            return first
        elif 0xD800 <= code < 0xDC00:
            first = escape.start()
        elif 0xDC00 <= code < 0xE000:
            return escape.start()
    return first


def cut_column(record: Mapping[str, Any]) -> str | None:
    """The key of a record that has half of a character in it or its value."""
    for name, value in record.items():
        try:
            json.dumps({name: value}, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return name
    return None


def cut_text(record: Mapping[str, Any]) -> str:
    """What is said of such a record."""
    name = (cut_column(record) or "?").encode(errors="replace").decode()
    return (
        f"column {name!r}: a text has an escape for half of a character (\\ud800 to \\udfff), as where a text was cut"
        " off within one: remove the escape"
    )
