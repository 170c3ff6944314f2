"""Privacy models: what each asks of every equivalence class of a release.

The models of this pack are registered by the hook `pamola_add_privacy_models`, as those of other plugins are.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import attrs
import numpy as np

from pamola_tasks.errors import ParameterError

from .columns import is_number
from .domains import Floats, Ints, Mask, read_only
from .models import Histogram

Diversity = Literal["distinct", "entropy", "recursive"]
Distance = Literal["auto", "ordered", "categorical"]

TOLERANCE = 1e-9
"""Between a measure and a bound: sums of fractions differ in their last digits with the order of adding."""


@attrs.frozen(eq=False)
class Classes:
    """Equivalence classes of records (Samarati 2001), as a model looks at them. The arrays are read-only.

    Attributes:
        sizes: Records of each class, int64; those of the population where the model counts in one.
        values: How often each class has each value of one sensitive attribute; None for models of sizes.
        ordered: Whether the values are numbers, dates or ordered categories.
        released: For models of a population: how many of the release are in each class, int64.
    """

    sizes: Ints = attrs.field(converter=read_only)
    values: Histogram | None = None
    ordered: bool = False
    released: Ints | None = attrs.field(default=None, converter=attrs.converters.optional(read_only))

    @property
    def sensitive(self) -> Histogram:
        """The sensitive values."""
        assert self.values is not None
        return self.values


class PrivacyModel(abc.ABC):
    """What is asked of every class of a release. A subclass takes its parameters by keyword and checks them.

    A model has to be monotonic (Machanavajjhala et al. 2007): where it holds for two classes, it holds for their
    union. The search for classes relies on it. Subclasses are best attrs classes: `@attrs.frozen`.

    Attributes:
        name: What it is called, as in `models`.
        of_sensitive: Whether it is about the values of a sensitive attribute (asked for each of them), or about the
            sizes of classes.
        of_population: Of a model of sizes: whether it compares the release with the population that it is from.
            `classes` then has a last class, with no released record, for persons of the population who are in no class
            of the release.
        less_is_better: Whether a smaller measure is more private.
    """

    name: ClassVar[str]
    of_sensitive: ClassVar[bool] = True
    of_population: ClassVar[bool] = False
    less_is_better: ClassVar[bool] = False

    @abc.abstractmethod
    def measure(self, classes: Classes) -> Floats:
        """The model's measure of each class, numbers of shape (classes,), none of them NaN."""

    @abc.abstractmethod
    def holds(self, measured: Floats) -> Mask:
        """Whether each measure meets the model, bool of shape (classes,)."""

    @abc.abstractmethod
    def words(self) -> str:
        """What is promised, in the field's terms: `3-diversity`."""

    def claims(self) -> tuple[str, float] | None:
        """A short name and the number that is asked for, which metrics show beside the measured one; or None."""
        return None

    def worst(self, measured: Floats) -> float:
        """The measure of the class that gives most away."""
        return float(measured.max() if self.less_is_better else measured.min())

    def kept(self, worst: float) -> bool:
        """Whether the worst measure meets the model."""
        return bool(self.holds(np.array([worst]))[0])


@attrs.frozen
class KAnonymity(PrivacyModel):
    """At least k records in each class. L. Sweeney, IJUFKS 10(5), 2002."""

    k: int
    name: ClassVar[str] = "k-anonymity"
    of_sensitive: ClassVar[bool] = False

    def measure(self, classes: Classes) -> Floats:
        return classes.sizes.astype(np.float64)

    def holds(self, measured: Floats) -> Mask:
        return np.asarray(measured >= self.k)

    def words(self) -> str:
        return f"{self.k}-anonymity"

    def claims(self) -> tuple[str, float] | None:
        return "k", self.k


@attrs.frozen
class KMap(KAnonymity):
    """At least k records of a population like each record of the release. L. Sweeney, PhD thesis, MIT 2001, 4.3."""

    name: ClassVar[str] = "k-map"

    def words(self) -> str:
        return f"{self.k}-map"


