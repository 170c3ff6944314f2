"""Whose each record is: classes counted in persons, of whom each has one vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataError

from .alike import as_read, number_spare, representatives
from .columns import text_of
from .domains import Ints
from .models import Histogram, SensitiveValues

PersonRecords = Literal["together", "apart"]


@attrs.frozen(eq=False)
class Persons:
    """Whose each record is.

    Attributes:
        of: The person of each record, 0 to `count` - 1.
        count: How many persons there are.
    """

    of: Ints
    count: int

    @classmethod
    def each(cls, records: int) -> Persons:
        """Every record another person's."""
        return cls(np.arange(records, dtype=np.int64), records)

    @classmethod
    def in_columns(cls, frame: pd.DataFrame, columns: Sequence[str], dataset: str) -> Persons:
        """Persons by the cells of some columns, together; texts that a reader cannot distinguish are one person's.

        Raises:
            DataError: A cell is missing, so that the person of a record is unknown.
        """
        absent = frame[list(columns)].isna().any(axis=1)
        if absent.any():
            raise DataError(
                f"{dataset}: {int(absent.sum()):,} of {len(frame):,} records have no {' and '.join(columns)}, which"
                f" identify the person: fill these cells, or leave the records out before this step"
            )
        whose = np.zeros(len(frame), dtype=np.int64)
        for name in columns:
            codes, values = pd.factorize(frame[name])
            shown = representatives([text_of(value) for value in values])
            whose = np.asarray(pd.factorize(whose * len(values) + shown[codes])[0], dtype=np.int64)
        return cls(whose, int(whose.max(initial=-1)) + 1)

    def taken(self, records: Ints) -> Persons:
        """The persons of some of the records, numbered from 0."""
        whose, distinct = pd.factorize(self.of[records])
        return Persons(np.asarray(whose, dtype=np.int64), len(distinct))

    def followed_by(self, others: Persons) -> Persons:
        """These persons and others, none of them the same."""
        return Persons(np.append(self.of, others.of + self.count), self.count + others.count)

    def in_classes(self, group: Ints, classes: int) -> Ints:
        """Distinct persons of each class, int64 of shape (classes,); `group` is the class of each record."""
        pairs = np.sort(group * max(1, self.count) + self.of)
        pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]  # `np.unique` takes five times as long
        return np.bincount(pairs // max(1, self.count), minlength=classes).astype(np.int64)

    def alone(self, group: Ints, sizes: Ints) -> int:
        """How many persons have a record in a class that holds no other person.

        Args:
            group: The class of each record.
            sizes: Distinct persons of each class.
        """
        return len(np.unique(self.of[sizes[group] == 1]))

    def histogram(self, values: SensitiveValues, group: Ints, classes: int) -> Histogram:
        """How many persons of each class vote for each value."""
        everywhere, voted = votes(np.zeros_like(self.of), self.of, values.codes, alike=values.alike)
        share = np.bincount(voted, minlength=len(values.share)) / max(1, len(everywhere))
        owner, value = votes(group, self.of, values.codes, alike=values.alike)
        return Histogram.of(owner, value, np.ones(len(owner), dtype=np.int64), classes, share, values.alike)


def votes(
    group: Ints, person: Ints, value: Ints, count: Ints | None = None, *, alike: Ints | None = None
) -> tuple[Ints, Ints]:
    """One vote for each person in each class: the value that most of the person's records in it have.

    Where several values are equally frequent the first of them counts, in the order of the values. A person can so
    make no class look diverse alone. Values that a reader cannot distinguish are counted together; of these, the most
    frequent one is voted for.

    Args:
        group: The class of each entry.
        person: Whose it is.
        value: Its value.
        count: How many records each entry means; one unless given.
        alike: For each value the one that it is counted as.

    Returns:
        Class and value of each vote, by class.
    """
    count = np.ones(len(value), dtype=np.int64) if count is None else count
    if alike is not None and len(value):
        chosen_group, chosen_person, chosen = _most_frequent(group, person, alike[value], count)
        span = int(person.max()) + 1
        place = np.searchsorted(chosen_group * span + chosen_person, group * span + person)
        of_chosen = alike[value] == chosen[place]
        group, person, value, count = group[of_chosen], person[of_chosen], value[of_chosen], count[of_chosen]
    owner, _, voted = _most_frequent(group, person, value, count)
    return owner, voted


def _most_frequent(group: Ints, person: Ints, value: Ints, count: Ints) -> tuple[Ints, Ints, Ints]:
    """Of each person in each class the most frequent value, sorted by class and person."""
    order = np.lexsort((value, person, group))
    group, person, value, count = group[order], person[order], value[order], count[order]
    if not len(order):
        return group, person, value
    changes = (np.diff(group) != 0) | (np.diff(person) != 0)
    starts = np.flatnonzero(np.append(True, changes | (np.diff(value) != 0)))
    times = np.add.reduceat(count, starts)
    group, person, value = group[starts], person[starts], value[starts]
    best = np.lexsort((value, -times, person, group))
    group, person, value = group[best], person[best], value[best]
    first = np.append(True, (np.diff(group) != 0) | (np.diff(person) != 0))
    return group[first], person[first], value[first]


def votes_of_persons(persons: Persons, values: SensitiveValues) -> Ints:
    """A record of each person with the value that they vote for: an index for each person."""
    _, voted = votes(persons.of, persons.of, values.codes, alike=values.alike)  # each person a class of its own
    matches = np.flatnonzero(values.codes == voted[persons.of])
    whose, first = np.unique(persons.of[matches], return_index=True)
    assert len(whose) == persons.count
    return np.asarray(matches[first], dtype=np.int64)


def repeated(frame: pd.DataFrame, identifiers: Iterable[Hashable]) -> dict[Hashable, int]:
    """Of these direct identifiers those that have a value in several records, with how many different values each has.

    There a person has several records, and counting records counts the person as often. Names, which several people
    have, are looked at only if there is no other identifier. Texts that a reader cannot distinguish are one value, as
    in `Persons.in_columns`.
    """
    listed = list(dict.fromkeys(identifiers))
    others = [name for name in listed if not holds_names(name)]
    found = {}
    for name in others or listed:
        codes, values = pd.factorize(frame[name].map(str, na_action="ignore"))
        distinct = len(values) - number_spare(representatives(list(values)))
        if 0 < distinct < int((codes >= 0).sum()):
            found[name] = distinct
    return found


def holds_names(column: Hashable) -> bool:
    """Whether a column is called as if it held names of people, which several people may have."""
    from .identifier_rule import reason_by_name  # many expressions, and most runs ask nothing

    return (reason_by_name(str(column)) or "").endswith((" a name", "a person's name"))


def least_persons(
    frame: pd.DataFrame, found: Mapping[Hashable, int], group: Ints, classes: int
) -> tuple[Hashable, int]:
    """The repeated identifier of most values, and how many different ones the class with fewest holds."""
    finest = max(found, key=lambda name: found[name])
    known = frame[finest].notna().to_numpy()
    persons = Persons.in_columns(frame.loc[known, [finest]].map(str), [str(finest)], "")
    sizes = persons.in_classes(group[known], classes)
    return finest, int(sizes[sizes > 0].min())


def smallest_class(frame: pd.DataFrame, found: Mapping[Hashable, int], group: Ints, classes: int) -> str:
    """In words, how many persons the smallest class holds, by the repeated identifier of most values, and what to do.

    Args:
        frame: The identifiers of the records.
        found: What `repeated` found.
        group: The class of each record.
        classes: How many classes there are.
    """
    finest, smallest = least_persons(frame, found, group, classes)
    holds = f"by {finest}, the smallest class holds {smallest:,} {'person' if smallest == 1 else 'persons'}"
    return f"{holds}. State `person: [{finest}]` to count persons"


def _as_read(value: object) -> str:
    return as_read(text_of(value))


class ContributionBound:
    """Keeps the first records of each person, of a table that comes in pieces; all records without `columns`.

    Args:
        columns: The columns that identify a person.
        most: How many records of a person are kept.
        dataset: The table, for messages.
    """

    def __init__(self, columns: Sequence[str], most: int, dataset: str) -> None:
        self._columns, self._most, self._dataset = list(columns), most, dataset
        self._seen: Counter[Hashable] = Counter()

    def kept(self, piece: pd.DataFrame) -> pd.DataFrame:
        """The records of a piece that are within the bound, in their order."""
        if not self._columns:
            return piece
        persons = Persons.in_columns(piece, self._columns, self._dataset)
        _, first = np.unique(persons.of, return_index=True)
        names = list(piece[self._columns].iloc[first].map(_as_read).itertuples(index=False, name=None))
        before = np.array([self._seen[name] for name in names], dtype=np.int64)
        self._seen.update(dict(zip(names, np.bincount(persons.of).tolist(), strict=True)))
        number = pd.Series(persons.of).groupby(persons.of).cumcount().to_numpy()
        return piece[before[persons.of] + number < self._most].reset_index(drop=True)
