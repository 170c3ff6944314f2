"""What a release promises, counted on the release itself: from the written cells, not from how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from .asking import measure, worst_of
from .conditions import Measured, Promise
from .domains import Ints, counted
from .models import Histogram, SensitiveValues
from .persons import Persons
from .privacy_models import Classes
from .row_order import by_cells


@attrs.frozen
class Diversity:
    """Distinct l-diversity of one sensitive attribute.

    A. Machanavajjhala, D. Kifer, J. Gehrke and M. Venkitasubramaniam: l-diversity, ACM TKDD 1(1), 2007.

    Attributes:
        l: Least number of distinct values in a class; a missing value counts as a value, the same as the empty text.
        exposed_classes: Classes in which there is one value only.
        exposed_records: Records in those classes; persons where these are counted.
    """

    l: int  # noqa: E741 - the letter is the measure's name
    exposed_classes: int
    exposed_records: int

    def meaning(self, attribute: str, counted: int, what: str = "records") -> str:
        """The measure in words; `counted` is how many records (or persons: `what`) there are in all."""
        if self.l > 1:
            return (
                f"every equivalence class has at least {self.l} distinct values of {attribute}: an attacker who knows"
                f" a person's class is left with at least {self.l} candidate values, though some may be far more likely"
                f" than others"
            )
        classes = "equivalence class" if self.exposed_classes == 1 else "equivalence classes"
        shares = "shares" if self.exposed_classes == 1 else "share"
        return (
            f"{self.exposed_classes:,} {classes} ({self.exposed_records:,} of {counted:,} {what}) {shares} a single"
            f" {attribute}: attribute disclosure despite k-anonymity; require l ≥ 2"
        )


@attrs.frozen(eq=False)
class Grouping:
    """Records grouped into equivalence classes: those whose cells in the given columns are all the same.

    L. Sweeney: k-anonymity, International Journal of Uncertainty, Fuzziness and Knowledge-Based Systems 10(5), 2002.

    Attributes:
        group: Class of each record.
        sizes: Records of each class, or distinct persons where these are counted.
        persons: Whose each record is, where persons are counted.
        times: Where a row represents several records, for how many.
    """

    group: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    persons: Persons | None = None
    times: Ints | None = None

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        columns: Sequence[str],
        persons: Persons | None = None,
        times: Ints | None = None,
    ) -> Grouping:
        """Group by the cells of the columns.

        Missing cells are a value like any other: leaving them out would drop the very records that are easiest to
        single out.
        """
        key, span = np.zeros(len(frame), dtype=np.int64), 1
        for name in columns:  # one after the other: `groupby` holds the codes of all columns, and takes as long
            codes, values = pd.factorize(frame[name], use_na_sentinel=False)
            if span * len(values) >= 2**62:
                key, combined = pd.factorize(key)
                span = len(combined)
            key *= len(values)
            key += codes
            span *= len(values)
        group = np.asarray(pd.factorize(key)[0], dtype=np.int64)
        sizes = counted(group, 0, times)
        return cls(group, sizes if persons is None else persons.in_classes(group, len(sizes)), persons, times)

    def by_cells(self, frame: pd.DataFrame, columns: Sequence[str]) -> Grouping:
        """The same classes, numbered by their cells: sums over them do not depend on the order of the records."""
        first = np.empty(self.classes, dtype=np.int64)
        first[self.group[::-1]] = np.arange(len(self.group))[::-1]
        order = by_cells(frame[list(columns)].iloc[first])
        number = np.empty_like(order)
        number[order] = np.arange(len(order))
        return attrs.evolve(self, group=number[self.group], sizes=self.sizes[order])

    @property
    def counted(self) -> str:
        """What `sizes` count, in a word."""
        return "records" if self.persons is None else "persons"

    @property
    def total(self) -> int:
        """How many records there are, or persons."""
        if self.persons is not None:
            return self.persons.count
        return len(self.group) if self.times is None else int(self.times.sum())

    @property
    def k(self) -> int | None:
        """Records (persons) of the smallest class; None where there is no record."""
        return int(self.sizes.min()) if len(self.sizes) else None

    @property
    def classes(self) -> int:
        return len(self.sizes)

    @property
    def average_size(self) -> float | None:
        """Mean size of a class; None where there is no record."""
        return float(self.sizes.mean()) if len(self.sizes) else None

    def greatest(self, of_class: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The risk of each record, or of each person the greatest of their records, from the risk of each class."""
        return self.greatest_of_records(of_class[self.group])

    def greatest_of_records(self, risk: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The same from the risk of each record."""
        if self.persons is None:
            return np.asarray(risk)
        greatest = np.zeros(self.persons.count)
        np.maximum.at(greatest, self.persons.of, risk)
        return greatest

    def discernibility(self, suppressed: int = 0) -> int:
        """Sum over the records of how many they look like; a suppressed one looks like the whole table.

        R. J. Bayardo and R. Agrawal: Data privacy through optimal k-anonymization, ICDE 2005.
        """
        sizes = [int(size) for size in self.sizes]
        return sum(size * size for size in sizes) + suppressed * (sum(sizes) + suppressed)

    def histogram(self, values: SensitiveValues) -> Histogram:
        """How many records (persons, by their votes) of each class have each of these values of the same records."""
        if self.persons is not None:
            return self.persons.histogram(values, self.group, self.classes)
        count = np.ones(len(self.group), dtype=np.int64) if self.times is None else self.times
        return Histogram.of(self.group, values.codes, count, self.classes, values.share, values.alike)

    def diversity(self, sensitive: pd.Series[Any] | SensitiveValues) -> Diversity | None:
        """Distinct l-diversity of a column of the same records; None where there is no record."""
        if not len(self.sizes):
            return None
        values = (
            sensitive if isinstance(sensitive, SensitiveValues) else SensitiveValues.of(sensitive, times=self.times)
        )
        distinct = self.histogram(values).distinct()
        alone = distinct == 1
        return Diversity(int(distinct.min()), int(alone.sum()), int(self.sizes[alone].sum()))

    def measured(self, sensitive: pd.Series[Any], promise: Promise) -> Measured | None:
        """Privacy models of a column of the same records, by their worst class; None where there is no record.

        Args:
            sensitive: The column.
            promise: Which l the recursive model is for (2 unless it says), and how distance is measured.
        """
        if not len(self.sizes):
            return None
        values = SensitiveValues.of(sensitive, promise.distinguish, self.times)
        ordered = promise.is_ordered(values)
        histogram = self.histogram(values)
        recursive_l, classes = promise.recursive_l, Classes(self.sizes, histogram, ordered)
        return Measured(
            distinct=int(histogram.distinct().min()),
            entropy=float(histogram.entropy().min()),
            recursive_l=recursive_l,
            recursive=float(histogram.recursive(recursive_l).max()),
            t=float(histogram.distance(ordered=ordered).max()),
            ordered=ordered,
            delta=float(histogram.disclosure().max()),
            worst={model.name: worst_of(model, measure(model, classes)) for model in promise.of_sensitive},
        )
