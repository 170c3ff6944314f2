"""What a frame takes in memory, and what it would take otherwise: no value of it is told."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

_ASSUMED_MEMORY = 4 << 30  # bytes, where the system does not tell
_REPEATS = 0.5  # share of distinct texts below which categories take less


def analyzed(frame: pd.DataFrame) -> dict[str, Any]:
    """Sizes of a frame and its columns, and for each column a dtype that takes less, where there is one.

    Returns:
        `rows`, `memory_bytes`, and `columns`: for each `dtype`, `memory_bytes`, `missing`, `distinct` (None for values
        that cannot be compared) and `smaller_dtype` (None where it is small already).
    """
    return {
        "rows": len(frame),
        "memory_bytes": int(frame.memory_usage(deep=True).sum()),
        "columns": {str(name): _column(frame[name]) for name in frame.columns},
    }


def _column(values: pd.Series[Any]) -> dict[str, Any]:
    try:
        distinct: int | None = int(values.nunique())
    except TypeError:
        distinct = None
    return {
        "dtype": str(values.dtype),
        "memory_bytes": int(values.memory_usage(deep=True, index=False)),
        "missing": int(values.isna().sum()),
        "distinct": distinct,
        "smaller_dtype": _smaller(values, distinct),
    }


def _smaller(values: pd.Series[Any], distinct: int | None) -> str | None:
    if pd.api.types.is_integer_dtype(values.dtype):
        made = pd.to_numeric(values, downcast="integer").dtype
        return None if made == values.dtype else str(made)
    text = values.dtype == object or isinstance(values.dtype, pd.StringDtype)
    return "category" if text and distinct is not None and distinct < _REPEATS * len(values) else None


def memory_of_the_machine() -> int:
    """Bytes of memory that the machine has; 4 GiB are assumed where it does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _ASSUMED_MEMORY
