"""The contract of privacy models: what the search for classes and the reports rely on. It needs pytest.

from pamola_ops_anonymize.testing import PrivacyModelContract


class TestCloseness(PrivacyModelContract):
    model = KLCloseness(bits=0.5)
"""

from __future__ import annotations

import pickle
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import pytest

from pamola_tasks.testing.contracts import Contract

from .domains import Ints
from .models import Histogram
from .privacy_models import Classes, PrivacyModel

if TYPE_CHECKING:
    from pamola_tasks.protocols import KernelView

CLASSES, VALUES = 40, 5


@attrs.frozen
class Table:
    """Classes of a random table with one sensitive attribute: records and records of the release, by class and value.

    Attributes:
        counts: Records, int64 of shape (classes, values), at least one in each class.
        released: For models of a population: how many of each class are released, int64.
    """

    counts: Ints
    released: Ints

    @classmethod
    def drawn(cls, seed: int) -> Table:
        """A table in which some classes are small, uniform or missing a value."""
        draw = np.random.default_rng(seed)
        counts = draw.integers(0, draw.integers(1, 9, (CLASSES, 1)) + 1, (CLASSES, VALUES))
        counts[::7] *= np.arange(VALUES) == 0
        counts[counts.sum(axis=1) == 0, 0] = 1
        return cls(counts.astype(np.int64), draw.integers(0, counts.sum(axis=1) + 1).astype(np.int64))

    def classes(self, model: PrivacyModel, groups: Ints) -> Classes:
        """Its classes as a model looks at them, those with one number in `groups` put together."""
        size = int(groups.max()) + 1
        counts = np.zeros((size, VALUES), dtype=np.int64)
        np.add.at(counts, groups, self.counts)
        sizes = counts.sum(axis=1)
        released = np.bincount(groups, weights=self.released, minlength=size).astype(np.int64)
        if not model.of_sensitive:
            return Classes(sizes, released=released if model.of_population else None)
        owner, value = np.nonzero(counts)
        share = counts.sum(axis=0) / counts.sum()
        return Classes(sizes, Histogram(owner, value, counts[owner, value], size, share), ordered=True)


class PrivacyModelContract(Contract):
    """What every privacy model promises.

    Attributes:
        model: The model, with parameters that some classes of a random table meet and others do not.
    """

    model: ClassVar[Any]

    @classmethod
    def cases(cls, kernel: KernelView, plugin: str) -> dict[str, dict[str, Any]]:
        """None: a model needs parameters."""
        return {}

    @pytest.fixture(params=range(3))
    def table(self, request: pytest.FixtureRequest) -> Table:
        """A random table."""
        return Table.drawn(request.param)

    @cached_property
    def alone(self) -> Ints:
        """Each class for itself."""
        return np.arange(CLASSES)

    def test_every_class_has_a_measure(self, table: Table) -> None:
        """`measure` gives a number for each class, none of them NaN, and `holds` a bool for each."""
        measured = self.model.measure(table.classes(self.model, self.alone))
        assert measured.shape == (CLASSES,)
        assert np.issubdtype(measured.dtype, np.floating), f"the measures are {measured.dtype}"
        assert not np.isnan(measured).any(), "a measure is NaN"
        holds = self.model.holds(measured)
        assert (holds.shape, holds.dtype) == ((CLASSES,), np.dtype(bool))

    def test_it_is_monotonic(self, table: Table) -> None:
        """Where it holds for two classes it holds for their union (Machanavajjhala et al. 2007)."""
        holds = self.model.holds(self.model.measure(table.classes(self.model, self.alone)))
        kept = np.flatnonzero(holds)
        for first, second in pairwise(kept):
            groups = self.alone.copy()
            groups[second] = first
            union = self.model.measure(table.classes(self.model, groups))
            assert self.model.holds(union)[first], f"it holds for classes {first} and {second}, not for both together"

    def test_the_order_of_classes_does_not_matter(self, table: Table) -> None:
        """Classes in another order have the same measures."""
        turned = Table(table.counts[::-1], table.released[::-1])
        straight = self.model.measure(table.classes(self.model, self.alone))
        assert np.allclose(self.model.measure(turned.classes(self.model, self.alone))[::-1], straight)

    def test_it_remembers_nothing(self, table: Table) -> None:
        """Measured again, after other classes, each class has the same measure."""
        once = self.model.measure(table.classes(self.model, self.alone))
        self.model.measure(Table.drawn(99).classes(self.model, self.alone))
        assert np.array_equal(self.model.measure(table.classes(self.model, self.alone)), once)

    def test_the_worst_class_decides(self, table: Table) -> None:
        """`kept` of the `worst` measure says whether all classes meet the model."""
        measured = self.model.measure(table.classes(self.model, self.alone))
        assert self.model.kept(self.model.worst(measured)) == bool(self.model.holds(measured).all())
        good = measured[self.model.holds(measured)]
        assert not len(good) or self.model.kept(self.model.worst(good)), "the best classes are not kept"

    def test_it_can_be_asked_for_in_words(self) -> None:
        """It has a name, words for people, and `claims` with a short name other than `k` and a number, or None."""
        assert self.model.name
        assert self.model.words().strip()
        claims = self.model.claims()
        if claims is not None:
            assert isinstance(claims[0], str)
            assert float(claims[1]) == claims[1]

    def test_it_can_be_sent_to_a_process(self, table: Table) -> None:
        """Pickled and loaded, it measures the same."""
        classes = table.classes(self.model, self.alone)
        loaded = pickle.loads(pickle.dumps(self.model))
        assert np.array_equal(loaded.measure(classes), self.model.measure(classes))
