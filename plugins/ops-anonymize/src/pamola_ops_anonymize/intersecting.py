"""What follows from a release together with earlier ones of the same persons, and from none of them alone.

The attacker knows who is in each release, and all persons' quasi-identifiers, so the class of each person in each
release; sensitive values are taken as unchanging where they were the same. S. R. Ganta, S. P. Kasiviswanathan and
A. Smith: Composition attacks and auxiliary information in data privacy, KDD 2008. Releases are taken in pairs, each
exactly as `residual` says; what is left after all pairs is then looked at in all releases at once, as `joint` says.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import attrs
import numpy as np
import pandas as pd

from .domains import Ints, Mask
from .joint import Blocks
from .released_table import ReleasedTable
from .residual import NOWHERE, Candidates, candidates
from .same_persons import Hashes, Identified, Traits, judged, traits_of

AGREEMENT = 0.9
"""Share of the persons in both releases who have the same values in columns that are one attribute under two names."""


@attrs.frozen(eq=False)
class Pair:
    """The records of a release and of an earlier one, matched by person.

    Attributes:
        person: Of the new release, whose each record is: a number, `NOWHERE` if unknown.
        earlier: The same numbers for the earlier release.
        both: How many persons are in both.
        equal: How many identifiers are equal in both, where these are not the same persons'.
        why: Why equal identifiers are the same persons', or are not; empty where none are equal.
    """

    person: Ints
    earlier: Ints
    both: int
    equal: int = 0
    why: str = ""

    @classmethod
    def of(cls, new: ReleasedTable, old: ReleasedTable) -> Pair:
        """By the identifying columns of both that have most persons in common, if these are the same persons."""
        there = {name: np.unique(column[column > 0]) for name, column in old.persons.items()}
        here = {name: np.unique(column[column > 0]) for name, column in new.persons.items()}
        common = {
            (name, other): len(np.intersect1d(mine, theirs, assume_unique=True))
            for name, mine in here.items()
            for other, theirs in there.items()
        }
        unmatched = cls(np.full(new.records, NOWHERE), np.full(old.records, NOWHERE), 0)
        for name, other in sorted(common, key=lambda pair: -common[pair]):
            if not common[name, other]:
                break
            column, earlier = new.persons[name], old.persons[other]
            codes = pd.factorize(np.append(column, earlier))[0].astype(np.int64)
            codes[np.append(column, earlier) == 0] = NOWHERE
            found = cls(codes[: len(column)], codes[len(column) :], common[name, other])
            one, at = found._first()
            mine = Identified(name, new.spans.get(name, 0), len(here[name]), new.population)
            theirs = Identified(other, old.spans.get(other, 0), len(there[other]), old.population)
            told = judged(mine, theirs, common[name, other], _traits(new, old, one), _traits(old, new, at))
            if told.same:
                return attrs.evolve(found, why=told.why)
            if not unmatched.equal:
                unmatched = attrs.evolve(unmatched, equal=common[name, other], why=told.why)
        return unmatched

    def _first(self) -> tuple[Ints, Ints]:
        """A record of each person who is in both, in the new release and in the earlier one."""
        _, one, other = np.intersect1d(self.person, self.earlier, return_indices=True)
        kept = self.person[one] != NOWHERE
        return one[kept], other[kept]

    def records(self, value: Ints, earlier: Ints) -> tuple[Ints, Ints]:
        """Positions of the records in both: of the same person, with the same value, each taken once.

        Args:
            value: The value of each new record, in numbers that both share.
            earlier: The same for the earlier release.
        """
        values = int(max(value.max(initial=0), earlier.max(initial=0))) + 1
        known = [np.flatnonzero(person != NOWHERE) for person in (self.person, self.earlier)]
        keys = [
            person[there] * values + held[there]
            for person, held, there in zip((self.person, self.earlier), (value, earlier), known, strict=True)
        ]
        nth = [pd.Series(key).groupby(key).cumcount().to_numpy() for key in keys]
        times = 1 + max(int(number.max(initial=0)) for number in nth)
        one, other = (key * times + number for key, number in zip(keys, nth, strict=True))
        _, mine, theirs = np.intersect1d(one, other, assume_unique=True, return_indices=True)
        return known[0][mine], known[1][theirs]

    def attribute(self, name: str, new: ReleasedTable, old: ReleasedTable) -> str | None:
        """What a sensitive attribute of the new release is called in the earlier one; None where it has none."""
        if name in old.values:
            return name
        one, other = self._first()
        for called, column in old.values.items():
            same = column[other] == new.values[name][one]
            if len(same) and same.mean() >= AGREEMENT and len(np.unique(column[other])) > 1:
                return called
        return None


@attrs.frozen(eq=False)
class Intersection:
    """What follows from a release and all earlier ones of the same persons.

    Attributes:
        both: For each earlier release how many persons are in both.
        sizes: For each person of the new release how many persons have their classes in all releases; not being in an
            earlier one counts as a class of it.
        disclosed: By attribute, how many persons there are, of the new release or only of earlier ones, of whom a value
            follows for certain that no release discloses alone, and that did not follow before.
        certain: By attribute, for each new record whether its value is certain now, whatever disclosed it.
        persons: Of how many persons a value of any attribute follows.
        with_each: The same from each earlier release and the new one alone.
        equal: For each earlier release how many identifiers are equal without being the same persons'.
        why: For each earlier release why equal identifiers are, or are not, the same persons'.
    """

    both: list[int]
    sizes: Ints
    disclosed: dict[str, int]
    certain: dict[str, Mask]
    persons: int
    with_each: list[int]
    equal: list[int]
    why: list[str]


@attrs.frozen(eq=False)
class _Compared:
    """One attribute in the new release and an earlier one: what is possible, first of the new records, then of those
    at `only` in the earlier one; their values, as numbers that all releases share; which records were told before."""

    place: int
    possible: Candidates
    only: Ints
    value: Ints
    told: Mask
    told_there: Mask


def intersection(new: ReleasedTable, earlier: Sequence[ReleasedTable], whose: Ints) -> Intersection:
    """Compare a release with earlier ones.

    Args:
        new: The release.
        earlier: Releases that came before.
        whose: Of each record of `new` the person, from 0 on.
    """
    pairs = [Pair.of(new, old) for old in earlier]
    real = ~new.counterfeit
    disclosed, certain = {}, {}
    everybody: list[Hashes] = []
    of_pair: list[list[Hashes]] = [[] for _ in earlier]
    for name, hashes in new.values.items():
        alone = _alone(new.group, hashes)
        compared = _compared(name, new, earlier, pairs)
        told = alone | np.any([each.told for each in compared], axis=0) if compared else alone
        known, gone_known = _certain(compared, new) if compared else (alone, [])
        certain[name] = known & real
        new_persons = [_persons(new, whose)[certain[name] & ~told]]
        for each, by_all in zip(compared, gone_known, strict=True):
            old = earlier[each.place]
            here = each.possible.certain
            leaves = ~each.told_there & ~old.counterfeit[each.only]
            identity = next(iter(old.persons.values()))
            gone = identity[each.only[here[new.records :] & leaves]]
            of_pair[each.place] += [_persons(new, whose)[here[: new.records] & ~told & real], gone]
            new_persons.append(identity[each.only[by_all & leaves]])
        everybody += new_persons
        disclosed[name] = _distinct(new_persons)
    return Intersection(
        both=[pair.both for pair in pairs],
        sizes=_sizes(new, earlier, pairs, whose),
        disclosed=disclosed,
        certain=certain,
        persons=_distinct(everybody),
        with_each=[_distinct(found) for found in of_pair],
        equal=[pair.equal for pair in pairs],
        why=[pair.why for pair in pairs],
    )


def _traits(table: ReleasedTable, other: ReleasedTable, records: Ints) -> dict[str, Traits]:
    """What some records have of attributes that may be in another release, too."""
    found = {**{name: traits_of(column) for name, column in table.values.items()}, **table.traits}
    if set(table.cells) == set(other.cells):
        found["quasi-identifiers"] = traits_of(table.origin)
    return {name: column[records] for name, column in found.items()}


def _compared(name: str, new: ReleasedTable, earlier: Sequence[ReleasedTable], pairs: list[Pair]) -> list[_Compared]:
    called = [pair.attribute(name, new, old) if pair.both else None for pair, old in zip(pairs, earlier, strict=True)]
    columns = [new.values[name], *(old.values[of] for old, of in zip(earlier, called, strict=True) if of is not None)]
    codes = pd.factorize(np.concatenate(columns))[0].astype(np.int64)
    coded = np.split(codes, np.cumsum([len(column) for column in columns])[:-1])
    mine, others = coded[0], iter(coded[1:])
    found = []
    for place, (pair, old, of) in enumerate(zip(pairs, earlier, called, strict=True)):
        if of is None:
            continue
        theirs = next(others)
        one, other = pair.records(mine, theirs)
        only = np.setdiff1d(np.arange(old.records), other, assume_unique=True)
        first = np.full(new.records, NOWHERE)
        first[one] = old.group[other]
        possible = candidates(
            np.append(first, old.group[only]),
            np.append(new.group, np.full(len(only), NOWHERE)),
            np.append(mine, theirs[only]),
        )
        told_there = old.known[of] | _alone(old.group, theirs)
        told = np.zeros(new.records, dtype=bool)
        told[one] = told_there[other]
        value = np.append(mine, theirs[only])
        found.append(_Compared(place, possible, only, value, told, told_there[only]))
    return found


def _certain(compared: Sequence[_Compared], new: ReleasedTable) -> tuple[Mask, list[Mask]]:
    """Whether one value is left of each new record, and of the others of each earlier release, after all of these."""
    records, pairs = new.records, [each.possible for each in compared]
    if len(compared) == 1:  # which is exact
        return pairs[0].certain[:records], [pairs[0].certain[records:]]
    ends = np.cumsum([records, *(len(each.only) for each in compared)])
    classes = [np.full(ends[-1], NOWHERE) for _ in range(len(compared) + 1)]
    classes[0][:records] = new.group
    value = np.concatenate([compared[0].value[:records], *(each.value[records:] for each in compared)])
    for number, possible in enumerate(pairs):
        first = possible.first[possible.block]
        classes[number + 1][:records] = first[:records]
        classes[number + 1][ends[number] : ends[number + 1]] = first[records:]
    blocks = Blocks.of_classes(classes)
    example = blocks.example
    here = np.flatnonzero(example < records)
    place, left = pairs[0].of_record(example[here])
    for each in pairs[1:]:
        kept = each.possible(example[here][place], left)
        place, left = place[kept], left[kept]
    owners, values = [here[place]], [left]
    for number, each in enumerate(pairs):
        here = np.flatnonzero((example >= ends[number]) & (example < ends[number + 1]))
        place, left = each.of_record(example[here] - ends[number] + records)
        owners.append(here[place])
        values.append(left)
    block, possible_values = np.concatenate(owners), np.concatenate(values)
    order = np.argsort(block, kind="stable")
    found = blocks.certain(value, block[order], possible_values[order])
    return found[:records], [found[begin:end] for begin, end in itertools.pairwise(ends)]


def _alone(group: Ints, value: Ints | Hashes) -> Mask:
    """Whether all records of a record's class have its value."""
    codes, values = pd.factorize(value)
    pairs = np.unique(group * max(1, len(values)) + codes)
    return np.asarray(np.bincount(pairs // max(1, len(values)))[group] == 1)


def _sizes(new: ReleasedTable, earlier: Sequence[ReleasedTable], pairs: list[Pair], whose: Ints) -> Ints:
    """For each person of the new release how many persons have the same classes in all releases."""
    _, example = np.unique(whose, return_index=True)
    key = new.group[example]
    for old, pair in zip(earlier, pairs, strict=True):
        if not pair.both:
            continue
        there = np.full(int(max(pair.person.max(initial=0), pair.earlier.max(initial=0))) + 2, NOWHERE)
        there[pair.earlier] = old.group
        there[NOWHERE] = NOWHERE
        before = there[pair.person[example]] + 1
        key = pd.factorize(key * (int(before.max(initial=0)) + 1) + before)[0].astype(np.int64)
    _, which, count = np.unique(key, return_inverse=True, return_counts=True)
    kept = ~new.counterfeit[example]
    return np.asarray(np.bincount(which[kept], minlength=len(count))[which[kept]])


def _persons(new: ReleasedTable, whose: Ints) -> Hashes:
    """A number for each record, the same for records of a person and, where known, the same as in earlier releases."""
    first = next(iter(new.persons.values()))
    return np.where(first > 0, first, whose.astype(np.uint64))


def _distinct(found: Sequence[Hashes]) -> int:
    return len(np.unique(np.concatenate(found))) if found else 0
