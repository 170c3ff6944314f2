"""The values that represent each class, and others in their place where together they are a record of the table."""

from __future__ import annotations

import attrs
import numpy as np

from .domains import Codes, Domain, Floats, Ints, Mask, OrderedDomain
from .generalization import central
from .table import Table

_NEAREST = 50  # values of a column that are tried


@attrs.frozen(eq=False)
class Central:
    """What represents each class.

    Attributes:
        codes: Shape (dimensions, classes).
        hidden: The same shape: which cells are suppressed so that the rest is not a record.
    """

    codes: Ints
    hidden: Mask


def central_records(table: Table, owner: Ints, unit: Ints, weight: Ints, count: int, *, avoid: bool) -> Central:
    """The value that represents each class in each dimension, as `central` chooses it.

    Args:
        table: The codes of its units, and the domains.
        owner: Class of each pair of class and unit, ascending, 0 to `count` - 1.
        unit: Unit of each pair.
        weight: Records of each pair.
        count: Number of classes.
        avoid: Whether values that together are those of a record are not published, unless all records of the class
            have them: the nearest value of the class's range, or most frequent category, that makes it another
            combination takes the place of one; if there is none, the cell that loses most is suppressed.
    """
    weights = weight.astype(np.int64)
    pairs = zip(table.domains, table.distinct, strict=True)
    codes = np.array([central(domain, row[unit], weights, owner, count) for domain, row in pairs], dtype=np.int64)
    hidden = np.zeros(codes.shape, dtype=bool)
    if not avoid:
        return Central(codes, hidden)
    records = set(map(tuple, table.distinct.T.tolist()))
    start = np.searchsorted(owner, np.arange(count + 1))
    for each in np.flatnonzero(np.diff(start) > 1).tolist():
        members = slice(start[each], start[each + 1])
        mine, how_many = table.distinct[:, unit[members]].astype(np.int64), weights[members]
        if tuple(codes[:, each].tolist()) in records:
            _replace(codes, hidden, each, records, table.domains, mine, how_many)
    return Central(codes, hidden)


def _replace(
    codes: Ints,
    hidden: Mask,
    each: int,
    records: set[tuple[int, ...]],
    domains: list[Domain],
    mine: Codes,
    weights: Ints,
) -> None:
    """Change one of the values that represent a class so that together they are no record; or suppress one."""
    best, where, by = np.inf, -1, -1
    spread = np.zeros(len(domains))
    for d, (domain, row) in enumerate(zip(domains, mine, strict=True)):
        if row.max() == domain.size or row.min() == row.max():
            continue  # a cell that is suppressed, missing or the same for all
        others, cost, spread[d] = _others(domain, row, weights, int(codes[d, each]))
        for code, loss in zip(others.tolist(), cost.tolist(), strict=True):
            if loss >= best:
                break
            if (*codes[:d, each].tolist(), code, *codes[d + 1 :, each].tolist()) not in records:
                best, where, by = loss, d, code
                break
    if where >= 0:
        codes[where, each] = by
    elif spread.any():
        hidden[int(spread.argmax()), each] = True


def _others(domain: Domain, row: Codes, weights: Ints, chosen: int) -> tuple[Ints, Floats, float]:
    """Values that may represent a class in place of the chosen one, how far off they are, ascending, and its range."""
    if isinstance(domain, OrderedDomain):
        within = np.arange(int(row.min()), int(row.max()) + 1)
        within = within[within != chosen]
        away = np.abs(domain.positions[within] - domain.positions[chosen])
        order = np.argsort(away, kind="stable")[:_NEAREST]
        return within[order], away[order], float(domain.positions[row.max()] - domain.positions[row.min()])
    present, which = np.unique(row, return_inverse=True)
    frequency = np.bincount(which, weights=weights)
    order = np.argsort(-frequency, kind="stable")
    order = order[present[order] != chosen]
    rarer = (frequency.max() - frequency[order]) / frequency.sum()
    return present[order], rarer, (len(present) - 1) / max(1, domain.size - 1)
