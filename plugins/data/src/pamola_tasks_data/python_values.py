"""Tables of Python values, as JSON and Excel files have them: the type of each column, and frames of it, part by part.

A column has the one type that keeps each of its values, or it is of Python objects, with values as they are.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import pandas as pd
import pyarrow as pa

from pamola_tasks_data.arrow import to_frame
from pamola_tasks_data.kinds import NOTHING, Kind


@attrs.frozen
class Part:
    """Some rows of a table: a column is an array, or a list where it has no one type; absent where it has no values."""

    rows: int
    cells: Mapping[str, Any]

    @classmethod
    def of(cls, rows: int, values: Mapping[str, list[Any]]) -> Part:
        """The part that has these values."""
        return cls(rows, {name: array_of(column) for name, column in values.items()})


def array_of(values: list[Any]) -> Any:
    """Values as an array of the one type that keeps each of them; as they are where there is none."""
    types = set(map(type, values)) - {type(None)}
    if (len(types) > 1 and types != {int, float}) or not types <= {bool, int, float, str, datetime.datetime}:
        return values
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        return values  # whole numbers too long for it, or halves of a character


def kinds_of(parts: Iterable[Part], names: Sequence[str] = ()) -> dict[str, Kind]:
    """The kind of every column of a table; those named first, without values where no part has them."""
    kinds = {name: Kind(NOTHING, False) for name in names}
    rows, seen = 0, dict.fromkeys(names, 0)
    for part in parts:
        rows += part.rows
        for name, cells in part.cells.items():
            found = Kind.of(cells)
            kinds[name] = kinds[name].merged(found) if name in kinds else found
            seen[name] = seen.get(name, 0) + part.rows
    return {name: attrs.evolve(kind, missing=kind.missing or seen[name] < rows) for name, kind in kinds.items()}


def frame_of(parts: Sequence[Part], kinds: Mapping[str, Kind]) -> pd.DataFrame:
    """Parts of a table, one after the other, as a frame with columns of these kinds."""
    plain: dict[str, Any] = {}
    objects: dict[str, list[Any]] = {}
    for name, kind in kinds.items():
        cells = [part.cells[name] if name in part.cells else pa.nulls(part.rows) for part in parts]
        if kind.type is None or kind.type == NOTHING:
            lists = (each if isinstance(each, list) else each.to_pylist() for each in cells)
            objects[name] = list(itertools.chain.from_iterable(lists))
        else:
            plain[name] = pa.chunked_array([_as(each, kind.type) for each in cells], kind.type)
    nullable = [name for name in plain if kinds[name].missing]
    rows = sum(part.rows for part in parts)
    frame = to_frame(pa.table(plain), nullable) if plain else pd.DataFrame(index=pd.RangeIndex(rows))
    for place, name in enumerate(kinds):
        if name in objects:
            frame.insert(place, name, pd.Series(objects[name], dtype=object))
    return frame


def cut(parts: Iterable[Part], size: int, kinds: Mapping[str, Kind]) -> Iterator[pd.DataFrame]:
    """The table as frames of `size` rows, the last of what is left; one without rows where there is none."""
    left = frame_of([], kinds)
    waiting: list[Part] = []
    empty = True
    for part in parts:
        waiting.append(part)
        if len(left) + sum(each.rows for each in waiting) < size:
            continue
        frame, waiting = _behind(left, frame_of(waiting, kinds)), []
        end = len(frame) - len(frame) % size
        for start in range(0, end, size):
            yield frame.iloc[start : start + size].reset_index(drop=True)
        left, empty = frame.iloc[end:], False
    if waiting:
        left = _behind(left, frame_of(waiting, kinds))
    if len(left) or empty:
        yield left.reset_index(drop=True)


def _behind(left: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([left, frame], ignore_index=True) if len(left) else frame


def dtypes_of(kinds: Mapping[str, Kind]) -> dict[str, str]:
    """The dtypes that columns of these kinds are read as."""
    return {str(name): str(dtype) for name, dtype in frame_of([], kinds).dtypes.items()}


def kinds_asked(options: Mapping[str, Any], columns: Sequence[str] | None) -> dict[str, Kind] | None:
    """The kinds of the columns asked for, where the options set them; what has a stated type is converted later."""
    known = {name: Kind.of_dtype(dtype) for name, dtype in (options.get("dtypes") or {}).items()}
    stated = options.get("text_columns") or ()
    if columns is None:
        return known if known and not stated else None
    if any(name not in known and name not in stated for name in columns):
        return None
    return {name: known.get(name, Kind(None, True)) for name in columns}


def _as(cells: Any, type_: Any) -> Any:
    return pa.array(cells, type_, from_pandas=True) if isinstance(cells, list) else cells.cast(type_)
