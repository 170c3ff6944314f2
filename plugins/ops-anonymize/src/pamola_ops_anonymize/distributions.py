"""How a column was distributed before, and how it is as published, value by value of its domain.

A published cell that covers several values counts as each of them with the same probability; a cell that is suppressed
(`*`) reveals no value.
"""

from __future__ import annotations

import attrs
import numpy as np

from .domains import Codes, Domain, Floats, Ints, Mask, OrderedDomain, distinct_keys
from .hierarchies import Hierarchy
from .notation import SUPPRESSED


@attrs.frozen(eq=False)
class Distribution:
    """One column.

    Attributes:
        domain: The column.
        before: Records by code, the missing value last, shape (size + 1,).
        after: The same as published; parts of records where a cell covers several values.
        untold: Published records whose cell is suppressed.
    """

    domain: Domain
    before: Ints
    after: Floats
    untold: float = 0.0


def of_ranges(domain: Domain, codes: Codes, owner: Ints, sizes: Ints) -> tuple[Floats, float]:
    """The distribution of intervals and sets: `after` and `untold` of a distribution.

    Args:
        domain: The column.
        codes: Code of each pair of class and combination.
        owner: Class of each pair, ascending, none of the classes without a pair.
        sizes: Published records of each class.
    """
    after = np.zeros(domain.size + 1)
    begin = np.searchsorted(owner, np.arange(len(sizes)))
    low, high = np.minimum.reduceat(codes, begin), np.maximum.reduceat(codes, begin)
    missing, mixed = low == domain.size, (low < domain.size) & (high == domain.size)
    after[-1] = float(sizes[missing].sum())
    whole = ~(missing | mixed)
    if isinstance(domain, OrderedDomain):
        after[:-1] = of_spans(domain, low[whole], high[whole], sizes[whole])
    else:
        width = domain.size + 1
        pairs = distinct_keys(owner * width + codes, len(sizes) * width)
        own, code = pairs // width, pairs % width
        each = np.where(whole, sizes / np.bincount(own, minlength=len(sizes)), 0.0)
        after[:-1] = np.bincount(code, weights=each[own], minlength=width)[:-1]
    return after, float(sizes[mixed].sum())


def of_spans(domain: Domain, low: Codes, high: Codes, sizes: Ints) -> Floats:
    """Records by code where each class means all codes from `low` to `high`, none of them missing."""
    each = sizes / (high - low + 1)
    steps = np.bincount(low, weights=each, minlength=domain.size + 1)
    steps -= np.bincount(high + 1, weights=each, minlength=domain.size + 1)
    spread: Floats = np.maximum(np.cumsum(steps[:-1]), 0.0)
    return spread


def of_labels(
    domain: Domain, hierarchy: Hierarchy, codes: Codes, owner: Ints, sizes: Ints, level: int | Ints | None
) -> tuple[Floats, float]:
    """The distribution of labels of a hierarchy; arguments as for `of_ranges`, and the level or that of each class."""
    levels, member = hierarchy.common(codes, owner, len(sizes))
    if level is not None:
        levels = np.full(len(sizes), level, dtype=np.int64)
    silent = hierarchy.hides(levels, member)
    after, untold = np.zeros(domain.size + 1), float(sizes[silent].sum())
    for each in np.unique(levels).tolist():
        names, of_code = hierarchy.labels[each], hierarchy.groups[each][:-1]
        here = (levels == each) & ~silent
        mass = np.bincount(hierarchy.groups[each][member[here]], weights=sizes[here], minlength=len(names) + 1)
        after[-1] += float(mass[len(names) :].sum())
        hidden = np.array([name == SUPPRESSED for name in names], dtype=bool)
        untold += float(mass[: len(names)][hidden].sum())
        told = np.where(hidden, 0.0, mass[: len(names)])
        after[:-1] += (told / np.maximum(np.bincount(of_code, minlength=len(names))[: len(names)], 1))[of_code]
    return after, untold


def of_representatives(
    domain: Domain, codes: Codes, chosen: Ints, owner: Ints, sizes: Ints, hidden: Mask
) -> tuple[Floats, float]:
    """The distribution of representatives; arguments as for `of_ranges`, the code of each class, and which are `*`."""
    begin = np.searchsorted(owner, np.arange(len(sizes)))
    low, high = np.minimum.reduceat(codes, begin), np.maximum.reduceat(codes, begin)
    mixed = ((low < domain.size) & (high == domain.size)) | hidden
    after = np.zeros(domain.size + 1)
    np.add.at(after, chosen, np.where(mixed, 0, sizes))
    return after, float(sizes[mixed].sum())
