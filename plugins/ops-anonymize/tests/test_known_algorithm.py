"""What a known algorithm reveals, by searches with the product itself: is anything certain of a person? More of both
with PAMOLA_FUZZ."""

from __future__ import annotations

import itertools
import os
import random
from collections import defaultdict
from typing import Any

import pandas as pd
import pytest

from pamola_ops_anonymize.conditions import Promise
from pamola_ops_anonymize.release import anonymized
from pamola_ops_anonymize.release_settings import Settings
from pamola_tasks.errors import DataRefused

MORE = "PAMOLA_FUZZ" in os.environ
STRATEGIES = ["mondrian", "hierarchy", "microaggregation", "suppression"]

Release = tuple[tuple[str, ...], ...]


def released(frame: pd.DataFrame, columns: list[str], k: int, **how: Any) -> pd.DataFrame:
    return anonymized(frame, columns, k, Settings(**how)).frame.astype(object).astype(str)


def shown(release: pd.DataFrame) -> Release:
    return tuple(sorted(map(tuple, release.to_numpy())))


# ---------------------------------------------------------------- minimality (Wong and others 2007)

KNOWN = {"q": [0, 1, 0, 2, 1, 0, 0], "r": list("yyxxxyy")}
ASSIGNMENTS = list(itertools.combinations(range(7), 3))


def of_assignment(sick: tuple[int, ...], strategy: str, ties: str) -> Release | None:
    frame = pd.DataFrame({**KNOWN, "s": ["sick" if person in sick else "well" for person in range(7)]})
    how: Any = {"strategy": strategy, "promise": Promise(l=2), "sensitive": ["s"], "ties": ties}
    try:
        return shown(released(frame, ["q", "r"], 2, **how))
    except DataRefused:
        return None


def certain(given: dict[Release | None, set[tuple[int, ...]]]) -> int:
    """Persons who are sick, or well, in all assignments that lead to a release."""
    found = 0
    for release, assignments in given.items():
        found += 0 if release is None else sum(len({p in each for each in assignments}) == 1 for p in range(7))
    return found


@pytest.mark.parametrize("strategy", STRATEGIES if MORE else ["mondrian", "suppression"])
def test_no_release_of_a_toy_table_makes_a_persons_value_certain(strategy: str) -> None:
    """Of all that the search gives, by default: draws go on until each person can be either. Where ties are fixed, the
    same search is a proof of some persons' values."""
    given = defaultdict(set)
    for sick in ASSIGNMENTS:
        given[of_assignment(sick, strategy, "fixed")].add(sick)
    assert certain(given) or strategy == "microaggregation"
    seen = defaultdict(set)
    draw = random.Random(3)
    for number in itertools.count():
        sick = ASSIGNMENTS[number] if number < len(ASSIGNMENTS) else draw.choice(ASSIGNMENTS)
        seen[of_assignment(sick, strategy, "random")].add(sick)
        if number >= len(ASSIGNMENTS) and not certain(seen):
            break
        assert number < 4000, f"certain: {certain(seen)}"


# ---------------------------------------------------------------- downcoding (Cohen 2022)


def certainly_one(strategy: str, bounds: str) -> tuple[int, int]:
    """Of all tables of four people of some ages: ages that exactly one person must have, though no cell says it."""
    ages = range(20, 30)
    given = defaultdict(list)
    for table in itertools.combinations_with_replacement(ages, 4):
        how: Any = {"strategy": strategy, "bounds": bounds}
        given[shown(released(pd.DataFrame({"age": table}), ["age"], 2, **how))].append(table)
    found = sum({table.count(age) for table in tables} == {1} for tables in given.values() for age in ages)
    return found, len(given)


@pytest.mark.parametrize("strategy", STRATEGIES[:3] if MORE else ["mondrian"])
def test_rounded_cells_leave_little_to_an_attacker_who_tries_all_tables(strategy: str) -> None:
    """Who knows the search and the possible ages, and that there are four people: the limit that the manual states."""
    (rounded, releases), (tight, _) = (certainly_one(strategy, bounds) for bounds in ("rounded", "tight"))
    assert rounded < tight / 20
    assert rounded < releases / 3
