"""`data_types` of the configuration: which type a column must have, applied and checked.

data_types:
  customers: {zipcode: text, age: integer, born: date}     # of one dataset
  income: float                                            # wherever a column has this name
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import ConfigurationError, DataError
from pamola_tasks_data.csv_writing import as_text
from pamola_tasks_data.inference import TEXT_DTYPE

_SYNONYMS = {
    "text": ("text", "str", "string", "object"),
    "integer": ("integer", "int", "int64", "int32", "int16", "int8", "whole number"),
    "float": ("float", "float64", "float32", "double", "number"),
    "boolean": ("boolean", "bool"),
    "date": ("date",),
    "datetime": ("datetime", "timestamp", "datetime64", "datetime64[ns]", "datetime64[us]"),
    "category": ("category", "categorical"),
}
_KINDS = {synonym: kind for kind, synonyms in _SYNONYMS.items() for synonym in synonyms}
_NOUNS = {
    "integer": "whole numbers",
    "float": "numbers",
    "boolean": "true or false",
    "date": "ISO dates",
    "datetime": "ISO dates and times",
}
DTYPES = {
    "text": TEXT_DTYPE,
    "integer": "Int64",
    "float": "float64",
    "boolean": "boolean",
    "date": "datetime64[us]",
    "datetime": "datetime64[us]",
    "category": "category",
}
_TRUE = pa.array(["true", "t", "yes", "y", "1", "1.0"], pa.large_string())
_FALSE = pa.array(["false", "f", "no", "n", "0", "0.0"], pa.large_string())
_NUMBER = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"


def stated_for(data_types: Mapping[str, Any], dataset: str) -> tuple[dict[str, str], frozenset[str]]:
    """The kinds that hold for a dataset's columns.

    Returns:
        Kind by column, and the columns that the dataset must have (those stated for it by name).

    Raises:
        ConfigurationError: A kind is not known.
    """
    anywhere = {name: value for name, value in data_types.items() if isinstance(value, str)}
    own = data_types.get(dataset)
    own = own if isinstance(own, Mapping) else {}
    found: dict[str, str] = {}
    for column, value in {**anywhere, **own}.items():
        kind = _KINDS.get(value.lower().strip()) if isinstance(value, str) else None
        if kind is None:
            raise ConfigurationError(
                f"data_types: {value!r} for column {column!r} is no type: known are {', '.join(_SYNONYMS)}"
            )
        found[column] = kind
    return found, frozenset(own)


def apply_types(frame: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The frame with these columns converted.

    Raises:
        DataError: Values do not fit; says which column and how many, never which values.
    """
    problems = []
    for column, kind in kinds.items():
        if column not in frame.columns:
            continue
        converted, bad = _CONVERT[kind](frame[column])
        if bad:
            values = "1 value is" if bad == 1 else f"{bad} values are"
            problems.append(
                f"column {column!r}: {values} not {_NOUNS[kind]}, of {len(frame)} rows (data_types: {kind})"
            )
        else:
            frame[column] = converted
    if problems:
        raise DataError("; ".join(problems))
    return frame


def _text_of(series: pd.Series) -> Any:
    array = pa.Array.from_pandas(series)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return as_text(array)


def _as_series(array: Any, like: pd.Series, dtype: Any = None) -> pd.Series:
    made = pd.Series(dtype.__from_arrow__(array)) if dtype is not None else pa.table({"c": array}).to_pandas()["c"]
    made.index = like.index
    return made


def _bad(text: Any, good: Any) -> int:
    """How many values are there but not good."""
    return int(pc.sum(pc.and_(pc.is_valid(text), pc.invert(pc.fill_null(good, False)))).as_py() or 0)


def _to_text(series: pd.Series) -> tuple[pd.Series, int]:
    made = _as_series(_text_of(series), series)
    return made, 0


def _to_integer(series: pd.Series) -> tuple[pd.Series, int]:
    text = pc.replace_substring_regex(_text_of(series), r"^\+|\.0+$", "")
    good = pc.match_substring_regex(text, r"^-?0*[0-9]{1,18}$")
    bad = _bad(text, good)
    return (series, bad) if bad else (_as_series(pc.cast(text, pa.int64()), series, pd.Int64Dtype()), 0)


def _to_float(series: pd.Series) -> tuple[pd.Series, int]:
    if pd.api.types.is_float_dtype(series.dtype):
        return series.astype("float64"), 0
    text = _text_of(series)
    bad = _bad(text, pc.match_substring_regex(text, _NUMBER))
    return (series, bad) if bad else (_as_series(pc.cast(text, pa.float64()), series).astype("float64"), 0)


def _to_boolean(series: pd.Series) -> tuple[pd.Series, int]:
    text = pc.utf8_lower(_text_of(series))
    true = pc.is_in(text, _TRUE)
    bad = _bad(text, pc.or_(true, pc.is_in(text, _FALSE)))
    valid = pc.is_valid(text)
    return (series, bad) if bad else (_as_series(pc.if_else(valid, true, None), series, pd.BooleanDtype()), 0)


def _to_datetime(series: pd.Series) -> tuple[pd.Series, int]:
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series, int(series.notna().sum())
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        return series, 0
    source = series.astype(object) if isinstance(series.dtype, pd.CategoricalDtype) else series
    made = pd.to_datetime(source, format="ISO8601", errors="coerce")
    bad = int((made.isna() & series.notna()).sum())
    return (series, bad) if bad else (made.dt.as_unit("us"), 0)


def _to_date(series: pd.Series) -> tuple[pd.Series, int]:
    made, bad = _to_datetime(series)
    if not bad:
        bad = int((made.notna() & (made != made.dt.normalize())).sum())
    return made, bad


def _to_category(series: pd.Series) -> tuple[pd.Series, int]:
    return series.astype("category"), 0


_CONVERT: Mapping[str, Callable[[pd.Series], tuple[pd.Series, int]]] = {
    "text": _to_text,
    "integer": _to_integer,
    "float": _to_float,
    "boolean": _to_boolean,
    "date": _to_date,
    "datetime": _to_datetime,
    "category": _to_category,
}
