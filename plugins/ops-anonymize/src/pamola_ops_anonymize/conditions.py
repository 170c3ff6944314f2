"""What every released class must meet, asked of many candidate classes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from .alike import Distinguish
from .asking import keeps, measure, met_by, worst_of
from .domains import Floats, Ints, Mask, counted_keys
from .models import Histogram, SensitiveValues
from .persons import Persons, votes
from .privacy_models import Classes, DeltaDisclosure, Distance, Diversity, LDiversity, PrivacyModel, TCloseness


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
        worst: Of each model that was asked for, by name, the measure of its worst class.
    """

    distinct: int
    entropy: float
    recursive_l: int
    recursive: float
    t: float
    ordered: bool
    delta: float
    worst: Mapping[str, float] = attrs.Factory(dict)

    def meaning(self, attribute: str) -> str:
        """The measures in words."""
        kind = "by order" if self.ordered else "by category"
        many = f"{self.distinct} distinct values, with the entropy of {self.entropy:.3g} equally likely ones"
        held = "a single value" if self.distinct == 1 else many
        return (
            f"in the worst equivalence class, {attribute} has {held};"
            f" compared {kind}, the values of a class are up to t = {self.t:.3g} away from those of the table"
            f" (0: a class discloses nothing, 1: everything)"
        )

    def told(self) -> dict[str, Any]:
        """For metrics; None means infinite."""
        return {
            "l_distinct": self.distinct,
            "l_entropy": self.entropy,
            "recursive_l": self.recursive_l,
            "recursive_c_above": self.recursive if np.isfinite(self.recursive) else None,
            "t": self.t,
            "t_distance": "ordered" if self.ordered else "categorical",
            "delta": self.delta if np.isfinite(self.delta) else None,
        }


@attrs.frozen
class Promise:
    """What is asked of the classes of a release beside k.

    Attributes:
        l: Least diversity of sensitive values; None where it is not asked for. So are `t` and `delta`.
        diversity: How diversity is measured.
        c: For recursive (c, l)-diversity the c.
        t: Greatest distance from the table.
        distance: How distance is measured; `auto` is ordered for numbers and dates.
        delta: Bound of δ-disclosure.
        others: Further models.
        l_of_recursive: The l that the recursive measure is reported for where `l` does not say it.
        distinguish: How sensitive values are distinguished for diversity: as a reader does, or as they are.
    """

    l: float | None = None  # noqa: E741 - the letter is the measure's name
    diversity: Diversity = "distinct"
    c: float | None = None
    t: float | None = None
    distance: Distance = "auto"
    delta: float | None = None
    others: tuple[PrivacyModel, ...] = ()
    l_of_recursive: int = 2
    distinguish: Distinguish = "reader"
    models: tuple[PrivacyModel, ...] = attrs.field(init=False)

    @models.default
    def _all(self) -> tuple[PrivacyModel, ...]:
        own: list[PrivacyModel] = []
        if self.l is not None:
            own.append(LDiversity(self.l, self.diversity, self.c))
        if self.t is not None:
            own.append(TCloseness(self.t))
        if self.delta is not None:
            own.append(DeltaDisclosure(self.delta))
        return (*own, *self.others)

    @property
    def of_sizes(self) -> tuple[PrivacyModel, ...]:
        """Models of the sizes of classes."""
        return tuple(model for model in self.models if not model.of_sensitive)

    @property
    def of_sensitive(self) -> tuple[PrivacyModel, ...]:
        """Models of sensitive values."""
        return tuple(model for model in self.models if model.of_sensitive)

    @property
    def recursive_l(self) -> int:
        """The l that the recursive measure is reported for."""
        return int(self.l) if self.l is not None and self.diversity == "recursive" else self.l_of_recursive

    def words(self) -> str:
        """What is promised, in the field's terms."""
        return " with ".join(model.words() for model in self.models)

    def kept(self, measured: Measured) -> bool:
        """Whether what was measured of a sensitive attribute is as promised."""
        return all(keeps(model, measured.worst[model.name]) for model in self.of_sensitive)

    def claims(self, measured: Sequence[Measured], classes: Classes) -> dict[str, float]:
        """What was asked and what was measured of the attribute that falls shortest, and of the sizes of classes, as
        reports show it at the top; k is said by the operation itself."""
        told: dict[str, float] = {}
        for model in self.models:
            claim = model.claims()
            if claim is None or claim[0] == "k" or not len(measured if model.of_sensitive else classes.sizes):
                continue
            name, asked = claim
            if model.of_sensitive:
                worst = worst_of(model, np.array([found.worst[model.name] for found in measured]))
            else:
                worst = worst_of(model, measure(model, classes))
            told |= {f"{name}_claimed": asked, f"{name}_measured": int(worst) if self._counts(model) else worst}
        return told

    def _counts(self, model: PrivacyModel) -> bool:
        return isinstance(model, LDiversity) and model.diversity == "distinct"

    def told(self, measured: Mapping[str, Measured | None], classes: Classes) -> dict[str, Any]:
        """Every model in words, with the measure of its worst class; infinite measures are None."""
        found: dict[str, Any] = {}
        for model in self.models:
            if model.of_sensitive:
                worst = [seen.worst[model.name] for seen in measured.values() if seen is not None]
            else:
                worst = [worst_of(model, measure(model, classes))] if len(classes.sizes) else []
            value = worst_of(model, np.array(worst)) if worst else None
            finite = value if value is not None and np.isfinite(value) else None
            found[model.name] = {"asked": model.words(), "measured": finite}
        return found

    def is_ordered(self, values: SensitiveValues) -> bool:
        return values.ordered if self.distance == "auto" else self.distance == "ordered"

    def met(self, histogram: Histogram, *, ordered: bool) -> Mask:
        """For each class whether its sensitive values are as promised."""
        met = np.ones(histogram.classes, dtype=bool)
        classes = Classes(histogram.sizes, histogram, ordered)
        for model in self.of_sensitive:
            met &= met_by(model, classes)
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
        alike: What each value is counted as, as in `SensitiveValues`.
        person: Whose each entry is, where persons have a vote each rather than records.
    """

    start: Ints
    value: Ints
    count: Ints
    share: Floats
    ordered: bool
    alike: Ints | None = None
    person: Ints | None = None

    @classmethod
    def of(
        cls,
        values: SensitiveValues,
        unit: Ints,
        units: int,
        *,
        ordered: bool,
        persons: Persons | None = None,
        times: Ints | None = None,
    ) -> SensitiveCounts:
        """Count the values of records in these units; of each person apart where `persons` are given.

        Where a row represents several records, `times` says for how many.
        """
        width, share = len(values.share), values.share
        key, span = values.codes, width
        if persons is not None:
            key, span = persons.of * width + values.codes, persons.count * width
            share = persons.histogram(values, np.zeros_like(unit), 1).share
        pairs, count = counted_keys(unit * span + key, times)
        start, key = np.searchsorted(pairs // span, np.arange(units + 1)), pairs % span
        person = None if persons is None else key // width
        return cls(start.astype(np.int64), key % width, count, share, ordered, values.alike, person)

    def histogram(self, units: Ints, group: Ints, groups: int) -> Histogram:
        """The values of candidate classes."""
        entries, owner = _entries(self.start, units, group)
        value, count = self.value[entries], self.count[entries]
        if self.person is not None:
            owner, value = votes(owner, self.person[entries], value, count, alike=self.alike)
            count = np.ones(len(owner), dtype=np.int64)
        return Histogram.of(owner, value, count, groups, self.share, self.alike)


def _entries(start: Ints, units: Ints, group: Ints) -> tuple[Ints, Ints]:
    """The entries of these units, and the class of each, where each unit's are those from its start to the next."""
    length = start[units + 1] - start[units]
    first = np.repeat(start[units] - (np.cumsum(length) - length), length)
    return first + np.arange(int(length.sum())), np.repeat(group, length)


