"""How often attacks succeed, on people of the table and on others, and the risk that follows, with its confidence."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Literal

import attrs

Compared = Literal["control", "baseline"]


def wilson(successes: float, attempts: float, confidence: float) -> tuple[float, float]:
    """The centre and half the width of a confidence interval of a rate.

    E. B. Wilson: Probable inference, the law of succession, and statistical inference, JASA 22, 1927.

    Args:
        successes: How many attempts succeeded.
        attempts: How many there were, above 0.
        confidence: Of the interval, between 0 and 1.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (successes + z * z / 2) / (attempts + z * z)
    half = z / (attempts + z * z) * (successes * (attempts - successes) / attempts + z * z / 4) ** 0.5
    return float(centre), float(half)


@attrs.frozen
class Rate:
    """What an attack achieved.

    Attributes:
        attempts: How often it was tried on people of the table.
        successes: How often it succeeded.
        attempts_compared: How often what it is compared with was tried.
        successes_compared: How often that succeeded; not whole where it is corrected for the size of the control.
        compared: `control`, the same attack on people who are not in the table, or `baseline`, a guess that does not
            look at the person.
    """

    attempts: int
    successes: int
    attempts_compared: int
    successes_compared: float
    compared: Compared

    def risk(self, confidence: float) -> tuple[float, float, float]:
        """The part of what is left to succeed in that the attack succeeds in on people of the table.

        It is (a - c) / (1 - c), where a and c are not the plain rates but the centres of their Wilson intervals,
        (successes + z² / 2) / (attempts + z²), whose errors are propagated: M. Giomi, F. Boenisch, C. Wehmeyer and
        B. Tasnádi, A unified framework for quantifying privacy risk in synthetic data, PoPETs 2023(2), section 4.

        Returns:
            The risk, and its confidence interval, all between 0 and 1. There has to be an attempt.
        """
        risk, low, high = self.difference(confidence)
        return _share(risk), _share(low), _share(high)

    def difference(self, confidence: float) -> tuple[float, float, float]:
        """The same without bounds: below 0 where the attack succeeds less often than what it is compared with."""
        attack, error = wilson(self.successes, self.attempts, confidence)
        other, error_of_other = wilson(self.successes_compared, self.attempts_compared, confidence)
        risk = (attack - other) / (1 - other)
        half = ((error / (1 - other)) ** 2 + (error_of_other * (1 - attack) / (1 - other) ** 2) ** 2) ** 0.5
        return risk, risk - half, risk + half

    def told(self, confidence: float) -> dict[str, Any]:
        """For metrics."""
        nothing = (None, None, None)
        risk, low, high = self.risk(confidence) if self.attempts else nothing
        unclipped = self.difference(confidence) if self.attempts else nothing
        return {
            "attempts": self.attempts,
            "successes": self.successes,
            "rate": self.successes / self.attempts if self.attempts else None,
            f"attempts_{self.compared}": self.attempts_compared,
            f"successes_{self.compared}": round(self.successes_compared, 2),
            f"rate_{self.compared}": self.successes_compared / self.attempts_compared if self.attempts else None,
            "compared_with": self.compared,
            "risk": risk,
            "risk_low": low,
            "risk_high": high,
            **dict(zip(("risk_unclipped", "risk_low_unclipped", "risk_high_unclipped"), unclipped, strict=True)),
        }

    def in_words(self, what: str, others: str, confidence: float) -> str:
        """One sentence.

        Args:
            what: What was tried and when it succeeds, for example `guesses of illness were right`.
            others: What it is compared with, for example `for people who are not in the table`.
            confidence: Of the interval.
        """
        if not self.attempts:
            return f"nothing to try: no {what}"
        rate, compared = self.successes / self.attempts, self.successes_compared / self.attempts_compared
        below = compared > 0 and rate <= compared
        risk, low, high = (f"{100 * each:.1f} %" for each in (self.difference if below else self.risk)(confidence))
        finding = f"the attack succeeds no more often than {others}; " if below else ""
        return (
            f"{self.successes:,} of {self.attempts:,} {what}, {100 * rate:.1f} % ({self.successes_compared:,.0f} of"
            f" {self.attempts_compared:,} {others}, {100 * compared:.1f} %): {finding}risk, of the centres of Wilson's"
            f" intervals, {risk}, {100 * confidence:g} % confidence interval {low} to {high}"
        )


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
