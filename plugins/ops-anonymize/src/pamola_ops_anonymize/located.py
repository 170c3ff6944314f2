"""The places of combinations of values in a table that has each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks.errors import DataError

from .domains import Ints

_WIDEST = 2**62
_DENSE = 2**24  # combinations that there could be, up to which their places are a plain array


class Located:
    """Finds rows by the values of columns, missing ones included.

    Args:
        frame: The rows to be found.
        columns: Of which columns; several rows may have the same values in them, of which one is found.
        dataset: The table that is looked up in it, for messages.
    """

    def __init__(self, frame: pd.DataFrame, columns: Sequence[str], dataset: str) -> None:
        self._dataset = dataset
        self._values: dict[str, pd.Index[Any]] = {}
        self._numbered: dict[str, Ints] = {}  # by column, the keys so far, where these are numbered anew
        key, span = np.zeros(len(frame), dtype=np.int64), 1
        for name in columns:
            codes, values = distinct_values(frame[name])
            self._values[name] = values
            if span * (len(values) + 1) >= _WIDEST:
                self._numbered[name], key = np.unique(key, return_inverse=True)
                span = len(self._numbered[name])
            key = key * (len(values) + 1) + np.where(codes < 0, len(values), codes)
            span *= len(values) + 1
        self._places: Ints | None = None
        if span <= _DENSE:
            self._places = np.full(span, -1, dtype=np.int64)
            self._places[key] = np.arange(len(key))
        else:
            keys, self._first = np.unique(key, return_index=True)
            self._keys = pd.Index(keys)

    def rows(self, piece: pd.DataFrame) -> Ints:
        """For each row of a piece of the table the row that has its values.

        Raises:
            DataError: There is none: the table is not what it was when it was counted.
        """
        key = np.zeros(len(piece), dtype=np.int64)
        for name, values in self._values.items():
            codes, found = distinct_values(piece[name])
            place = np.append(values.get_indexer(found), len(values))[codes]
            if (place < 0).any():
                raise self._changed()
            if name in self._numbered:
                key = self._place_of(self._numbered[name], key)
            key = key * (len(values) + 1) + place
        found_at = self._keys.get_indexer(pd.Index(key)) if self._places is None else self._places[key]
        if (found_at < 0).any():
            raise self._changed()
        return np.asarray(found_at if self._places is not None else self._first[found_at], dtype=np.int64)

    def _place_of(self, numbered: Ints, key: Ints) -> Ints:
        place = np.minimum(np.searchsorted(numbered, key), len(numbered) - 1)
        if (numbered[place] != key).any():
            raise self._changed()
        return place

    def _changed(self) -> DataError:
        return DataError(f"{self._dataset} has records that it had not when it was counted: it changes as it is read")


def distinct_values(column: pd.Series[Any]) -> tuple[npt.NDArray[Any], pd.Index[Any]]:
    """Codes of a column's values, -1 for missing ones, and the values, such that equal ones are one domain's value."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        written, texts = pd.factorize(np.array([str(level) for level in column.cat.categories], dtype=object))
        return np.append(written, -1)[column.cat.codes.to_numpy()], pd.Index(texts, dtype=object)
    if column.dtype == object:  # 1 and True are one to pandas
        column = column.map(lambda value: f"{type(value).__name__} {value}", na_action="ignore")
    codes, values = pd.factorize(column)
    return codes, pd.Index(values)
