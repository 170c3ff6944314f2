"""Records whose number for each person is bounded, in groups that are known without looking at the data."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pandas as pd

from .columns import distinct_texts
from .domains import Ints
from .persons import Persons
from .statistics_asked import key_text


@attrs.frozen(eq=False)
class Bounded:
    """The records that count.

    Attributes:
        frame: Them, index from 0.
        group: The group of each.
        persons_of: The group of each pair of a person and a group that the person is in.
        groups: How many groups there are.
    """

    frame: pd.DataFrame
    group: Ints
    persons_of: Ints
    groups: int

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        by: Mapping[str, Sequence[Any]],
        persons: Persons,
        contributions: int,
        groups_per_person: int,
    ) -> Bounded:
        """The first records of each person in each of the first groups that the person is in.

        Which records of a person count depends on that person's records only: removing a person changes nothing for
        others.

        Args:
            frame: The table.
            by: For each column that makes groups the values that make one; records with others count nowhere.
            persons: Whose the records are.
            contributions: How many records of a person count in a group.
            groups_per_person: In how many groups a person counts.
        """
        group = np.zeros(len(frame), dtype=np.int64)
        inside = np.ones(len(frame), dtype=bool)
        for name, keys in by.items():
            code = codes_of(frame[name], keys)
            group = group * len(keys) + code
            inside &= code >= 0
        records = np.flatnonzero(inside)
        of = pd.DataFrame({"person": persons.of[records], "group": group[records]})
        pairs = of.drop_duplicates()
        pairs = pairs[pairs.groupby("person").cumcount() < groups_per_person]
        within = of.reset_index().merge(pairs, on=["person", "group"]).sort_values("index")
        within = within[within.groupby(["person", "group"]).cumcount() < contributions]
        kept = records[within["index"].to_numpy()]
        groups = int(np.prod([len(keys) for keys in by.values()], dtype=np.int64))
        return cls(
            frame.iloc[kept].reset_index(drop=True), group[kept], pairs["group"].to_numpy(dtype=np.int64), groups
        )

    def counted(self, cells: Ints, width: int, there: Any = slice(None)) -> Ints:
        """How many of some records have each of `width` cells, by group: int64 of shape (groups * width,)."""
        return np.bincount(self.group[there] * width + cells, minlength=self.groups * width).astype(np.int64)


def codes_of(column: pd.Series[Any], keys: Sequence[Any]) -> Ints:
    """Which of the keys each cell is, -1 for none of them."""
    found, texts = distinct_texts(column)
    places = {key_text(key): place for place, key in enumerate(keys)}
    codes = np.array([places.get(key_text(text), -1) for text in texts] + [-1], dtype=np.int64)
    return codes[found]  # the last one is that of missing cells


def keys_of(by: Mapping[str, Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The keys of each group, in the order of their numbers."""
    return list(itertools.product(*by.values()))
