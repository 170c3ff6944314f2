"""The recovery sheet: a key on paper, in rows with a checksum each."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime

from pamola_tasks_encryption.errors import KeyDamaged
from pamola_tasks_encryption.header import KEY_SIZE, key_id

_ROW_BYTES = 8
_ROWS = KEY_SIZE // _ROW_BYTES
_ROW = re.compile(rb"^\s*([1-4])[:.)]\s*([0-9A-Za-z -]+?)\s*$", re.M)
# The alphabet of base32 (RFC 4648) has no 0, 1 and 8, so that reading them as letters is always right.
_MISREAD = bytes.maketrans(b"018", b"OIB")


def recovery_sheet(key: bytes, project_id: str, place: str, now: datetime) -> str:
    """The text of a recovery sheet for a key that is kept in `place`."""
    rows = "\n".join(f"    {number}: {_row(key, number)}" for number in range(1, _ROWS + 1))
    return f"""\
RECOVERY SHEET of a pamola-tasks key

This sheet gives access to all encrypted data; without it and without the key,
the data is lost. Print it, put it in a safe place, and delete the file.

    project:  {project_id or "(without an id)"}
    key id:   {key_id(key).hex()}
    made:     {now:%Y-%m-%d}
    kept in:  {place}

The key, 13 letters and digits a row and 2 that check it:

{rows}

To restore the key: type the four rows into a file, then

    pamola-task keys init --from-sheet FILE
"""


def key_from_sheet(text: bytes, source: str) -> bytes:
    """The key on a sheet, or on its four rows alone; KeyDamaged names a row that is missing or mistyped.

    Blanks and case do not matter.
    """
    rows = {int(number): row for number, row in _ROW.findall(text)}
    key = b""
    for number in range(1, _ROWS + 1):
        letters = re.sub(rb"[ -]", b"", rows.get(number, b"")).upper().translate(_MISREAD)
        part = _decoded(letters[:13])
        if part is None or _check(number, part) != letters[13:].decode():
            what = "mistyped" if number in rows else "missing"
            raise KeyDamaged(f"{source}: row {number} of the recovery sheet is {what}; no key was made")
        key += part
    return key


def _row(key: bytes, number: int) -> str:
    part = key[(number - 1) * _ROW_BYTES : number * _ROW_BYTES]
    letters = base64.b32encode(part).decode().rstrip("=") + _check(number, part)
    return " ".join(letters[start : start + 5] for start in range(0, len(letters), 5))


def _check(number: int, part: bytes) -> str:
    digest = hashlib.sha256(b"pamola-tasks sheet" + bytes([number]) + part).digest()
    return base64.b32encode(digest)[:2].decode()


def _decoded(letters: bytes) -> bytes | None:
    try:
        part = base64.b32decode(letters + b"===")
    except ValueError:
        return None
    # The last letter carries two bits more than there are bytes: only one spelling is right.
    return part if len(part) == _ROW_BYTES and base64.b32encode(part).rstrip(b"=") == letters else None
