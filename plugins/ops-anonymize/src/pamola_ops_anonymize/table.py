"""The quasi-identifiers of a table as codes, equal combinations once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import pandas as pd

from .domains import Codes, Domain, Ints, Mask, combinations, counted, encode
from .persons import Persons
from .universe import Universe


@attrs.frozen(eq=False)
class Table:
    """Quasi-identifiers of the records to be grouped (those of a population after them), as codes.

    Attributes:
        domains: One a quasi-identifier, with the values of all records, those included that are not to be grouped:
            losses are parts of the input's range.
        before: For each quasi-identifier how many records of the input have each code.
        combination: Unit of each record.
        distinct: Signed integers, shape (quasi-identifiers, units): the codes of each unit.
        weights: Records of each unit that count for k: those of the population where there is one.
        own: Records of each unit that are released or suppressed: those of the input.
        records: How many of the records are those of the input.
        times: Where a row of the input represents several records, for how many; each for one unless given.
    """

    domains: list[Domain]
    before: list[Ints]
    combination: Ints
    distinct: Codes
    weights: Ints
    own: Ints
    records: int
    times: Ints | None = None

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        columns: Sequence[str],
        population: pd.DataFrame | None = None,
        grouped: Mask | None = None,
        times: Ints | None = None,
        universe: Mapping[str, Universe] | None = None,
    ) -> Table:
        """Encode the quasi-identifiers of the records that are `grouped`, all of them unless given.

        Where the frame is a part of a table, `universe` has the columns of that.
        """
        records = len(frame)
        if population is not None:
            frame = pd.concat([frame[list(columns)], population[list(columns)]], ignore_index=True)
        found = (universe[name].encoded(frame[name]) if universe else encode(frame[name], times) for name in columns)
        domains, codes = map(list, zip(*found, strict=True))
        if grouped is not None and not grouped.all():
            taken = np.flatnonzero(np.append(grouped, np.ones(len(frame) - records, dtype=bool)))
            codes = [row.take(taken) for row in codes]
            records = int(grouped.sum())
            times = None if times is None else times[grouped]
        sizes = [domain.size + 1 for domain in domains]
        first, combination, weights = combinations(codes, sizes, times)
        own = weights
        if population is not None:
            own, weights = (
                np.bincount(part, minlength=len(first)).astype(np.int64)
                for part in (combination[:records], combination[records:])
            )
        before = [counted(row[:records], size, times) for row, size in zip(codes, sizes, strict=True)]
        distinct = np.array([row.take(first) for row in codes])
        return cls(domains, before, combination, distinct, weights, own, records, times)

    def of_persons(self, persons: Persons, own: int) -> Table:
        """Persons in place of records, each with one of their combinations: the one in the middle of all they have.

        Args:
            persons: Whose each record is, those of the input first.
            own: How many of the persons are those of the input.
        """
        order = np.lexsort((self.combination, persons.of))
        size = np.bincount(persons.of, minlength=persons.count)
        middle = self.combination[order[np.cumsum(size) - size + (size - 1) // 2]]
        used, unit = np.unique(middle, return_inverse=True)
        here, there = (np.bincount(part, minlength=len(used)).astype(np.int64) for part in (unit[:own], unit[own:]))
        weights = there if own < persons.count else here
        return attrs.evolve(
            self, combination=unit, distinct=self.distinct[:, used], weights=weights, own=here, records=own
        )
