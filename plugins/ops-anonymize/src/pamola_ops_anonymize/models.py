"""Privacy models on classes of records: how diverse a sensitive attribute is in each, and how close to the table.

All of them hold for the union of two classes where they hold for both.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from .domains import Floats, Ints, OrderedDomain, encode


@attrs.frozen(eq=False)
class SensitiveValues:
    """A sensitive attribute as codes; a missing value is a value, and the last.

    Attributes:
        codes: Code of each record: in ascending order of numbers and dates, of the levels of an ordered categorical,
            of the text of anything else.
        share: Of each code, how large its part of all records is.
        ordered: Whether the values are numbers or dates, or an ordered categorical.
    """

    codes: Ints
    share: Floats
    ordered: bool

    @classmethod
    def of(cls, column: pd.Series[Any]) -> SensitiveValues:
        """Codes of a column."""
        if isinstance(column.dtype, pd.CategoricalDtype) and column.dtype.ordered:
            codes = column.cat.codes.to_numpy().astype(np.int64)
            codes = np.where(codes < 0, len(column.cat.categories), codes)
            ordered = True
        else:
            domain, encoded = encode(column)
            ordered = isinstance(domain, OrderedDomain)
            codes = encoded.astype(np.int64)
            if not ordered:
                rank = np.append(
                    np.argsort(np.argsort(np.array(domain.texts(np.arange(domain.size)), dtype=object))), 0
                )
                rank[-1] = domain.size
                codes = rank[codes].astype(np.int64)
        present, codes = np.unique(codes, return_inverse=True)
        count = np.bincount(codes, minlength=len(present))
        return cls(codes.astype(np.int64), count / max(1, len(codes)), ordered)


@attrs.frozen(eq=False)
class Histogram:
    """How many records of each class have each sensitive value: one entry for each (class, value) that occurs.

    Attributes:
        owner: Class of each entry, ascending.
        value: Value of each entry, ascending within a class.
        count: Records of each entry.
        classes: Number of classes.
        share: Part of each value in the whole table.
    """

    owner: Ints
    value: Ints
    count: Ints
    classes: int
    share: Floats

    @classmethod
    def of(cls, owner: Ints, value: Ints, count: Ints, classes: int, share: Floats) -> Histogram:
        """Count (class, value) pairs, which may occur more than once."""
        pairs, inverse = np.unique(owner * len(share) + value, return_inverse=True)
        total = np.bincount(inverse, weights=count, minlength=len(pairs)).astype(np.int64)
        return cls(pairs // len(share), pairs % len(share), total, classes, share)

    @property
    def sizes(self) -> Ints:
        return np.bincount(self.owner, weights=self.count, minlength=self.classes).astype(np.int64)

    def _parts(self) -> Floats:
        return np.asarray(self.count / self.sizes[self.owner])

    def distinct(self) -> Ints:
        """Number of different values in each class: distinct l-diversity.

        A. Machanavajjhala, D. Kifer, J. Gehrke and M. Venkitasubramaniam: l-diversity, ACM TKDD 1(1), 2007.
        """
        return np.bincount(self.owner, minlength=self.classes).astype(np.int64)

    def entropy(self) -> Floats:
        """The exponential of each class's entropy, the l of entropy l-diversity (the same paper, definition 4.1)."""
        parts = self._parts()
        total = np.bincount(self.owner, weights=-parts * np.log(parts), minlength=self.classes)
        return np.asarray(np.exp(total))

    def recursive(self, l: int) -> Floats:  # noqa: E741 - the letter is the measure's name
        """Of each class the most frequent value's count over those of the l-th and rarer ones (definition 4.2).

        Recursive (c, l)-diversity asks for less than c; infinite where there are fewer than l values.
        """
        order = np.lexsort((-self.count, self.owner))
        count, owner = self.count[order], self.owner[order]
        start = np.searchsorted(owner, np.arange(self.classes))
        rank = np.arange(len(owner)) - start[owner]
        most = np.bincount(owner, weights=np.where(rank == 0, count, 0), minlength=self.classes)
        rare = np.bincount(owner, weights=np.where(rank >= l - 1, count, 0), minlength=self.classes)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(rare > 0, most / rare, np.inf)

    def distance(self, *, ordered: bool) -> Floats:
        """Earth mover's distance between each class's values and the table's, 0 to 1: the t of t-closeness.

        N. Li, T. Li and S. Venkatasubramanian: t-closeness, ICDE 2007, section 4. Ordered: neighbouring values are
        1/(m - 1) apart. Categorical: all values are 1 apart, which makes it half the sum of the differences.
        """
        parts = self._parts()
        share = self.share[self.value]
        if not ordered:
            apart = np.bincount(self.owner, weights=np.abs(parts - share) - share, minlength=self.classes)
            return np.asarray(np.maximum(0.0, (apart + 1.0) / 2))
        if len(self.share) < 2:
            return np.zeros(self.classes)
        return self._ordered_distance(parts)

    def _ordered_distance(self, parts: Floats) -> Floats:
        # Between two values that a class has, its cumulative part stays P while the table's Q rises: of the Q below
        # P the sum of P - Q is wanted, of the others that of Q - P, and sums of Q are differences of running sums.
        cumulative = np.cumsum(self.share)
        running = np.append(0.0, np.cumsum(cumulative))
        start = np.searchsorted(self.owner, np.arange(self.classes))
        total = np.cumsum(parts)
        reached = np.minimum(1.0, total - (total[start] - parts[start])[self.owner])
        last = len(self.share) - 1
        following = np.append(self.value[1:], last)
        is_last = np.append(self.owner[1:] != self.owner[:-1], True)
        ends = np.where(is_last, last, following)
        split = np.clip(np.searchsorted(cumulative, reached), self.value, ends)
        below = reached * (split - self.value) - (running[split] - running[self.value])
        above = running[ends] - running[split] - reached * (ends - split)
        before = running[self.value[start]]
        moved = np.bincount(self.owner, weights=below + above, minlength=self.classes) + before
        return np.asarray(np.clip(moved / last, 0.0, 1.0))

    def disclosure(self) -> Floats:
        """The greatest |ln(part in the class / part in the table)| over all values of the table.

        J. Brickell and V. Shmatikov: The cost of privacy, KDD 2008, definition 4: δ-disclosure privacy asks for less
        than δ. Infinite where a class lacks one of the table's values.
        """
        change = np.abs(np.log(self._parts() / self.share[self.value]))
        start = np.searchsorted(self.owner, np.arange(self.classes))
        greatest: npt.NDArray[np.float64] = np.maximum.reduceat(change, start)
        return np.where(self.distinct() < len(self.share), np.inf, greatest)
