"""Privacy models that bound how frequent, or how much more frequent, a sensitive value may be in a class."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs
import numpy as np

from .columns import is_number
from .domains import Floats, Mask
from .models import Histogram
from .privacy_models import TOLERANCE, Classes, PrivacyModel

Likeness = Literal["basic", "enhanced"]


def _part(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not (is_number(value) and 0 < value <= 1):
        raise ValueError(f"`{attribute.name}` has to be a number above 0 and at most 1, not {value!r}")


def _positive(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not (is_number(value) and value > 0):
        raise ValueError(f"`{attribute.name}` has to be a finite number above 0, not {value!r}")


def _likeness(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value not in ("basic", "enhanced"):
        raise ValueError(f"`{attribute.name}` has to be basic or enhanced, not {value!r}")


@attrs.frozen
class AlphaKAnonymity(PrivacyModel):
    """No sensitive value of a class in more than a part α of its records; k is that of the step.

    R. C.-W. Wong, J. Li, A. W.-C. Fu and K. Wang: (α, k)-anonymity, KDD 2006, for every value as a sensitive one.
    Values that a reader cannot distinguish are one value, as in l-diversity: their part is never smaller then.

    Args:
        alpha: The greatest part, above 0 and at most 1.
    """

    alpha: float = attrs.field(validator=_part)
    name: ClassVar[str] = "alpha-k-anonymity"
    less_is_better: ClassVar[bool] = True

    def measure(self, classes: Classes) -> Floats:
        return classes.sensitive.most_frequent()

    def holds(self, measured: Floats) -> Mask:
        return np.asarray(measured <= self.alpha + TOLERANCE)

    def words(self) -> str:
        return f"({self.alpha:g}, k)-anonymity"

    def claims(self) -> tuple[str, float] | None:
        return "alpha", self.alpha


@attrs.frozen
class BetaLikeness(PrivacyModel):
    """No sensitive value gains more than β in a class, relative to its part p of the table: (q - p) / p ≤ β.

    J. Cao and P. Karras: Publishing microdata with a robust privacy guarantee, PVLDB 5(11), 2012.
    The measure is the greatest gain of a class, 0 where nothing gains.

    Args:
        beta: The greatest gain, above 0.
        likeness: `basic`, or `enhanced`, where the gain of each value is also at most -ln p; the measure of a class in
            which one gains more is infinite. It then holds for values as they are and for values as a reader sees them.
    """

    beta: float = attrs.field(validator=_positive)
    likeness: Likeness = attrs.field(default="basic", validator=_likeness)
    name: ClassVar[str] = "beta-likeness"
    less_is_better: ClassVar[bool] = True

    def measure(self, classes: Classes) -> Floats:
        values = classes.sensitive
        gained = self._gained(values)
        # put together, values gain no more than apart, but may gain more than their own logarithm allows
        if self.likeness == "enhanced" and values.alike is not None:
            gained = np.maximum(gained, self._gained(values.as_read()))
        return gained

    def _gained(self, values: Histogram) -> Floats:
        gain = values.gains()
        if self.likeness == "enhanced":
            with np.errstate(divide="ignore"):
                allowed = -np.log(values.share[values.value])
            gain = np.where(gain <= allowed + TOLERANCE, gain, np.inf)
        return np.asarray(np.maximum.reduceat(gain, np.searchsorted(values.owner, np.arange(values.classes))))

    def holds(self, measured: Floats) -> Mask:
        return np.asarray(measured <= self.beta + TOLERANCE)

    def words(self) -> str:
        return f"{self.likeness} {self.beta:g}-likeness"

    def claims(self) -> tuple[str, float] | None:
        return "beta", self.beta
