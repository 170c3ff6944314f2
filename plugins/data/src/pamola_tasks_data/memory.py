"""What tables take in memory: estimated before they are read, and kept below `memory_limit_mb`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DataError
from pamola_tasks_data.dataset import check_columns, explained
from pamola_tasks_data.expanding import HARMLESS, is_compressed

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks.protocols import RunServices
    from pamola_tasks_data.dataset import Dataset, Handover
    from pamola_tasks_data.reading import DataReader, Table

_MIB = 1 << 20
_FILES = 8  # of a dataset that are looked at
# What a byte of a file becomes in memory at most: an empty cell between two commas, an object of Python …
_OF_TEXT, _OF_OTHERS = 64, 1_000
_CELL = 64  # bytes of most cells, at most


class KeepsToMemory:
    """The part of a data source that knows what tables take in memory, and holds no more than it may."""

    run: RunServices | None
    handover: Handover
    _reader: DataReader
    _datasets: Mapping[str, Dataset]
    _dataset: Callable[[str], Dataset]
    _tables: Callable[[Dataset], Iterator[Table]]
    _loaded: Callable[[Dataset, Sequence[str] | None], pd.DataFrame]
    columns: Callable[[str], list[str]]

    def memory_mb(self, name: str, columns: Sequence[str] | None = None) -> float:
        """What the frame of a dataset, or of some of its columns, would take in memory, in MiB.

        That is the sum of `frame.memory_usage(deep=True)`. It is exact for what is in memory. Of files it is an
        estimate, for which no file is read whole: what some rows take (of Parquet those at the beginning of five row
        groups at most, of other formats those in the first MiB, or 10,000 of a workbook), times the number of rows
        (of Parquet known, else as many as these bytes go into the file). It is as good as these rows are like the
        others; of several files the first eight are looked at. For the tables of the tests it is within a factor of
        1.25. It is infinite where there is no estimate: of a format of another plugin without a `sample`, and of a
        file of which the first rows cannot be read by themselves.

        Raises:
            DataError: Not there, or a column missing.
        """
        dataset = self._dataset(name)
        with dataset.lock:
            with explained(dataset.what):
                _size_of(dataset)
            found = self._bytes_of(dataset, columns)
            if columns is not None and math.isinf(found):
                with explained(dataset.what):
                    check_columns(columns, self.columns(name))
            return found / _MIB

    def rows_at_a_time(self, name: str, columns: Sequence[str] | None = None) -> int:
        """How many rows a piece of a table has: all with `use_vectorization` where memory allows, else `chunk_size`; 0
        for a source that belongs to no run, and so does not know."""
        config: Any = None if self.run is None else self.run.config
        if getattr(config, "use_vectorization", False) and self.memory_mb(name, columns) * _MIB <= self._limit:
            return sys.maxsize
        return int(getattr(config, "chunk_size", 0))

    @property
    def _limit(self) -> float:
        """Bytes that a table may take."""
        limit = None if self.run is None else getattr(self.run.config, "memory_limit_mb", None)
        return math.inf if limit is None else limit * _MIB

    def _whole(self, name: str, columns: Sequence[str] | None, *, refuses: bool) -> pd.DataFrame:
        """A frame of the caller's own; unless `refuses` is false, only of a table that takes no more than it may."""
        from pamola_tasks_data.arrow import own_copy

        dataset = self._dataset(name)
        with dataset.lock:
            self._admit(dataset, columns, refuses=refuses)
            frame = self._loaded(dataset, columns)
            if refuses:
                self._confirm(dataset, frame)
            return own_copy(frame)

    def _admit(self, dataset: Dataset, columns: Sequence[str] | None, *, refuses: bool) -> None:
        """Before a table is read: refuse one that takes more than it may, and make room for others."""
        if not dataset.files or math.isinf(self._limit):
            return
        with explained(dataset.what):
            most = sum(map(_at_most, self._held())) + self.handover.bytes + _at_most(dataset)
        if most <= self._limit:
            return
        needed = self._bytes_of(dataset, columns)
        if math.isinf(needed):
            return
        if refuses:
            self._refuse_beyond(needed, dataset, "would take about")
        if not dataset.has(columns):
            self._make_room(dataset, needed)

    def _confirm(self, dataset: Dataset, frame: pd.DataFrame) -> None:
        """Refuse a table that turned out to take more than it may, now that it is read."""
        from pamola_tasks_data.arrow import frame_bytes

        most = max(_at_most(dataset), _CELL * frame.size) if dataset.files else 0
        if most > self._limit and (taken := frame_bytes(frame)) > self._limit:
            dataset.frame, dataset.complete = None, False
            self._refuse_beyond(taken, dataset, "takes")

    def _refuse_beyond(self, needed: float, dataset: Dataset, said: str) -> None:
        if needed <= self._limit:
            return
        needed_mb, limit_mb = math.ceil(needed / _MIB), int(self._limit / _MIB)
        raise DataError(
            f"{dataset.what} {said} {needed_mb:,} MiB in memory as a whole, and memory_limit_mb allows {limit_mb:,}:"
            " set memory_limit_mb higher if this machine has the memory, read only the columns that are needed, or use"
            " an operation that works in pieces",
            needed_mb=needed_mb,
            limit_mb=limit_mb,
        )

    # ------------------------------------------------------------ what is held

    def _held(self) -> list[Dataset]:
        """The datasets of which something is in memory that can be read again."""
        return [each for each in list(self._datasets.values()) if each.files and _frame_of(each) is not None]

    def _make_room(self, dataset: Dataset, needed: float) -> None:
        """Drop frames that were read, or handed over, the largest first, until this much has room beside the others."""
        from pamola_tasks_data.arrow import frame_bytes

        held = {each.name: frame_bytes(frame) for each in self._held() if (frame := _frame_of(each)) is not None}
        left = needed + sum(held.values()) + self.handover.bytes
        for name in sorted(held, key=lambda name: (name == dataset.name, -held[name])):
            if left <= self._limit:
                return
            other = self._datasets[name]
            if other.lock.acquire(blocking=False):  # else a step reads it at this moment
                try:
                    if other is not dataset or other.written is None:
                        other.frame, other.complete, other.written = None, False, None
                        left -= held[name]
                finally:
                    other.lock.release()
        if left > self._limit:
            self.handover.clear()

    # ------------------------------------------------------------ how much it is

    def _bytes_of(self, dataset: Dataset, columns: Sequence[str] | None) -> float:
        """What a frame takes: exactly where it is in memory, else by some of its rows."""
        from pamola_tasks_data.arrow import frame_bytes

        frame = dataset.frame if dataset.has(columns) else dataset.written
        if frame is not None:
            return frame_bytes(frame if columns is None else frame[[name for name in columns if name in frame]])
        known = dataset.sizes
        if columns is None and None not in known:
            known |= {**self._estimated(dataset, None), None: 0.0}
        elif missing := [name for name in columns or () if name not in known]:
            known |= self._estimated(dataset, missing)
        return sum(known.values() if columns is None else (known[name] for name in columns))

    def _estimated(self, dataset: Dataset, columns: Sequence[str] | None) -> dict[str | None, float]:
        """Bytes by column, from some of the rows of the first files; infinite where these cannot be told."""
        found: dict[str | None, float] = dict.fromkeys(columns or ["?"], math.inf)
        taken: dict[str | None, float] = {}
        read = 0
        try:
            for file, table in zip(dataset.files[:_FILES], self._tables(dataset), strict=False):
                sample = table.sample(columns)
                if sample is None:
                    return found
                rows, read = sample[1], read + file.size
                for name, size in _sizes(_as_stated(dataset, sample[0]), rows).items():
                    taken[name] = taken.get(name, 0.0) + size
        except DataError:  # who reads it is told
            return found
        return {name: size * _size_of(dataset) / max(read, 1) for name, size in taken.items()}


