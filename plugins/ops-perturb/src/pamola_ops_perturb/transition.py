"""Transition matrices of PRAM: given, drawn or made invariant; how they are applied, and what follows from them.

J. Gouweleeuw, P. Kooiman, L. Willenborg and P.-P. de Wolf: Post randomisation for statistical disclosure control,
Journal of Official Statistics 14(4), 1998. P[i, j] is the probability that category i is released as category j.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from .columns import Floats, Ints

MOST_CATEGORIES = 2_000
TOLERANCE = 1e-9


def drawn(categories: int, pd: float, rng: np.random.Generator) -> Floats:
    """A matrix with diagonal entries uniform between `pd` and 1; the rest of a row is spread evenly, as in sdcMicro."""
    stay = rng.uniform(pd, 1.0, categories)
    if categories < 2:
        return np.ones((categories, categories))
    matrix = np.repeat(((1.0 - stay) / (categories - 1))[:, None], categories, axis=1)
    np.fill_diagonal(matrix, stay)
    return matrix


def invariant(matrix: Floats, shares: Floats, alpha: float = 1.0) -> Floats:
    """Two-stage invariant PRAM: the matrix times the one that leads back, mixed with staying by `alpha`.

    Args:
        matrix: P, float64 of shape (categories, categories).
        shares: p, the share of each category, of shape (categories,), adding up to 1.
        alpha: How much of it: R = alpha P Q + (1 - alpha) I, with Q[j, i] = p[i] P[i, j] / (pP)[j] by Bayes.

    Returns:
        R with pR = p: frequencies stay as they are, in expectation.
    """
    released = shares @ matrix
    back = (matrix * shares[:, None]).T
    back = np.divide(back, released[:, None], out=np.zeros_like(back), where=released[:, None] > 0)
    gone = released <= 0
    back[gone, gone] = 1.0
    return np.asarray(alpha * (matrix @ back) + (1.0 - alpha) * np.eye(len(shares)))


def randomized(codes: Ints, matrix: Floats, rng: np.random.Generator) -> Ints:
    """New categories, drawn for each record independently.

    Args:
        codes: The category of each record, int64 of shape (records,), all of them 0 or more.
        matrix: The transition matrix.
        rng: One uniform number is drawn for each record, in their order.
    """
    uniform = rng.random(len(codes))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(matrix)))
    new = np.empty_like(codes)
    cumulative = np.cumsum(matrix, axis=1)
    for category, members in enumerate(np.split(order, ends[:-1])):
        if len(members):
            last = int(np.flatnonzero(matrix[category])[-1])  # sums of floats may end just below 1
            drawn_for = np.searchsorted(cumulative[category], uniform[members], side="right")
            new[members] = np.minimum(drawn_for, last)
    return new


@attrs.frozen(eq=False)
class Effect:
    """What PRAM did to a column, or to one stratum of it.

    Attributes:
        matrix: The transition matrix.
        contingency: Records by original (rows) and released category (columns), int64.
    """

    matrix: Floats
    contingency: Ints

    @classmethod
    def of(cls, matrix: Floats, before: Ints, after: Ints) -> Effect:
        """Count."""
        size = len(matrix)
        table = np.bincount(before * size + after, minlength=size * size).reshape(size, size)
        return cls(matrix, table.astype(np.int64))

    @property
    def before(self) -> Ints:
        """Records of each category in the original."""
        return np.asarray(self.contingency.sum(axis=1))

    @property
    def after(self) -> Ints:
        """Records of each category in the release."""
        return np.asarray(self.contingency.sum(axis=0))

    @property
    def expected(self) -> Floats:
        """Records of each category in the release, in expectation: tP."""
        return np.asarray(self.before @ self.matrix)

    @property
    def posterior(self) -> Floats:
        """For each released category the probability that a record with it had it in the original."""
        stays, all_of_it = self.before * np.diag(self.matrix), self.expected
        return np.divide(stays, all_of_it, out=np.zeros(len(stays)), where=all_of_it > 0)

    @property
    def expectation_ratio(self) -> Floats:
        """Of each category, expected records that kept it over those that came to it: the smaller, the safer.

        P.-P. de Wolf, J. Gouweleeuw, P. Kooiman and L. Willenborg: Reflections on PRAM, SDP 1998.
        """
        stays = self.before * np.diag(self.matrix)
        others = self.expected - stays
        return np.asarray(np.divide(stays, others, out=np.full(len(stays), np.inf), where=others > TOLERANCE))

    @property
    def estimate(self) -> Floats | None:
        """Unbiased estimates of the original frequencies from the released ones, or None where P has no inverse."""
        if not len(self.matrix) or np.linalg.cond(self.matrix) > 1e10:
            return None
        return np.asarray(np.linalg.solve(self.matrix.T, self.after.astype(np.float64)))

    def figures(self) -> dict[str, Any]:
        """Risk and utility, in numbers."""
        total = max(1, int(self.before.sum()))
        estimate, present = self.estimate, self.before > 0
        posterior = self.posterior
        rarest = int(np.argmin(np.where(present, self.before, np.iinfo(np.int64).max))) if present.any() else 0
        return {
            "categories": len(self.matrix),
            "expected_share_changed": float(1.0 - (self.before * np.diag(self.matrix)).sum() / total),
            "posterior": {
                "least": float(posterior[present].min(initial=1.0)),
                "greatest": float(posterior[present].max(initial=0.0)),
                "of_the_rarest": float(posterior[rarest]) if len(posterior) else 0.0,
            },
            "distance_of_frequencies": float(np.abs(self.before - self.after).sum() / (2 * total)),
            **(
                {}
                if estimate is None
                else {"distance_of_estimates": float(np.abs(self.before - estimate).sum() / (2 * total))}
            ),
        }

    def listed(self, texts: list[str]) -> dict[str, Any]:
        """All of it, for the artifact that must not be released."""
        ratio = self.expectation_ratio
        return {
            "categories": texts,
            "transition": self.matrix.tolist(),
            "contingency": self.contingency.tolist(),
            "expected": self.expected.tolist(),
            "posterior": self.posterior.tolist(),
            "expectation_ratio": [None if np.isinf(each) else float(each) for each in ratio],
        }
