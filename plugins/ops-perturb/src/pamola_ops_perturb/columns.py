"""Columns that parameters name: found in the table, read as numbers or as combinations of cells, and written back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks.errors import DataError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def require(dataset: str, there: Iterable[Any], roles: Mapping[str, Iterable[str]]) -> None:
    """Make sure that the columns which parameters name are in a table.

    Raises:
        DataError: A column is missing.
    """
    names = list(map(str, there))
    for role, wanted in roles.items():
        absent = [name for name in wanted if name not in names]
        if absent:
            raise DataError(
                f"{dataset} has no column {', '.join(absent)} (named in `{role}`); it has {', '.join(names)}"
            )


def is_numeric(column: pd.Series[Any]) -> bool:
    """Whether a column holds numbers, and no truth values."""
    dtype = column.dtype
    return bool(pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype))


def numbers_of(dataset: str, column: pd.Series[Any], role: str) -> Floats:
    """A column as float64 of shape (rows,); NaN where a value is missing.

    Raises:
        DataError: It holds no numbers, or infinite ones.
    """
    if not is_numeric(column):
        held = "text" if str(column.dtype) in ("str", "string", "object") else column.dtype
        raise DataError(
            f"{dataset}: column {column.name} (named in `{role}`) holds no numbers but {held}:"
            f" `pamola-task data` says what its values look like, and which type to state in `data_types`"
        )
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise DataError(f"{dataset}: column {column.name} (named in `{role}`) holds infinite values")
    return values


def with_numbers(column: pd.Series[Any], values: Floats) -> pd.Series[Any]:
    """A column with these numbers in place of its own, NaN as missing; whole numbers stay whole, as 64 bits."""
    missing = np.isnan(values)
    if not pd.api.types.is_integer_dtype(column.dtype):
        return pd.Series(values, index=column.index, name=column.name)
    limit = float(2**63 - 1024)
    whole = np.clip(np.rint(np.where(missing, 0.0, values)), -limit, limit).astype(np.int64)
    if not missing.any():
        return pd.Series(whole, index=column.index, name=column.name)
    return pd.Series(pd.arrays.IntegerArray(whole, missing), index=column.index, name=column.name)


def codes_of(columns: Iterable[pd.Series[Any]], rows: int) -> tuple[Ints, int]:
    """For each record the number of its combination of cells, in the order of appearance, and how many there are.

    Missing cells are a value like any other.
    """
    key, span = np.zeros(rows, dtype=np.int64), 1
    for column in columns:
        codes, values = pd.factorize(column, use_na_sentinel=False)
        key, combined = pd.factorize(key * max(1, len(values)) + codes)
        span = len(combined)
    return np.asarray(key, dtype=np.int64), span if rows else 0


def missing_in(dataset: str, frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table in which a cell of these columns is missing.

    Raises:
        DataError: With how many records it is.
    """
    absent = int(frame[list(columns)].isna().any(axis=1).sum())
    if absent:
        raise DataError(
            f"{dataset}: {absent:,} of {len(frame):,} records have no {' and '.join(columns)}, {what}; fill these"
            f" cells, or leave the records out before this step"
        )
