"""The risk of each record of a survey, from the weights that say how many persons of the population it represents."""

from __future__ import annotations

import numpy as np

from .domains import Floats, Ints
from .persons import Persons

_RECURSION_UP_TO = 20
_TERMS = 400


def estimated_sizes(weights: Floats, group: Ints, classes: int, persons: Persons | None = None) -> Floats:
    """How many persons of the population each class represents: the sum of its weights.

    Args:
        weights: The weight of each record.
        group: The class of each record.
        classes: How many classes there are.
        persons: Whose each record is; a person's weight in a class is then the mean of those of their records in it.
    """
    if persons is None:
        return np.asarray(np.bincount(group, weights=weights, minlength=classes))
    pair, place, size = np.unique(group * persons.count + persons.of, return_inverse=True, return_counts=True)
    mean = np.bincount(place, weights=weights) / size
    return np.asarray(np.bincount(pair // persons.count, weights=mean, minlength=classes))


def individual_risks(sample: Ints, population: Floats) -> Floats:
    """Of each class the expected reciprocal of its size in the population, given its size in the sample.

    R. Benedetti and L. Franconi: Statistical and technological solutions for controlled data dissemination, Proceedings
    of New Techniques and Technologies for Statistics 1, 1998; L. Franconi and S. Polettini: Individual risk estimation
    in μ-Argus: a review, PSD 2004: given its size f in the sample, the size F in the population is negative binomial
    with f successes of probability p, estimated by f / (the sum of the class's weights). E(1 / F) is p / f times the
    hypergeometric function ₂F₁(1, 1; f + 1; 1 - p), which is exact for all f (sdcMicro approximates from f = 3 on).

    Args:
        sample: Records of each class, 1 or more.
        population: The estimated size of each class in the population.

    Returns:
        Risks above 0 and up to 1; 1 / f where the population holds no more of a class than the sample.
    """
    f = sample.astype(np.float64)
    p = np.minimum(1.0, f / population)
    risk = np.empty(len(f))
    by_recursion = (p < 0.5) & (f <= _RECURSION_UP_TO)
    risk[by_recursion] = _recursive(f[by_recursion], p[by_recursion])
    risk[~by_recursion] = _series(f[~by_recursion], p[~by_recursion])
    return risk


def _recursive(f: Floats, p: Floats) -> Floats:
    """By I(f + 1) = (1 / f - p I(f)) / (1 - p) from I(1) = ln(1 / p) / (1 - p), as in Franconi and Polettini 2004.

    An error shrinks by p / (1 - p) in each step, for which p has to be below a half.
    """
    integral = -np.log(p) / (1 - p)
    for step in range(1, int(f.max(initial=1))):
        integral = np.where(step < f, (1 / step - p * integral) / (1 - p), integral)
    return p * integral


def _series(f: Floats, p: Floats) -> Floats:
    """By the sum of n! / (f + 1)…(f + n) * (1 - p) ** n, all of it above 0."""
    term, total = np.ones(len(f)), np.ones(len(f))
    for n in range(1, _TERMS):
        term = term * n * (1 - p) / (f + n)
        total += term
        if not (term > total * 1e-17).any():
            break
    return p / f * total
