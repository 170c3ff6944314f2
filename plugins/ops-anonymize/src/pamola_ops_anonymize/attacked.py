"""The tables of an attack on one scale: values of original and control, and what the cells of a release say of them.

A cell covers values: an interval, a set, a label, `*`, or one value. How far a value is from a cell is the mean over
the values that it covers: of numbers and dates the difference as a part of the column's range, of categories the
probability of another one. J. C. Gower: A general coefficient of similarity and some of its properties, Biometrics
27(4), 1971; of a plain cell it is that distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataError

from .columns import distinct_texts
from .covering import Covered, Reader
from .domains import Domain, Floats, Ints, Mask, OrderedDomain, combinations, encode
from .hierarchies import Hierarchy
from .notation import INTERVAL


@attrs.frozen(eq=False)
class Cells:
    """What the different cells of a column of a release cover.

    Attributes:
        which: The cell of each record.
        low: Of numbers and dates the least code that each cell covers; of categories the first of its codes in `codes`.
        high: The greatest; the one behind the last. The code `domain.size` is a missing value.
        codes: Of categories the codes of all cells, one after the other.
    """

    which: Ints
    low: Ints
    high: Ints
    codes: Ints


@attrs.frozen(eq=False)
class AttackedColumn:
    """One column of the tables of an attack.

    Attributes:
        domain: The values of original and control.
        original: The code of each record of the original.
        control: The same of the control, empty where there is none.
        cells: The released column.
        places: Of numbers and dates, where each code is between 0 and 1; none of categories.
    """

    domain: Domain
    original: Ints
    control: Ints
    cells: Cells
    places: Floats | None

    @classmethod
    def of(
        cls,
        records: int,
        released: pd.Series[Any],
        hierarchy: Hierarchy,
        domain_and_codes: tuple[Domain, Ints],
        dataset: str,
    ) -> AttackedColumn:
        """Read a column of each table.

        Args:
            records: How many the original has.
            released: The column of the release.
            hierarchy: Whose labels the release may have.
            domain_and_codes: Of original and control, what `common_domain` gives.
            dataset: The release, for messages.

        Raises:
            DataError: A cell of the release can be read neither as a value, an interval or set, nor as a label.
        """
        domain, codes = domain_and_codes
        places = domain.positions[:-1] if isinstance(domain, OrderedDomain) else None
        cells = _cells(domain, released, hierarchy, dataset)
        return cls(domain, codes[:records], codes[records:], cells, places)

    @property
    def numbers(self) -> Floats | None:
        """The values where they are numbers, by code."""
        if not isinstance(self.domain, OrderedDomain) or self.domain.style not in ("plain", "integral"):
            return None
        return self.domain.values.astype(np.float64)

    def to_cells(self, values: Ints) -> Floats:
        """How far each of these values is from each different cell: shape (values, cells)."""
        low, high, missing = self.cells.low, self.cells.high, self.domain.size
        if self.places is None:
            far = np.ones((len(values), len(low)))
            width = (high - low).astype(np.float64)
            owner = np.repeat(np.arange(len(low)), high - low)
            order = np.argsort(self.cells.codes, kind="stable")
            starts = np.searchsorted(self.cells.codes[order], np.arange(missing + 2))
            for place, value in enumerate(values.tolist()):
                holding = owner[order[starts[value] : starts[value + 1]]]
                far[place, holding] -= 1.0 / width[holding]
            return far
        places = np.append(self.places, 0.0)
        far = _expected(places[values][:, None], places[low][None, :], places[high][None, :])
        far[:, low == missing] = 1.0
        far[values == missing] = 1.0
        far[np.ix_(values == missing, low == missing)] = 0.0
        return far

    def covering(self, values: Ints) -> Mask:
        """Which different cells cover each of these values: shape (values, cells)."""
        if self.places is None:
            return np.asarray(self.to_cells(values) < 1)
        return np.asarray((self.cells.low <= values[:, None]) & (values[:, None] <= self.cells.high))

    def to_values(self, cells: Ints) -> Floats:
        """How far each of these different cells is from each value: shape (cells, values), the missing one last."""
        low, high, missing = self.cells.low[cells], self.cells.high[cells], self.domain.size
        far = np.ones((len(cells), missing + 1))
        if self.places is None:
            for place, (start, end) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
                far[place, self.cells.codes[start:end]] -= 1.0 / (end - start)
            return far
        places = np.append(self.places, 0.0)
        far[:, :-1] = _expected(self.places[None, :], places[low][:, None], places[high][:, None])
        far[low == missing] = 1.0
        far[low == missing, missing] = 0.0
        return far


def _expected(place: Floats, low: Floats, high: Floats) -> Floats:
    """The mean distance of a place from one that is anywhere between two others with the same probability."""
    width = np.where(high > low, high - low, 1.0)
    inside = ((place - low) ** 2 + (high - place) ** 2) / (2 * width)
    outside = np.abs(place - (low + high) / 2)
    return np.asarray(np.where((place > low) & (place < high), inside, outside))


def common_domain(original: pd.Series[Any], control: pd.Series[Any] | None) -> tuple[Domain, Ints]:
    """The domain of a column of both tables, and the codes of all records, those of the original first."""
    both = original if control is None else pd.concat([original, control], ignore_index=True)
    domain, codes = encode(both.rename(str(original.name)))
    return domain, codes.astype(np.int64)


def _cells(domain: Domain, released: pd.Series[Any], hierarchy: Hierarchy, dataset: str) -> Cells:
    which, texts = distinct_texts(released)
    reader = Reader(domain, hierarchy)
    ordered = isinstance(domain, OrderedDomain)
    found: list[Ints] = []
    unread = 0
    for text in texts:
        covered = reader.read(text)
        if covered is not None and covered.low > covered.high:
            ends = INTERVAL.fullmatch(text)  # between two values: the nearest one
            covered = None if ends is None else reader.read(ends[1] or ends[5])
        if covered is None:
            unread += 1
        else:
            found.append(_codes(covered, ends_only=ordered))
    if unread:
        raise DataError(
            f"{dataset}: column {released.name} has {unread:,} different cells that are neither values, intervals or"
            f" sets of the original column: name the hierarchy in `hierarchies` if they are labels of one, or leave the"
            f" column out: no attack compares it"
        )
    missing = np.array([domain.size, domain.size]) if ordered else np.array([domain.size])
    found.append(missing.astype(np.int64))
    which = np.where(which < 0, len(texts), which)
    if ordered:
        ends_of = np.array(found, dtype=np.int64)
        return Cells(which, ends_of[:, 0], ends_of[:, 1], np.zeros(0, dtype=np.int64))
    ends_at = np.cumsum([len(codes) for codes in found])
    return Cells(which, np.append(0, ends_at[:-1]), ends_at, np.concatenate(found))


def _codes(covered: Covered, *, ends_only: bool) -> Ints:
    """The codes that a cell covers, or the first and the last of them."""
    if ends_only:
        return np.array([covered.low, covered.high], dtype=np.int64)
    return np.arange(covered.low, covered.high + 1, dtype=np.int64) if covered.codes is None else covered.codes


@attrs.frozen(eq=False)
class AttackedTables:
    """The tables of an attack, column by column.

    Attributes:
        columns: By name.
        records: How many records the release has.
    """

    columns: dict[str, AttackedColumn]
    records: int

    def ids(self, names: Sequence[str], side: str) -> list[Ints]:
        """For each column what its records have: `original` and `control` codes, `released` cells."""
        found = [self.columns[name] for name in names]
        return [column.cells.which if side == "released" else getattr(column, side) for column in found]

    def different(self, names: Sequence[str], side: str) -> Ints:
        """For each record of a table a number, the same for records that are alike in these columns."""
        ids = self.ids(names, side)
        return combinations(ids, [int(column.max(initial=0)) + 1 for column in ids])[1]

    def each_once(self, names: Sequence[str]) -> AttackedTables:
        """The same with each of the released records that differ in these columns once."""
        _, first = np.unique(self.different(names, "released"), return_index=True)
        columns = {name: self.columns[name] for name in names}
        once = {
            name: attrs.evolve(column, cells=attrs.evolve(column.cells, which=column.cells.which[first]))
            for name, column in columns.items()
        }
        return AttackedTables(once, len(first))
