"""The domain of a table, cut coarsely, so that memory holds the combinations of each part.

As Mondrian cuts it (K. LeFevre, D. J. DeWitt and R. Ramakrishnan, ICDE 2006), but without looking at all records: where
to cut follows from a sample. Every value of the table is on one side of each cut, whether the sample has it or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

from .counted import Counted
from .domains import Domain, Ints, Mask, OrderedDomain
from .universe import Universe

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

_UNEVEN = 0.1  # share of the sample by which a cut may miss the part that it is to leave


def universe_of(ctx: OperationContext, dataset: str, columns: Sequence[str], dtypes: Any) -> dict[str, Universe]:
    """Each of these columns, read once and together; `dtypes` are those of the table."""
    counted = Counted.of(ctx, dataset, columns)
    return {name: Universe.of(*counted.cells(name), dtypes[name]) for name in columns}


@attrs.frozen(eq=False)
class _Cut:
    """A cut: codes below `at` to the one side, others to the other; each side is cut further, or a numbered part."""

    column: str
    at: int
    below: _Cut | int
    above: _Cut | int


@attrs.frozen(eq=False)
class Parts:
    """The parts of a domain.

    Attributes:
        count: How many there are.
        columns: The columns that are cut.
    """

    count: int
    columns: list[str]
    _universe: Mapping[str, Universe]
    _first: _Cut | int

    @classmethod
    def of(cls, sample: pd.DataFrame, universe: Mapping[str, Universe], wanted: int) -> Parts:
        """Cut so that each part has about as many combinations of the sample; fewer than wanted where it has few."""
        codes = {name: each.codes(sample[name]) for name, each in universe.items()}
        distinct = np.unique(np.array(list(codes.values())), axis=1)
        cutting = _Cutting(universe, dict(zip(codes, distinct, strict=True)))
        first = cutting.cut(np.arange(distinct.shape[1]), wanted)
        return cls(cutting.parts, [name for name in universe if name in cutting.columns], universe, first)

    def of_rows(self, piece: pd.DataFrame) -> Ints:
        """The part of each row."""
        codes = {name: self._universe[name].codes(piece[name]) for name in self.columns}
        found = np.zeros(len(piece), dtype=np.int64)
        waiting: list[tuple[_Cut | int, Ints]] = [(self._first, np.arange(len(piece)))]
        while waiting:
            cut, rows = waiting.pop()
            if isinstance(cut, int):
                found[rows] = cut
                continue
            below: Mask = codes[cut.column][rows] < cut.at
            waiting += [(cut.below, rows[below]), (cut.above, rows[~below])]
        return found


class _Cutting:
    """Makes the cuts, one after the other."""

    def __init__(self, universe: Mapping[str, Universe], codes: Mapping[str, Ints]) -> None:
        self._universe = universe
        self._codes = codes
        self.parts = 0
        self.columns: set[str] = set()

    def cut(self, rows: Ints, wanted: int) -> _Cut | int:
        """Cut these combinations of the sample into so many parts, along the column that they are most spread in."""
        share = (wanted // 2) / wanted
        found = [each for name in self._codes if wanted > 1 and (each := self._proposed(name, rows, share))]
        even = [each for each in found if each[0] <= _UNEVEN]
        if not found:
            self.parts += 1
            return self.parts - 1
        _, _, name, at = max(even, key=lambda each: each[1]) if even else min(found, key=lambda each: each[0])
        self.columns.add(name)
        below = self._codes[name][rows] < at
        return _Cut(name, at, self.cut(rows[below], wanted // 2), self.cut(rows[~below], wanted - wanted // 2))

    def _proposed(self, name: str, rows: Ints, share: float) -> tuple[float, float, str, int] | None:
        """By how much the best cut along a column misses the share, how far the column is spread, and where to cut."""
        values, count = np.unique(self._codes[name][rows], return_counts=True)
        if len(values) < 2:
            return None
        apart = np.abs(np.cumsum(count)[:-1] / len(rows) - share)
        best = int(apart.argmin())
        return float(apart[best]), _spread(self._universe[name].domain, values), name, int(values[best + 1])


def _spread(domain: Domain, values: Ints) -> float:
    """What these values as one class lose."""
    if isinstance(domain, OrderedDomain):
        return float(min(domain.positions[values[-1]] - domain.positions[values[0]], 1.0))
    return min((len(values) - 1) / max(1, domain.size - 1), 1.0)
