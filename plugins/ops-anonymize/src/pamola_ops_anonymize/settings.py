"""The section `ops-anonymize` of the configuration."""

from __future__ import annotations

import math
from typing import Any

import attrs


def _at_least_zero(instance: Any, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{attribute.name} must be a finite number of 0 or more")


@attrs.frozen(kw_only=True)
class BudgetSettings:
    """How much may be spent of a privacy budget altogether: epsilon and delta, rho, or both.

    Attributes:
        epsilon: By addition, or by zCDP at `delta` where that is less.
        delta: The sum of all deltas, or the one at which zCDP is converted.
        rho: The sum of all rhos (zCDP).
    """

    epsilon: float | None = attrs.field(default=None, validator=_at_least_zero)
    delta: float = attrs.field(default=0.0, validator=_at_least_zero)
    rho: float | None = attrs.field(default=None, validator=_at_least_zero)

    def __attrs_post_init__(self) -> None:
        if self.epsilon is None and (self.rho is None or self.delta):
            raise ValueError("a budget states epsilon, with delta beside it where it is not 0, or rho")


@attrs.frozen(kw_only=True)
class AnonymizeSettings:
    """What holds for all steps of the pack.

    Attributes:
        budgets: By name, what may be spent of each privacy budget: epsilon, delta, rho. Only the project file states
            it; steps can lower it.
        populations: For datasets a name of the people whose identifiers they have. Equal identifiers are the same
            persons' in datasets of one population, and different persons' in those of two, for the register of releases
            and for privacy budgets; where nothing is stated, the tables themselves decide. Only the project file states
            it.
    """

    budgets: dict[str, BudgetSettings] = attrs.Factory(dict)
    populations: dict[str, str] = attrs.Factory(dict)
