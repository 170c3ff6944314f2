"""Cells as numbers: a column that comes in pieces, and the distinct values that it has had so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pamola_tasks_tables.order import ranks

if TYPE_CHECKING:
    from pamola_tasks_tables.protocol import Ints

_FEW = 10_000  # values that are looked up one by one

Array = np.ndarray[Any, Any]


class Numbering:
    """Distinct values, numbered as they come; where there are many, they are found by an index of pandas."""

    def __init__(self) -> None:
        self.count = 0
        self._known: Array | None = None
        self._index: pd.Index[Any] | None = None
        self._recent: dict[Any, int] = {}

    def of(self, values: Array) -> Ints:
        """The numbers of values that are distinct, from 0; new ones get the next."""
        if self._known is None:
            self._known = values[:0]
        found = np.full(len(values), -1, dtype=np.int64)
        if self._index is not None:
            found = self._index.get_indexer(pd.Index(values, tupleize_cols=False)).astype(np.int64)
        unknown = np.flatnonzero(found < 0)
        for place, value in zip(unknown.tolist(), values[unknown].tolist(), strict=True):
            number = self._recent.setdefault(value, self.count)
            self.count += number == self.count
            found[place] = number
        if len(self._recent) > max(_FEW, len(self._known)):
            self._index = pd.Index(self.values(), tupleize_cols=False)
        return found

    def values(self) -> Array:
        """All of them, in the order of their numbers."""
        assert self._known is not None
        if self._recent:
            recent = np.fromiter(self._recent, dtype=self._known.dtype, count=len(self._recent))
            self._known, self._recent = np.concatenate([self._known, recent]), {}
            self._index = pd.Index(self._known, tupleize_cols=False)
        return self._known


class Column:
    """A column whose cells come in pieces: each gets the code of its value, from 1, and 0 where it is missing.

    Args:
        dtype: The dtype of the whole column, as text; pieces of it may have another.
    """

    def __init__(self, dtype: str) -> None:
        self.text = dtype
        self._dtype: Any = None
        self._numbers = Numbering()
        self._categories: pd.Index[Any] | None = None
        self._code_of: Ints | None = None  # the codes of these, and last the one of a missing cell

    @property
    def count(self) -> int:
        """How many codes there are, the one of missing cells included."""
        return self._numbers.count + 1

    @property
    def dtype(self) -> Any:
        """The dtype of the whole column; of categories those that were seen so far."""
        if self._dtype is None:
            self._dtype = dtype_named(self.text)
        return self._dtype

    def codes(self, piece: pd.Series[Any]) -> Ints:
        """The codes of the cells of a piece."""
        if self._dtype is None and str(piece.dtype) == self.text:
            self._dtype = piece.dtype
        piece = whole(piece, self.dtype)
        if isinstance(piece.dtype, pd.CategoricalDtype):
            categories = piece.cat.categories
            if self._categories is None or not (categories is self._categories or _same(categories, self._categories)):
                _, values = _distinct(categories.to_series())
                self._categories, self._code_of = categories, np.append(self._numbers.of(values) + 1, 0)
            assert self._code_of is not None
            return self._code_of[piece.cat.codes.to_numpy()]
        local, values = _distinct(piece)
        return np.append(self._numbers.of(values) + 1, 0)[local]

    def cells(self, codes: Ints) -> pd.Series[Any]:
        """The cells that have these codes, with the dtype of the whole column."""
        if isinstance(self.dtype, pd.CategoricalDtype):
            of = self._categories.dtype if self._categories is not None else object
            dtype = pd.CategoricalDtype(pd.Index(self._decoded(of)), ordered=bool(self.dtype.ordered))
            return pd.Series(pd.Categorical.from_codes(codes - 1, dtype=dtype))
        values = self._decoded(self.dtype)
        if not len(values):
            return pd.Series([None] * len(codes), dtype=self.dtype)
        if pd.api.types.is_object_dtype(self.dtype):
            return pd.Series(np.append(np.asarray(values), [None])[codes - 1], dtype=object)
        return pd.Series(values.take(codes - 1, allow_fill=not codes.all()))

    def values(self) -> pd.Series[Any]:
        """The distinct values, in the order of their codes."""
        return self.cells(np.arange(1, self.count))

    def ranks(self) -> Ints:
        """For each code the rank of its value in the canonical order: 0 is missing, no two are the same."""
        cells = self.values()
        rank, _ = ranks(cells)
        kinds = cells.map(lambda cell: type(cell).__name__).astype(str) if cells.dtype == object else rank
        found = np.zeros(self.count, dtype=np.int64)
        found[np.lexsort((kinds, rank)) + 1] = np.arange(1, self.count)
        return found

    def _decoded(self, dtype: Any) -> Any:
        """The distinct values, in the order of their codes, as an array of the dtype."""
        if not self._numbers.count:
            return pd.Series([], dtype=dtype).array
        values = self._numbers.values()
        if is_time(dtype):
            return times(values, dtype)
        if values.dtype == object:
            values = np.fromiter(map(_value, values), dtype=object, count=len(values))
        return pd.Series(values, dtype=dtype).array


def dtype_named(text: str) -> Any:
    """The dtype of this name; of objects where pandas has none."""
    try:
        return pd.api.types.pandas_dtype(text)
    except TypeError:
        return np.dtype(object)


def is_time(dtype: Any) -> bool:
    """Whether cells of this dtype are points or spans of time, which are whole numbers."""
    return isinstance(dtype, pd.DatetimeTZDtype) or (isinstance(dtype, np.dtype) and dtype.kind in "mM")


def times(numbers: Array, dtype: Any) -> Any:
    """An array of this dtype from the whole numbers that it holds."""
    if isinstance(dtype, pd.DatetimeTZDtype):
        naive = pd.Series(numbers.view(f"M8[{dtype.unit}]"))
        return naive.dt.tz_localize("UTC").dt.tz_convert(dtype.tz).array
    return pd.Series(numbers.view(dtype)).array


def whole(piece: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    """A piece of a column with the dtype that the whole column has; of categories, those of the piece."""
    if isinstance(dtype, pd.CategoricalDtype):
        return piece if isinstance(piece.dtype, pd.CategoricalDtype) else piece.astype("category")
    return piece if piece.dtype == dtype else piece.astype(dtype)


def in_one(found: Any) -> Any:
    """What Arrow makes of pandas' texts, which is in several parts where these were read in several or are long."""
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _same(one: pd.Index[Any], other: pd.Index[Any]) -> bool:
    """Whether categories are the same; for `equals`, 1 and True are."""
    return one.dtype != object and one.equals(other)


