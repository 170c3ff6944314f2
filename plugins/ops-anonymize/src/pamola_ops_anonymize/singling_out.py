"""Singling out: predicates that one released record satisfies, tried on the persons of the original.

M. Giomi, F. Boenisch, C. Wehmeyer and B. Tasnádi: A unified framework for quantifying privacy risk in synthetic data,
PoPETs 2023(2), sections 3.1 and 4; A. Cohen and K. Nissim: Towards formalizing the GDPR's notion of singling out, PNAS
117(15), 2020. A released record satisfies a predicate if all values that its cells cover do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from .attacked import AttackedColumn, AttackedTables
from .domains import Floats, Ints, Mask, combinations

TRIES = 20
"""How many predicates are drawn at most for each attempt, until one is satisfied by one released record."""

SETS = 100
"""Of how many sets of columns predicates are made, drawn at random where there are more."""

_KEPT = 2000
_REPEATS, _SIZES, _FEWEST = 5, 10, 1000

Part = tuple[str, tuple[int, ...]]
"""A column and what its values have to be: of numbers and dates from the first code to the second, else one of these;
`(-1, …)` where they must not be."""

Predicate = tuple[Part, ...]


@attrs.frozen(eq=False)
class Crowd:
    """The records of a table that predicates are tried on.

    Attributes:
        ids: For each column what each record has: a code, or a cell of the release.
        persons: Whose each record is, from 0.
        count: How many persons there are.
        allowed: For a column and what its values have to be, which of the numbers in `ids` are that.
    """

    ids: Mapping[str, Ints]
    persons: Ints
    count: int
    allowed: Callable[[str, tuple[int, ...]], Mask]

    def matching(self, predicate: Predicate) -> Ints:
        """The persons who satisfy it, each once, ascending."""
        found: Ints | None = None
        for name, asked in predicate:
            allowed, ids = self.allowed(name, asked), self.ids[name]
            found = np.flatnonzero(allowed[ids]) if found is None else found[allowed[ids[found]]]
        assert found is not None
        return np.unique(self.persons[found])


def crowds(tables: AttackedTables, names: Sequence[str], persons: Mapping[str, Ints]) -> dict[str, Crowd]:
    """The crowd of each table, by `original`, `control` and `released`.

    Args:
        tables: The tables.
        names: The columns of predicates.
        persons: Whose each record of the original and of the control is; each released record counts by itself.
    """

    def of_values(name: str, asked: tuple[int, ...]) -> Mask:
        return _values(tables.columns[name], asked)

    known: dict[Part, Mask] = {}

    def of_cells(name: str, asked: tuple[int, ...]) -> Mask:
        found = known.get((name, asked))
        if found is None:
            found = _cells(tables.columns[name], of_values(name, asked))
            if len(found) <= _KEPT:
                known[name, asked] = found
        return found

    found = {}
    for side, whose in {**persons, "released": np.arange(tables.records)}.items():
        ids = dict(zip(names, tables.ids(names, side), strict=True))
        count = int(whose.max(initial=-1)) + 1
        found[side] = Crowd(ids, whose, count, of_cells if side == "released" else of_values)
    return found


def _values(column: AttackedColumn, asked: tuple[int, ...]) -> Mask:
    """Which codes of a column are what a predicate asks."""
    found = np.zeros(column.domain.size + 1, dtype=bool)
    denied = asked[:1] == (-1,)
    codes = asked[denied:]
    if column.places is None:
        found[list(codes)] = True
    else:
        found[codes[0] : codes[1] + 1] = True
    return ~found if denied else found


def _cells(column: AttackedColumn, values: Mask) -> Mask:
    """Which cells cover such values only."""
    low, high = column.cells.low, column.cells.high
    if column.places is None:
        inside = np.append(0, np.cumsum(values[column.cells.codes]))
        return np.asarray(inside[high] - inside[low] == high - low)
    inside = np.append(0, np.cumsum(values))
    return np.asarray(inside[high + 1] - inside[low] == high + 1 - low)


# ---------------------------------------------------------------- predicates


def univariate(tables: AttackedTables, names: Sequence[str], crowd: Crowd) -> list[Predicate]:
    """All predicates on one column, a rare value or an extreme one, that one released record satisfies."""
    found: dict[Predicate, None] = {}
    for name in names:
        column = tables.columns[name]
        cells, last = column.cells, column.domain.size
        count = np.bincount(cells.which, minlength=len(cells.low))
        asked = [cell_values(column, cell) for cell in np.flatnonzero(count == 1).tolist()]
        if column.places is not None:
            there = np.flatnonzero((count > 0) & (cells.low < last))
            if len(there):
                asked += [(0, int(cells.high[there].min())), (int(cells.low[there].max()), last - 1)]
        found |= dict.fromkeys(((name, each),) for each in asked)
    return [each for each in found if len(crowd.matching(each)) == 1]


def multivariate(
    tables: AttackedTables, names: Sequence[str], count: int, attempts: int, crowd: Crowd, rng: np.random.Generator
) -> list[Predicate]:
    """Predicates on several columns of a released record, that no other one satisfies.

    Of numbers and dates they ask for at least the record's where it is above the median, else at most; else for the
    same. Records and sets of columns are drawn with the same probability among all that give such a predicate, of at
    most `SETS` sets.

    Args:
        tables: The tables.
        names: The columns.
        count: How many columns a predicate has.
        attempts: How many predicates are looked for, in at most `TRIES` times as many draws.
        crowd: The release.
        rng: Draws records and columns.
    """
    sides = {name: _side(tables.columns[name]) for name in names}
    choices = list(itertools.islice(itertools.combinations(names, count), SETS + 1))
    if len(choices) > SETS:
        choices = [tuple(names[at] for at in sorted(rng.permutation(len(names))[:count].tolist())) for _ in range(SETS)]
    pools = [_candidates(tables, columns, sides) for columns in dict.fromkeys(choices)]
    sets = list(dict.fromkeys(choices))
    behind = np.cumsum([len(pool) for pool in pools])
    found: dict[Predicate, None] = {}
    seen: set[int] = set()
    for _ in range(TRIES * attempts):
        if len(found) == attempts or len(seen) == behind[-1]:
            break
        drawn = int(rng.integers(behind[-1]))
        if drawn in seen:
            continue
        seen.add(drawn)
        place = int(np.searchsorted(behind, drawn, side="right"))
        record = int(pools[place][behind[place] - drawn - 1])
        predicate = tuple(_part(tables.columns[name], name, record, sides[name]) for name in sets[place])
        if len(crowd.matching(predicate)) == 1:
            found[predicate] = None
    return list(found)


def _candidates(tables: AttackedTables, names: Sequence[str], sides: Mapping[str, Mask]) -> npt.NDArray[np.int32]:
    """Records that may be the only ones to satisfy their predicate; all that are, and of few columns hardly others."""
    same: list[Ints] = []
    keys: list[Ints] = []
    for name in names:
        cells = tables.columns[name].cells
        if tables.columns[name].places is None:
            same.append(cells.which)
            continue
        missing = cells.low[cells.which] == tables.columns[name].domain.size
        above = sides[name]
        same.append(np.where(missing, 2, above.astype(np.int64)))
        keys.append(np.where(missing, 0, np.where(above, cells.low[cells.which], -cells.high[cells.which])))
    group = combinations(same, [int(ids.max(initial=0)) + 1 for ids in same])[1]
    if len(keys) > 2:
        return np.arange(tables.records, dtype=np.int32)
    nothing = np.zeros(tables.records, dtype=np.int64)
    first, second = [*keys, nothing, nothing][:2]
    order = np.lexsort((-second, -first, group))
    group, first, second = group[order], first[order], second[order]
    # within a group and from the greatest on, a record is alone if its second key exceeds all before it
    span = int(second.max(initial=0) - second.min(initial=0)) + 2
    raised = second - second.min(initial=0) + group * span
    before = np.append(-1, np.maximum.accumulate(raised)[:-1])
    begins = np.append(True, group[1:] != group[:-1])
    again = (group[1:] == group[:-1]) & (first[1:] == first[:-1]) & (second[1:] == second[:-1])
    alone = (begins | (raised > before)) & ~np.append(again, False)
    return np.asarray(order[alone], dtype=np.int32)


def at_random(
    tables: AttackedTables, names: Sequence[str], count: int, attempts: int, rng: np.random.Generator
) -> Iterator[Predicate]:
    """Predicates of random columns, operators and released values."""
    for _ in range(attempts):
        parts = []
        for at in sorted(rng.choice(len(names), size=count, replace=False).tolist()):
            column = tables.columns[names[at]]
            there = np.flatnonzero(np.bincount(column.cells.which, minlength=len(column.cells.low)))
            cell = int(rng.choice(there))
            asked = cell_values(column, cell)
            last = column.domain.size
            if column.places is None or asked[0] == last:
                asked = asked if rng.integers(2) else (-1, *asked)
            else:
                low, high = asked
                choices = [asked, (-1, *asked), (low, last - 1), (0, high), (min(high + 1, last), last), (0, low)]
                asked = choices[int(rng.integers(len(choices)))]
            parts.append((names[at], asked))
        yield tuple(parts)


def _side(column: AttackedColumn) -> Mask:
    """Of each record whether its cell is above the median, of numbers and dates; none of categories."""
    cells, last = column.cells, column.domain.size
    if column.places is None:
        return np.zeros(len(cells.which), dtype=bool)
    places = np.append(column.places, np.nan)
    middle = ((places[cells.low] + places[cells.high]) / 2)[cells.which]
    there = middle[cells.low[cells.which] < last]
    return np.asarray(middle > (np.median(there) if len(there) else np.nan))


def cell_values(column: AttackedColumn, cell: int) -> tuple[int, ...]:
    """The values that a cell covers, as a predicate asks for them."""
    low, high = int(column.cells.low[cell]), int(column.cells.high[cell])
    return (low, high) if column.places is not None else tuple(column.cells.codes[low:high].tolist())


def _part(column: AttackedColumn, name: str, record: int, above: Mask) -> Part:
    asked = cell_values(column, int(column.cells.which[record]))
    if column.places is None or asked[0] == column.domain.size:
        return name, asked
    low, high = asked
    return name, (low, column.domain.size - 1) if above[record] else (0, high)


# ---------------------------------------------------------------- success


def succeeded(crowd: Crowd, predicates: Sequence[Predicate]) -> int:
    """How many predicates exactly one person satisfies."""
    return sum(len(crowd.matching(predicate)) == 1 for predicate in predicates)


def satisfied(crowd: Crowd, predicates: Sequence[Predicate]) -> int:
    """How many predicates a person satisfies, or several."""
    return sum(len(crowd.matching(predicate)) > 0 for predicate in predicates)


def succeeded_in(crowd: Crowd, predicates: Sequence[Predicate], persons: int, rng: np.random.Generator) -> float:
    """How many predicates would single out one of as many persons, judged from a crowd that may have another size.

    A larger crowd is sampled. A smaller one is extrapolated from, as in section 4 of Giomi and others: the number of
    predicates that single out in samples of several sizes is fitted by that of predicates whose weight, the probability
    that a person satisfies one, is spread evenly below a greatest weight.

    Args:
        crowd: The control.
        predicates: The predicates.
        persons: How many persons the original has.
        rng: Draws the samples.
    """
    matches = [found for predicate in predicates if len(found := crowd.matching(predicate))]
    if not matches:
        return 0.0
    if crowd.count == persons:
        return float(sum(len(found) == 1 for found in matches))
    sizes = np.linspace(min(_FEWEST, crowd.count), min(crowd.count, persons), _SIZES).astype(np.int64)
    times: list[Floats] = []
    for _ in range(_REPEATS):
        rank = rng.permutation(crowd.count)
        first, second = (np.full(len(matches), crowd.count, dtype=np.int64) for _ in range(2))
        for at, found in enumerate(matches):
            ranks = np.sort(rank[found])[:2]
            first[at] = ranks[0]
            second[at] = ranks[1] if len(ranks) > 1 else crowd.count
        times.append(((first[:, None] < sizes) & (second[:, None] >= sizes)).sum(axis=0).astype(np.float64))
    if crowd.count > persons:
        return float(np.mean([each[-1] for each in times]))
    weights = np.logspace(-8, 0, 800)
    model = _singling(sizes[None, :], weights[:, None])
    seen = np.mean(times, axis=0)
    norm = (model @ seen) / np.maximum((model**2).sum(axis=1), 1e-300)
    best = int(np.argmin(((norm[:, None] * model - seen) ** 2).sum(axis=1)))
    here, there = (float(_singling(np.array([size]), weights[best])[0]) for size in (crowd.count, persons))
    now = float(sum(len(found) == 1 for found in matches))
    return min(float(len(predicates)), now * there / here if here > 0 else now)


def _singling(persons: Ints, weight: Floats) -> Floats:
    """The integral from 0 to a weight of n w (1 - w)^(n - 1), the probability that a predicate singles out."""
    return np.asarray((1 - (persons * weight + 1) * (1 - weight) ** persons) / (persons + 1))
