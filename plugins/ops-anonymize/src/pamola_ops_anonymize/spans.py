"""Classes as ranges of codes: in the order of a hierarchy, the lowest and the highest determine their common label."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from .domains import Codes, Domain, Floats, Ints, Mask, OrderedDomain
from .hierarchies import Hierarchy

_MOST_PLACES = 500  # of which all pairs are looked up


@attrs.frozen(eq=False)
class Scale:
    """One dimension: the codes that occur, in the order of their hierarchy, so that a label covers a range of them.

    Attributes:
        codes: Place of each unit in that order; a missing value is the last.
        groups: Of the hierarchy, shape (levels, places).
        loss: Of the hierarchy, the same shape.
        positions: For numbers and dates where each place is between 0 and 1.
        by_label: What the common label of the lowest and the highest place loses, shape (places * places,); None where
            that would be too long.
        domain: Number of values of the whole column.
        factor: Weight of the dimension.
    """

    codes: Ints
    groups: Ints
    loss: Floats
    positions: Floats | None
    by_label: Floats | None
    domain: int
    factor: float

    @classmethod
    def of(cls, codes: Codes, domain: Domain, hierarchy: Hierarchy, factor: float) -> Scale:
        present = np.unique(codes[codes < domain.size]).astype(np.int64)
        ordered = isinstance(domain, OrderedDomain)
        order = present if ordered else present[_in_order(hierarchy.groups[:, present])]
        order = np.append(order, domain.size)
        place = np.zeros(domain.size + 1, dtype=np.int64)
        place[order] = np.arange(len(order))
        positions = domain.positions[order] if isinstance(domain, OrderedDomain) else None
        groups, loss = hierarchy.groups[:, order], hierarchy.loss[:, order]
        by_label = None
        if len(order) <= _MOST_PLACES:
            low, high = np.indices((len(order), len(order))).reshape(2, -1)
            by_label = factor * _loss_of_labels(groups, loss, low, high)
        return cls(place[codes], groups, loss, positions, by_label, domain.size, factor)

    @property
    def places(self) -> int:
        """Codes that occur, and one for a missing value."""
        return int(self.groups.shape[1])

    def losses(self, low: Ints, high: Ints, distinct: Ints) -> tuple[Floats, Floats]:
        """NCP-hier and NCP-set of groups from their lowest and highest place and the number of different ones."""
        if self.by_label is not None:
            by_label = self.by_label.take(low * self.places + high)
        else:
            by_label = self.factor * _loss_of_labels(self.groups, self.loss, low, high)
        if self.positions is not None:
            spread = self.positions[high] - self.positions[low]
        else:
            spread = (distinct - 1) / max(1, self.domain - 1)
        mixed = (high == self.places - 1) & (low < high)
        by_set = np.where(high == self.places - 1, mixed.astype(np.float64), spread)
        return by_label, self.factor * by_set


def _loss_of_labels(groups: Ints, loss: Floats, low: Ints, high: Ints) -> Floats:
    """What the lowest label loses that holds both places, and so all that are between them."""
    found: Floats = loss[-1][high]
    for group, of_group in zip(groups[-2::-1], loss[-2::-1], strict=True):
        found = np.where(group[low] == group[high], of_group[high], found)
    return found


def _in_order(groups: Ints) -> npt.NDArray[np.intp]:
    """Columns sorted so that those of one group stand together at every level, the first to occur first."""
    keys: list[npt.NDArray[Any]] = [np.arange(groups.shape[1])]
    for level in groups[1:]:
        _, first, which = np.unique(level, return_index=True, return_inverse=True)
        keys.append(first[which])
    return np.lexsort(keys)


@attrs.frozen(eq=False)
class Spans:
    """One dimension of all classes, and of the class of each unit without that unit.

    Attributes:
        low: Lowest place of each class.
        high: Highest place.
        distinct: Number of different ones.
        has: Shape (places, classes): whether the class has it.
        low_without: For each unit the lowest place of the others in its class.
        high_without: The highest.
        alone: For each unit whether no other in its class has its place.
    """

    low: Ints
    high: Ints
    distinct: Ints
    has: Mask
    low_without: Ints
    high_without: Ints
    alone: Mask

    @classmethod
    def of(cls, scale: Scale, classes: Ints, count: int) -> Spans:
        key = classes * scale.places + scale.codes
        order = np.argsort(key, kind="stable")
        code, ascending = scale.codes[order], key[order]
        start = np.searchsorted(ascending, np.arange(count) * scale.places)
        end = np.append(start[1:], len(order)) - 1
        new = np.append(True, ascending[1:] != ascending[:-1])
        alone = np.empty(len(order), dtype=bool)
        alone[order] = new & np.append(new[1:], True)
        at = np.empty(len(order), dtype=np.int64)
        at[order] = np.arange(len(order))
        low, high = code[start], code[end]
        following, before = code[np.minimum(start + 1, end)], code[np.maximum(end - 1, start)]
        has = np.zeros((scale.places, count), dtype=bool)
        has[scale.codes, classes] = True
        return cls(
            low=low,
            high=high,
            distinct=np.add.reduceat(new.astype(np.int64), start),
            has=has,
            low_without=np.where(at == start[classes], following[classes], low[classes]),
            high_without=np.where(at == end[classes], before[classes], high[classes]),
            alone=alone,
        )
