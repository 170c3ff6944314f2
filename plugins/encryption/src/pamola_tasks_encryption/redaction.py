"""What may be shown of parameters and configuration: a copy of nested data in which nothing secret is left.

It uses the run's redactor, which knows the secrets of the run and the names that stand for secrets; on top of that,
strings that look like bare keys are hidden here.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import enum
import re
import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pamola_tasks.secret import Secret

if TYPE_CHECKING:
    from pamola_tasks.protocols import Redactor

REDACTED = "<redacted>"
KEY_LIKE = "<redacted:key-like>"

_KEY_PREFIXES = ("key-", "sk-", "xkey", "pk-", "token-")
_HEX = re.compile(r"[0-9a-fA-F]+")
_SHOWN_AS_TEXT = (PurePath, datetime.date, datetime.time, uuid.UUID, decimal.Decimal, enum.Enum)


def redact_nested(data: Any, redactor: Redactor, *, redact_keys: bool = True) -> Any:
    """A copy of nested dicts, lists, tuples and sets that is safe to show.

    Args:
        data: The data. Objects that are neither containers nor plain values become their type's name.
        redactor: Knows which names and texts are secret.
        redact_keys: Whether the names of secret entries are cut too (`<redacted:pas...>`).
    """
    if isinstance(data, Mapping):
        return _redact_mapping(data, redactor, redact_keys)
    if isinstance(data, list | tuple | set | frozenset):
        kind = next(kind for kind in (list, tuple, set, frozenset) if isinstance(data, kind))
        return kind(redact_nested(item, redactor, redact_keys=redact_keys) for item in data)
    if isinstance(data, Secret):
        return REDACTED
    if isinstance(data, str):
        return KEY_LIKE if looks_like_a_key(data) else redactor(data)
    if isinstance(data, bytes | bytearray | memoryview):
        return f"<{len(data)} bytes>"
    if data is None or isinstance(data, bool | int | float):
        return data
    if isinstance(data, _SHOWN_AS_TEXT):
        return redactor(str(data))
    return f"<{type(data).__name__}>"


def looks_like_a_key(text: str) -> bool:
    """Whether a string is longer than 32 characters and all hexadecimal, 32 bytes in base64, or marked as a key."""
    if len(text) <= 32:
        return False
    return text.lower().startswith(_KEY_PREFIXES) or bool(_HEX.fullmatch(text)) or _is_base64_key(text)


def _is_base64_key(text: str) -> bool:
    if len(text) != 44 or not text.endswith("="):
        return False
    try:
        return len(base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _redact_mapping(data: Mapping[Any, Any], redactor: Redactor, redact_keys: bool) -> dict[Any, Any]:
    output: dict[Any, Any] = {}
    for name, value in data.items():
        shown = redactor(name) if isinstance(name, str) else name
        if not (isinstance(name, str) and redactor.hides(name)):
            output[shown] = redact_nested(value, redactor, redact_keys=redact_keys)
            continue
        if redact_keys:
            shown = marker = f"<redacted:{name[:3]}...>"
            count = 1
            while shown in output:  # two names with the same beginning are still two entries
                count += 1
                shown = f"{marker}#{count}"
        output[shown] = REDACTED
    return output