def _share(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not (is_number(value) and 0 <= value <= 1):
        raise ValueError(f"`{attribute.name}` has to be a number from 0 to 1, not {value!r}")


@attrs.frozen
class DeltaPresence(PrivacyModel):
    """Bounded belief that a person of the population is in the release. M. E. Nergiz and others, SIGMOD 2007.

    The measure of a class is the part of the population's persons in it that are released.

    Args:
        delta_max: The greatest part, 0 to 1.
        delta_min: The least part; above 0, it also hides who is not in the release.
    """

    delta_max: float = attrs.field(validator=_share)
    delta_min: float = attrs.field(default=0.0, validator=_share)
    name: ClassVar[str] = "delta-presence"
    of_sensitive: ClassVar[bool] = False
    of_population: ClassVar[bool] = True
    less_is_better: ClassVar[bool] = True

    def __attrs_post_init__(self) -> None:
        if self.delta_min > self.delta_max:
            raise ValueError(f"`delta_min` {self.delta_min!r} is above `delta_max` {self.delta_max!r}")

    def measure(self, classes: Classes) -> Floats:
        assert classes.released is not None
        unknown = np.where(classes.released > 0, np.inf, 0.0)  # of a class that the population does not have
        return np.divide(classes.released, classes.sizes, out=unknown, where=classes.sizes > 0)

    def holds(self, measured: Floats) -> Mask:
        return np.asarray((measured >= self.delta_min - TOLERANCE) & (measured <= self.delta_max + TOLERANCE))

    def words(self) -> str:
        return f"({self.delta_min:g}, {self.delta_max:g})-presence"

    def claims(self) -> tuple[str, float] | None:
        return "delta_presence", self.delta_max

    def worst(self, measured: Floats) -> float:
        least = float(measured.min())
        return least if least < self.delta_min - TOLERANCE else float(measured.max())


@attrs.frozen
class LDiversity(PrivacyModel):
    """Diverse sensitive values in each class. A. Machanavajjhala and others, ACM TKDD 1(1), 2007.

    Args:
        l: Least diversity.
        diversity: `distinct` values, the exponential of their `entropy`, or `recursive` (c, l).
        c: Of recursive (c, l)-diversity: the most frequent value is rarer than c times the l-th and rarer ones.
    """

    l: float  # noqa: E741 - the letter is the measure's name
    diversity: Diversity = "distinct"
    c: float | None = None
    name: ClassVar[str] = "l-diversity"

    @property
    def less_is_better(self) -> bool:  # type: ignore[override]  # of recursive diversity the measure is a ratio
        return self.diversity == "recursive"

    def measure(self, classes: Classes) -> Floats:
        if self.diversity == "recursive":
            return classes.sensitive.recursive(int(self.l))
        if self.diversity == "entropy":
            return classes.sensitive.entropy()
        return classes.sensitive.distinct().astype(np.float64)

    def holds(self, measured: Floats) -> Mask:
        if self.diversity == "recursive":
            return np.asarray(measured < (self.c or 1.0))
        return np.asarray(measured >= self.l - TOLERANCE)

    def words(self) -> str:
        if self.diversity == "recursive":
            return f"recursive ({self.c:g}, {self.l:g})-diversity"
        return f"{self.diversity} {self.l:g}-diversity"

    def claims(self) -> tuple[str, float] | None:
        return ("c", self.c or 1.0) if self.diversity == "recursive" else ("l", self.l)


@attrs.frozen
class TCloseness(PrivacyModel):
    """Sensitive values of each class close to those of the table. N. Li, T. Li and S. Venkatasubramanian, ICDE 2007."""

    t: float
    name: ClassVar[str] = "t-closeness"
    less_is_better: ClassVar[bool] = True

    def measure(self, classes: Classes) -> Floats:
        return classes.sensitive.distance(ordered=classes.ordered)

    def holds(self, measured: Floats) -> Mask:
        return np.asarray(measured <= self.t + TOLERANCE)

    def words(self) -> str:
        return f"{self.t:g}-closeness"

    def claims(self) -> tuple[str, float] | None:
        return "t", self.t


@attrs.frozen
class DeltaDisclosure(PrivacyModel):
    """Bounded change of each sensitive value's part in a class. J. Brickell and V. Shmatikov, KDD 2008."""

    delta: float
    name: ClassVar[str] = "delta-disclosure"
    less_is_better: ClassVar[bool] = True

    def measure(self, classes: Classes) -> Floats:
        return classes.sensitive.disclosure()

    def holds(self, measured: Floats) -> Mask:
        return np.asarray(measured < self.delta)

    def words(self) -> str:
        return f"{self.delta:g}-disclosure privacy"

    def claims(self) -> tuple[str, float] | None:
        return "delta", self.delta


def registered_models(run: Any) -> Mapping[str, Any]:
    """The privacy models that plugins bring, by name."""
    found: Mapping[str, Any] = run.kernel.contributions("pamola_add_privacy_models", "the privacy model")
    return found


def models_of(known: Mapping[str, Any], asked: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[PrivacyModel, ...]:
    """Models by their names and parameters.

    Args:
        known: The registered models.
        asked: Names with parameters.

    Raises:
        ParameterError: There is no model of that name, or it does not take these parameters.
    """
    made = []
    for name, parameters in asked:
        if name not in known:
            raise ParameterError(f"there is no privacy model {name!r}: there are {', '.join(sorted(known))}")
        cls = known[name]
        if not (isinstance(cls, type) and issubclass(cls, PrivacyModel)):
            raise ParameterError(f"the privacy model {name!r} is {cls!r}, which is not a subclass of PrivacyModel")
        try:
            made.append(cls(**parameters))
        except (TypeError, ValueError) as error:
            problem = str(error).replace(f"{cls.__qualname__}.__init__() ", "it ")
            raise ParameterError(f"the privacy model {name!r} cannot be made of its parameters: {problem}") from error
    return tuple(made)
