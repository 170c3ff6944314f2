"""How much noise differential privacy needs; OpenDP, which is an extra, confirms what it costs, and draws it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy.typing as npt

from pamola_tasks.errors import OperationError

from .accounting import epsilon_of, rho_of

# OpenDP's maps round up, at a relative precision of about 1e-15.
SLACK = 1e-9

Noise = Callable[[npt.NDArray[Any]], Sequence[Any]]


@attrs.frozen(eq=False)
class Calibrated:
    """A mechanism with its scale.

    Attributes:
        scale: Of Laplace noise the b, of Gaussian noise the standard deviation.
        epsilon: What it costs by OpenDP; None without OpenDP, or where only rho is stated.
        release: Adds noise from OpenDP's own generator to values; None without OpenDP.
        rho: What Gaussian noise costs by OpenDP (zCDP).
        whole: Whether it is for whole numbers.
    """

    scale: float
    epsilon: float | None
    release: Noise | None
    rho: float | None = None
    whole: bool = False


def opendp() -> Any:
    """OpenDP's module, measurements over floats allowed.

    Raises:
        OperationError: It is not installed.
    """
    try:
        import opendp.prelude as prelude
    except ImportError as error:
        raise OperationError(
            "differential privacy is calibrated by OpenDP, which is not installed: install"
            ' pamola-ops-anonymize[dp] (pip install "pamola-ops-anonymize[dp]"). No data was read'
        ) from error
    # OpenDP wants to be told that its contributed mechanisms are accepted: those for floats are among them.
    prelude.enable_features("contrib")
    return prelude


def laplace(sensitivity: float, epsilon: float, *, whole: bool = False, sampled_here: bool = False) -> Calibrated:
    """Laplace noise of scale sensitivity / epsilon.

    C. Dwork, F. McSherry, K. Nissim and A. Smith: Calibrating noise to sensitivity, TCC 2006. For whole numbers the
    discrete distribution of the same scale (A. Ghosh, T. Roughgarden and M. Sundararajan, STOC 2009).

    Args:
        sensitivity: By how much two people change the values, summed over all of them (L1).
        epsilon: The loss.
        whole: The values are whole numbers, and stay whole.
        sampled_here: Noise is taken from elsewhere, so that OpenDP is not needed.
    """
    scale = sensitivity / epsilon
    if sampled_here:
        return Calibrated(scale, None, None)
    dp = opendp()
    measurement = dp.m.make_laplace(_vectors(dp, whole), dp.l1_distance(T=float), scale=scale)
    return Calibrated(scale, agreed(measurement.map(float(sensitivity)), epsilon, "epsilon"), measurement, whole=whole)


def gaussian(
    sensitivity: float, epsilon: float, delta: float, *, whole: bool = False, sampled_here: bool = False
) -> Calibrated:
    """Gaussian noise for epsilon and delta, of the greatest rho that is within them (`accounting.rho_of`).

    The analytic bound of B. Balle and Y.-X. Wang, ICML 2018, is up to a tenth below; it does not add up.
    """
    found = gaussian_of_rho(sensitivity, rho_of(epsilon, delta), whole=whole, sampled_here=sampled_here)
    return attrs.evolve(found, epsilon=None if found.rho is None else epsilon_of(found.rho, delta))


def gaussian_of_rho(sensitivity: float, rho: float, *, whole: bool = False, sampled_here: bool = False) -> Calibrated:
    """Gaussian noise of standard deviation sensitivity / √(2 rho).

    M. Bun and T. Steinke, TCC 2016, proposition 1.6. For whole numbers the discrete Gaussian, which costs no more
    (C. Canonne, G. Kamath and T. Steinke, NeurIPS 2020).

    Args:
        sensitivity: By how much two people change the values: the root of the sum of squares (L2).
        rho: The loss (zCDP).
        whole: The values are whole numbers, and stay whole.
        sampled_here: Noise is taken from elsewhere, so that OpenDP is not needed.
    """
    scale = sensitivity / math.sqrt(2 * rho)
    if sampled_here:
        return Calibrated(scale, None, None)
    dp = opendp()
    measurement = dp.m.make_gaussian(_vectors(dp, whole), dp.l2_distance(T=float), scale=scale)
    return Calibrated(scale, None, measurement, agreed(measurement.map(float(sensitivity)), rho, "rho"), whole)


def _vectors(dp: Any, whole: bool) -> Any:
    return dp.vector_domain(dp.atom_domain(T="i64") if whole else dp.atom_domain(T=float, nan=False))


def agreed(costs: float, asked: float, what: str) -> float:
    """What OpenDP says a mechanism costs, once it is no more than was asked for."""
    if not math.isfinite(costs) or costs > asked * (1 + SLACK):
        raise OperationError(
            f"the noise was calibrated for {what} {asked}, but OpenDP says that it costs {costs}: no noise was drawn."
            f" This is a fault of the operation, please report it"
        )
    return costs
