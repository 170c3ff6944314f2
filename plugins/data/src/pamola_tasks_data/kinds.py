"""What a column holds: the one Arrow type that keeps each of its values, and how that is put together from parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc

NOTHING = pa.null()
_EXACT = 2**53  # beyond this a double does not hold every whole number
_DTYPES = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "str": pa.string(),
    "datetime64[us]": pa.timestamp("us"),
}
_NULLABLE = {"Int64": pa.int64(), "boolean": pa.bool_()}


@attrs.frozen
class Kind:
    """What a column holds.

    Attributes:
        type: Arrow's type of all values, `null` where all are missing; None where no one type keeps them: they are
            text in CSV, and Python objects elsewhere.
        missing: A value is missing.
        wide: Some whole number is too long for a double.
    """

    type: Any
    missing: bool
    wide: bool = False

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
        missing, wide = self.missing or other.missing, self.wide or other.wide
        types = {self.type, other.type} - {NOTHING}
        if None in types:
            return Kind(None, missing, wide)
        if len(types) <= 1:
            return Kind(types.pop() if types else NOTHING, missing, wide)
        numbers = types == {pa.int64(), pa.float64()} and not wide
        return Kind(pa.float64() if numbers else None, missing, wide)


def merge_all(parts: Iterable[list[Kind]]) -> list[Kind]:
    """What holds for columns that came in parts."""
    found: list[Kind] = []
    for part in parts:
        found = [a.merged(b) for a, b in zip(found, part, strict=True)] if found else part
    return found
