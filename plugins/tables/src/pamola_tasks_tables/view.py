"""The tables of a step, as its operation sees them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import attrs
import pandas as pd

from pamola_tasks.errors import DataError
from pamola_tasks_tables.arrow import reader
from pamola_tasks_tables.counting import Combinations
from pamola_tasks_tables.parted import Part, Parted
from pamola_tasks_tables.protocol import weight_name
from pamola_tasks_tables.sorting import Sorter, regular
from pamola_tasks_tables.spilling import Spill

if TYPE_CHECKING:
    from pamola_tasks import OperationContext
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks_tables.counting import Counted
    from pamola_tasks_tables.protocol import Change, Ints

_COPIES = 12  # of a row, where rows are sorted: in as many places it is held, or keys of it are
_LEAST = 1_000  # rows that are sorted at once
_LOOKED_AT = 100_000  # rows by which it is judged how many combinations there are
_DISTINCT = 0.5  # combinations a row from which on DuckDB counts quicker than pandas: measured, see the manual


@attrs.frozen
class View:
    """The tables of a step, of which no more than a piece is in memory (see `protocol.TableView`)."""

    ctx: OperationContext
    engine: str

    def rows(self, name: str) -> int:
        """How many rows a table has: counted along its first column."""
        return sum(map(len, self._pieces(name, self.ctx.data.columns(name)[:1])))

    def stream(self, name: str, columns: Sequence[str] | None = None, batch: int | None = None) -> Any:
        """A table, or some columns of it, in batches."""
        return reader(self._dtypes(name, columns), self._pieces(name, columns, batch), self._column(name))

    def combinations(self, name: str, columns: Sequence[str], entity: str | Sequence[str] | None = None) -> Any:
        """The distinct combinations of cells, and how often each occurs."""
        of = [entity] if isinstance(entity, str) else list(entity or ())
        dtypes = self._dtypes(name, list(dict.fromkeys([*columns, *of])))
        return self._as_stream(self._counted(name, dtypes, columns, of), dtypes, columns)

    def class_sizes(self, name: str, columns: Sequence[str]) -> tuple[Ints, Ints]:
        """How many rows combinations have, ascending, and how many combinations have so many."""
        return self._counted(name, self._dtypes(name, columns), columns).class_sizes()

    def rewrite(
        self,
        name: str,
        change: Change | Sequence[Change],
        out: str,
        *,
        columns: Sequence[str] | None = None,
        sorted_by: Any = None,
        finish: Change | None = None,
    ) -> DatasetRecord:
        """Write what becomes of a table, piece by piece."""
        changes = [change] if callable(change) else list(change)
        return self.write(out, self._changed(name, changes, columns), sorted_by=sorted_by, finish=finish)

    def write(
        self, out: str, pieces: Iterable[pd.DataFrame], *, sorted_by: Any = None, finish: Change | None = None
    ) -> DatasetRecord:
        """Write a table that comes in pieces."""
        if sorted_by is None:
            return self._written(out, pieces, finish)
        with contextlib.closing(Spill(self.ctx)) as spill:
            return self._written(out, self._sorted(pieces, spill), finish)

    @contextlib.contextmanager
    def divided(
        self, name: str, part_of: Callable[[pd.DataFrame], Ints], parts: int, *, columns: Sequence[str] | None = None
    ) -> Iterator[list[Part]]:
        """The rows of a table in parts on the disk."""
        dtypes, done, parted = self._dtypes(name, columns), 0, None
        with contextlib.closing(Spill(self.ctx)) as spill:
            for piece in self._pieces(name, columns):
                if parted is None:
                    parted = Parted(spill, parts, self._rows_in_memory(piece))
                parted.add(piece, part_of(piece))
                done += len(piece)
                self.ctx.progress(done, None, "rows")
            found = parted or Parted(spill, parts, _LEAST)
            yield [self._part(found, number, dtypes) for number in range(parts)]

    def _part(self, parted: Parted, number: int, dtypes: Mapping[str, str]) -> Part:
        def pieces() -> Iterator[pd.DataFrame]:
            return parted.pieces(number)

        def combinations(columns: Sequence[str]) -> Any:
            of = {column: dtypes[column] for column in columns}
            given = (piece[list(columns)] for piece in pieces())
            counted = Combinations(of, given, columns, (), Spill(self.ctx), self._bytes)
            return self._as_stream(counted, of, columns)

        return Part(parted.sizes[number], pieces, combinations)

    def _as_stream(self, counted: Counted, dtypes: Mapping[str, str], columns: Sequence[str]) -> Any:
        weight = weight_name(columns)
        pieces = counted.combinations(weight, self.ctx.run.config.chunk_size)
        given = {**{column: dtypes[column] for column in columns}, weight: "int64"}
        return reader(given, pieces, lambda column: [counted.values(column)])

    @property
    def _bytes(self) -> float:
        limit: float = self.ctx.run.config.memory_limit_mb * 2**20
        return limit

    def _written(self, out: str, pieces: Iterable[pd.DataFrame], finish: Change | None) -> DatasetRecord:
        record: DatasetRecord = self.ctx.data.write(out, pieces if finish is None else map(finish, pieces))
        return record

    def _sorted(self, pieces: Iterable[pd.DataFrame], spill: Spill) -> Iterator[pd.DataFrame]:
        sorter = None
        for piece in pieces:
            if sorter is None:
                sorter = Sorter(spill, self._rows_in_memory(piece))
            sorter.add(piece)
        return iter(()) if sorter is None else regular(sorter.sorted(), self.ctx.run.config.chunk_size)

    def _rows_in_memory(self, piece: pd.DataFrame) -> int:
        """How many rows like these can be sorted in memory, where they are held several times."""
        of_row = piece.memory_usage(deep=True, index=False).sum() / max(len(piece), 1) + 16
        return max(int(self._bytes / of_row / _COPIES), _LEAST)

    def _changed(self, name: str, changes: Sequence[Change], columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
        done = 0
        for piece in self._pieces(name, columns):
            done += len(piece)
            for change in changes:
                piece = change(piece).reset_index(drop=True)
            yield piece
            self.ctx.progress(done, None, "rows")

    def _counted(
        self, name: str, dtypes: Mapping[str, str], columns: Sequence[str], entity: Sequence[str] = ()
    ) -> Counted:
        pieces = self._pieces(name, list(dtypes))
        if columns and self._in_duckdb(name, list(dtypes)):
            from pamola_tasks_tables.in_duckdb import InDuckDB

            return InDuckDB(self.ctx, dtypes, pieces, columns, entity)
        return Combinations(dtypes, pieces, columns, entity, Spill(self.ctx), self._bytes)

    def _in_duckdb(self, name: str, columns: Sequence[str]) -> bool:
        """Whether DuckDB counts: where it is asked for, or free to use the disk, and quicker for such a table."""
        taken = self.engine == "duckdb"
        if self.engine == "auto" and find_spec("duckdb") is not None and not self.ctx.run.files.encrypts("state"):
            takes = self.ctx.data.memory_mb(name, columns)
            taken = takes > self.ctx.run.config.memory_limit_mb and self._mostly_distinct(name, list(columns), takes)
        self.ctx.logger.debug("%s: %s counts", name, "duckdb" if taken else "pieces")
        return taken

    def _mostly_distinct(self, name: str, columns: list[str], takes: float) -> bool:
        """Whether most rows seem to have a combination of their own, by how many of the first ones share theirs."""
        for piece in self._pieces(name, columns, _LOOKED_AT):
            counted = Combinations(self._dtypes(name, columns), [piece], columns, (), Spill(self.ctx), self._bytes)
            sizes, many = counted.class_sizes()
            pairs = float((sizes * (sizes - 1) / 2 * many).sum())
            rows = takes * 2**20 / max(int(piece.memory_usage(deep=True, index=False).sum()), 1) * len(piece)
            # of so many combinations that are equally likely, as many pairs would be alike
            return not pairs or len(piece) ** 2 / 2 / pairs >= _DISTINCT * rows
        return False

    def _pieces(self, name: str, columns: Sequence[str] | None = None, size: int | None = None) -> Iterator[Any]:
        pieces: Iterator[Any] = self.ctx.data.chunks(name, size, columns=None if columns is None else list(columns))
        return pieces

    def _column(self, name: str) -> Callable[[str], Iterator[Any]]:
        """Gives a column's pieces."""
        return lambda column: (piece[column] for piece in self._pieces(name, [column]))

    def _dtypes(self, name: str, columns: Sequence[str] | None) -> dict[str, str]:
        """The dtypes of columns, as text."""
        there = self.ctx.data.columns(name)
        wanted = there if columns is None else list(columns)
        if absent := [each for each in wanted if each not in there]:
            raise DataError(f"{name} has no column {', '.join(absent)}; it has {', '.join(there)}")
        # a piece has the dtypes of the whole, and the schema would be of all columns, whatever is in the others
        for piece in self.ctx.data.chunks(name, 1, columns=wanted):
            return {each: str(dtype) for each, dtype in zip(wanted, piece.dtypes, strict=True)}
        schema = self.ctx.data.schema(name)
        return {each: schema[each] for each in wanted}