def _frame_of(dataset: Dataset) -> pd.DataFrame | None:
    return dataset.frame if dataset.frame is not None else dataset.written


def _size_of(dataset: Dataset) -> int:
    return sum(file.size for file in dataset.files)


def _at_most(dataset: Dataset) -> float:
    """More than the table of these files takes, unless they are made to take much; infinite of an unknown format."""
    if dataset.format == "csv" and not any(map(is_compressed, dataset.paths)):
        return _OF_TEXT * _size_of(dataset)
    known = dataset.format in ("csv", "parquet", "json", "jsonl", "xlsx")
    return HARMLESS * len(dataset.files) + _OF_OTHERS * _size_of(dataset) if known else math.inf


def _as_stated(dataset: Dataset, frame: pd.DataFrame) -> pd.DataFrame:
    """Some rows with the types that are stated for their columns, as far as they fit."""
    from pamola_tasks_data.cells import flat
    from pamola_tasks_data.stated_types import apply_types

    kinds = {name: kind for name, kind in dataset.kinds.items() if name in frame}
    try:
        texts = {name: kind.kind in ("text", "category") for name, kind in kinds.items()}
        return apply_types(flat(frame.copy(), texts, lambda name, why: None), kinds, dict(dataset.zones), 0, kinds)
    except DataError:
        return frame


def _sizes(frame: pd.DataFrame, rows: float) -> dict[str, float]:
    """What each column of a table of so many rows takes, of which these are some."""
    found: dict[str, float] = {}
    times = rows / len(frame) if len(frame) else 0.0
    for name in frame.columns:
        column = frame[name]
        taken = column.memory_usage(index=False, deep=True)
        categories = 0
        if hasattr(column, "cat"):  # which are kept once, unless most rows have their own
            categories = taken - column.cat.codes.to_numpy().nbytes
            categories = 0 if 2 * len(column.cat.categories) > len(column) else categories
        found[str(name)] = (taken - categories) * times + categories
    return found
