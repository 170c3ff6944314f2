"""The privacy models of the pack pass the contract of models."""

from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from pamola_ops_anonymize import privacy_models as models
from pamola_ops_anonymize.testing import PrivacyModelContract, Table


class TestKAnonymity(PrivacyModelContract):
    model = models.KAnonymity(k=5)


class TestDeltaPresence(PrivacyModelContract):
    model = models.DeltaPresence(delta_max=0.7)


class TestLDiversity(PrivacyModelContract):
    model = models.LDiversity(l=3)


class TestEntropy(PrivacyModelContract):
    model = models.LDiversity(l=2, diversity="entropy")


class TestTCloseness(PrivacyModelContract):
    model = models.TCloseness(t=0.3)


class Planted(PrivacyModelContract):
    """A model with a fault."""

    def broken(self, test: str) -> None:
        with pytest.raises(AssertionError):
            getattr(self, test)(*([Table.drawn(0)] if test != "test_it_can_be_asked_for_in_words" else []))


@attrs.frozen
class AtMost(models.KAnonymity):
    """Not monotonic."""

    def holds(self, measured: Any) -> Any:
        return np.asarray(measured <= self.k)


@attrs.frozen
class Rounded(models.KAnonymity):
    """Measures that are no floats."""

    def measure(self, classes: Any) -> Any:
        return classes.sizes


@attrs.frozen
class ByPlace(models.KAnonymity):
    """A measure by the place of a class."""

    def measure(self, classes: Any) -> Any:
        return classes.sizes + np.arange(len(classes.sizes), dtype=float)


@attrs.frozen
class Backwards(models.KAnonymity):
    """The worst class is the best."""

    less_is_better: ClassVar[bool] = True


class Grows(models.KMap):
    """Counts how often it was asked."""

    asked = 0

    def measure(self, classes: Any) -> Any:
        type(self).asked += 1
        return classes.sizes.astype(float) + self.asked


@pytest.mark.parametrize(
    ("model", "test"),
    [
        (AtMost(k=9), "test_it_is_monotonic"),
        (Rounded(k=5), "test_every_class_has_a_measure"),
        (ByPlace(k=5), "test_the_order_of_classes_does_not_matter"),
        (Backwards(k=5), "test_the_worst_class_decides"),
        (Grows(k=5), "test_it_remembers_nothing"),
    ],
    ids=lambda each: getattr(each, "name", each),
)
def test_a_planted_fault_is_caught_by_name(model: Any, test: str) -> None:
    """Each by the test that says what is wrong."""
    contract = type("Contract", (Planted,), {"model": model})()
    contract.broken(test)
