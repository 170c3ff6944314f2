"""Privacy models asked about classes: what they answer is checked, and what goes wrong in them has their name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from pamola_tasks.errors import DataRefused, OperationError

from .domains import Floats, Mask
from .privacy_models import Classes, PrivacyModel


def met_by(model: PrivacyModel, classes: Classes) -> Mask:
    """For each class whether it meets the model.

    Raises:
        DataRefused: The model's measures or its verdicts are not one for each class.
        OperationError: The model failed.
    """
    measured = measure(model, classes)
    with _named(model, "holds"):
        held = model.holds(measured)
    _check(model, "holds", held, measured.shape, "b", "bool values")
    return held


def measure(model: PrivacyModel, classes: Classes) -> Floats:
    """The model's measure of each class.

    Raises:
        DataRefused: These are not numbers, one for each class.
        OperationError: The model failed.
    """
    with _named(model, "measure"):
        found = model.measure(classes)
    _check(model, "measure", found, classes.sizes.shape, "fiu", "numbers")
    found = found.astype(np.float64, copy=False)
    if np.isnan(found).any():
        raise DataRefused(f"the privacy model {model.name!r} is refused: measure gave NaN for some classes")
    return found


def worst_of(model: PrivacyModel, measured: Floats) -> float:
    """The measure of the class that gives most away.

    Raises:
        DataRefused: It is NaN.
        OperationError: The model failed.
    """
    with _named(model, "worst"):
        worst = float(model.worst(measured))
    if np.isnan(worst):
        raise DataRefused(f"the privacy model {model.name!r} is refused: worst gave NaN")
    return worst


def keeps(model: PrivacyModel, worst: float) -> bool:
    """Whether the worst measure meets the model.

    Raises:
        OperationError: The model failed.
    """
    with _named(model, "kept"):
        return bool(model.kept(worst))


@contextlib.contextmanager
def _named(model: PrivacyModel, method: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise OperationError(f"the privacy model {model.name!r} failed in {method}: {said}") from error


def _check(model: PrivacyModel, method: str, found: Any, shape: tuple[int, ...], kinds: str, what: str) -> None:
    if isinstance(found, np.ndarray) and found.dtype.kind in kinds and found.shape == shape:
        return
    given = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
    raise DataRefused(
        f"the privacy model {model.name!r} is refused: {method} must give {what} of shape {shape}, one for each"
        f" class, not {given}"
    )
