"""What every released class must meet, asked of many candidate classes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import attrs
import numpy as np

from .domains import Floats, Ints, Mask
from .models import Histogram, SensitiveValues

Diversity = Literal["distinct", "entropy", "recursive"]
Distance = Literal["auto", "ordered", "categorical"]

TOLERANCE = 1e-9
"""Between a measure and a bound: sums of fractions differ in their last digits with the order of adding."""


@attrs.frozen
class Measured:
    """The worst class of a release, for one sensitive attribute.

    Attributes:
        distinct: Least number of different values.
        entropy: Least exponential of the entropy.
        recursive_l: The l that `recursive` is for.
        recursive: Greatest ratio of the most frequent value to the l-th and rarer ones: c has to be above it.
        t: Greatest distance from the table.
        ordered: Whether that distance follows the order of the values.
        delta: Greatest change of the logarithm of a value's part; infinite where a class lacks a value.
    """

    distinct: int
    entropy: float
    recursive_l: int
    recursive: float
    t: float
    ordered: bool
    delta: float

    def meaning(self, attribute: str) -> str:
        """The measures in words."""
        kind = "in their order" if self.ordered else "as parts of all records"
        many = f"{self.distinct} different values and is as uncertain as among {self.entropy:.3g} equally likely ones"
        held = "one value only" if self.distinct == 1 else many
        return (
            f"in the class that gives most away, {attribute} has {held};"
            f" compared {kind}, its values in a class differ from those of the table by up to t = {self.t:.3g}"
            f" (0: a class tells nothing, 1: everything)"
        )

    def told(self) -> dict[str, Any]:
        """For metrics; None stands for infinite."""
        return {
            "l_distinct": self.distinct,
            "l_entropy": self.entropy,
            "recursive_l": self.recursive_l,
            "recursive_c_above": self.recursive if np.isfinite(self.recursive) else None,
            "t": self.t,
            "t_distance": "ordered" if self.ordered else "categorical",
            "delta": self.delta if np.isfinite(self.delta) else None,
        }


def _claim(name: str, claimed: float, measured: float | None) -> dict[str, float]:
    return {} if measured is None else {f"{name}_claimed": claimed, f"{name}_measured": measured}


@attrs.frozen
class Promise:
    """What is asked of the sensitive values of a class; None where it is not.

    Attributes:
        l: Least diversity.
        diversity: How diversity is measured.
        c: For recursive (c, l)-diversity the c.
        t: Greatest distance from the table.
        distance: How distance is measured; `auto` is ordered for numbers and dates.
        delta: Bound of δ-disclosure.
    """

    l: float | None = None  # noqa: E741 - the letter is the measure's name
    diversity: Diversity = "distinct"
    c: float | None = None
    t: float | None = None
    distance: Distance = "auto"
    delta: float | None = None

    @property
    def empty(self) -> bool:
        return self.l is None and self.t is None and self.delta is None

    def words(self) -> str:
        """What is promised, in the field's terms."""
        told = []
        if self.l is not None:
            name = (
                f"recursive ({self.c:g}, {self.l:g})"
                if self.diversity == "recursive"
                else f"{self.diversity} {self.l:g}"
            )
            told.append(f"{name}-diversity")
        if self.t is not None:
            told.append(f"{self.t:g}-closeness")
        if self.delta is not None:
            told.append(f"{self.delta:g}-disclosure privacy")
        return " with ".join(told)

    def kept(self, measured: Measured) -> bool:
        """Whether what was measured is as promised."""
        if self.l is not None:
            if self.diversity == "recursive":
                if not measured.recursive < (self.c or 1.0):
                    return False
            elif (measured.distinct if self.diversity == "distinct" else measured.entropy) < self.l - TOLERANCE:
                return False
        if self.t is not None and measured.t > self.t + TOLERANCE:
            return False
        return self.delta is None or measured.delta < self.delta

    def claims(self, measured: Sequence[Measured]) -> dict[str, float]:
        """What was asked and what was measured of the attribute that falls shortest, as reports show it at the top."""
        told: dict[str, float] = {}
        if self.l is not None and self.diversity != "recursive":
            kind = "distinct" if self.diversity == "distinct" else "entropy"
            told |= _claim("l", self.l, min((getattr(found, kind) for found in measured), default=None))
        if self.t is not None:
            told |= _claim("t", self.t, max((found.t for found in measured), default=None))
        if self.delta is not None:
            told |= _claim("delta", self.delta, max((found.delta for found in measured), default=None))
        if self.l is not None and self.diversity == "recursive":
            told |= _claim("c", self.c or 1.0, max((found.recursive for found in measured), default=None))
        return told

    def is_ordered(self, values: SensitiveValues) -> bool:
        return values.ordered if self.distance == "auto" else self.distance == "ordered"

    def met(self, histogram: Histogram, *, ordered: bool) -> Mask:
        """For each class whether its sensitive values are as promised."""
        met = np.ones(histogram.classes, dtype=bool)
        if self.l is not None:
            if self.diversity == "distinct":
                met &= histogram.distinct() >= self.l
            elif self.diversity == "entropy":
                met &= histogram.entropy() >= self.l - TOLERANCE
            else:
                met &= histogram.recursive(int(self.l)) < (self.c or 1.0)
        if self.t is not None:
            met &= histogram.distance(ordered=ordered) <= self.t + TOLERANCE
        if self.delta is not None:
            met &= histogram.disclosure() < self.delta
        return met


