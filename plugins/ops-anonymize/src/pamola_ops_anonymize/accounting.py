"""How privacy losses add up: by addition, and by zero-concentrated differential privacy (zCDP) where that is less."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

TOLERANCE = 1e-12
"""Relative: ten times 0.1 may be spent of 1."""


def epsilon_of(rho: float, delta: float) -> float:
    """The least epsilon known for which rho-zCDP is (epsilon, delta)-differential privacy.

    C. Canonne, G. Kamath and T. Steinke: The discrete Gaussian for differential privacy, NeurIPS 2020, corollary 13:
    the minimum over all orders of the Rényi divergence. Each order gives a bound that holds; the search for the best
    one ends within a relative precision of 1e-9.

    Args:
        rho: The loss of zCDP (M. Bun and T. Steinke, TCC 2016).
        delta: The probability with which the loss may be greater.
    """
    if rho <= 0:
        return 0.0
    if delta <= 0:
        return math.inf

    def bound(log_x: float) -> float:  # x is the order minus one
        x = math.exp(log_x)
        return rho * (1 + x) - (math.log(delta) + math.log1p(x)) / x + log_x - math.log1p(x)

    low, high = -30.0, 50.0
    for _ in range(120):  # the bound falls, then rises
        third = (high - low) / 3
        if bound(low + third) < bound(high - third):
            high -= third
        else:
            low += third
    return max(0.0, bound((low + high) / 2))


def rho_of(epsilon: float, delta: float) -> float:
    """The greatest rho (to a precision of 1e-12) for which rho-zCDP is (epsilon, delta)-differential privacy."""
    if delta <= 0 or epsilon <= 0:
        return 0.0
    low, high = 0.0, epsilon + 1.0  # epsilon_of(rho, …) > rho - 1 where delta is below 1
    while epsilon_of(high, delta) <= epsilon:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if epsilon_of(middle, delta) <= epsilon else (low, middle)
    return low


def _rho_of_pure(spending: Spending) -> float | None:
    """Pure differential privacy as zCDP (Bun and Steinke 2016, proposition 1.4)."""
    return spending.epsilon**2 / 2 if spending.delta == 0 and math.isfinite(spending.epsilon) else None


@attrs.frozen
class Spending:
    """What a release costs.

    Attributes:
        epsilon: Its epsilon; infinite where only rho is stated.
        delta: Its delta.
        rho: Its loss by zCDP, None where it is unknown. That of pure differential privacy follows from epsilon.
    """

    epsilon: float = 0.0
    delta: float = 0.0
    rho: float | None = attrs.field(default=attrs.Factory(_rho_of_pure, takes_self=True))

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Spending:
        """What an entry of the ledger says, which earlier releases wrote without rho."""
        epsilon, delta, rho = entry.get("epsilon"), float(entry.get("delta") or 0), entry.get("rho")
        found = math.inf if epsilon is None else float(epsilon)
        return cls(max(found, 0.0), max(delta, 0.0), *(() if rho is None else (max(float(rho), 0.0),)))

    @classmethod
    def total(cls, parts: Iterable[Spending]) -> Spending:
        """By addition (C. Dwork and A. Roth 2014, theorem 3.16), and rho likewise (Bun and Steinke, lemma 1.7)."""
        parts = list(parts)
        rho = [part.rho for part in parts if part.rho is not None]
        return cls(
            math.fsum(part.epsilon for part in parts),
            math.fsum(part.delta for part in parts),
            math.fsum(rho) if len(rho) == len(parts) else None,
        )

    def told(self) -> dict[str, float | None]:
        """Epsilon and delta for a report; None where only rho is known."""
        return {"epsilon": self.epsilon if math.isfinite(self.epsilon) else None, "delta": self.delta}

    def __str__(self) -> str:
        if not math.isfinite(self.epsilon):
            return f"rho {self.rho:.6g}"
        return f"epsilon {self.epsilon:.6g}, delta {self.delta:.6g}"


def least_epsilon(parts: Sequence[Spending], delta: float) -> float:
    """The least epsilon with which all of these are (epsilon, delta)-differential privacy together.

    Some are composed as zCDP, which is converted once; the others are added. Of pure ones the smaller gain most by
    zCDP: of each number of them the smallest are tried.
    """
    total = Spending.total(parts)
    found = total.epsilon if total.delta <= delta * (1 + TOLERANCE) else math.inf
    pure = sorted((part for part in parts if part.delta == 0 and math.isfinite(part.epsilon)), key=lambda p: p.epsilon)
    others = [part for part in parts if part.delta != 0 or not math.isfinite(part.epsilon)]
    composed = math.fsum(part.rho for part in others if part.rho is not None)
    fixed = Spending.total(part for part in others if part.rho is None)
    added = fixed.epsilon + math.fsum(part.epsilon for part in pure)
    for part in [Spending(), *pure]:  # first the others alone, then with ever more of the pure ones
        composed += part.rho or 0.0
        added -= part.epsilon
        if added < found:
            found = min(found, max(added, 0.0) + epsilon_of(composed, delta - fixed.delta))
    return found


@attrs.frozen
class Limit:
    """What may be spent altogether: epsilon and delta, or rho, or both, of which each holds.

    Attributes:
        epsilon: None where only rho is limited.
        delta: The delta that goes with it.
        rho: None where only epsilon and delta are limited.
    """

    epsilon: float | None = None
    delta: float = 0.0
    rho: float | None = None

    def least(self, other: Limit | None) -> Limit:
        """What is within both."""
        if other is None:
            return self
        both = [limit for limit in (self, other) if limit.epsilon is not None]
        return Limit(
            min((limit.epsilon for limit in both if limit.epsilon is not None), default=None),
            min((limit.delta for limit in both), default=0.0),
            min((limit.rho for limit in (self, other) if limit.rho is not None), default=None),
        )

    def allows(self, parts: Sequence[Spending]) -> bool:
        """Whether all of these are within it."""
        if self.rho is not None:
            rho = Spending.total(parts).rho
            if rho is None or rho > self.rho * (1 + TOLERANCE):
                return False
        return self.epsilon is None or least_epsilon(parts, self.delta) <= self.epsilon * (1 + TOLERANCE)

    def spent(self, parts: Sequence[Spending]) -> str:
        """What these have spent of it, in its own terms."""
        total, words = Spending.total(parts), []
        if self.epsilon is not None:
            epsilon = least_epsilon(parts, self.delta)
            zcdp = epsilon < total.epsilon
            words.append(f"epsilon {epsilon:.6g}, delta {self.delta:.6g} by zCDP" if zcdp else str(total))
        if self.rho is not None:
            words.append("an unknown rho" if total.rho is None else f"rho {total.rho:.6g}")
        return " and ".join(words)

    def left(self, parts: Sequence[Spending]) -> dict[str, float | None]:
        """How much more may be spent: epsilon of a release without delta, delta, and rho of one by zCDP."""
        total = Spending.total(parts)
        rho = []
        if total.rho is not None and self.epsilon is not None and self.delta:
            rho.append(rho_of(self.epsilon, self.delta) - total.rho)
        if total.rho is not None and self.rho is not None:
            rho.append(self.rho - total.rho)
        told: dict[str, float | None] = {"rho": max(0.0, min(rho)) if rho else None}
        if self.epsilon is not None:
            told["epsilon"] = max(0.0, self.epsilon - least_epsilon(parts, self.delta))
            told["delta"] = max(0.0, self.delta - total.delta)
        return told

    def told(self) -> dict[str, float]:
        """For ledger and report: what is limited."""
        pairs = {"epsilon": self.epsilon, "delta": None if self.epsilon is None else self.delta, "rho": self.rho}
        return {name: value for name, value in pairs.items() if value is not None}

    def __str__(self) -> str:
        words = [] if self.epsilon is None else [f"epsilon {self.epsilon:.6g}, delta {self.delta:.6g}"]
        return " and ".join(words + ([] if self.rho is None else [f"rho {self.rho:.6g}"]))
