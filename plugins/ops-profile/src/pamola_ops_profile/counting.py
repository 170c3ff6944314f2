"""What is counted of a column that comes in pieces: all its values while they are few, beyond a sample of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_AT_LEAST = 2**16  # of several pieces that are kept as they come, before each is kept once
_CELLS = 2**22  # distinct values of all columns together that are kept; of numbers four times as many
_HASHES = 2**21
_FEWEST, _MOST = 2**16, 2**20
_MISSING = np.uint64(0x9E3779B97F4A7C15)


def most_values(columns: int) -> int:
    """How many distinct values are kept of each of so many columns: 65,536 to 1,048,576, of numbers four times it."""
    return int(np.clip(_CELLS // max(1, columns), _FEWEST, _MOST))


class HashCounts:
    """How often each of some hashes of 64 bits occurs: of all while they are few, beyond of a random part of them.

    That part are the hashes below a threshold, which is halved whenever there are too many: distinct sampling, P. B.
    Gibbons, VLDB 2001. What is counted does not depend on how the hashes were divided into pieces.

    Args:
        most: How many hashes are kept; 2,097,152 unless given.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = _HASHES if most is None else most
        self._hashes: Hashes = np.zeros(0, dtype=np.uint64)
        self._counts: Ints = np.zeros(0, dtype=np.int64)
        self._waiting: list[tuple[Hashes, Ints | None]] = []
        self._more = 0
        self._halved = 0

    def add(self, hashes: Hashes, counts: Ints | None = None) -> None:
        """Count some hashes, each once, or so often."""
        if self._halved:
            below = hashes < self._limit
            hashes, counts = hashes[below], None if counts is None else counts[below]
        self._waiting.append((hashes, counts))
        self._more += len(hashes)
        if self._more > max(_AT_LEAST, len(self._hashes)):
            self._put_together()

    @property
    def _limit(self) -> np.uint64:
        return np.uint64(2 ** (64 - self._halved))

    @property
    def counts(self) -> Ints:
        """How often each of the kept hashes occurs."""
        self._put_together()
        return self._counts

    @property
    def times(self) -> int:
        """How many hashes each one that is kept represents."""
        self._put_together()
        return 1 << self._halved

    @property
    def error(self) -> float:
        """By which part numbers of hashes may be off, in 95 of 100 cases; 0 where all are kept."""
        part = 1 / self.times
        return float(1.96 * np.sqrt((1 - part) / max(1, len(self._hashes))))

    def _put_together(self) -> None:
        if not self._waiting:
            return
        new = np.concatenate([each for each, _ in self._waiting])
        if all(counts is None for _, counts in self._waiting):
            new, counts = np.unique(new, return_counts=True)
        else:
            counts = np.concatenate([np.ones(len(h), np.int64) if c is None else c for h, c in self._waiting])
        hashes, counts = np.append(self._hashes, new), np.append(self._counts, counts)
        order = np.argsort(hashes, kind="stable")  # of two ascending parts, most often: these are merged
        hashes = hashes[order]
        first = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)])
        self._hashes = hashes[first]
        self._counts = np.add.reduceat(counts[order], first) if len(first) else counts
        self._waiting, self._more = [], 0
        while len(self._hashes) > self._most:
            self._halved += 1
            kept = int(np.searchsorted(self._hashes, self._limit))
            self._hashes, self._counts = self._hashes[:kept], self._counts[:kept]


class ColumnCounts:
    """The distinct values of a column, and how many records have each.

    Attributes:
        records: How many there are.
        missing: How many have no value.
        dtype: As pandas has it.
        bytes: What the column takes in memory.
        hashes: Once there are more than `most` values, how often each of their hashes occurs; the values are
            then forgotten.

    Args:
        most: How many values are kept; of numbers four times as many.
    """

    def __init__(self, most: int) -> None:
        self.records = self.missing = self.bytes = 0
        self.dtype = ""
        self.hashes: HashCounts | None = None
        self._most = most
        self._values: list[pd.Series[Any]] = []
        self._counts: list[Ints] = []
        self._more = 0
        self._as_text = False

    def add(self, piece: pd.Series[Any]) -> Hashes:
        """Count the values of a piece, and give a hash for each of its records."""
        self.dtype = self.dtype or str(piece.dtype)
        self.bytes += _bytes_of(piece)
        codes, values = self._coded(piece)
        hashes = _hashes(values)
        counts = np.bincount(codes[codes >= 0], minlength=len(values)).astype(np.int64, copy=False)
        self.records += len(piece)
        self.missing += len(piece) - int(counts.sum())
        if self.hashes is not None:
            self.hashes.add(hashes, counts)
        else:
            self._values.append(values)
            self._counts.append(counts)
            self._more += len(values)
            if self._more > max(_AT_LEAST, 2 * len(self._values[0])):
                self._put_together()
        return np.append(hashes, _MISSING)[codes]

    @property
    def is_category(self) -> bool:
        return self.dtype == "category"

    def values(self) -> tuple[pd.Series[Any], Ints]:
        """The distinct values, and how many records have each; none where there are too many of them."""
        if self._values:
            self._put_together()
        if not self._values:
            return pd.Series(dtype=object), np.zeros(0, dtype=np.int64)
        values, counts = self._values[0], self._counts[0]
        if self._as_text:
            merged = pd.Series(counts).groupby(values.map(str), sort=False).sum()
            return pd.Series(merged.index), np.asarray(merged, dtype=np.int64)
        return values, counts

    def _coded(self, piece: pd.Series[Any]) -> tuple[Ints, pd.Series[Any]]:
        """For each record the number of its value, -1 for none; and these values."""
        dtype: Any = piece.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            piece = piece.astype(dtype.categories.dtype)
        elif dtype == np.float16:  # no index can hold these
            piece = piece.astype(np.float32)
        if piece.dtype == object and pd.api.types.infer_dtype(piece, skipna=True) != "string":
            return self._objects(piece)
        try:
            codes, found = pd.factorize(piece)
        except (TypeError, NotImplementedError):  # cells of Arrow that cannot be hashed
            self._as_text = True
            codes, found = pd.factorize(piece.map(str, na_action="ignore"))
        values = pd.Series(found, name=piece.name)
        if pd.api.types.is_float_dtype(values.dtype):
            values = values + 0.0  # of -0.0 and 0.0, which are one value, it must not show which came first
        return codes, values

    def _objects(self, piece: pd.Series[Any]) -> tuple[Ints, pd.Series[Any]]:
        """The same of a column of various objects, those of different types apart: 1 and True are one to pandas."""
        there = piece.notna().to_numpy(dtype=bool)
        cells = piece[there].reset_index(drop=True)
        typed = np.empty(len(cells), dtype=object)
        typed[:] = [(type(cell), cell) for cell in cells]
        try:
            number, found = pd.factorize(typed)
        except TypeError:  # such as lists: what can be read of them decides
            self._as_text = True
            number, found = np.arange(len(cells)), typed
        codes = np.full(len(piece), -1, dtype=np.int64)
        codes[there] = number
        values = pd.Series([cell for _, cell in found], dtype=object, name=piece.name)
        return codes, values

    def _put_together(self) -> None:
        if len(self._values) > 1:
            codes, values = self._coded(pd.concat(self._values, ignore_index=True))
            counts = np.zeros(len(values), dtype=np.int64)
            np.add.at(counts, codes, np.concatenate(self._counts))
            self._values, self._counts, self._more = [values], [counts], len(values)
        if self._more > self._most * (4 if pd.api.types.is_numeric_dtype(self._values[0].dtype) else 1):
            self.hashes = HashCounts()
            self.hashes.add(_hashes(self._values[0]), self._counts[0])
            self._values, self._counts, self._more = [], [], 0


