"""The boxes of a partition: which cuts are around each class. They tile the domain.

Strict multidimensional regions: K. LeFevre, D. J. DeWitt and R. Ramakrishnan, Mondrian multidimensional k-anonymity,
ICDE 2006. A cell is the side of its class's box, so that it states nothing of the class but that it is there.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from .distributions import of_spans
from .domains import Codes, Domain, Floats, Ints, OrderedDomain, Runs
from .generalization import MISSING, GeneralizedColumn
from .grids import Grid
from .notation import SUPPRESSED, category_set

_NONE = -1  # no cut: the box is as wide as the domain on this side
_SIDES = 2


@attrs.define(eq=False)
class Boxes:
    """The cuts around each class of a partition, collected while the partition is made.

    A cut of a dimension is `before * width + behind`: the last code that the records before it have, and the first one
    of those behind it.

    Attributes:
        widths: Codes of each dimension, the missing value included.
        open: Of the nodes that may still be cut, shape (2, dimensions, nodes): the cuts below and above.
        ended: The same of classes, as they are found.
    """

    widths: Ints
    open: Ints
    ended: list[Ints] = attrs.Factory(list)

    @classmethod
    def of(cls, domains: Sequence[Domain]) -> Boxes:
        """One that is the whole domain."""
        widths = np.array([domain.size + 1 for domain in domains], dtype=np.int64)
        return cls(widths, np.full((_SIDES, len(domains), 1), _NONE, dtype=np.int64))

    def cut(self, runs: Sequence[Runs], dimension: Ints, run: Ints) -> None:
        """Cut each node after this run of this dimension, none below 0; left and right children alternate."""
        self.open = np.repeat(self.open, 2, axis=2)
        for d in np.unique(dimension[run >= 0]).tolist():
            node = np.flatnonzero((dimension == d) & (run >= 0))
            code = runs[d].code.astype(np.int64)
            cut = code[run[node]] * self.widths[d] + code[run[node] + 1]
            self.open[1, d, 2 * node], self.open[0, d, 2 * node + 1] = cut, cut

    def go_on(self, ends: Ints, children: Ints) -> None:
        """Of the nodes these are classes, in this order after those that there are, and those are cut again."""
        self.ended.append(self.open[:, :, ends])
        self.open = self.open[:, :, children]

    def taken(self, classes: npt.NDArray[np.intp]) -> Boxes:
        """The boxes of these classes only."""
        return attrs.evolve(self, ended=[np.concatenate(self.ended, axis=2)[:, :, classes]])

    def cells(
        self, d: int, domain: Domain, codes: Codes, owner: Ints, sizes: Ints
    ) -> tuple[GeneralizedColumn, tuple[Floats, float]]:
        """What is published of a dimension.

        A box that holds a single value of the column is written as that value; one that holds all of them, and one of
        which some records lack the value, as `*`.

        Args:
            d: Its number.
            domain: The column.
            codes: Code of each pair of class and combination.
            owner: Class of each pair, ascending, none of the classes without a pair.
            sizes: Published records of each class.

        Returns:
            The column, and the distribution of its values: `after` and `untold`.
        """
        start = np.searchsorted(owner, np.arange(len(sizes)))
        missing = np.minimum.reduceat(codes, start) == domain.size
        mixed = ~missing & (np.maximum.reduceat(codes, start) == domain.size)
        cuts = np.concatenate(self.ended, axis=2)[:, d]
        of_class = np.full(len(sizes), MISSING, dtype=np.int64)
        low, high = np.zeros(len(sizes), dtype=np.int64), np.full(len(sizes), domain.size - 1)
        texts = [SUPPRESSED]
        boxes, which = np.unique(cuts[:, ~missing], axis=1, return_inverse=True)
        labels, lows, highs = self._sides(domain, boxes, int(self.widths[d]))
        low[~missing], high[~missing] = lows[which.ravel()], highs[which.ravel()]
        of_class[~missing] = which.ravel() + 1
        texts.extend(labels)
        hidden = ~missing & (mixed | ((low == 0) & (high == domain.size - 1) & (high > low)))
        of_class[hidden] = 0
        shown = ~missing & ~hidden
        if isinstance(domain, OrderedDomain):
            spread = domain.positions[high] - domain.positions[low]
        else:
            spread = (high - low) / max(1, domain.size - 1)
        loss = np.where(missing, 0.0, np.where(hidden, 1.0, spread))
        after = np.append(of_spans(domain, low[shown], high[shown], sizes[shown]), float(sizes[missing].sum()))
        return GeneralizedColumn(texts, of_class, loss), (after, float(sizes[hidden].sum()))

    def _sides(self, domain: Domain, boxes: Ints, width: int) -> tuple[list[str], Ints, Ints]:
        """What is written for boxes of one dimension, shape (2, boxes), and the first and last code in each."""
        if isinstance(domain, OrderedDomain):
            cuts = np.unique(boxes[(boxes != _NONE) & (boxes % width < domain.size)])
            grid, number = Grid.of_cuts(domain, cuts // width, cuts % width)
            first, last = np.zeros(boxes.shape[1], dtype=np.int64), np.full(boxes.shape[1], grid.parts - 1)
            above = (boxes[1] != _NONE) & (boxes[1] % width < domain.size)
            first[boxes[0] != _NONE] = number[np.searchsorted(cuts, boxes[0][boxes[0] != _NONE])]
            last[above] = number[np.searchsorted(cuts, boxes[1][above])] - 1
            low, high = grid.begin[first], np.append(grid.begin, domain.size)[last + 1] - 1
            texts = domain.texts(low)
            for place in np.flatnonzero(low < high).tolist():
                ends = int(first[place]), int(last[place])
                texts[place] = SUPPRESSED if ends == (0, grid.parts - 1) else grid.text(*ends)
            return texts, low, high
        low = np.where(boxes[0] == _NONE, 0, boxes[0] // width + 1)
        high = np.where(boxes[1] == _NONE, domain.size - 1, boxes[1] // width)
        texts = domain.texts(np.arange(domain.size))
        pairs = zip(low.tolist(), high.tolist(), strict=True)
        return [texts[lo] if lo == hi else category_set(texts[lo : hi + 1]) for lo, hi in pairs], low, high
