"""Special uniques: records that few of their values single out, with their SUDA and DIS-SUDA scores."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

import attrs
import numpy as np
import pandas as pd

from .domains import Floats, Ints, Mask, counted
from .persons import Persons

_MOST_CODES = 2**62
_DENSE = 8  # numbers that there could be for each record, up to which counting all is faster than numbering anew

Columns = tuple[int, ...]


@attrs.frozen(eq=False)
class SpecialUniques:
    """What makes records unique.

    Attributes:
        score: The SUDA score of each record; 0 where no set of so few columns is unique.
        dis: The DIS-SUDA score of each record: the probability that a match with it is right; None without a fraction.
        file_dis: The DIS score of the table: the probability that a match with a unique record is right; None likewise.
        found: For each set of columns, by position, the records of which the values in it are a minimal sample unique.
        contribution: For each column, which part of the scores is of sets with it.
        max_size: The most columns of a minimal sample unique that was looked for.
    """

    score: Floats
    dis: Floats | None
    file_dis: float | None
    found: Mapping[Columns, Ints]
    contribution: Floats
    max_size: int


def special_uniques(
    codes: list[Ints],
    max_size: int,
    fraction: float | None = None,
    persons: Persons | None = None,
    times: Ints | None = None,
) -> SpecialUniques:
    """Find minimal sample uniques, and score the records by them.

    A record's values in some columns are a minimal sample unique (MSU) where no other record has them, and other
    records have those of any part of these columns. M. J. Elliot, A. M. Manning and R. W. Ford: A computational
    algorithm for handling the special uniques problem, IJUFKS 10(5), 2002; A. M. Manning and D. J. Haglin: A new
    algorithm for finding minimal sample uniques for use in statistical disclosure assessment, ICDM 2005 (SUDA2).

    The SUDA score of a record sums over its MSUs, of size s, the product of C - i for i from s to the smaller of
    `max_size` and C - 1, for C columns (M. J. Elliot, A. Manning, K. Mayes, J. Gurd and M. Bane: SUDA: a program for
    detecting special uniques, 2005). The DIS-SUDA score spreads the table's DIS score (C. J. Skinner and M. J. Elliot,
    JRSS B 64(4), 2002) over the records by their scores.

    Args:
        codes: One array a column: of each record the number of its value, from 0.
        max_size: The most columns of an MSU.
        fraction: The part of the population that the table is, for the DIS scores.
        persons: Whose each record is; values are then unique where one person has them.
        times: How many records each row represents, one unless given.
    """
    columns, records = len(codes), len(codes[0])
    most = min(max_size, columns)
    found = dict(_minimal_uniques(codes, most, persons, times))
    weight = {
        size: float(math.prod(columns - i for i in range(size, min(most, columns - 1) + 1)))
        for size in range(1, most + 1)
    }
    score, of_column = np.zeros(records), np.zeros(columns)
    for chosen, rows in found.items():
        score[rows] += weight[len(chosen)]
        of_column[list(chosen)] += weight[len(chosen)] * len(rows)
    total = score.sum()
    contribution = of_column / total if total else of_column
    file_dis = None if fraction is None else _file_dis(codes, fraction, persons, times)
    dis = None if file_dis is None else _spread(score, file_dis, columns)
    return SpecialUniques(score, dis, file_dis, found, contribution, most)


def _minimal_uniques(
    codes: list[Ints], most: int, persons: Persons | None, times: Ints | None
) -> Iterator[tuple[Columns, Ints]]:
    """For sets of ever more columns, the records of which the values in it are unique, and in no part of it.

    As in SUDA2, a record is not looked at again in sets that hold an MSU of it: it is alone there, so that the count of
    the others does not change.
    """
    records, widths = len(codes[0]), [int(column.max(initial=0)) + 1 for column in codes]
    below: dict[Columns, Mask] = {(): np.zeros(records, dtype=bool)}
    for size in range(1, most + 1):
        unique: dict[Columns, Mask] = {}
        for chosen in itertools.combinations(range(len(codes)), size):
            alone = np.logical_or.reduce([below[part] for part in itertools.combinations(chosen, size - 1)])
            rest = np.flatnonzero(~alone)
            some = [codes[column] if len(rest) == records else codes[column][rest] for column in chosen]
            key = _key(some, [widths[column] for column in chosen])
            whose = None if persons is None else persons.of[rest]
            rows = rest[_alone(key, whose, None if times is None else times[rest])]
            if len(rows):
                alone[rows] = True
                yield chosen, rows
            if size < most:
                unique[chosen] = alone
        below = unique


def _key(codes: list[Ints], widths: list[int]) -> Ints:
    """A number for each combination of values, the greatest of them not much above how many there are."""
    key, span = codes[0].astype(np.int64), widths[0]
    for column, width in zip(codes[1:], widths[1:], strict=True):
        if span * width >= _MOST_CODES:
            key, distinct = pd.factorize(key)
            span = len(distinct)
        key = key * width + column
        span *= width
    if span <= _DENSE * len(key):
        return key
    return np.asarray(pd.factorize(key)[0], dtype=np.int64)


def _alone(key: Ints, person: Ints | None, times: Ints | None) -> Ints:
    """The records whose number no other record has, or no record of another person."""
    if person is None:
        single = counted(key, 0, times) == 1
    else:  # any of the persons with a number, and whether one of its records is another's
        one = np.zeros(int(key.max(initial=-1)) + 1, dtype=np.int64)
        one[key] = person
        single = np.ones(len(one), dtype=bool)
        single[key[one[key] != person]] = False
    return np.flatnonzero(single[key]) if single.any() else np.zeros(0, dtype=np.int64)


def _sizes(key: Ints, persons: Persons | None, times: Ints | None) -> Ints:
    """How many records have each number, or persons."""
    if persons is None:
        return counted(key, 0, times)
    return persons.in_classes(key, int(key.max(initial=-1)) + 1)


def _file_dis(codes: list[Ints], fraction: float, persons: Persons | None, times: Ints | None) -> float:
    """The DIS score of the table: uniques * f / (uniques * f + records of pairs * (1 - f))."""
    sizes = _sizes(_key(codes, [int(column.max(initial=0)) + 1 for column in codes]), persons, times)
    uniques, pairs = int((sizes == 1).sum()), 2 * int((sizes == 2).sum())
    if not uniques:
        return 0.0
    return uniques * fraction / (uniques * fraction + pairs * (1 - fraction))


def _spread(score: Floats, file_dis: float, columns: int) -> Floats:
    """The DIS-SUDA score of each record: the table's where all scores are the same."""
    dis = np.zeros(len(score))
    scored = score > 0
    if scored.any() and file_dis:
        power = score[scored] ** (1 + (8 - columns) / 20)
        uniques = int(scored.sum())
        dis[scored] = 1 / (1 + (uniques / file_dis - uniques) / (power * np.sort(1 / power).sum()))
    return dis
