"""The engine `duckdb`: rows are counted by DuckDB, which reads the same guarded pieces as a stream of Arrow.

It sees no path, loads no extension, and reaches neither files nor network. What it has no room for in memory it writes
into the step's own folder, or nowhere where the run encrypts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pamola_tasks_tables.coding import Column, dtype_named, in_one, is_time, times, whole
from pamola_tasks_tables.spilling import folder

if TYPE_CHECKING:
    from pamola_tasks import OperationContext
    from pamola_tasks_tables.protocol import Ints

_SHARE = 0.5  # of `memory_limit_mb`, for DuckDB; pieces and what they are made of take the rest
_NOT_A_TIME = -(2**63)


class Held:
    """A column as DuckDB holds it: as it is, times as whole numbers, and all else as numbers of its distinct values."""

    def __init__(self, dtype: str) -> None:
        self.values = Column(dtype)
        self.dtype = dtype_named(dtype)
        self.is_time = is_time(self.dtype)
        kind = getattr(self.dtype, "numpy_dtype", self.dtype)
        plain = isinstance(kind, np.dtype) and (kind.kind in "iub" or kind in (np.float32, np.float64))
        masked = self.dtype is not kind and getattr(kind, "kind", "") == "f"  # these may hold NaN beside missing cells
        self.is_coded = not self.is_time and (masked or not (plain or isinstance(self.dtype, pd.StringDtype)))
        self.type: Any = pa.int64()
        if not self.is_coded and not self.is_time:
            found = pa.array(pd.Series([], dtype=self.dtype)).type
            self.type = pa.large_string() if pa.types.is_string(found) else found

    def sent(self, piece: pd.Series[Any]) -> Any:
        """Cells for DuckDB."""
        if self.is_coded:
            return pa.array(self.values.codes(piece))
        piece = whole(piece, self.dtype)
        if self.is_time:
            return pa.array(pd.Index(piece).asi8, mask=piece.isna().to_numpy())
        if getattr(self.dtype, "kind", "") == "f":
            piece = piece + 0.0  # -0.0 + 0.0 is 0.0
        return in_one(pa.array(piece, self.type, from_pandas=True))

    def back(self, cells: Any) -> pd.Series[Any]:
        """Cells from DuckDB."""
        array: Any
        if self.is_coded:
            return self.values.cells(cells.to_numpy())
        if self.is_time:
            array = times(cells.fill_null(_NOT_A_TIME).to_numpy(), self.dtype)
        elif hasattr(self.dtype, "__from_arrow__"):
            array = self.dtype.__from_arrow__(cells.cast(self.type))
        else:
            array = cells.to_pandas()
        found: pd.Series[Any] = pd.Series(array, dtype=self.dtype)
        return found


class InDuckDB:
    """Combinations of columns, counted by DuckDB.

    Args:
        ctx: Of the step.
        dtypes: Those of the columns, as text.
        pieces: The table, with these columns.
        names: The columns to count by.
        entity: The columns of which distinct ones are counted; rows are where there is none.
    """

    def __init__(
        self,
        ctx: OperationContext,
        dtypes: Mapping[str, str],
        pieces: Iterator[pd.DataFrame],
        names: Sequence[str],
        entity: Sequence[str] = (),
    ) -> None:
        self._columns = {name: Held(dtype) for name, dtype in dtypes.items()}
        self._places = {name: f"c{place}" for place, name in enumerate(dtypes)}
        self._names = list(names)
        self._folder = contextlib.ExitStack()
        self._failure: Exception | None = None
        self._connection = self._connected(ctx)
        try:
            self._count(pieces, bool(entity))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Forget all, also what is on the disk."""
        self._connection.close()
        self._folder.close()

    def class_sizes(self) -> tuple[Ints, Ints]:
        """The weights that there are, and how many combinations have each; and close."""
        try:
            found = self._connection.execute("select weight, count(*) from counted group by weight order by weight")
            sizes = np.array(found.fetchall(), dtype=np.int64).reshape(-1, 2)
        finally:
            self.close()
        return sizes[:, 0], sizes[:, 1]

    def values(self, name: str) -> pd.Series[Any]:
        """The distinct values of a column of objects."""
        return self._columns[name].values.values()

    def combinations(self, weight: str, size: int) -> Iterator[pd.DataFrame]:
        """The combinations in the canonical order, and their weights, and close."""
        try:
            order, joins = [], ""
            for name in self._names:
                place, held = self._places[name], self._columns[name]
                if not held.is_coded:
                    order.append(f"{place} nulls first")
                    continue
                ranks = held.values.ranks()
                table = pa.table({"code": np.arange(len(ranks)), "rank": ranks})
                self._connection.register(f"ranks_{place}", table)
                joins += f" join ranks_{place} on {place} = ranks_{place}.code"
                order.append(f"ranks_{place}.rank")
            chosen = [f"counted.{self._places[name]}" for name in self._names] + ["counted.weight"]
            ordered = f" order by {', '.join(order)}" if order else ""
            found = self._connection.sql(f"select {', '.join(chosen)} from counted{joins}{ordered}")
            batches = getattr(found, "to_arrow_reader", None) or found.fetch_arrow_reader  # before DuckDB 2
            for batch in batches(size):
                cells = {name: self._columns[name].back(batch.column(place)) for place, name in enumerate(self._names)}
                yield pd.DataFrame(cells).assign(**{weight: batch.column(len(cells)).to_numpy()})
        finally:
            self.close()

    def _count(self, pieces: Iterator[pd.DataFrame], distinct: bool) -> None:
        schema = pa.schema([(self._places[name], held.type) for name, held in self._columns.items()])
        reader = pa.RecordBatchReader.from_batches(schema, self._sent(pieces, schema))
        others = [place for name, place in self._places.items() if name not in self._names]
        by = ", ".join(self._places[name] for name in self._names)
        given = f"(select distinct {', '.join([by, *others])} from given)" if distinct else "given"
        self._connection.register("given", reader)
        try:
            self._connection.execute(
                f"create temp table counted as select {by}, count(*)::bigint as weight from {given} group by {by}"
            )
        except Exception:
            if self._failure is not None:  # as it was, before DuckDB made a text of it
                raise self._failure from None
            raise
        self._connection.unregister("given")

    def _sent(self, pieces: Iterator[pd.DataFrame], schema: Any) -> Iterator[Any]:
        try:
            for piece in pieces:
                cells = [held.sent(piece[name]) for name, held in self._columns.items()]
                yield pa.RecordBatch.from_arrays(cells, schema=schema)
        except Exception as failure:
            self._failure = failure
            raise

    def _connected(self, ctx: OperationContext) -> Any:
        import duckdb

        settings: dict[str, Any] = {
            "memory_limit": f"{max(int(ctx.run.config.memory_limit_mb * _SHARE), 64)}MiB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            "temp_directory": "",
        }
        if not ctx.run.files.encrypts("state"):
            settings["temp_directory"] = self._folder.enter_context(folder(ctx))
        connection = duckdb.connect(":memory:", config=settings)
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        return connection
