"""Values of metrics, settings and details as JSON can hold them."""

from __future__ import annotations

import datetime
import enum
import math
import os
from collections.abc import Mapping
from typing import Any

import attrs

from pamola_tasks.secret import Secret


def plain(value: Any) -> Any:
    """A value as JSON: numbers of numpy become numbers, NaN and infinities become null, sets are sorted.

    Secrets stay as they are, for the redactor to mask.
    """
    if value is None or (isinstance(value, (bool, int, str, Secret)) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if attrs.has(type(value)):
        return plain(attrs.asdict(value, recurse=False))
    as_python = getattr(value, "tolist", None)  # numpy, pandas and pyarrow scalars and arrays
    if callable(as_python):
        return plain(as_python())
    return str(value)
