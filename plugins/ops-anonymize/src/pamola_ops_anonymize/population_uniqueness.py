"""How many persons of a population are unique in it, estimated from the classes of a sample and its sampling fraction.

Each estimator assumes simple random sampling. Formulas as in F. K. Dankar, K. El Emam, A. Neisa and T. Roffey:
Estimating the re-identification risk of clinical data sets, BMC Medical Informatics and Decision Making 12:66, 2012.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Literal

import attrs
import numpy as np

from .domains import Floats, Ints

Model = Literal["zayatz", "pitman", "snb"]

PITMAN_UP_TO = 0.1
"""The greatest sampling fraction for which the decision rule takes Pitman's model."""

_NEWTON_STEPS = 200
_HALVINGS = 60
_ACCURACY = 1e-9


@attrs.frozen(eq=False)
class SampleClasses:
    """The classes of a sample, by their size.

    Attributes:
        size: Sizes that occur, ascending, int64.
        count: How many classes there are of each.
        fraction: The part of the population that the sample is, above 0 and at most 1.
    """

    size: Ints
    count: Ints
    fraction: float

    @classmethod
    def of(cls, sizes: Ints, fraction: float) -> SampleClasses:
        """Count the classes of a table by their sizes."""
        size, count = np.unique(sizes, return_counts=True)
        return cls(size, count.astype(np.int64), fraction)

    @property
    def records(self) -> int:
        return int((self.size * self.count).sum())

    @property
    def classes(self) -> int:
        return int(self.count.sum())

    @property
    def population(self) -> float:
        """How many persons the population has."""
        return self.records / self.fraction

    def of_size(self, size: int) -> int:
        """How many classes there are of a size."""
        return int(self.count[self.size == size].sum())


@attrs.frozen
class PopulationUniqueness:
    """Estimates of the persons that are unique in the population; None where a model has no solution for the sample.

    Attributes:
        zayatz: By the estimator of Zayatz.
        pitman: By Pitman's model.
        snb: By the shifted negative binomial model.
        model: The one that the decision rule takes.
        population: How many persons the population has.
    """

    zayatz: float
    pitman: float | None
    snb: float | None
    model: Model
    population: float

    @property
    def uniques(self) -> float:
        """The estimate that the decision rule takes."""
        chosen: float = getattr(self, self.model)
        return chosen


def population_uniqueness(sample: SampleClasses) -> PopulationUniqueness:
    """All estimates, and the one to take.

    The rule is that of Dankar et al. 2012: Pitman's model up to a sampling fraction of 0.1, above it the smaller of
    Zayatz' estimate and that of the SNB model; Zayatz' where these models have no solution. Where the sample has no
    unique, all estimates are 0.
    """
    if not sample.of_size(1):
        return PopulationUniqueness(0.0, 0.0, 0.0, "zayatz", sample.population)
    estimated, by_pitman, by_snb = zayatz(sample), pitman(sample), snb(sample)
    model: Model = "zayatz"
    if sample.fraction <= PITMAN_UP_TO and by_pitman is not None:
        model = "pitman"
    elif sample.fraction > PITMAN_UP_TO and by_snb is not None and by_snb < estimated:
        model = "snb"
    return PopulationUniqueness(estimated, by_pitman, by_snb, model, sample.population)


def zayatz(sample: SampleClasses) -> float:
    """Uniques of the population, from the probability that a unique of the sample is one.

    L. V. Zayatz: Estimation of the percent of unique population elements on a microdata file using the sample, U.S.
    Bureau of the Census, Statistical Research Division report RR-91/08, 1991: sizes in the population are taken to be
    distributed as in the sample, and the sample to be drawn without replacement.
    """
    population, drawn = round(sample.population), sample.records
    one = np.array([_one_drawn(population, int(size), drawn) for size in sample.size])
    seen = float((sample.count * one).sum())
    alone = sample.of_size(1)
    return alone * (alone * drawn / population / seen) / sample.fraction if seen and alone else 0.0


def _one_drawn(population: int, size: int, drawn: int) -> float:
    """The hypergeometric probability that of `size` persons of a population exactly one is drawn."""
    if drawn - 1 > population - size:
        return 0.0
    return size * math.exp(_log_choose(population - size, drawn - 1) - _log_choose(population, drawn))


