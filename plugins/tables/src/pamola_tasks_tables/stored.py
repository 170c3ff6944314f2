"""Rows of a table that comes in pieces, as they are held in memory and stored on the disk: the same rows again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa

from pamola_tasks_tables.kinds import Kind

if TYPE_CHECKING:
    from pamola_tasks_tables.spilling import Spill


@attrs.frozen(eq=False)
class Stored:
    """Rows in a file.

    Attributes:
        path: Where they are.
        dtypes: Those of the columns as they are stored.
        as_objects: Columns of which numbers of objects are stored.
        names: Of the columns.
        batches: How many batches the file has.
    """

    path: str
    dtypes: list[Any]
    as_objects: list[bool]
    names: pd.Index[Any]
    batches: int


class Rows:
    """Holds the rows of one table: each column has one dtype, whatever the pieces of it have.

    Args:
        spill: Where rows are stored.
    """

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self.kinds: list[Kind] = []  #: what is known of each column

    def hold(self, piece: pd.DataFrame) -> pd.DataFrame:
        """The next piece as it is held."""
        if not self.kinds:
            self.kinds = [Kind() for _ in piece.columns]
        columns = [kind.see(piece.iloc[:, place]) for place, kind in enumerate(self.kinds)]
        return beside([column.reset_index(drop=True) for column in columns], piece.columns, len(piece))

    def together(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Held rows one after the other, with the dtypes that all of the table has."""
        columns = [kind.together([frame.iloc[:, place] for frame in frames]) for place, kind in enumerate(self.kinds)]
        return beside(columns, frames[0].columns, sum(map(len, frames)))

    def shown(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Held rows as they came."""
        columns = [kind.shown(rows.iloc[:, place]) for place, kind in enumerate(self.kinds)]
        return beside(columns, rows.columns, len(rows))

    def store(self, rows: pd.DataFrame, batch: int) -> Stored:
        """Write held rows that were put `together`, in batches of so many."""
        stored = [kind.stored(rows.iloc[:, place]) for place, kind in enumerate(self.kinds)]
        table = pa.Table.from_arrays([array for array, _ in stored], names=list(map(str, range(len(stored)))))
        path = self._spill.write(table, batch)
        dtypes, as_objects = [kind.dtype for kind in self.kinds], [flag for _, flag in stored]
        return Stored(path, dtypes, as_objects, rows.columns, -(-len(rows) // batch))

    def read(self, stored: Stored, opened: Any, batches: Iterable[int]) -> pd.DataFrame:
        """Some batches of a file that is open, as they are held."""
        table = pa.Table.from_batches([opened.get_batch(number) for number in batches])
        columns = zip(self.kinds, table.columns, stored.dtypes, stored.as_objects, strict=True)
        return beside([kind.restored(*each) for kind, *each in columns], stored.names, table.num_rows)


def beside(columns: Sequence[pd.Series[Any]], names: pd.Index[Any], rows: int) -> pd.DataFrame:
    """Columns as one frame; names may be alike."""
    frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(rows))
    frame.columns = names
    return frame


def order_of(part: np.ndarray[Any, Any], parts: int) -> tuple[Any, Any]:
    """The rows sorted by their part, and where each of the parts begins among them, and the last one ends."""
    order = np.argsort(part, kind="stable")
    return order, np.searchsorted(part[order], np.arange(parts + 1))
