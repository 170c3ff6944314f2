"""How much noise differential privacy needs, and where it comes from: both are OpenDP's, which is an extra."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from pamola_tasks.errors import OperationError

# OpenDP's search ends at a relative precision of about 1e-15, on either side of the bound.
SLACK = 1e-9


@attrs.frozen(eq=False)
class Calibrated:
    """A mechanism with its scale.

    Attributes:
        scale: Of Laplace noise the b, of Gaussian noise the standard deviation.
        epsilon: What OpenDP says that it costs; None where OpenDP was not needed.
        release: Adds noise from OpenDP's own generator to values; None where OpenDP was not needed.
    """

    scale: float
    epsilon: float | None
    release: Callable[[npt.NDArray[np.float64]], Sequence[float]] | None


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
            " pamola-ops-anonymize[dp]. No data was read"
        ) from error
    # OpenDP wants to be told that its contributed mechanisms are accepted: those for floats are among them.
    prelude.enable_features("contrib")
    return prelude


def laplace(sensitivity: float, epsilon: float, *, sampled_here: bool = False) -> Calibrated:
    """Laplace noise of scale sensitivity / epsilon.

    C. Dwork, F. McSherry, K. Nissim and A. Smith: Calibrating noise to sensitivity, TCC 2006.

    Args:
        sampled_here: Noise is taken from elsewhere, so that OpenDP is not needed.
    """
    scale = sensitivity / epsilon
    if sampled_here:
        return Calibrated(scale, None, None)
    dp = opendp()
    measurement = dp.m.make_laplace(_floats(dp), dp.l1_distance(T=float), scale=scale)
    return Calibrated(scale, _agreed(measurement.map(sensitivity), epsilon), measurement)


def gaussian(sensitivity: float, epsilon: float, delta: float) -> Calibrated:
    """Gaussian noise of the least standard deviation that OpenDP finds private enough.

    Through zero-concentrated differential privacy: M. Bun and T. Steinke, TCC 2016, with the conversion of
    C. Canonne, G. Kamath and T. Steinke: The discrete Gaussian for differential privacy, NeurIPS 2020. The analytic
    bound of B. Balle and Y.-X. Wang, ICML 2018, is up to a tenth below.
    """
    dp = opendp()
    space = _floats(dp), dp.l2_distance(T=float)

    def private(scale: float) -> Any:
        return dp.c.make_fix_delta(dp.c.make_zCDP_to_approxDP(dp.m.make_gaussian(*space, scale=scale)), delta)

    # Proposition 1.3 of Bun and Steinke gives a scale that is enough; however small epsilon, 0.4 / delta is needed.
    # Without bounds the search tries scales so small that their cost overflows.
    enough = sensitivity / (math.sqrt(2) * (math.sqrt(epsilon - math.log(delta)) - math.sqrt(-math.log(delta))))
    bounds = (min(enough / 4, 0.1 * sensitivity / delta), enough * 1.01)
    scale = float(dp.binary_search_param(private, d_in=sensitivity, d_out=(epsilon, delta), bounds=bounds))
    costs, _ = private(scale).map(sensitivity)
    return Calibrated(scale, _agreed(costs, epsilon), dp.m.make_gaussian(*space, scale=scale))


def _floats(dp: Any) -> Any:
    return dp.vector_domain(dp.atom_domain(T=float, nan=False))


def _agreed(costs: float, epsilon: float) -> float:
    """What OpenDP says a mechanism costs, once it is no more than was asked for."""
    if not math.isfinite(costs) or costs > epsilon * (1 + SLACK):
        raise OperationError(
            f"the noise was calibrated for epsilon {epsilon}, but OpenDP says that it costs {costs}: no data was read."
            f" This is a fault of the operation, please report it"
        )
    return costs
