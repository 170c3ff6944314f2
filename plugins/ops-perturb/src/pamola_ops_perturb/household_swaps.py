"""Targeted record swapping of households: which are at risk, and which are swapped with which."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from .columns import Floats, Ints, Mask

_ROUNDS = 40
UNTIL_LAST = np.iinfo(np.int64).max


@attrs.frozen(eq=False)
class Households:
    """The households of a table.

    Attributes:
        areas: For each level of the hierarchy, from the highest, the area of each household: int64 of shape
            (levels, households); areas of a level are parts of those above.
        risk: The greatest risk of a member, by default 1 over the number of records like it in the area, of the same
            shape, 0 or more. It weighs how probable a household is chosen, and one whose risk is 0 is not chosen.
        profiles: For each similarity profile what a household is by it, int64 of shape (profiles, households).
    """

    areas: Ints
    risk: Floats
    profiles: Ints

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.areas.shape[1])

    def level_of_risk(self, threshold: float) -> Ints:
        """The highest level at which the risk of a household is above a threshold; `UNTIL_LAST` where none is."""
        risky = self.risk > threshold
        return np.where(risky.any(axis=0), risky.argmax(axis=0), UNTIL_LAST).astype(np.int64)


def swap(households: Households, threshold: float, swaprate: float, rng: np.random.Generator) -> Ints:
    """Whom each household is swapped with, itself where it is not.

    From the highest level down, households at risk there are swapped with others of another area of the level; at the
    lowest level, further ones until the swap rate is reached. The first profile that finds a partner decides. The more
    at risk a household is, the more probable it becomes one.

    Args:
        households: The households.
        threshold: Households whose risk in an area is above it are at risk there.
        swaprate: Which part of the households is swapped at least, 0 to 1, where partners are found.
        rng: Draws order and partners.

    Returns:
        int64 of shape (households,): a permutation that is its own inverse.
    """
    partner = np.arange(households.count, dtype=np.int64)
    swapped: Mask = np.zeros(households.count, dtype=bool)
    at_risk = households.level_of_risk(threshold)
    wanted = _swaps_by_area(households.areas[-1], swaprate, rng) if households.count else np.zeros(0, dtype=np.int64)
    last = len(households.areas) - 1
    for level, area in enumerate(households.areas):
        risk = households.risk[level]
        drawn = rng.exponential(size=households.count)
        priority = np.divide(drawn, risk, out=np.full(households.count, np.inf), where=risk > 0)
        needy = np.flatnonzero((at_risk == level) & ~swapped)
        _match(needy, area, households.profiles, priority, partner, swapped, rng)
        if level == last:
            more = _more(area, wanted, swapped, priority, rng)
            _match(more, area, households.profiles, priority, partner, swapped, rng, among_others=True)
    return partner


def _swaps_by_area(area: Ints, swaprate: float, rng: np.random.Generator) -> Ints:
    """How many swaps begin in each area of the lowest level: in proportion to its households; each swaps two."""
    total = len(area) * swaprate / 2
    total = int(np.floor(total) + (rng.random() < total - np.floor(total)))
    exact = np.bincount(area) / len(area) * total
    whole = np.floor(exact).astype(np.int64)
    left = total - int(whole.sum())
    raised = rng.choice(len(exact), size=left, replace=False) if left else np.zeros(0, dtype=np.int64)
    whole[raised] += 1
    return whole


def _more(area: Ints, wanted: Ints, swapped: Mask, priority: Floats, rng: np.random.Generator) -> Ints:
    """Further households to swap, in each area until as many swaps as wanted have begun."""
    short = np.maximum(0, wanted - np.bincount(area[swapped], minlength=len(wanted)) // 2)
    open_ = np.flatnonzero(~swapped & np.isfinite(priority))
    order = open_[np.lexsort((priority[open_], area[open_]))]
    start = np.searchsorted(area[order], np.arange(len(wanted)))
    rank = np.arange(len(order)) - start[area[order]]
    more = order[rank < short[area[order]]]
    left = max(0, int(wanted.sum()) - int(swapped.sum()) // 2)
    return more if len(more) <= left else np.sort(rng.choice(more, left, replace=False))


def _match(
    needy: Ints,
    area: Ints,
    profiles: Sequence[Ints] | Ints,
    priority: Floats,
    partner: Ints,
    swapped: Mask,
    rng: np.random.Generator,
    *,
    among_others: bool = False,
) -> None:
    """Find partners for households, in other areas: in rounds for all at once, then one by one for those left over.

    With `among_others`, none of them is a partner of another of them.
    """
    allowed = np.isfinite(priority)
    if among_others:
        allowed[needy] = False
    for profile in profiles:
        needy = needy[~swapped[needy]]
        pool = np.flatnonzero(~swapped & allowed)
        pool = pool[np.lexsort((priority[pool], profile[pool]))]
        for number in range(_ROUNDS):
            pool, needy = pool[~swapped[pool]], needy[~swapped[needy]]
            needy = needy[_possible(profile, area, pool, needy)] if len(needy) else needy
            if not len(needy):
                break
            if not _round(needy, pool, profile, area, partner, swapped, rng, first=number == 0) and number > 3:
                break
        for household in needy[~swapped[needy]]:
            if swapped[household]:
                continue
            kind = profile[pool]
            there = pool[np.searchsorted(kind, profile[household]) : np.searchsorted(kind, profile[household], "right")]
            there = there[~swapped[there] & (area[there] != area[household])]
            if len(there):
                _pair(household, there[0], partner, swapped)


def _possible(profile: Ints, area: Ints, pool: Ints, needy: Ints) -> Mask:
    """Which households have a partner left: one of their profile in another area."""
    lowest, highest = (np.full(int(profile.max()) + 1, fill) for fill in (UNTIL_LAST, -1))
    np.minimum.at(lowest, profile[pool], area[pool])
    np.maximum.at(highest, profile[pool], area[pool])
    kind, where = profile[needy], area[needy]
    return np.asarray((highest[kind] >= 0) & ((lowest[kind] != where) | (highest[kind] != where)))


def _round(
    needy: Ints,
    pool: Ints,
    profile: Ints,
    area: Ints,
    partner: Ints,
    swapped: Mask,
    rng: np.random.Generator,
    *,
    first: bool,
) -> int:
    """Propose a partner of the same profile to each household, and keep the proposals that exclude no other.

    Returns:
        How many were kept.
    """
    order = rng.permutation(len(needy))
    needy = needy[order][np.argsort(profile[needy[order]], kind="stable")]
    kinds, pool_kinds = profile[needy], profile[pool]
    start = np.searchsorted(pool_kinds, kinds)
    size = np.searchsorted(pool_kinds, kinds, side="right") - start
    rank = np.arange(len(needy)) - np.searchsorted(kinds, kinds)
    shift = 0 if first else int(rng.integers(len(pool)))
    other = pool[start + (rank + shift) % size]
    fits = area[other] != area[needy]
    needy, other = needy[fits], other[fits]
    turn = rng.permutation(len(needy))
    earliest = np.full(len(partner), len(needy))
    np.minimum.at(earliest, needy, turn)
    np.minimum.at(earliest, other, turn)
    kept = (earliest[needy] == turn) & (earliest[other] == turn)
    _pair(needy[kept], other[kept], partner, swapped)
    return int(kept.sum())


def _pair(one: Ints, other: Ints, partner: Ints, swapped: Mask) -> None:
    partner[one], partner[other] = other, one
    swapped[one] = swapped[other] = True