def _log_choose(of: int, taken: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(taken + 1) - math.lgamma(of - taken + 1)


def pitman(sample: SampleClasses) -> float | None:
    """Uniques of the population by Pitman's model, fitted by maximum likelihood; None without a maximum inside.

    N. Hoshino: Applying Pitman's sampling formula to microdata disclosure risk assessment, Journal of Official
    Statistics 17(4), 2001: N ** α * Γ(θ + 1) / Γ(θ + α), 0 < α < 1, θ > -α.
    """
    fitted = _fitted_pitman(sample)
    if fitted is None:
        return None
    theta, alpha = fitted
    uniques = math.exp(math.lgamma(theta + 1) - math.lgamma(theta + alpha) + alpha * math.log(sample.population))
    return uniques if uniques <= sample.population else None


def _fitted_pitman(sample: SampleClasses) -> tuple[float, float] | None:
    """θ and α where the derivatives of the likelihood vanish, by Newton's method from Hoshino's first guess."""
    if sample.classes in (1, sample.records):
        return None  # the likelihood is greatest at the border
    number = np.arange(1, sample.classes, dtype=np.float64)
    drawn = np.arange(1, sample.records, dtype=np.float64)
    within = np.arange(1, int(sample.size[-1]), dtype=np.float64)
    larger = sample.classes - np.cumsum(sample.count)  # classes larger than each size that occurs
    more = (larger + sample.count)[np.searchsorted(sample.size, within, side="right")]  # classes larger than `within`

    def slopes(theta: float, alpha: float) -> tuple[Floats, Floats]:
        """First derivatives by θ and α, and the second ones."""
        one, of_theta, of_alpha = 1 / (theta + number * alpha), 1 / (theta + drawn), 1 / (within - alpha)
        first = [one.sum() - of_theta.sum(), (number * one).sum() - (more * of_alpha).sum()]
        mixed = -(number * one**2).sum()
        second = [
            [(of_theta**2).sum() - (one**2).sum(), mixed],
            [mixed, -((number * one) ** 2).sum() - (more * of_alpha**2).sum()],
        ]
        return np.array(first), np.array(second)

    def inside(theta: float, alpha: float) -> bool:
        return 0 < alpha < 1 and theta > -alpha

    for start in (_first_guess(sample), (1.0, 0.5), (sample.records / 10, 0.5), (sample.records, 0.1)):
        point = start
        if not inside(*point):
            continue
        for _ in range(_NEWTON_STEPS):
            first, second = slopes(*point)
            if abs(first).max() <= _ACCURACY * sample.records:
                return point
            try:
                step = np.linalg.solve(second, first)
            except np.linalg.LinAlgError:
                break
            steps = (step / 2**halving for halving in range(_HALVINGS))
            tried = ((point[0] - each[0], point[1] - each[1]) for each in steps)
            following = next((each for each in tried if inside(*each)), None)
            if following is None or following == point:
                break
            point = following
    return None


def _first_guess(sample: SampleClasses) -> tuple[float, float]:
    """θ and α by Hoshino's moments."""
    n, u, single = sample.records, sample.classes, sample.of_size(1)
    c = single * (single - 1) / max(1, sample.of_size(2))
    below = 2 * single * u + single * c - n * c
    if not below or not n * u:
        return math.nan, math.nan
    theta = (n * u * c - single * (n - 1) * (2 * u + c)) / below
    return theta, (theta * (single - n) + (n - 1) * single) / (n * u)


def snb(sample: SampleClasses, classes: float | None = None) -> float | None:
    """Uniques of the population by the shifted negative binomial model; None where it does not fit the sample.

    G. Chen and S. Keller-McNulty: Estimation of identification disclosure risk in microdata, Journal of Official
    Statistics 14(1), 1998. Sizes in the population are 1 + NB(α, β), of K classes, K β ** α of them unique; α and β are
    those for which as many classes of size 1 and 2 are expected in the sample as there are.

    Args:
        sample: The classes of the sample.
        classes: K; unless given, estimated as in P. J. Haas and L. Stokes: Estimating the number of classes in a finite
            population, JASA 93(444), 1998 (modified Shlosser). Errors of that estimate carry over to the uniques.
    """
    f, single, double = sample.fraction, sample.of_size(1), sample.of_size(2)
    if not (single and double):
        return None
    if f >= 1:
        return float(single)
    k = _classes_of_population(sample) if classes is None else classes

    def alpha_of(beta: float) -> float:
        """α for which the ratio of expected classes of size 2 and 1 is that of the sample: a quadratic equation."""
        d, ratio = (1 - f) * (1 - beta), 2 * double / single
        a, b, c = f * (1 - beta) * d, f * (1 - beta) * (2 - d) - ratio * (1 - d) * d, -ratio * (1 - d) ** 2
        return (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)

    def surplus(beta: float) -> float:
        """How many more classes of size 1 are expected than there are."""
        alpha, d = alpha_of(beta), (1 - f) * (1 - beta)
        return k * f * math.exp(alpha * math.log(beta / (1 - d))) * (alpha * d / (1 - d) + 1) - single

    beta = _root(surplus)
    return None if beta is None else k * math.exp(alpha_of(beta) * math.log(beta))


def _classes_of_population(sample: SampleClasses) -> float:
    """How many classes the population has, by the modified estimator of Shlosser."""
    q, size, count = sample.fraction, sample.size.astype(np.float64), sample.count
    unseen = (1 - q) ** size
    squared = (size * q**2 * (1 - q**2) ** (size - 1) * count).sum() / (unseen * ((1 + q) ** size - 1) * count).sum()
    correction = (unseen * count).sum() / (size * q * (1 - q) ** (size - 1) * count).sum()
    return float(sample.classes + sample.of_size(1) * squared * correction**2)


def _root(function: Callable[[float], float]) -> float | None:
    """A root of a function between 0 and 1, the first from above; None where no change of sign is found."""
    grid = [1 / (1 + math.exp(-logit)) for logit in np.linspace(12, -25, 400).tolist()]
    before = function(grid[0])
    for above, below in itertools.pairwise(grid):
        value = function(below)
        if before * value <= 0:
            for _ in range(_HALVINGS):
                middle = (above + below) / 2
                if before * function(middle) <= 0:
                    below = middle
                else:
                    above = middle
            return (above + below) / 2
        before = value
    return None