@attrs.frozen(eq=False)
class SensitiveCounts:
    """How many records of each unit have each value of a sensitive attribute.

    Attributes:
        start: First entry of each unit; one more at the end.
        value: Value of each entry.
        count: Records of each entry.
        share: Part of each value in the table.
        ordered: Whether distance follows the order of the values.
        blank: The value that is the empty text, as in `SensitiveValues`.
    """

    start: Ints
    value: Ints
    count: Ints
    share: Floats
    ordered: bool
    blank: int | None = None

    @classmethod
    def of(cls, values: SensitiveValues, unit: Ints, units: int, *, ordered: bool) -> SensitiveCounts:
        """Count the values of records in these units."""
        width = len(values.share)
        pairs, count = np.unique(unit * width + values.codes, return_counts=True)
        start = np.searchsorted(pairs // width, np.arange(units + 1))
        return cls(start.astype(np.int64), pairs % width, count.astype(np.int64), values.share, ordered, values.blank)

    def histogram(self, units: Ints, group: Ints, groups: int) -> Histogram:
        """The values of candidate classes."""
        length = self.start[units + 1] - self.start[units]
        first = np.repeat(self.start[units] - (np.cumsum(length) - length), length)
        entries = first + np.arange(int(length.sum()))
        owner, value, count = np.repeat(group, length), self.value[entries], self.count[entries]
        return Histogram.of(owner, value, count, groups, self.share, self.blank)


@attrs.frozen(eq=False)
class Conditions:
    """What a class of units has to meet to be released.

    Attributes:
        k: Least number of records.
        weights: Records of each unit that count for k.
        promise: What its sensitive values have to meet.
        sensitive: The sensitive attributes, counted by unit.
    """

    k: int
    weights: Ints
    promise: Promise = attrs.Factory(Promise)
    sensitive: tuple[SensitiveCounts, ...] = ()

    @property
    def only_k(self) -> bool:
        return not self.sensitive or self.promise.empty

    def met(self, units: Ints, group: Ints, groups: int) -> Mask:
        """For each candidate class whether it meets the conditions.

        Args:
            units: Units that are in a class.
            group: The class of each, 0 to `groups` - 1.
            groups: Number of candidate classes.
        """
        met = np.bincount(group, weights=self.weights[units], minlength=groups) >= self.k
        if self.only_k:
            return met
        for counts in self.sensitive:
            if not met.any():
                break
            inside, number = met[group], np.cumsum(met) - 1
            histogram = counts.histogram(units[inside], number[group[inside]], int(met.sum()))
            met[met] = self._fits(histogram, counts.ordered)
        return met

    def _fits(self, histogram: Histogram, ordered: bool) -> Mask:
        present = histogram.distinct() > 0
        if present.all():
            return self.promise.met(histogram, ordered=ordered)
        # a class of which no record is released (k-map has such) discloses nothing
        fits = np.ones(histogram.classes, dtype=bool)
        if present.any():
            owner = (np.cumsum(present) - 1)[histogram.owner]
            packed = attrs.evolve(histogram, owner=owner, classes=int(present.sum()))
            fits[present] = self.promise.met(packed, ordered=ordered)
        return fits
