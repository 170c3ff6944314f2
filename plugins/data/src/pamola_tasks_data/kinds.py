"""What a column holds, put together from parts of a table, and frames made of parts.

A column has the one Arrow type that keeps each of its values. Where there is none it is text (`cells`), or of Python
objects, with values as they are, where `data_types` states what they become.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks_data.arrow import TEXT, is_text, to_frame
from pamola_tasks_data.cells import SEVERAL, tell, texts, what_is_no_single_type

if TYPE_CHECKING:
    from pamola_tasks_data.decimals import Decimals

NOTHING = pa.null()
_EXACT = 2**53  # beyond this a double does not hold every whole number
_DTYPES = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "str": pa.string(),
    "datetime64[us]": pa.timestamp("us"),
    "datetime64[us, UTC]": pa.timestamp("us", "UTC"),
    "object": NOTHING,
}
_NULLABLE = {"Int64": pa.int64(), "boolean": pa.bool_()}


@attrs.frozen
class Kind:
    """What a column holds.

    Its type is Arrow's, `null` where all values are missing; None where no one type keeps them.
    """

    type: Any
    missing: bool  #: a value is missing
    wide: bool = False  #: some whole number is too long for a double
    decimals: Decimals | None = None  #: how its numbers are written, where they were text
    minus_zero: bool = False  #: some whole number is written `-0`

    @classmethod
    def of(cls, cells: Any) -> Kind:
        """The kind of a part of a column: an array, or a list where it has no one type."""
        if isinstance(cells, list):
            return cls(None, None in cells)
        wide = False
        if pa.types.is_integer(cells.type) and len(cells):
            ends = pc.min_max(cells).as_py()
            wide = ends["min"] is not None and (ends["min"] < -_EXACT or ends["max"] > _EXACT)
        return cls(cells.type, cells.null_count > 0, wide)

    @classmethod
    def of_dtype(cls, dtype: str) -> Kind:
        """The other way: how values must be read to become of this dtype."""
        return cls(_NULLABLE[dtype], True) if dtype in _NULLABLE else cls(_DTYPES.get(dtype), False)

    def merged(self, other: Kind) -> Kind:
        """What holds for a column of which these two are parts."""
        missing, wide, minus_zero = (
            getattr(self, name) or getattr(other, name) for name in ("missing", "wide", "minus_zero")
        )
        decimals = self.decimals or other.decimals
        if self.decimals is not None and other.decimals is not None:
            decimals = self.decimals.merged(other.decimals)
        types = {self.type, other.type} - {NOTHING}
        if None in types:
            return Kind(None, missing, wide)
        if len(types) <= 1:
            return Kind(types.pop() if types else NOTHING, missing, wide, decimals, minus_zero)
        numbers = types == {pa.int64(), pa.float64()} and not wide
        return Kind(pa.float64() if numbers else None, missing, wide, decimals, minus_zero)

    @property
    def of_all(self) -> Kind:
        """What a column is that has no other parts: `-0` among whole numbers is text, as those have one zero."""
        return Kind(None, self.missing) if self.minus_zero and self.type == pa.int64() else self

    @property
    def may_merge_texts(self) -> bool:
        """Whether two different texts of the column may be the same number."""
        return self.type == pa.float64() and self.decimals is not None and self.decimals.may_merge


def merge_all(parts: Iterable[list[Kind]]) -> list[Kind]:
    """What holds for columns that came in parts."""
    found: list[Kind] = []
    for part in parts:
        found = [a.merged(b) for a, b in zip(found, part, strict=True)] if found else part
    return found


# ---------------------------------------------------------------- parts


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


def frame_of(parts: Sequence[Part], kinds: Mapping[str, Kind], options: Mapping[str, Any]) -> pd.DataFrame:
    """Parts of a table, one after the other, as a frame with columns of these kinds."""
    plain: dict[str, Any] = {}
    objects: dict[str, list[Any]] = {}
    for name, kind in kinds.items():
        cells = [part.cells[name] if name in part.cells else pa.nulls(part.rows) for part in parts]
        stated = name in (options.get("text_columns") or ())  # and converted later, from the values as they are
        asked = bool(options.get("dtypes")) and kind.type == pa.string()
        if kind.type == NOTHING or (stated and (kind.type is None or asked)):
            lists = (each if isinstance(each, list) else each.to_pylist() for each in cells)
            objects[name] = list(itertools.chain.from_iterable(lists))
        elif kind.type in (None, pa.string()):
            plain[name] = pa.chunked_array([_text(name, each, options) for each in cells], TEXT)
        else:
            plain[name] = pa.chunked_array([_as(each, kind.type) for each in cells], kind.type)
    nullable = [name for name in plain if kinds[name].missing]
    rows = sum(part.rows for part in parts)
    frame = to_frame(pa.table(plain), nullable) if plain else pd.DataFrame(index=pd.RangeIndex(rows))
    for place, name in enumerate(kinds):
        if name in objects:
            frame.insert(place, name, pd.Series(objects[name], dtype=object))
    return frame


def read_parts(
    parts: Iterable[Part], names: Sequence[str], columns: Sequence[str] | None, options: Mapping[str, Any]
) -> pd.DataFrame:
    """The whole table, with these names first, of the kinds that the options set or else its values have."""
    held = list(parts)
    return frame_of(held, _kinds_asked(options, columns) or kinds_of(held, names), options)


def cut(
    parts: Callable[[], Iterable[Part]],
    size: int,
    names: Sequence[str],
    columns: Sequence[str] | None,
    options: Mapping[str, Any],
) -> Iterator[pd.DataFrame]:
    """The table as frames of `size` rows, the last of what is left; one without rows where there is none.

    The parts are gone through twice, once to learn the kinds, unless the options set them.
    """
    kinds = _kinds_asked(options, columns) or kinds_of(parts(), names)
    left = frame_of([], kinds, options)
    waiting: list[Part] = []
    empty = True
    for part in parts():
        waiting.append(part)
        if len(left) + sum(each.rows for each in waiting) < size:
            continue
        frame, waiting = _behind(left, frame_of(waiting, kinds, options)), []
        end = len(frame) - len(frame) % size
        for start in range(0, end, size):
            yield frame.iloc[start : start + size].reset_index(drop=True)
        left, empty = frame.iloc[end:], False
    if waiting:
        left = _behind(left, frame_of(waiting, kinds, options))
    if len(left) or empty:
        yield left.reset_index(drop=True)


def _behind(left: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([left, frame], ignore_index=True) if len(left) else frame


def dtypes_of(kinds: Mapping[str, Kind]) -> dict[str, str]:
    """The dtypes that columns of these kinds are read as."""
    return {str(name): str(dtype) for name, dtype in frame_of([], kinds, {}).dtypes.items()}


def _kinds_asked(options: Mapping[str, Any], columns: Sequence[str] | None) -> dict[str, Kind] | None:
    """The kinds of the columns asked for, where the options set them; what has a stated type is converted later."""
    known = {name: Kind.of_dtype(dtype) for name, dtype in (options.get("dtypes") or {}).items()}
    stated = options.get("text_columns") or ()
    if columns is None:
        return known if known and not stated else None
    if any(name not in known and name not in stated for name in columns):
        return None
    return {name: known.get(name, Kind(None, True)) for name in columns}


def _text(name: str, cells: Any, options: Mapping[str, Any]) -> Any:
    """Cells of a column of text, which may be of other types in some parts."""
    if not isinstance(cells, list) and (is_text(cells.type) or cells.type == NOTHING):
        return cells.cast(TEXT)
    values = cells if isinstance(cells, list) else cells.to_pylist()
    tell(
        name,
        what_is_no_single_type(values) if values is cells else SEVERAL,
        options.get("notes", {}),
        options.get("warn", str),
    )
    return texts(values)


def _as(cells: Any, type_: Any) -> Any:
    return pa.array(cells, type_, from_pandas=True) if isinstance(cells, list) else cells.cast(type_)
