"""Types that columns must have, applied and checked; which ones is said in `data_types`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks.errors import DataError
from pamola_tasks_data.arrow import one_array
from pamola_tasks_data.csv_writing import as_text
from pamola_tasks_data.inference import TEXT_DTYPE

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


def apply_types(frame: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The frame with these columns converted; values that do not fit are refused, counted and not shown."""
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
    try:
        array = pa.Array.from_pandas(series)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # values of several types; Arrow's message shows one
        array = pa.array(series.map(str, na_action="ignore"), pa.large_string(), from_pandas=True)
    array = one_array(array)
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


_CONVERT: Mapping[str, Callable[[pd.Series], tuple[pd.Series, int]]] = {
    "text": lambda series: (_as_series(_text_of(series), series), 0),
    "integer": _to_integer,
    "float": _to_float,
    "boolean": _to_boolean,
    "date": _to_date,
    "datetime": _to_datetime,
    "category": lambda series: (series.astype("category"), 0),
}
