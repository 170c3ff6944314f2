"""What is claimed of a release, held against what is written in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pamola_tasks.errors import DataRefused

from .asking import met_by
from .conditions import Measured, Promise
from .domains import Ints
from .measures import Grouping
from .persons import Persons
from .privacy_models import Classes
from .release import Release


def check_release(
    released: pd.DataFrame,
    quasi_identifiers: Sequence[str],
    k: int,
    rows_in: int,
    dropped: int,
    population: pd.DataFrame | None = None,
    persons: Persons | None = None,
    persons_of_population: Persons | None = None,
    times: Ints | None = None,
) -> Grouping:
    """Hold a table against what is claimed of it, by counting what is written in it.

    Where a row represents several records, `times` says for how many.

    Returns:
        Its classes.

    Raises:
        DataRefused: Fewer than `k` records (persons, where these are given) share a combination, or fewer than `k` of
            the population where that is given; or records are unaccounted for.
    """
    rows_out = len(released) if times is None else int(times.sum())
    if rows_out + dropped != rows_in:
        raise DataRefused(
            f"{rows_in} records came in, but {rows_out} go out and {dropped} were suppressed:"
            f" the table is not released. This is a fault of the operation, please report it",
            rows_in=rows_in,
            rows_out=rows_out,
            rows_suppressed=dropped,
        )
    grouping = Grouping.of(released, quasi_identifiers, persons, times).by_cells(released, quasi_identifiers)
    measured = grouping.k
    if population is not None:
        measured = k_map(released, population, quasi_identifiers, persons_of_population)
    if measured is not None and measured < k:
        raise DataRefused(
            f"k={k} was asked for, but the generalized table reaches only k={measured}: it is not released."
            f" This is a fault of the operation, please report it",
            k_claimed=k,
            k_measured=measured,
        )
    return grouping


def k_map(
    released: pd.DataFrame,
    population: pd.DataFrame,
    quasi_identifiers: Sequence[str],
    persons: Persons | None = None,
) -> int | None:
    """The least number of records (persons) of a generalized population that any released record looks like.

    L. Sweeney: Computational disclosure control, PhD thesis, MIT 2001, section 4.3.

    Returns:
        None where no record is released.
    """
    found = _in_population(released, population, quasi_identifiers, persons)
    return int(found.min()) if len(found) else None


def _in_population(
    released: pd.DataFrame, population: pd.DataFrame, quasi_identifiers: Sequence[str], persons: Persons | None
) -> Ints:
    """For each released record how many records (persons) of the population look like it."""
    both = pd.concat([released[list(quasi_identifiers)], population[list(quasi_identifiers)]], ignore_index=True)
    group = Grouping.of(both, quasi_identifiers).group
    there, classes = group[len(released) :], int(group.max(initial=-1)) + 1
    counts = np.bincount(there, minlength=classes) if persons is None else persons.in_classes(there, classes)
    return counts[group[: len(released)]].astype(np.int64)


def released_classes(
    release: Release, grouping: Grouping, quasi_identifiers: Sequence[str], promise: Promise
) -> Classes:
    """The classes of a release as models of sizes look at them: counted in the population where there is one."""
    if release.population is None:
        return Classes(grouping.sizes)
    sizes = np.zeros(grouping.classes, dtype=np.int64)
    sizes[grouping.group] = _in_population(
        release.coded, release.population, quasi_identifiers, release.persons_of_population
    )
    own = grouping.sizes
    if release.population_outside and any(model.of_population for model in promise.of_sizes):
        sizes, own = np.append(sizes, release.population_outside), np.append(own, 0)
    return Classes(sizes, released=own)


def check_promise(promise: Promise, measured: Mapping[str, Measured | None], classes: Classes | None = None) -> None:
    """Hold what was measured of classes and of each sensitive attribute against what was asked.

    Args:
        promise: What was asked.
        measured: What was measured of each sensitive attribute.
        classes: The classes of the release, where models of sizes were asked for.

    Raises:
        DataRefused: One of them falls short.
    """
    for model in promise.of_sizes:
        if classes is not None and len(classes.sizes) and not met_by(model, classes).all():
            raise DataRefused(
                f"{model.words()} was asked for, but the generalized table does not reach it: it is not released."
                f" This is a fault of the operation or of the model, please report it"
            )
    for name, found in measured.items():
        if found is not None and not promise.kept(found):
            raise DataRefused(
                f"{promise.words()} was asked for, but the generalized table does not reach it for {name}: it is not"
                f" released. This is a fault of the operation, please report it",
                column=name,
            )