def _hashes(values: pd.Series[Any]) -> Hashes:
    if not (isinstance(values.dtype, pd.StringDtype) or values.dtype == object):
        return np.asarray(pd.util.hash_pandas_object(values, index=False), dtype=np.uint64)
    if values.dtype == object and pd.api.types.infer_dtype(values) != "string":
        values = values.map(_text_of)
    texts = values.to_numpy(dtype=object)
    try:
        return pd.util.hash_array(texts, categorize=False)
    except UnicodeEncodeError:  # what is not Unicode
        return pd.util.hash_array(np.array([each.encode("utf-8", "replace").decode() for each in texts], dtype=object))


def _text_of(cell: Any) -> str:
    """A text that is the same for equal cells."""
    if isinstance(cell, str):
        return f"s{cell}"
    if isinstance(cell, (bool, int, float)):
        cell = float(cell) if abs(cell) < 2**53 else cell
    return f"o{cell}"


def _bytes_of(piece: pd.Series[Any]) -> int:
    """What a piece takes in memory, in such a way that the pieces of a column take what the column does."""
    if isinstance(piece.dtype, pd.StringDtype):
        lengths = piece.str.len().sum()  # of characters: how many bytes they take depends on how they are kept
        return 8 * len(piece) + int(lengths)
    if isinstance(piece.dtype, pd.CategoricalDtype):
        return 4 * len(piece)  # of a code: how many bytes it takes depends on how many categories there are
    return int(piece.memory_usage(index=False, deep=True))


class RowSample:
    """A random part of the rows of a table, the same however it is divided: those whose numbers have the least hashes.

    Args:
        most: How many rows are kept; all of a table that has no more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: list[pd.DataFrame] = []
        self._hashes: list[Hashes] = []
        self._limit = np.uint64(2**64 - 1)
        self._kept = 0
        self.rows = 0

    def add(self, piece: pd.DataFrame) -> None:
        """Look at the next rows."""
        number = np.arange(self.rows, self.rows + len(piece), dtype=np.uint64)
        self.rows += len(piece)
        self._take(piece, _mixed(number))
        if self._kept > 2 * self._most:
            self._reduce()

    def frame(self) -> pd.DataFrame:
        """The rows, in their order."""
        if self._kept > self._most:
            self._reduce()
        return pd.concat(self._pieces, ignore_index=True) if self._pieces else pd.DataFrame()

    def _take(self, piece: pd.DataFrame, hashes: Hashes) -> None:
        below = hashes <= self._limit
        if below.any() or not self._pieces:
            self._pieces.append(piece if below.all() else piece[below])
            self._hashes.append(hashes[below])
            self._kept += int(below.sum())

    def _reduce(self) -> None:
        self._limit = np.partition(np.concatenate(self._hashes), self._most - 1)[self._most - 1]
        pieces, hashes = self._pieces, self._hashes
        self._pieces, self._hashes, self._kept = [], [], 0
        for piece, of_piece in zip(pieces, hashes, strict=True):
            self._take(piece, of_piece)


def of_rows(columns: list[Hashes], rows: int) -> Hashes:
    """A hash for each row of a piece, given those of its cells, column by column."""
    found = np.zeros(rows, dtype=np.uint64)
    for each in columns:
        found = _mixed(found ^ each)
    return found


def _mixed(numbers: Hashes) -> Hashes:
    """Numbers as random ones: the finalizer of SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        found = numbers + np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(found ^ (found >> np.uint64(31)))
