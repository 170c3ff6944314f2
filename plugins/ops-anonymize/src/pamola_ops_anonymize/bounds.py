"""Cells that do not single records out: no end of an interval, and no member of a set, is one record's in its class.

A tight cell ends at the values of records of its class, and its members are those of the class: who reads it knows
values that the class has, often only once (A. Cohen and K. Nissim: Towards formalizing the GDPR's notion of singling
out, PNAS 117(15), 2020). Here intervals are rounded out to bounds that the whole column has in common, rare extremes
are coded at the bottom and top, and a category that one record has alone in its class is not named.
"""

from __future__ import annotations

import numpy as np

from .distributions import of_labels, of_ranges, of_spans
from .domains import Codes, Domain, Floats, Ints, OrderedDomain
from .generalization import MISSING, GeneralizedColumn, generalize, labelled
from .grids import PARTS, Grid
from .held import Held
from .hierarchies import Hierarchy
from .isolation import Stated
from .notation import SUPPRESSED

Told = tuple[Floats, float]


def rounded(
    domain: Domain, codes: Codes, owner: Ints, sizes: Ints, held: Held, k: int, hierarchy: Hierarchy | None
) -> tuple[GeneralizedColumn, Told]:
    """Intervals between bounds of the whole column, and sets of which no member is had by one record alone.

    Where all of a class have one value, that is published: k records share it.

    Args:
        domain: The column.
        codes: Code of each pair of class and combination.
        owner: Class of each pair, ascending, none of the classes without a pair.
        sizes: Published records of each class.
        held: Who has the values.
        k: How many have to have a value, or an open end, in all.
        hierarchy: A stated one, whose label is written for a set that has to be hidden; `*` without one.

    Returns:
        The column, and the distribution of its values: `after` and `untold`.
    """
    if isinstance(domain, OrderedDomain):
        return _intervals(domain, codes, owner, sizes, held, k)
    return _sets(domain, codes, owner, sizes, held, k, hierarchy)


def _intervals(
    domain: OrderedDomain, codes: Codes, owner: Ints, sizes: Ints, held: Held, k: int
) -> tuple[GeneralizedColumn, Told]:
    count = len(sizes)
    start = np.searchsorted(owner, np.arange(count))
    low = np.minimum.reduceat(codes, start).astype(np.int64)
    high = np.maximum.reduceat(codes, start).astype(np.int64)
    missing, alone = low == domain.size, low == high
    shares = held.shares[:-1]
    grid = Grid.of(domain, shares, max(k, float(shares.sum()) / PARTS))
    several = np.flatnonzero(~alone & (high < domain.size))
    first, last = grid.part_of(low[several]), grid.part_of(high[several])
    # an end that one record alone has is not published: the next bound is nobody's
    first -= grid.attained[first] & (held.count(several, grid.begin[first]) == 1)
    end = np.minimum(last + 1, grid.parts - 1)
    last += (last < end) & grid.reached[end] & (held.count(several, grid.begin[end] - 1) == 1)
    whole = (first == 0) & (last == grid.parts - 1)

    labels = [SUPPRESSED]
    of_class = np.where(missing, MISSING, 0)
    single = np.flatnonzero(alone & ~missing)
    distinct, which = np.unique(low[single], return_inverse=True)
    of_class[single] = which + len(labels)
    labels.extend(domain.texts(distinct))
    pairs, which = np.unique((first * grid.parts + last)[~whole], return_inverse=True)
    of_class[several[~whole]] = which + len(labels)
    labels.extend(grid.text(pair // grid.parts, pair % grid.parts) for pair in pairs.tolist())

    loss = np.where(alone, 0.0, 1.0)
    loss[several] = np.where(whole, 1.0, grid.positions[last + 1] - grid.positions[first])
    low[several], high[several] = grid.begin[first], np.append(grid.begin, domain.size)[last + 1] - 1
    shown = ~missing & (of_class > 0)
    after = np.append(of_spans(domain, low[shown], high[shown], sizes[shown]), float(sizes[missing].sum()))
    return GeneralizedColumn(labels, of_class, loss), (after, float(sizes[of_class == 0].sum()))


def _sets(
    domain: Domain, codes: Codes, owner: Ints, sizes: Ints, held: Held, k: int, hierarchy: Hierarchy | None
) -> tuple[GeneralizedColumn, Told]:
    count = len(sizes)
    single_out = (held.count(owner, codes.astype(np.int64)) == 1) | (held.everywhere[codes] < k)
    start = np.searchsorted(owner, np.arange(count))
    several = np.minimum.reduceat(codes, start) != np.maximum.reduceat(codes, start)
    hidden = np.zeros(count, dtype=bool)
    hidden[owner[single_out]] = True
    hidden &= several
    named, told = generalize(domain, codes, owner, count), of_ranges(domain, codes, owner, sizes)
    if not hidden.any():
        return named, told
    kept = np.where(hidden, 0, sizes)
    after, untold = of_ranges(domain, codes, owner, kept)
    labels, of_class, loss = [*named.labels], named.of_class.copy(), named.loss.copy()
    if hierarchy is None:
        of_class[hidden] = len(labels)
        labels.append(SUPPRESSED)
        loss[hidden] = 1.0
        return GeneralizedColumn(labels, of_class, loss), (after, untold + float(sizes[hidden].sum()))
    inside = hidden[owner]
    number = np.cumsum(hidden) - 1
    own, part = number[owner[inside]], codes[inside]
    levels, member = hierarchy.common(part.astype(np.int64), own, int(hidden.sum()))
    general = labelled(hierarchy, part, own, int(hidden.sum()))
    of_class[hidden] = np.where(general.of_class == MISSING, MISSING, general.of_class + len(labels))
    labels.extend(general.labels)
    loss[hidden] = _values_under(hierarchy, levels, member, domain.size)
    more, silent = of_labels(domain, hierarchy, part, own, sizes[hidden], None)
    return GeneralizedColumn(labels, of_class, loss), (after + more, untold + silent)


def _values_under(hierarchy: Hierarchy, levels: Ints, member: Ints, size: int) -> Floats:
    """What labels lose as sets: the part of the column's values that is under them."""
    # a hierarchy may have groups of values that the column lacks
    under = np.array(
        [np.bincount(groups[:size], minlength=int(groups.max()) + 1)[groups] for groups in hierarchy.groups]
    )
    found: Floats = (under[levels, member] - 1) / max(1, size - 1)
    return np.where(hierarchy.hides(levels, member) | (member == hierarchy.missing), 1.0, found)


def climbed(hierarchy: Hierarchy, domain: Domain, codes: Codes, owner: Ints, count: int, held: Held) -> Ints:
    """The lowest level of each class at which its label states no value that one record of the class alone has."""
    levels, member = hierarchy.common(codes.astype(np.int64), owner, count)
    stated = Stated(domain)
    for level in range(1, hierarchy.levels - 1):
        here = np.flatnonzero(levels == level)
        used, which = np.unique(hierarchy.groups[level][member[here]], return_inverse=True)
        texts = hierarchy.labels[level]
        of_used = [stated.codes(texts[group]) if group < len(texts) else [] for group in used.tolist()]
        for place in range(max(map(len, of_used), default=0)):
            code = np.array([codes[place] if place < len(codes) else -1 for codes in of_used])[which]
            levels[here[(code >= 0) & (held.count(here, np.maximum(code, 0)) == 1)]] = level + 1
    return levels
