"""Frames as streams of Arrow, which give the same frames again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pamola_tasks.errors import DataError
from pamola_tasks_tables.coding import dtype_named, in_one, whole

Column = pd.Series  # of whatever values


class Shape:
    """The columns of a table as Arrow has them.

    Args:
        dtypes: Their dtypes as text.
        first: A piece of the table, for what the text does not say; None where there is none.
        column: Gives the pieces of a column of objects, for the type that Arrow has for all of them.
    """

    def __init__(
        self, dtypes: Mapping[str, str], first: pd.DataFrame | None, column: Callable[[str], Iterable[Any]]
    ) -> None:
        self.dtypes: dict[str, Any] = {}
        columns, fields = {}, []
        for name, text in dtypes.items():
            dtype = dtype_named(text)
            if first is not None and (text == str(first[name].dtype) or isinstance(dtype, pd.CategoricalDtype)):
                dtype = whole(first[name], dtype).dtype
            self.dtypes[name] = dtype
            columns[name] = pd.Series([], dtype=dtype)
            found = (
                _type_of_objects(name, column(name))
                if pd.api.types.is_object_dtype(dtype)
                else _type_of(name, columns[name])
            )
            fields.append(pa.field(name, found))
        metadata = pa.Schema.from_pandas(pd.DataFrame(columns), preserve_index=False).metadata
        self.schema = pa.schema(fields, metadata=metadata)

    def batch(self, piece: pd.DataFrame) -> Any:
        """A piece of the table as a batch."""
        arrays = [_array(whole(piece[f.name], self.dtypes[f.name]), f) for f in self.schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def reader(dtypes: Mapping[str, str], pieces: Iterable[pd.DataFrame], column: Callable[[str], Iterable[Any]]) -> Any:
    """A stream of the pieces of a table; see `Shape`."""
    given = iter(pieces)
    first = next(given, None)
    shape = Shape(dtypes, first, column)

    def batches() -> Iterator[Any]:
        if first is not None:
            yield shape.batch(first)
        yield from map(shape.batch, given)

    return pa.RecordBatchReader.from_batches(shape.schema, batches())


def _type_of(name: str, empty: Column[Any]) -> Any:
    if not isinstance(empty.dtype, pd.CategoricalDtype):
        return pa.Array.from_pandas(empty).type
    categories = empty.cat.categories
    values = _type_of_objects(name, [categories]) if categories.dtype == object else pa.array(categories).type
    return pa.dictionary(pa.int32(), values, bool(empty.dtype.ordered))


def _type_of_objects(name: str, pieces: Iterable[Any]) -> Any:
    """The type for all objects of a column; decimals decide with the last piece, others with the first that has one."""
    schema = pa.schema([pa.field("cells", pa.null())])
    try:
        for piece in pieces:
            seen = pa.schema([pa.field("cells", pa.array(piece, from_pandas=True).type)])
            schema = pa.unify_schemas([schema, seen], promote_options="permissive")
            if not pa.types.is_null(schema.types[0]) and not pa.types.is_decimal(schema.types[0]):
                break
    except (pa.ArrowException, TypeError):
        raise DataError(
            f"column {name!r} holds objects that do not go together: state a type for it in data_types, such as text"
        ) from None
    return pa.large_string() if pa.types.is_string(schema.types[0]) else schema.types[0]


def _array(cells: Column[Any], field: Any) -> Any:
    try:
        if not isinstance(cells.dtype, pd.CategoricalDtype):
            return in_one(pa.array(cells, field.type, from_pandas=True))
        codes = cells.cat.codes.to_numpy()
        values = in_one(pa.array(cells.cat.categories, field.type.value_type, from_pandas=True))
    except (pa.ArrowException, TypeError):  # Arrow's message would show a value
        raise DataError(
            f"column {field.name!r} holds values that do not go together: state a type for it in data_types"
        ) from None
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, values, ordered=field.type.ordered)
