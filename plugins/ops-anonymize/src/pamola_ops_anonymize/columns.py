"""Columns that an operation names: checked when it is made, found when it runs, and read as text value by value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks import OperationContext
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.validators import Check as Check
from pamola_tasks.validators import column_names as column_names
from pamola_tasks.validators import columns_of_person as columns_of_person
from pamola_tasks.validators import is_number as is_number
from pamola_tasks.validators import one_of as one_of
from pamola_tasks.validators import person_columns as person_columns
from pamola_tasks.validators import some_columns as some_columns
from pamola_tasks.validators import whole_number as whole_number
from pamola_tasks.validators import wrong as wrong

from .read_as_text import to_be_read_as

Ints = npt.NDArray[np.int64]

MISSING = -1


# ---------------------------------------------------------------- parameters


def one_column(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: the name of a column, or nothing."""
    if not (value is None or isinstance(value, str)):
        raise wrong(operation, attribute.name, "the name of a column", value)


def some_of(allowed: Any) -> Check:
    """A validator: a list of words of a Literal, none of them twice."""
    words = get_args(allowed)

    def check(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        listed = value if isinstance(value, (list, tuple)) else [None]
        if any(word not in words for word in listed) or len(set(listed)) < len(listed):
            raise wrong(operation, attribute.name, f"a list of {', '.join(words)}", value)

    return check


def positive(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: a finite number above 0, or nothing where that is the default."""
    if not (value is None and attribute.default is None) and not (is_number(value) and value > 0):
        raise wrong(operation, attribute.name, "a finite number above 0", value)


def belongs_to(operation: Any, choice: str, allowed: Mapping[str, Iterable[str]]) -> None:
    """Refuse parameters that the chosen method does not know: an option that does nothing misleads.

    Args:
        operation: The operation, all parameters set.
        choice: The parameter that chooses.
        allowed: For each choice the optional parameters that belong to it.
    """
    chosen = getattr(operation, choice)
    everywhere = {name for names in allowed.values() for name in names}
    fields = {field.name: field for field in attrs.fields(type(operation))}
    for name in sorted(everywhere - set(allowed[chosen])):
        default = fields[name].default
        unset = default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]
        if getattr(operation, name) != unset:
            homes = [method for method, names in allowed.items() if name in names]
            raise ParameterError(
                f"{type(operation).__name__}: `{name}` does nothing with `{choice}: {chosen}`;"
                f" it belongs to {', '.join(homes)}"
            )


# ---------------------------------------------------------------- tables


def require(ctx: OperationContext, dataset: str, roles: Mapping[str, Iterable[str]]) -> list[str]:
    """The table's columns, once it is sure that those named are there.

    Raises:
        DataError: A column is missing.
    """
    there: list[str] = ctx.data.columns(dataset)
    for role, names in roles.items():
        absent = [name for name in names if name not in there]
        if absent:
            raise without(dataset, absent, role, there)
    return there


def without(dataset: str, absent: Sequence[str], role: str, there: Iterable[Any]) -> DataError:
    """What is said of a table without columns that a parameter names."""
    names = list(map(str, there))
    blank = sum(name != name.strip() for name in names) if set(absent) & {name.strip() for name in names} else 0
    hint = f"; {blank} of these begin or end with a blank: set data: {{trim: true}}" if blank else ""
    return DataError(
        f"{dataset} has no column {', '.join(absent)} (named in `{role}`); it has {', '.join(names)}{hint}"
    )


def require_numbers(ctx: OperationContext, dataset: str, column: pd.Series[Any], role: str) -> None:
    """Refuse a column that holds no numbers.

    Raises:
        DataError: With the column's name and dtype, and the setting that makes it numbers if it looks like some.
    """
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        if pd.api.types.infer_dtype(column, skipna=True) == "decimal":
            raise DataError(
                f"{dataset}: column {column.name} (named in `{role}`) holds exact decimals, and is computed with as"
                f" floats: state {column.name}: number in data_types"
            )
        held = "text" if str(column.dtype) in ("str", "string", "object") else column.dtype
        hint = to_be_read_as(ctx, dataset, str(column.name), "integer", "number")
        raise DataError(
            f"{dataset}: column {column.name} (named in `{role}`) holds no numbers but {held}: "
            + (hint or "`pamola-task data` says what its values look like, and which type to state in `data_types`")
        )


def is_whole(column: pd.Series[Any]) -> bool:
    """Whether a column holds whole numbers that 64 bits hold."""
    dtype = column.dtype
    return pd.api.types.is_integer_dtype(dtype) and not str(dtype).lower().startswith("uint64")


def rewrite(
    ctx: OperationContext,
    source: str,
    target: str,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    columns: Sequence[str] | None = None,
    rows: int | None = None,
) -> tuple[int, int]:
    """Rewrite a table, `chunk_size` records at a time: never more of them are in memory.

    Args:
        change: Gives for a piece of the table (index from 0) the piece that is written.
        columns: The columns to read; all unless given.
        rows: How many records there are, if it is known.

    Returns:
        Records read and records written.
    """
    read = 0

    def pieces() -> Iterator[pd.DataFrame]:
        nonlocal read
        for piece in ctx.data.chunks(source, columns=columns):
            read += len(piece)
            yield change(piece)
            ctx.progress(read, rows, "rows")

    ctx.stage("writing")
    record = ctx.data.write(target, pieces())
    ctx.progress(read, read, "rows")
    return read, read if record.rows is None else record.rows


# ---------------------------------------------------------------- values as text


FORMS = ("days", "seconds", "microseconds", "nanoseconds")


def finest(stamps: pd.Series[Any]) -> str:
    """What times have to be written to so that none is shorter than others: one of `FORMS`."""
    there = stamps.dropna().dt
    if bool((there.normalize() == stamps.dropna()).all()):
        return "days"
    units = ("nanoseconds", there.nanosecond), ("microseconds", there.microsecond)
    return next((unit for unit, digits in units if bool((digits != 0).any())), "seconds")


def text_of(value: Any, form: str | None = None) -> str:
    """A value as text, the same in any column.

    Whole numbers that missing values have turned into floats are written as whole numbers, so that an id gives the
    same text with and without gaps in its column; days without time of day are written as days.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if math.isfinite(value) and value == int(value) else str(float(value))
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, pd.Timestamp):
        offset = value.utcoffset()
        if offset is not None and offset.seconds % 60:  # as zones were before 1900; ISO 8601 has no such offsets
            value = value.tz_convert("UTC")
        days = value == value.normalize() if form is None else form == "days"
        written: str = value.date().isoformat() if days else value.isoformat(timespec="auto" if form is None else form)
        return written
    return str(value)


def distinct_texts(column: pd.Series[Any], form: str | None = None) -> tuple[Ints, list[str]]:
    """The distinct values of a column as text, and for each record which one it has (`MISSING` for none)."""
    codes, found = pd.factorize(column)
    values = found.tolist()  # looping over an array of pandas makes an object for each value, slowly
    if not isinstance(column.dtype, pd.StringDtype):
        values = [text_of(value, form) for value in values]
    return codes.astype(np.int64, copy=False), values


def text_column(codes: Ints, texts: list[str] | list[str | None], index: pd.Index) -> pd.Series[str]:
    """A column of text from distinct texts and which of them each record has."""
    distinct = pd.array(np.array(texts, dtype=object), dtype="string")
    return pd.Series(distinct.take(codes, allow_fill=True), index=index)


def with_texts(column: pd.Series[Any], change: Callable[[str], str], form: str | None = None) -> pd.Series[str]:
    """A column with each distinct value changed once; missing values stay missing. `form` is that of times."""
    codes, texts = distinct_texts(column, form)
    return text_column(codes, [change(text) for text in texts], column.index)
