"""Classes of a small table made better from several starts, where one search may end in a poor place.

Restarted local search: D. S. Johnson, C. H. Papadimitriou and M. Yannakakis, How easy is local search?, Journal of
Computer and System Sciences 37, 1988. Small tables need it most, as a record in the wrong class is a large part of
them, and it costs them least.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .conditions import Conditions
from .domains import Codes, Domain, Floats, Ints
from .generalization import generalize
from .hierarchies import Hierarchy
from .improving import SETS, improved
from .mondrian import partition

SMALL = 2_000
"""Units up to which several starts are tried."""

_ALONE = 100.0  # so many times what is lost by hierarchies, that hardly counts any more


def improved_from_starts(
    codes: Codes,
    classes: Ints,
    domains: Sequence[Domain],
    hierarchies: Sequence[Hierarchy],
    importance: Floats,
    conditions: Conditions,
    *,
    by_sets: bool = False,
) -> Ints:
    """What `improved` makes of these classes; of a small table the best that it makes of them or of classes by cuts.

    From each start, both losses count as usual, or the one that is published alone; and once more alone, from where
    that ended.

    Args:
        codes: As those of `improved`, like all that follow.
        classes: One start.
        domains: One a dimension.
        hierarchies: One a dimension.
        importance: Weight of each dimension's loss.
        conditions: What a class has to meet.
        by_sets: Whether the best is the one that loses least by ranges and sets; by labels otherwise.

    Returns:
        The class of each unit.
    """
    if codes.shape[1] > SMALL or (classes < 0).any():
        return improved(codes, classes, domains, hierarchies, importance, conditions)
    asked = None if conditions.only_k else conditions
    cut = partition(codes, conditions.weights, domains, conditions.k, importance=importance, conditions=asked)
    found: list[Ints] = []
    alone = _ALONE if by_sets else 0.0
    for start in (classes, cut):
        for sets in (SETS, alone):
            first = improved(codes, start, domains, hierarchies, importance, conditions, sets)
            found += [first, improved(codes, first, domains, hierarchies, importance, conditions, alone)]

    def lost(of: Ints) -> float:
        order = np.argsort(of, kind="stable")
        owner, count, total = of[order], int(of.max()) + 1, 0.0
        for row, domain, hierarchy, factor in zip(codes, domains, hierarchies, importance, strict=True):
            mine = row[order]
            loss = (
                generalize(domain, mine, owner, count).loss if by_sets else hierarchy.losses_of(mine, owner, count)[0]
            )
            total += float(factor) * float((loss[owner] * conditions.weights[order]).sum())
        return total

    return min(found, key=lost)
