"""What is done with whole frames. Imports pandas, and is imported when the first frame is there or asked for."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import own_copy


def taken(what: str, frame: Any) -> pd.DataFrame:
    """A copy of the frame that was passed.

    Raises:
        DataError: It is not a DataFrame.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{what} must be a DataFrame, not a {type(frame).__name__}")
    return own_copy(frame)


def frame_hash(frame: pd.DataFrame) -> str:
    """SHA-256 (hex) of a frame's column names, dtypes and values, in their order; the index takes no part."""
    digest = hashlib.sha256()
    for position, (name, dtype) in enumerate(frame.dtypes.items()):
        column = frame.iloc[:, position]
        digest.update(f"{name!r} {dtype}\n".encode())
        try:
            hashes = pd.util.hash_pandas_object(column, index=False)
        except TypeError:
            # Lists and dicts have no hash, but a text that tells them apart.
            hashes = pd.util.hash_pandas_object(column.map(repr), index=False)
        digest.update(hashes.to_numpy().tobytes())
    return digest.hexdigest()