@attrs.frozen(eq=False)
class PersonCounts:
    """Whose records each unit holds, where a person may have records in several.

    Attributes:
        start: First entry of each unit; one more at the end.
        person: The persons of each unit.
        count: How many persons there are.
    """

    start: Ints
    person: Ints
    count: int

    @classmethod
    def of(cls, persons: Persons, unit: Ints, units: int) -> PersonCounts:
        """The persons of records in these units."""
        pairs = np.unique(unit * persons.count + persons.of)
        start = np.searchsorted(pairs // persons.count, np.arange(units + 1)).astype(np.int64)
        return cls(start, pairs % persons.count, persons.count)

    def sizes(self, units: Ints, group: Ints, groups: int) -> Ints:
        """Distinct persons of candidate classes."""
        entries, owner = _entries(self.start, units, group)
        return Persons(self.person[entries], self.count).in_classes(owner, groups)


def _sums(weights: Ints, units: Ints, group: Ints, groups: int) -> Ints:
    """The weights of the units of each candidate class, added up."""
    return np.bincount(group, weights=weights[units], minlength=groups).astype(np.int64)


@attrs.frozen(eq=False)
class Conditions:
    """What a class of units has to meet to be released.

    Attributes:
        k: Least number of records.
        weights: Records of each unit that count for k.
        promise: What its sensitive values have to meet.
        sensitive: The sensitive attributes, counted by unit.
        persons: Whose records each unit holds, where these are counted for k and a person may be in several units:
            the weights then say no more than that a class cannot hold more.
        own: Where k is counted in a population: the records of each unit that are released.
        random: Whether chance hides what sensitive values forbid.
    """

    k: int
    weights: Ints
    promise: Promise = attrs.Factory(Promise)
    sensitive: tuple[SensitiveCounts, ...] = ()
    persons: PersonCounts | None = None
    own: Ints | None = None
    random: bool = False

    @property
    def blind(self) -> Conditions:
        """The same but for what is asked of sensitive values."""
        return attrs.evolve(self, sensitive=(), random=False)

    @property
    def only_k(self) -> bool:
        """Whether sums of weights decide."""
        return self.persons is None and not self.promise.of_sizes and not (self.sensitive and self.promise.of_sensitive)

    def met(self, units: Ints, group: Ints, groups: int) -> Mask:
        """For each candidate class whether it meets the conditions.

        Args:
            units: Units that are in a class.
            group: The class of each, 0 to `groups` - 1.
            groups: Number of candidate classes.
        """
        if self.persons is None:
            sizes = _sums(self.weights, units, group, groups)
        else:
            sizes = self.persons.sizes(units, group, groups)
        met = sizes >= self.k
        if self.promise.of_sizes:
            classes = Classes(sizes, released=None if self.own is None else _sums(self.own, units, group, groups))
            for model in self.promise.of_sizes:
                met &= met_by(model, classes)
        for counts in self.sensitive if self.promise.of_sensitive else ():
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
