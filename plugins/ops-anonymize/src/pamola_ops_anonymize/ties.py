"""Chance in the search for classes, so that a class does not show what its sensitive values forbade.

A search that is known, and makes the smallest classes that meet l, t or δ, shows by a larger class that smaller ones
did not meet them: an attacker with everyone's quasi-identifiers can exclude values (R. C.-W. Wong, A. W.-C. Fu,
K. Wang and J. Pei: Minimality attack in privacy preserving data publishing, VLDB 2007). Here a larger class may also
be by chance: whatever a violation leads to, the system's randomness leads to with some probability, so that every way
to give a class's values to its people remains possible.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Literal

import numpy as np

from .domains import Floats, Ints, Mask

Ties = Literal["random", "fixed"]

_STOP = 0.25
_MERGE = 0.15
_FEWER = 0.4  # classes join by chance in each round of merging than in the one before
_NEAR = 1.5

Costs = Callable[[int], Floats]

_source: ContextVar[Callable[[int], bytes]] = ContextVar("source", default=os.urandom)


@contextlib.contextmanager
def in_a_trial(seed: int = 0) -> Iterator[None]:
    """Inside, the same numbers are drawn each time, so that figures are the same again; nothing of it is released."""
    before = _source.set(np.random.default_rng(seed).bytes)
    try:
        yield
    finally:
        _source.reset(before)


def drawn(*shape: int) -> Floats:
    """Numbers between 0 and 1, none of them 0, from the system's randomness, unless in a trial."""
    count = int(np.prod(shape))
    found = np.frombuffer(_source.get()(8 * count), dtype=np.uint64) >> np.uint64(11)
    return np.asarray((found.reshape(shape) + 1) / 2.0**53)


def rarely(sizes: Ints, k: int) -> Floats:
    """1 for what can just be divided into two classes of k, and half as much for each 2k more."""
    return np.exp2(-np.maximum(0.0, sizes / max(1, k) - 2) / 2)


def stops(sizes: Ints, k: int) -> Mask:
    """Which parts of a table of these sizes are not divided further, though they could be."""
    return drawn(len(sizes)) <= _STOP * rarely(sizes, k)


def nearly_least(losses: Floats, sizes: Ints, k: int) -> Ints:
    """For each column a row of about the least loss, infinite ones excepted; of small parts of a table any row.

    Args:
        losses: Shape (choices, parts).
        sizes: Of the parts.
        k: Least size of a class.
    """
    finite = np.isfinite(losses)
    least = np.min(losses, axis=0, initial=np.inf)
    spread = np.max(np.where(finite, losses, -np.inf), axis=0, initial=-np.inf) - least
    spread = np.where(finite.any(axis=0) & (spread > 0), spread, 1.0)
    noise = -np.log(drawn(*losses.shape)) * spread * _NEAR * rarely(sizes, k)
    return np.asarray(np.argmin(np.where(finite, losses + noise, np.inf), axis=0))


def skipped() -> bool:
    """Whether a choice that would do is left out."""
    return bool(drawn(1)[0] <= _STOP)


def merged(
    classes: Ints, violating: Callable[[Ints, int], Mask], costs: Callable[[Ints, int], Costs], *, at_random: bool
) -> Ints:
    """Let each class that violates what is asked join the one that costs least, round by round, until none is left.

    Args:
        classes: The class of each unit.
        violating: Given classes and how many there are, which of them violate.
        costs: Given the same, what gives for a class the cost of joining each of the others, infinite for none.
        at_random: Whether other classes join by chance, too.
    """
    chance = _MERGE
    while True:
        _, inverse = np.unique(classes, return_inverse=True)
        classes = inverse.astype(np.int64)
        count = int(classes.max(initial=-1)) + 1
        bad = violating(classes, count)
        if count == 1 or not (bad.any() or (at_random and drawn(1)[0] <= 0.5)):
            return classes
        joining = np.flatnonzero(bad)
        if at_random:
            joining = np.flatnonzero(bad | (drawn(count) <= chance))
            chance *= _FEWER
            joining = joining[np.argsort(drawn(len(joining)))]
        cost = costs(classes, count)
        target = np.arange(count)
        touched = np.zeros(count, dtype=bool)
        for each in joining.tolist():
            if touched[each]:
                continue
            of_each = cost(each)
            of_each[touched] = np.inf
            of_each[each] = np.inf
            nearest = int(np.argmin(of_each))
            if np.isfinite(of_each[nearest]):
                target[each] = nearest
                touched[[each, nearest]] = True
        classes = target[classes]
