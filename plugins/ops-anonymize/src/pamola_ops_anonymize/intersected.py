"""What published tables of the same persons reveal together, from the tables alone.

The attacker knows a person's quasi-identifiers and that the person is in all of them. The records whose cells cover
these are the ones that can be the person's; a sensitive value that no such record of one of the tables has is
impossible. S. R. Ganta, S. P. Kasiviswanathan and A. Smith: Composition attacks and auxiliary information in data
privacy, KDD 2008. The register of releases, which knows the persons' classes, also finds what follows by subtraction.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import pandas as pd

from .attacked import AttackedTables
from .domains import Ints
from .nearest import Alike, block_size


@attrs.frozen(eq=False)
class Together:
    """What follows of persons from several releases.

    Attributes:
        disclosed: Of how many persons a value of each sensitive attribute follows that is true, from all together and
            from none alone.
        persons: Of how many of any attribute.
        below_k: Of how many persons fewer than k records are left.
    """

    disclosed: dict[str, int]
    persons: int
    below_k: int


def together(
    releases: Sequence[AttackedTables], known: Sequence[str], sensitive: Sequence[str], targets: Ints, side: str, k: int
) -> Together:
    """Compare releases about some persons.

    Args:
        releases: The tables of the attack, with each release, two or more; the original and the control are the same.
        known: The quasi-identifiers.
        sensitive: The sensitive attributes.
        targets: A record of each person.
        side: Of which table, `original` or `control`.
        k: Below how many records a person counts in `below_k`: those that cover the person's quasi-identifiers, counted
            for each combination of sensitive values in the release that has fewest.
    """
    values = [{name: _values(tables, name) for name in sensitive} for tables in releases]
    coded = [np.array(list(of_release.values())).reshape(len(sensitive), -1) for of_release in values]
    combined = pd.factorize(pd.MultiIndex.from_arrays(list(np.hstack(coded))))[0] if sensitive else np.zeros(0)
    sizes = [tables.records for tables in releases]
    joint = [np.zeros(size, dtype=np.int64) for size in sizes]
    if sensitive:
        joint = np.split(combined.astype(np.int64), np.cumsum(sizes)[:-1].tolist())
    disclosed, below, persons = dict.fromkeys(sensitive, 0), 0, 0
    all_releases = zip(*(_covering(tables, known, targets, side) for tables in releases), strict=True)
    for target, records in zip(targets.tolist(), all_releases, strict=True):
        below += _least_together([of[at] for of, at in zip(joint, records, strict=True)]) < k
        told = False
        for name in sensitive:
            each = [np.unique(of[name][at]) for of, at in zip(values, records, strict=True)]
            left = functools.reduce(np.intersect1d, each)
            column = releases[0].columns[name]
            true = (column.original if side == "original" else column.control)[target]
            if min(map(len, each)) > 1 and len(left) == 1 and left[0] == true:
                disclosed[name] += 1
                told = True
        persons += told
    return Together(disclosed, persons, below)


def _least_together(records: Sequence[Ints]) -> int:
    """How many records are left: of each combination of values those of the release that has fewest with it."""
    counted = [pd.Series(each).value_counts() for each in records]
    return int(pd.concat(counted, axis=1, join="inner").min(axis=1).sum())


def _values(tables: AttackedTables, name: str) -> Ints:
    """The value of each released record, -1 for a cell that covers several."""
    column = tables.columns[name]
    cells = column.cells
    if column.places is not None:
        return np.where(cells.low == cells.high, cells.low, -1)[cells.which]
    return np.where(cells.high - cells.low == 1, cells.codes[cells.low], -1)[cells.which]


def _covering(tables: AttackedTables, known: Sequence[str], targets: Ints, side: str) -> Iterator[Ints]:
    """For each person the released records whose cells cover all that is known of the person."""
    among = Alike.of(tables.ids(known, "released"))
    own = tables.ids(known, side)
    for begin in range(0, len(targets), step := block_size(tables, known, among)):
        block = targets[begin : begin + step]
        inside = np.ones((len(block), len(among.sizes)), dtype=bool)
        for name, codes, ids in zip(known, own, among.ids, strict=True):
            inside &= tables.columns[name].covering(codes[block])[:, ids]
        for row in inside:
            groups = np.flatnonzero(row)
            found = [among.records(group) for group in groups.tolist()]
            yield np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
