"""Two tables joined on a key, with every column named after the table it comes from."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataError

GROWTH = 10
ALWAYS_ALLOWED = 1_000_000


@attrs.frozen(eq=False)
class Joined:
    """A joined table.

    Attributes:
        frame: One row for each pair of records that share a key; columns `table.column`, without the key.
        keys: Keys that both tables have.
        unmatched: For each table its records that found no partner.
    """

    frame: pd.DataFrame
    keys: int
    unmatched: dict[str, int]


def join(tables: dict[str, pd.DataFrame], key: str) -> Joined:
    """Join two tables on a key; a missing key matches nothing.

    Raises:
        DataError: A table has no such column, the keys are of different types, no key is in both tables, or the
            result would be more than ten times as long as both tables together.
    """
    for name, frame in tables.items():
        if not frame.columns.is_unique:
            raise DataError(f"{name} has two columns of the same name: rename one")
        if key not in frame.columns:
            raise DataError(f"{name} has no column {key} to join on; it has {', '.join(map(str, frame.columns))}")
    (left_name, left), (right_name, right) = ((name, _plain_key(frame, key)) for name, frame in tables.items())
    left_keys, right_keys = left[key].dropna(), right[key].dropna()
    objects = [keys for keys in (left_keys, right_keys) if keys.dtype == object]
    if not all(isinstance(each, Hashable) for keys in objects for each in keys):
        raise DataError(f"values of {key} are lists or the like, on which nothing can be joined")
    kinds = [_key_kind(left_keys), _key_kind(right_keys)]
    if kinds[0] != kinds[1]:
        raise DataError(
            f"{left_name}.{key} holds {kinds[0]} and {right_name}.{key} holds {kinds[1]}: nothing can match;"
            f" give both columns one type"
        )
    left_counts, right_counts = left_keys.value_counts(), right_keys.value_counts()
    common = left_counts.index.intersection(right_counts.index)
    if common.empty:
        raise DataError(f"no value of {key} is in both {left_name} and {right_name}: there is nothing to correlate")
    length = int((left_counts.loc[common].to_numpy(np.float64) * right_counts.loc[common].to_numpy(np.float64)).sum())
    if length > max(ALWAYS_ALLOWED, GROWTH * (len(left) + len(right))):
        raise DataError(
            f"joining {left_name} and {right_name} on {key} would give {length:,} rows from"
            f" {len(left):,} and {len(right):,}, because the same keys are repeated in both: is {key} the right key?"
        )
    return Joined(
        frame=_merged(left_name, left, right_name, right, key),
        keys=len(common),
        unmatched={
            left_name: len(left) - int(left_counts.loc[common].sum()),
            right_name: len(right) - int(right_counts.loc[common].sum()),
        },
    )


def _plain_key(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """The table with a key whose values are stored one by one: levels that nobody has would count as keys."""
    if isinstance(frame[key].dtype, pd.CategoricalDtype):
        return frame.assign(**{key: frame[key].astype(frame[key].cat.categories.dtype)})
    if isinstance(frame[key].dtype, pd.DatetimeTZDtype):  # the same moments, whatever the zone they are shown in
        return frame.assign(**{key: frame[key].dt.tz_convert("UTC")})
    return frame


def _key_kind(keys: pd.Series[Any]) -> str:
    if pd.api.types.is_bool_dtype(keys.dtype):
        return "truth values"
    if pd.api.types.is_numeric_dtype(keys.dtype):
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(keys.dtype):
        return "moments" if keys.dt.tz is None else "moments with a time zone"
    if isinstance(keys.dtype, pd.StringDtype):
        return "text"
    found = pd.api.types.infer_dtype(keys, skipna=True)
    return (
        "numbers" if found in ("integer", "floating", "mixed-integer-float") else "text" if found == "string" else found
    )


def _merged(left_name: str, left: pd.DataFrame, right_name: str, right: pd.DataFrame, key: str) -> pd.DataFrame:
    left = left[left[key].notna()].add_prefix(f"{left_name}.")
    right = right[right[key].notna()].add_prefix(f"{right_name}.")
    keys = [f"{left_name}.{key}", f"{right_name}.{key}"]
    return left.merge(right, how="inner", left_on=keys[0], right_on=keys[1]).drop(columns=keys)
