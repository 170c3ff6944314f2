"""Between pandas and Arrow, so that nothing is lost and nothing is written that the frame does not show."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pamola_tasks.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_SIZES = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
_NULLABLE: dict[Any, Any] = {pa.from_numpy_dtype(name.lower()): pd.api.types.pandas_dtype(name) for name in _SIZES}
_NULLABLE[pa.bool_()] = pd.BooleanDtype()

TEXT = pa.large_string()  # what pandas keeps text as, so that it need not be copied
TEXT_DTYPE = str(pd.Series(["a"]).dtype)

HALF = "has a text with half of a character (\\ud800 to \\udfff), as where one was cut off within it: remove it"
_PIECE = 1 << 16  # bytes that stay in the cache of a processor
COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3


def own_copy(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame that may be changed without changing the other; costs nothing where pandas copies on write."""
    copy: pd.DataFrame = frame.copy(deep=not COPY_ON_WRITE)
    return copy


def frame_bytes(frame: pd.DataFrame) -> int:
    """What a frame takes in memory, without its index."""
    return int(frame.memory_usage(index=False, deep=True).sum())


def with_text_names(name: str, frame: Any) -> pd.DataFrame:
    """The frame of dataset `name` with text for names of columns; refused where these are not one each."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"dataset {name!r} must be a DataFrame, not a {type(frame).__name__}")
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(
            f"dataset {name!r}: the columns have several levels of names, such as {frame.columns[0]!r}: give each"
            " column one name"
        )
    if not all(isinstance(column, str) for column in frame.columns):
        frame = frame.set_axis(list(map(str, frame.columns)), axis="columns")
    named: pd.DataFrame = frame
    if not frame.columns.is_unique:
        repeated = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"dataset {name!r} has more than one column {repeated!r}: rename them")
    try:
        check_characters(frame)
    except DataError as problem:
        raise DataError(f"dataset {name!r}: {problem}") from None
    return named


def check_characters(frame: pd.DataFrame) -> None:
    """Refuse half of a character (a lone surrogate) in a column of objects: no encoding has it."""
    for name in frame.columns[list(map(pd.api.types.is_object_dtype, frame.dtypes))]:
        texts = [value for value in frame[name].tolist() if isinstance(value, str)]
        try:
            "".join(texts).encode()
        except UnicodeEncodeError:
            raise DataError(f"column {name!r} {HALF}") from None


def content(cells: Any) -> Iterator[bytes]:
    """The bytes of an array of text, in pieces: a small one is looked through faster than the whole."""
    _, offsets_buffer, data = cells.buffers()
    if data is None or not len(cells):
        return
    offsets = np.frombuffer(offsets_buffer, np.int64 if pa.types.is_large_string(cells.type) else np.int32)
    begin, end = offsets[[cells.offset, cells.offset + len(cells)]].tolist()
    view = memoryview(data)[begin:end]
    for place in range(0, len(view), _PIECE):
        yield view[place : place + _PIECE].tobytes()


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


def can_be_nullable(type_: Any) -> bool:
    """Whether pandas needs a nullable dtype to hold missing values of this Arrow type without loss."""
    return type_ in _NULLABLE


def is_text(type_: Any) -> bool:
    """Whether an Arrow type is text."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def one_array(array: Any) -> Any:
    """An Arrow array in one chunk."""
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def is_missing(value: Any) -> bool:
    """Whether a value of a column of objects is missing."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def to_frame(table: Any, nullable: Collection[str] = ()) -> pd.DataFrame:
    """An Arrow table as a DataFrame with a plain index.

    Columns of whole numbers or booleans that are `nullable` become `Int64`, `boolean` …, where pandas would make them
    floats if a value is missing.
    """
    for place, field in enumerate(table.schema):
        if field.type == pa.time64("ns"):  # Python's have microseconds
            try:
                table = table.set_column(place, field.name, table.column(place).cast(pa.time64("us")))
            except pa.ArrowInvalid:
                raise DataError(
                    f"column {field.name!r} holds times of day to the nanosecond, of which only microseconds would be"
                    f" kept: write them to the microsecond"
                ) from None
    chosen = {field.name for field in table.schema if field.name in nullable and can_be_nullable(field.type)}
    plain = [name for name in table.column_names if name not in chosen]
    if plain:
        frame: pd.DataFrame = table.select(plain).to_pandas()
        frame = frame.reset_index(drop=all(name is None for name in frame.index.names))
    else:
        frame = pd.DataFrame(index=pd.RangeIndex(table.num_rows))
    there, place = set(frame.columns), 0
    for name in table.column_names:
        if name in chosen:
            column = table.column(name)
            frame.insert(place, name, pd.Series(_NULLABLE[column.type].__from_arrow__(column)))
        place += name in chosen or name in there
    return frame


def to_table(frame: pd.DataFrame, *, mixed_as_text: bool = False) -> Any:
    """A `plain` DataFrame as an Arrow table.

    A column of values of several types is refused, or with `mixed_as_text` made text, as intervals and periods are;
    times are then `in_minutes`, too.
    """
    frame = plain(frame, spans_as_text=mixed_as_text)
    frame = in_minutes(frame) if mixed_as_text else frame
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, OverflowError):
        # Arrow's message would show a value.
        mixed = [name for name in frame.columns if not _fits_arrow(frame[name])]
    if mixed and mixed_as_text:
        texts = {name: frame[name].map(str, na_action="ignore").astype(object) for name in mixed}
        return pa.Table.from_pandas(frame.assign(**texts), preserve_index=False)
    types = sorted({type(value).__name__ for name in mixed[:1] for value in frame[name].dropna()})
    raise DataError(
        f"column {mixed[0] if mixed else '?'!r} holds values of types that do not go together ({', '.join(types[:5])}):"
        f" make them one type before writing"
    )


def plain(frame: pd.DataFrame, *, spans_as_text: bool = False) -> pd.DataFrame:
    """The frame as it is written: unique text column names, no attributes, named index levels as columns.

    Categories that do not occur are left out: they may be values of rows that were removed on purpose. Intervals and
    periods become the text that they are shown as: as categories in every format, since none has them.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"only a DataFrame, or an iterable of DataFrames, can be written, not {type(frame).__name__}")
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError("the columns have several levels of names: give each column one name before writing")
    frame = frame.copy(deep=False)
    frame.attrs = {}
    named = [name for name in frame.index.names if name is not None]
    clash = [name for name in named if name in frame.columns]
    if clash:
        raise DataError(f"{clash[0]!r} is the name of an index level and of a column: rename one of them")
    if named:
        frame = frame.reset_index(level=named)
    if not all(isinstance(name, str) for name in frame.columns):
        frame.columns = pd.Index([str(name) for name in frame.columns])
    if not frame.columns.is_unique:
        repeated = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"there is more than one column {repeated!r}: rename them before writing")
    frame = frame.reset_index(drop=True)
    check_characters(frame)
    for name, dtype in frame.dtypes.items():
        categories = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else None
        spans = isinstance(dtype if categories is None else categories.dtype, (pd.IntervalDtype, pd.PeriodDtype))
        if spans and (spans_as_text or categories is not None):
            frame[name] = frame[name].astype(object).map(str, na_action="ignore")
        elif categories is not None:
            frame[name] = _with_used_categories(frame[name])
        elif isinstance(dtype, pd.SparseDtype):
            frame[name] = frame[name].astype(dtype.subtype)
    return frame


