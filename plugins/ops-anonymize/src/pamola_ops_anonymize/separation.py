"""How well columns separate records, and whom they single out.

R. Motwani and Y. Xu: Efficient algorithms for masking and finding quasi-identifiers (2007). A set of columns separates
two records that differ in one of them; a set that separates nearly all pairs is a quasi-identifier. Whom a set singles
out are the records with a combination that no other has. To choose columns a random sample of records is enough: of m
columns, in the order of m/e records distinguish sets that separate all pairs from those that miss more than a share e.
What is said of a chosen set is counted in all records, since fewer are unique in a table than in a sample of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from .dependence import Coded, Ints, group_sizes

SAMPLE = 2000
COMPANIONS = 12


def together(columns: Sequence[Coded]) -> Ints:
    """The combinations of the values of several columns as numbers from 0; records that agree in all have one."""
    codes, size = columns[0].codes, columns[0].values
    for column in columns[1:]:
        if size > 2**62 // max(column.values, 1):
            codes, found = pd.factorize(codes)
            size = len(found)
        codes, size = codes * column.values + column.codes, size * column.values
    return codes


def unseparated(codes: Ints) -> int:
    """Pairs of records that have one combination."""
    sizes = group_sizes(codes)
    return int((sizes * (sizes - 1)).sum()) // 2


def alone(codes: Ints) -> int:
    """Records that have a combination that no other has."""
    return int((group_sizes(codes) == 1).sum())


def companions(columns: Mapping[Hashable, Coded], number: int = 2) -> dict[Hashable, list[Hashable]]:
    """For each column those others that separate most pairs of records with it, chosen one by one.

    Args:
        columns: All of one table's records.
        number: How many others.
    """
    records = len(next(iter(columns.values())).codes) if columns else 0
    rows: npt.NDArray[np.intp] = np.arange(records)
    if records > SAMPLE:
        rows = np.sort(np.random.default_rng(1).choice(records, SAMPLE, replace=False))
    sample = {name: column.taken(rows) for name, column in columns.items()}
    best = sorted(sample, key=lambda name: unseparated(sample[name].codes))[:COMPANIONS]
    found: dict[Hashable, list[Hashable]] = {}
    for name in sample:
        chosen: list[Hashable] = []
        while len(chosen) < number and unseparated(before := together([sample[each] for each in (name, *chosen)])):
            left = {
                other: unseparated(together([Coded(before, int(before.max()) + 1, None), sample[other]]))
                for other in best
                if other != name and other not in chosen
            }
            if not left or min(left.values()) == unseparated(before):
                break
            chosen.append(min(left, key=lambda other: left[other]))
        found[name] = chosen
    return found


def singling_out(columns: Mapping[Hashable, Coded]) -> dict[Hashable, str]:
    """For each of several columns how many records it singles out alone, and with others, which are named."""
    found = {}
    for name, others in companions(columns).items():
        records = len(columns[name].codes)
        of_one = alone(columns[name].codes)
        text = f"{of_one:,} of {records:,} records"
        if others and of_one < records:
            listed = " and ".join(map(str, others))
            text += f", with {listed} {alone(together([columns[each] for each in (name, *others)])):,}"
        found[name] = text
    return found
