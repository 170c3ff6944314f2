"""Who has the values of a column: how many records, or persons, in each class and in all."""

from __future__ import annotations

import attrs
import numpy as np

from .domains import Ints


@attrs.frozen(eq=False)
class Held:
    """How many records, or persons where these are counted, have each value of a column.

    Attributes:
        width: Number of codes, the missing value included.
        keys: Of each class and value that occur together class * width + code, ascending.
        counts: How many records (persons) of the class have the value.
        everywhere: How many have each value, the missing one last.
        shares: The same with parts: a person with several values counts as a part of one for each, so that any values
            together are had by at least as many persons as these add up to.
    """

    width: int
    keys: Ints
    counts: Ints
    everywhere: Ints
    shares: np.ndarray

    def count(self, classes: Ints, codes: Ints) -> Ints:
        """How many of these classes have these values."""
        wanted = classes * self.width + codes
        place = np.minimum(np.searchsorted(self.keys, wanted), max(0, len(self.keys) - 1))
        return np.where(self.keys[place] == wanted, self.counts[place], 0) if len(self.keys) else wanted * 0


@attrs.frozen(eq=False)
class Holders:
    """The records of a release, from which `Held` is counted column by column.

    Attributes:
        owner: Class of each pair of a class and a combination that occur together.
        unit: The combination of each pair.
        weights: Released records of each pair.
        records: Records of each combination, in all.
        persons: Whose the records are; None where records are counted.
    """

    owner: Ints
    unit: Ints
    weights: Ints
    records: Ints
    persons: OfPersons | None = None

    def held(self, codes: Ints, width: int) -> Held:
        """Of one column: `codes` are those of the combinations."""
        if self.persons is not None:
            return self.persons.held(codes, width)
        keys, which = np.unique(self.owner * width + codes[self.unit], return_inverse=True)
        counts = np.bincount(which, weights=self.weights, minlength=len(keys)).astype(np.int64)
        everywhere = np.bincount(codes, weights=self.records, minlength=width).astype(np.int64)
        return Held(width, keys, counts, everywhere, everywhere.astype(np.float64))


@attrs.frozen(eq=False)
class OfPersons:
    """Whose each record of a table is, and which class and combination it has.

    Attributes:
        person: Of each record, those of the input first.
        unit: Combination of each record.
        classes: Class of each record of the input, below 0 where it is not released.
    """

    person: Ints
    unit: Ints
    classes: Ints

    def held(self, codes: Ints, width: int) -> Held:
        """As that of `Holders`."""
        of = int(self.person.max(initial=0)) + 1
        code = codes[self.unit].astype(np.int64)
        inside = np.flatnonzero(self.classes >= 0)
        pairs = np.unique((self.classes[inside] * width + code[inside]) * of + self.person[inside]) // of
        keys, counts = np.unique(pairs, return_counts=True)
        have = np.unique(self.person * width + code)
        values = np.bincount(have // width, minlength=of)
        everywhere = np.bincount(have % width, minlength=width)
        shares = np.bincount(have % width, weights=1.0 / values[have // width], minlength=width)
        return Held(width, keys, counts.astype(np.int64), everywhere.astype(np.int64), shares)