def in_minutes(frame: pd.DataFrame) -> pd.DataFrame:
    """Times in UTC where their zone is off by seconds, as zones were before 1900: ISO 8601 has no such offsets."""
    zoned = [name for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.DatetimeTZDtype)]
    changed: dict[Any, Any] = {}
    for name in zoned:
        utc = frame[name].dt.tz_convert("UTC")
        local, there = (pd.DatetimeIndex(each.dt.tz_localize(None)).as_unit("us").asi8 for each in (frame[name], utc))
        if ((local - there) % 60_000_000).any():
            changed[name] = utc
    return frame.assign(**changed) if changed else frame


def _with_used_categories(column: pd.Series) -> pd.Series:
    """What `remove_unused_categories` gives, without sorting the codes of all rows."""
    codes, categories = column.cat.codes.to_numpy(), column.cat.categories
    used = np.zeros(len(categories) + 1, dtype=bool)
    used[codes] = True  # the last one, at -1, stands for missing values
    if used[:-1].all():
        return column
    number = np.append(np.cumsum(used[:-1], dtype=np.int32) - 1, np.int32(-1))
    kept = pd.CategoricalDtype(categories[used[:-1]], ordered=column.cat.ordered)
    return pd.Series(pd.Categorical.from_codes(number[codes], dtype=kept), index=column.index, name=column.name)


def _fits_arrow(column: pd.Series) -> bool:
    try:
        pa.Array.from_pandas(column)
    except (pa.ArrowException, OverflowError):
        return False
    return True
