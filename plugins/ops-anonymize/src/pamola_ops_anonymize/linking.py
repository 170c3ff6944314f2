"""Attacks by the nearest released record: linkability, inference of a value, membership, and closest records.

M. Giomi, F. Boenisch, C. Wehmeyer and B. Tasnádi: A unified framework for quantifying privacy risk in synthetic data,
PoPETs 2023(2): linkability and inference. M. Platzer and T. Reutterer: Holdout-based empirical assessment of mixed-type
synthetic data, Frontiers in Big Data 4, 2021: distances to the closest record and their ratio. D. Chen, N. Yu,
Y. Zhang and M. Fritz: GAN-Leaks, CCS 2020: membership by the distance to the closest record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .attacked import AttackedTables
from .domains import Floats, Ints, Mask
from .nearest import Alike, nearest_distances, nearest_record

TOLERANCE = 0.05
"""Of numbers, how far a guess may be from the value, as a part of the guess."""


def linked(
    tables: AttackedTables, known: Sequence[Sequence[str]], targets: Ints, side: str, rng: np.random.Generator
) -> int:
    """Of how many persons the nearest record in one set of columns is the nearest in the other.

    Args:
        tables: The tables.
        known: The columns of one attacker, and of the other.
        targets: A record of each person.
        side: Of which table.
        rng: Chooses among several nearest records.
    """
    one, other = (
        nearest_record(tables, names, targets, side, Alike.of(tables.ids(names, "released")), rng) for names in known
    )
    return int((one == other).sum())


def linked_at_random(attempts: int, records: int, rng: np.random.Generator) -> int:
    """The same of two records at random."""
    return int((rng.integers(records, size=attempts) == rng.integers(records, size=attempts)).sum())


def inferred(
    tables: AttackedTables, known: Sequence[str], secret: str, targets: Ints, side: str, rng: np.random.Generator
) -> int:
    """Of how many persons the nearest record has their value.

    Args:
        tables: The tables.
        known: The columns that the attacker knows.
        secret: The column of the value.
        targets: A record of each person.
        side: Of which table.
        rng: Chooses among several nearest records, and among the values that a cell covers.
    """
    guessed = nearest_record(tables, known, targets, side, Alike.of(tables.ids(known, "released")), rng)
    return int(_right(tables, secret, guessed, targets, side, rng).sum())


def inferred_at_random(tables: AttackedTables, secret: str, targets: Ints, rng: np.random.Generator) -> int:
    """The same of a released record at random."""
    guessed = rng.integers(tables.records, size=len(targets))
    return int(_right(tables, secret, guessed, targets, "original", rng).sum())


def _right(
    tables: AttackedTables, secret: str, guessed: Ints, targets: Ints, side: str, rng: np.random.Generator
) -> Mask:
    """Whether the values of released records are those of persons, numbers within `TOLERANCE`."""
    column = tables.columns[secret]
    cell = column.cells.which[guessed]
    true = column.original[targets] if side == "original" else column.control[targets]
    low, high = column.cells.low[cell], column.cells.high[cell]
    numbers = column.numbers
    if numbers is None:
        if column.places is not None:
            return np.asarray(rng.integers(low, high + 1) == true)
        return np.asarray(column.cells.codes[rng.integers(low, high)] == true)
    values = np.append(numbers, np.nan)
    guess = (values[low] + values[high]) / 2
    with np.errstate(invalid="ignore"):
        close = np.abs(guess - values[true]) <= TOLERANCE * np.abs(guess)
    missing = column.domain.size
    return np.asarray(close | ((low == missing) & (true == missing)))


def membership(
    tables: AttackedTables, names: Sequence[str], members: Ints, others: Ints, rng: np.random.Generator
) -> tuple[int, int, float]:
    """Who of as many members as others is taken for a member: the half that is nearest to a released record.

    Returns:
        Members among them, others among them, and the probability that a member is nearer than another (the area under
        the curve of the attack; 0.5 is chance).
    """
    among = Alike.of(tables.ids(names, "released"))
    mine, _ = nearest_distances(tables, names, members, "original", among)
    theirs, _ = nearest_distances(tables, names, others, "control", among)
    both = np.round(np.append(mine, theirs), 9)
    order = np.lexsort((rng.random(len(both)), both))
    taken = order[: len(both) // 2]
    values, which = np.unique(both, return_inverse=True)
    count = np.bincount(which[len(mine) :], minlength=len(values))
    farther = count[::-1].cumsum()[::-1] - count / 2
    area = float(farther[which[: len(mine)]].sum() / (len(mine) * len(theirs)))
    return int((taken < len(mine)).sum()), int((taken >= len(mine)).sum()), area


def closest(
    tables: AttackedTables, names: Sequence[str], released: Ints, originals: Ints, control: Ints
) -> tuple[dict[str, Any], Mask, Mask]:
    """How near released records are to the original, and to a control where there is one.

    Args:
        tables: The tables.
        names: The columns.
        released: Released records.
        originals: Records of the original to compare with, as many as of the control where there is one.
        control: Records of the control.

    Returns:
        Figures, and for each released record whether one of the original is nearer, and whether one of the control is.
    """
    told: dict[str, Any] = {}
    found: dict[str, Floats] = {}
    for side, records in (("original", originals), ("control", control)):
        if not len(records):
            continue
        among = Alike.of([ids[records] for ids in tables.ids(names, side)])
        first, second = nearest_distances(tables, names, released, "released", among)
        found[side] = first
        ratio = np.where(second > 0, first / np.where(second > 0, second, 1.0), 1.0)
        told[side] = {
            "dcr_5_percent": float(np.quantile(first, 0.05)),
            "dcr_median": float(np.median(first)),
            "dcr_zero": float((first < 1e-9).mean()),
            "nndr_5_percent": float(np.quantile(ratio, 0.05)),
            "nndr_median": float(np.median(ratio)),
        }
    if len(found) < 2:
        nothing = np.zeros(len(released), dtype=bool)
        return told, nothing, nothing
    apart = found["control"] - found["original"]
    return told, apart > 1e-9, apart < -1e-9
