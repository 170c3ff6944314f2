"""Downcoding: what the ends of intervals and the members of sets say of single records.

A. Cohen: Attacks on deidentification's defenses, USENIX Security 2022. Where cells are as tight as the values of a
class, each end is a value of the class and each member one, and an attacker refines cells by that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .attacked import AttackedTables
from .isolation import Stated
from .nearest import Alike
from .singling_out import Predicate, cell_values


def stated_ends(
    tables: AttackedTables, released: pd.DataFrame, names: Sequence[str], attempts: int, rng: np.random.Generator
) -> tuple[list[Predicate], list[Predicate]]:
    """Predicates: the cells of a class, and in one column an end of the interval, or a member of the set, alone.

    And for each the same with another value, drawn from those that the cell covers.

    Args:
        tables: The tables.
        released: The release.
        names: Its quasi-identifiers.
        attempts: How many predicates are drawn at most.
        rng: Draws them.
    """
    classes = Alike.of(tables.ids(names, "released"))
    found: list[tuple[int, int, int]] = []
    for place, name in enumerate(names):
        column = tables.columns[name]
        ends = Stated(column.domain)
        _, first = np.unique(column.cells.which, return_index=True)
        texts = dict(zip(column.cells.which[first].tolist(), released[name].iloc[first].tolist(), strict=True))
        codes: dict[int, list[int]] = {
            cell: [] if pd.isna(text) else ends.codes(str(text)) for cell, text in texts.items()
        }
        found += [
            (group, place, code) for group, cell in enumerate(classes.ids[place].tolist()) for code in codes[cell]
        ]
    chosen = rng.permutation(len(found))[:attempts]
    stated, drawn = [], []
    for group, place, code in (found[at] for at in chosen.tolist()):
        covered = cell_values(tables.columns[names[place]], int(classes.ids[place][group]))
        if tables.columns[names[place]].places is None:
            other = int(rng.choice(covered))
        else:
            other = int(rng.integers(covered[0], covered[1] + 1))
        stated.append(_predicate(tables, names, classes, group, place, code))
        drawn.append(_predicate(tables, names, classes, group, place, other))
    return stated, drawn


def _predicate(
    tables: AttackedTables, names: Sequence[str], classes: Alike, group: int, place: int, code: int
) -> Predicate:
    parts = []
    for at, name in enumerate(names):
        column = tables.columns[name]
        asked = cell_values(column, int(classes.ids[at][group]))
        if at == place:
            asked = (code,) if column.places is None else (code, code)
        parts.append((name, asked))
    return tuple(parts)
