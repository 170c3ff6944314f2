"""The section `ops-anonymize` of the configuration."""

from __future__ import annotations

import math
from typing import Any

import attrs


def _at_least_zero(instance: Any, attribute: attrs.Attribute[float], value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{attribute.name} must be a finite number of 0 or more")


@attrs.frozen(kw_only=True)
class BudgetSettings:
    """How much may be spent of a privacy budget altogether.

    Attributes:
        epsilon: The sum of all epsilons.
        delta: The sum of all deltas.
    """

    epsilon: float = attrs.field(validator=_at_least_zero)
    delta: float = attrs.field(default=0.0, validator=_at_least_zero)


@attrs.frozen(kw_only=True)
class AnonymizeSettings:
    """What holds for all steps of the pack.

    Attributes:
        budgets: By name, what may be spent of each privacy budget (`NoiseOperation`). Only the project file states it;
            steps can lower it.
    """

    budgets: dict[str, BudgetSettings] = attrs.Factory(dict)
