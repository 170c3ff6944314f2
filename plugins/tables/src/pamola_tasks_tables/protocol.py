"""The service `tables`: what a provider offers to operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from pamola_tasks import OperationContext
    from pamola_tasks.record import DatasetRecord

    Change = Callable[[pd.DataFrame], pd.DataFrame]
    Ints = npt.NDArray[np.int64]


class Tables(Protocol):
    """Tables larger than memory: `run.tables`."""

    def of(self, ctx: OperationContext) -> TableView:
        """The tables that a step declares to read and write, through `ctx.data`: guarded, decrypted, hashed, typed."""


class TableView(Protocol):
    """The tables of one step, whatever their size.

    Streams are Arrow's (`__arrow_c_stream__`); `.read_pandas()` gives columns of the dtypes that `ctx.data.frame`
    gives. Columns of dtype `object` have the extension type `pamola.object`, whose storage is text.

    The canonical order of rows is by their cells, the first column first: missing ones before all others, categories by
    their text, numbers and times by value, text by code point; in a column of objects numbers come before text, and
    objects that have no order among each other go by their `str`.

    All that read raise `DataError` where the step does not declare the dataset, or it, or a column, is not there.
    """

    @property
    def engine(self) -> str:
        """Its name, for reports."""

    def rows(self, name: str) -> int:
        """How many rows a table has."""

    def stream(self, name: str, columns: Sequence[str] | None = None, batch: int | None = None) -> pa.RecordBatchReader:
        """A table, or some columns of it, in batches of at most `batch` rows (the task's `chunk_size` unless given)."""

    def combinations(
        self, name: str, columns: Sequence[str], entity: str | Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """The distinct combinations of cells, in the canonical order, and how often each occurs.

        A missing cell is a value, and all missing ones are one. `1`, `1.0` and `True` in a column of objects are three
        values; -0.0 is 0.0.

        Args:
            name: The dataset.
            columns: Its columns, none twice.
            entity: Columns that together say whose a row is: the weight is then how many of them a combination has.

        Returns:
            A stream of the columns and, last, `weight` (int64): rows, or distinct entities. Where one of the columns
            has that name, underscores are put at its end until none has.
        """

    def class_sizes(self, name: str, columns: Sequence[str]) -> tuple[Ints, Ints]:
        """How many rows combinations have, ascending, and how many combinations have so many: both exact."""

    def rewrite(
        self,
        name: str,
        change: Change | Sequence[Change],
        out: str,
        *,
        columns: Sequence[str] | None = None,
        sorted_by: Literal["cells"] | None = None,
        finish: Change | None = None,
    ) -> DatasetRecord:
        """Write what becomes of a table, piece by piece.

        Args:
            name: The dataset that is read.
            change: Gives for a piece (index from 0) the piece that is written; or several, one after the other in the
                same pass. A piece may lose or gain rows; all have to get the same columns.
            out: The dataset that is written.
            columns: The columns to read; all unless given.
            sorted_by: `cells` writes the rows in the canonical order of the whole result; rows that are alike in it
                stay in the order in which they came.
            finish: Gives for a piece that is in its place the piece that is written, with as many rows: what is sorted
                as categories may so be written as text.
        """

    def write(
        self,
        out: str,
        pieces: Iterable[pd.DataFrame],
        *,
        sorted_by: Literal["cells"] | None = None,
        finish: Change | None = None,
    ) -> DatasetRecord:
        """Write a table that comes in pieces; arguments as for `rewrite`."""

    def divided(
        self, name: str, part_of: Callable[[pd.DataFrame], Ints], parts: int, *, columns: Sequence[str] | None = None
    ) -> AbstractContextManager[Sequence[Part]]:
        """The rows of a table in parts, which are read from it once and wait on the disk while the context is open.

        Args:
            name: The dataset.
            part_of: Gives for a piece (index from 0) the part of each of its rows, from 0 to `parts` - 1, int64.
            parts: How many parts there are.
            columns: The columns to read; all unless given.
        """


class Part(Protocol):
    """Some rows of a table."""

    @property
    def rows(self) -> int:
        """How many rows it has."""

    def pieces(self) -> Iterator[pd.DataFrame]:
        """The rows in the order of the table, index from 0 in each piece; as often as it is called."""

    def combinations(self, columns: Sequence[str]) -> pa.RecordBatchReader:
        """The distinct combinations of cells of the part, as `TableView.combinations` has them."""


def weight_name(columns: Sequence[Any]) -> str:
    """What the column of weights is called beside these."""
    name = "weight"
    while name in columns:
        name += "_"
    return name