def _distinct(cells: pd.Series[Any]) -> tuple[Ints, Array]:
    """For each cell which of the distinct values it has, -1 for a missing one; and these, such that equal is same."""
    dtype = cells.dtype
    if isinstance(dtype, pd.StringDtype):
        codes, found = pd.factorize(cells)
        return codes, np.asarray(found, dtype=object)
    if is_time(dtype):
        codes, found = pd.factorize(cells)
        return codes, np.asarray(pd.Index(found).asi8)
    numeric = pd.api.types.is_numeric_dtype(dtype)  # truth values, too
    plain: Any = getattr(dtype, "numpy_dtype", dtype)
    if numeric and isinstance(plain, np.dtype):
        codes, found = pd.factorize(cells + 0.0 if plain.kind == "f" else cells)  # -0.0 + 0.0 is 0.0
        return codes, np.asarray(pd.Index(found).to_numpy(dtype=plain))
    values = cells.to_numpy(dtype=object)
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        keys = map(_key, values, pd.isna(values).tolist())
        values = np.fromiter(keys, dtype=object, count=len(values))
    codes, objects = pd.factorize(values)
    return codes, np.asarray(objects, dtype=object)


def _key(value: Any, missing: bool) -> Any:
    """What tells an object from others that pandas takes for the same: 1, 1.0 and True are equal."""
    if missing or isinstance(value, str):
        return None if missing else value
    value = value.item() if isinstance(value, np.generic) else value
    return type(value), value + 0.0 if isinstance(value, float) else value


def _value(key: Any) -> Any:
    return key[1] if isinstance(key, tuple) else key
