"""Privacy models on classes of records: how diverse a sensitive attribute is in each, and how close to the table.

All of them hold for the union of two classes where they hold for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from .alike import Distinguish, as_read, number_alike, representatives
from .domains import Floats, Ints, OrderedDomain, counted, encode, read_only

_DENSE = 8  # pairs that there could be for each one that there is, up to which counting all is faster than sorting


@attrs.frozen(eq=False)
class SensitiveValues:
    """A sensitive attribute as codes; a missing value is a value, and the last.

    Attributes:
        codes: Code of each record: in ascending order of numbers and dates, of the levels of an ordered categorical,
            of the text of anything else.
        share: Of each code, how large its part of all records is.
        ordered: Whether the values are numbers or dates, or an ordered categorical.
        alike: For each code the one of the value that it is counted as in diversity; None where each is its own. Of
            values that a reader cannot distinguish (`alike`) that is the first; of the empty text, where there are
            records without a value, the missing value.
        read_alike: How many values a reader takes for another.
    """

    codes: Ints
    share: Floats
    ordered: bool
    alike: Ints | None = None
    read_alike: int = 0

    @classmethod
    def of(
        cls, column: pd.Series[Any], distinguish: Distinguish = "reader", times: Ints | None = None
    ) -> SensitiveValues:
        """Codes of a column; values are distinguished as a reader does, or as they are (`exact`).

        Where a row represents several records, `times` says for how many.
        """
        domain, encoded = encode(column, times)
        ordered = isinstance(domain, OrderedDomain)
        codes = encoded.astype(np.int64)
        alike: Ints | None = None
        read_alike = 0
        if not ordered:
            texts = domain.texts(np.arange(domain.size))
            order = np.array(sorted(range(domain.size), key=_order(column, texts)), dtype=np.int64)
            rank = np.arange(domain.size + 1)
            rank[order] = np.arange(domain.size)
            codes = rank[codes]
            ordered = isinstance(column.dtype, pd.CategoricalDtype) and bool(column.dtype.ordered)
            texts, missing = [texts[code] for code in order.tolist()], bool((codes == domain.size).any())
            shown = representatives(texts)
            read_alike = number_alike(shown)
            alike = _counted_as(texts, shown if distinguish == "reader" else None, missing)
        count = counted(codes, domain.size + 1, times)
        if not count[-1]:
            count = count[:-1]
        return cls(codes, count / max(1, int(count.sum())), ordered, alike, read_alike)


def _counted_as(texts: list[str], shown: Ints | None, missing: bool) -> Ints | None:
    """What each value is counted as, with the missing one behind them; None where each is its own.

    Where values are missing, the empty text is counted as missing, and so is what a reader takes for it.
    """
    counted = np.arange(len(texts), dtype=np.int64) if shown is None else shown
    if missing:
        empty = [not (text if shown is None else as_read(text)) for text in texts]
        counted = np.append(np.where(empty, len(texts), counted), len(texts)).astype(np.int64)
    return None if bool((counted == np.arange(len(counted))).all()) else counted


def _order(column: pd.Series[Any], texts: list[str]) -> Callable[[int], Any]:
    """What categories are sorted by: the place of their level where these have an order, else their text."""
    if isinstance(column.dtype, pd.CategoricalDtype) and column.dtype.ordered:
        place: dict[str, int] = {}
        for at, level in enumerate(column.cat.categories):
            place.setdefault(str(level), at)
        return lambda code: place[texts[code]]
    return lambda code: texts[code]


@attrs.frozen(eq=False)
class Histogram:
    """How many records of each class have each sensitive value: one entry for each (class, value) that occurs.

    l-diversity (Machanavajjhala et al. 2007) and t-closeness (Li et al. 2007) are computed from it. The arrays are
    read-only, because privacy models of other plugins are given them.

    Attributes:
        owner: Class of each entry, ascending.
        value: Value of each entry, ascending within a class.
        count: Records of each entry.
        classes: Number of classes.
        share: Part of each value in the whole table.
        alike: For each value the one that it is counted as in diversity; None where each is its own.
    """

    owner: Ints = attrs.field(converter=read_only)
    value: Ints = attrs.field(converter=read_only)
    count: Ints = attrs.field(converter=read_only)
    classes: int
    share: Floats = attrs.field(converter=read_only)
    alike: Ints | None = None

    @classmethod
    def of(
        cls, owner: Ints, value: Ints, count: Ints, classes: int, share: Floats, alike: Ints | None = None
    ) -> Histogram:
        """Count (class, value) pairs, which may occur more than once."""
        key, possible = owner * len(share) + value, classes * len(share)
        if possible <= _DENSE * len(key):
            total = np.bincount(key, weights=count, minlength=possible).astype(np.int64)
            pairs = np.flatnonzero(total)
            total = total[pairs]
        else:
            pairs, inverse = np.unique(key, return_inverse=True)
            total = np.bincount(inverse, weights=count, minlength=len(pairs)).astype(np.int64)
        return cls(pairs // len(share), pairs % len(share), total, classes, share, alike)

    def as_read(self) -> Histogram:
        """Values that a reader cannot distinguish, counted as one, and blank texts as missing values.

        A class is then less diverse, so that what is said of its diversity holds for every reader. Distances are of the
        values as they are, since they are never larger of values that are put together: that holds for all, too.
        """
        if self.alike is None:
            return self
        share: Floats = np.bincount(self.alike, weights=self.share, minlength=len(self.share)).astype(np.float64)
        return Histogram.of(self.owner, self.alike[self.value], self.count, self.classes, share)

    @property
    def sizes(self) -> Ints:
        return np.bincount(self.owner, weights=self.count, minlength=self.classes).astype(np.int64)

    def _parts(self) -> Floats:
        return np.asarray(self.count / self.sizes[self.owner])

    def distinct(self) -> Ints:
        """Number of different values in each class: distinct l-diversity.

        A. Machanavajjhala, D. Kifer, J. Gehrke and M. Venkitasubramaniam: l-diversity, ACM TKDD 1(1), 2007. Here, and
        in the other measures of diversity, values that a reader cannot distinguish are one, as are the empty text and a
        missing value.
        """
        return np.bincount(self.as_read().owner, minlength=self.classes).astype(np.int64)

    def entropy(self) -> Floats:
        """The exponential of each class's entropy, the l of entropy l-diversity (the same paper, definition 4.1)."""
        read = self.as_read()
        parts = read._parts()
        total = np.bincount(read.owner, weights=-parts * np.log(parts), minlength=self.classes)
        return np.asarray(np.exp(total))

    def recursive(self, l: int) -> Floats:  # noqa: E741 - the letter is the measure's name
        """Of each class the most frequent value's count over those of the l-th and rarer ones (definition 4.2).

        Recursive (c, l)-diversity asks for less than c; infinite where there are fewer than l values.
        """
        read = self.as_read()
        order = np.lexsort((-read.count, read.owner))
        count, owner = read.count[order], read.owner[order]
        start = np.searchsorted(owner, np.arange(self.classes))
        rank = np.arange(len(owner)) - start[owner]
        most = np.bincount(owner, weights=np.where(rank == 0, count, 0), minlength=self.classes)
        rare = np.bincount(owner, weights=np.where(rank >= l - 1, count, 0), minlength=self.classes)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(rare > 0, most / rare, np.inf)

    def most_frequent(self) -> Floats:
        """The part of each class's records that its most frequent value has: the α of (α, k)-anonymity."""
        read = self.as_read()
        start = np.searchsorted(read.owner, np.arange(self.classes))
        return np.asarray(np.maximum.reduceat(read._parts(), start))

    def gains(self) -> Floats:
        """For each entry by which part of its share in the table the value is more frequent in the class, 0 or more."""
        share = self.share[self.value]
        with np.errstate(divide="ignore"):  # a value that persons vote for in a class, and nobody in the whole table
            return np.asarray(np.maximum(0.0, (self._parts() - share) / share))

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
        with np.errstate(divide="ignore"):  # a value that persons vote for in a class, and nobody in the whole table
            change = np.abs(np.log(self._parts() / self.share[self.value]))
        start = np.searchsorted(self.owner, np.arange(self.classes))
        greatest: npt.NDArray[np.float64] = np.maximum.reduceat(change, start)
        values = np.count_nonzero(self.share)  # others have no vote of a person over the whole table
        return np.where(np.bincount(self.owner, minlength=self.classes) < values, np.inf, greatest)
