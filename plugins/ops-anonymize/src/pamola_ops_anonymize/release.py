"""From a table to one that may be released: group, generalize, put together, account for every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import attrs
import numpy as np
import pandas as pd

from .asking import met_by
from .cells import Written, written_cells
from .classes import Grouped, classes_of
from .distributions import Distribution
from .domains import Ints, Mask, counted
from .generalization import as_text
from .measures import Grouping
from .notation import SUPPRESSED
from .persons import Persons
from .privacy_models import Classes
from .recoding import OUTSIDE
from .release_settings import Bounds, HierarchySource, Settings
from .table import Table


@attrs.frozen(eq=False)
class Invariant:
    """The signatures of an m-invariant release.

    Attributes:
        part: The number of each record's signature.
        signatures: Hashes of the sensitive values of each.
        texts: The value of each hash.
    """

    part: Ints
    signatures: list[list[int]]
    texts: dict[int, str]


@attrs.frozen(eq=False)
class Release:
    """A generalized table, and what making it cost.

    Normalized certainty penalty: J. Xu, W. Wang, J. Pei, X. Wang, B. Shi and A. W.-C. Fu: Utility-based anonymization
    using local recoding, KDD 2006.

    Attributes:
        coded: The records that are released, in the input's order, with the input's row labels; the quasi-identifiers
            as categories.
        suppressed: Records that are suppressed.
        suppressed_for_nulls: Those of them that are so because a quasi-identifier is missing.
        dropped: Those of them that are left out; the others are kept with `*`.
        sizes_before: Records of each class of the input, or persons where these are counted.
        ncp_set: For each quasi-identifier the normalized certainty penalty over the input's records if ranges and
            sets are published (a suppressed record loses 1).
        ncp_hier: The same if labels of hierarchies are published, over the values that the column has.
        ncp_file: The same over all lines of the hierarchies' files.
        published: Which of both is true of the release: the losses of its cells.
        population: For k-map the quasi-identifiers of the population, generalized in the same way.
        population_outside: How many records of the population (persons, where it says whose these are) look like no
            record that is released.
        persons: Whose each released record is, where persons are counted; `persons_of_population` the same there.
        persons_before: How many persons the input has.
        counterfeits: How many of the records are counterfeits: these have negative row labels.
        invariant: Of an m-invariant release its signatures.
        update: Of a release that continues an earlier one, which, and how many records are new; empty otherwise.
        distributions: Of each quasi-identifier before and after, over the records that could be grouped.
        times: Where a row of `coded` represents several records, for how many.
    """

    coded: pd.DataFrame
    suppressed: int
    suppressed_for_nulls: int
    dropped: int
    sizes_before: Ints
    ncp_set: dict[str, float]
    ncp_hier: dict[str, float]
    published: Literal["set", "hier"]
    population: pd.DataFrame | None = None
    population_outside: int = 0
    persons: Persons | None = None
    persons_before: int = 0
    persons_of_population: Persons | None = None
    counterfeits: int = 0
    invariant: Invariant | None = None
    update: dict[str, Any] = attrs.Factory(dict)
    distributions: dict[str, Distribution] = attrs.Factory(dict)
    ncp_file: dict[str, float] = attrs.Factory(dict)
    times: Ints | None = None

    @property
    def frame(self) -> pd.DataFrame:
        """The same with the quasi-identifiers as text, which takes several times the memory."""
        return self.coded.assign(**{name: as_text(self.coded[name]) for name in self.ncp_set})

    @property
    def records(self) -> int:
        """How many records are released."""
        return len(self.coded) if self.times is None else int(self.times.sum())

    @property
    def k_before(self) -> int:
        """Records (persons) of the smallest class of the input."""
        return int(self.sizes_before.min())

    @property
    def loss(self) -> dict[str, float]:
        """Losses of the quasi-identifiers as they are published."""
        return self.ncp_set if self.published == "set" else self.ncp_hier

    @property
    def information_loss(self) -> float:
        """The mean of the losses over the quasi-identifiers, 0 (as the input) to 1 (nothing is left)."""
        return mean_loss(self.loss)


def mean_loss(loss: Mapping[str, float]) -> float:
    """One number for the losses of the columns: their mean."""
    return sum(loss.values()) / len(loss)


def k_anonymous(
    frame: pd.DataFrame,
    quasi_identifiers: Sequence[str],
    k: int,
    progress: Callable[[int], None] | None = None,
    *,
    bounds: Bounds = "rounded",
) -> Release:
    """Generalize the quasi-identifiers by Mondrian until at least `k` records share each combination of them.

    k-anonymity: L. Sweeney, International Journal of Uncertainty, Fuzziness and Knowledge-Based Systems 10(5), 2002.
    Mondrian: K. LeFevre, D. J. DeWitt and R. Ramakrishnan, ICDE 2006.

    A table of fewer than `k` records cannot be released at all: every record is suppressed. Otherwise none is.

    Args:
        frame: At least one record; column names are unique.
        quasi_identifiers: At least one column of it.
        k: At least 2.
        progress: Called with how many records have found their class.
        bounds: Where cells end.
    """
    return anonymized(frame, quasi_identifiers, k, Settings(bounds=bounds), progress)


def anonymized(
    frame: pd.DataFrame,
    quasi_identifiers: Sequence[str],
    k: int,
    settings: Settings,
    progress: Callable[[int], None] | None = None,
    times: Ints | None = None,
) -> Release:
    """Generalize the quasi-identifiers until each class of records meets what is asked.

    Args:
        frame: At least one record; column names are unique.
        quasi_identifiers: At least one column of it.
        k: At least 2; counted in the population where there is one.
        settings: How.
        progress: Called with how many records have found their class.
        times: Where a row of the frame represents several records, for how many. Neither persons nor a population can
            be counted then, and every row has to be a unit of its own in no strategy (`large.UNITS`).

    Raises:
        DataRefused: Not even the whole table as one class meets what is asked of the sensitive attributes.
    """
    columns = list(quasi_identifiers)
    settings.stage("partitioning")
    table = Table.of(frame, columns, times=times, universe=settings.universe)
    sizes_before = table.weights
    if settings.persons is not None:
        sizes_before = settings.persons.in_classes(table.combination, len(sizes_before))
    complete = np.ones(len(frame), dtype=bool)
    if settings.nulls == "suppress":
        complete = frame[columns].notna().all(axis=1).to_numpy(dtype=bool)
    kept = frame if complete.all() else frame.loc[complete]
    if settings.population is not None or not complete.all():
        table = Table.of(frame, columns, settings.population, complete, times, settings.universe)
    importance = np.array([float(settings.importance.get(column, 1.0)) for column in columns])
    importance /= importance.mean()
    unstated = HierarchySource(suppress=settings.strategy == "suppression")
    hierarchies = [
        settings.hierarchies.get(column, unstated).hierarchy(domain)
        for column, domain in zip(columns, table.domains, strict=True)
    ]

    grouped = _numbered(classes_of(kept, table, complete, hierarchies, importance, k, settings, progress), table)
    settings.stage("generalizing")
    while True:
        classes = grouped.classes
        released_rows = classes[: table.records] >= 0
        own = classes[: table.records][released_rows]
        sizes = counted(own, 0, None if table.times is None else table.times[released_rows])
        written = written_cells(columns, table, hierarchies, grouped, sizes, k, settings, complete)
        joined = _joined(grouped, written, len(sizes))
        if joined is None:
            break
        grouped = _numbered(joined, table)
    total = len(frame) if times is None else int(times.sum())
    suppressed = total - int(sizes.sum())
    released = kept if released_rows.all() else kept.loc[released_rows]
    domains, before = table.domains, table.before
    others = classes[table.records :].copy()  # a view would keep the rest
    positions = np.flatnonzero(complete)[released_rows]
    del table, classes, grouped  # the text that is made now takes most of the memory
    population, persons_there, nowhere = None, settings.persons_of_population, 0
    if settings.population is not None:
        nowhere = int((others < 0).sum())
        if persons_there is not None:
            everybody = persons_there.count
            persons_there = persons_there.taken(np.flatnonzero(others >= 0))
            nowhere = everybody - persons_there.count
        others = others[others >= 0]
        index = pd.RangeIndex(len(others))
        population = pd.DataFrame({name: column.published.cells(others, index) for name, column in written.items()})
    out = released.assign(**{name: column.published.cells(own, released.index) for name, column in written.items()})
    dropped = suppressed
    if suppressed and len(out) and settings.suppressed_records == "keep":
        outside = np.ones(len(frame), dtype=bool)
        outside[positions] = False
        whole = _with_suppressed(frame, out, outside, columns)
        if _meets(whole, columns, k, settings, times):
            out, dropped, positions = whole, 0, np.arange(len(frame))
    return Release(
        coded=out,
        suppressed=suppressed,
        dropped=dropped,
        suppressed_for_nulls=int((~complete).sum() if times is None else times[~complete].sum()),
        sizes_before=sizes_before,
        ncp_set={name: (column.ncp_set + suppressed) / total for name, column in written.items()},
        ncp_hier={name: (column.ncp_hier + suppressed) / total for name, column in written.items()},
        ncp_file={name: (column.ncp_file + suppressed) / total for name, column in written.items()},
        published="hier" if settings.output == "labels" else "set",
        population=population,
        population_outside=nowhere,
        persons=settings.persons and settings.persons.taken(positions),
        persons_before=settings.persons.count if settings.persons else 0,
        persons_of_population=persons_there,
        times=None if times is None else times[positions],
        distributions={
            column: Distribution(
                domains[position],
                before[position],
                written[column].after,
                written[column].untold + suppressed - dropped,
            )
            for position, column in enumerate(columns)
        },
    )


def _numbered(grouped: Grouped, table: Table) -> Grouped:
    """The same with classes that are numbered from 0; one that holds records of the population only is nobody's."""
    classes = grouped.classes
    used = np.zeros(int(classes.max(initial=-1)) + 1, dtype=bool)
    used[classes[: table.records][classes[: table.records] >= 0]] = True
    number = np.append(np.cumsum(used) - 1, OUTSIDE)
    number[:-1][~used] = OUTSIDE
    boxes = grouped.boxes and grouped.boxes.taken(np.flatnonzero(used))
    return attrs.evolve(grouped, classes=number[classes], boxes=boxes)


def _joined(grouped: Grouped, written: Mapping[str, Written], count: int) -> Grouped | None:
    """The classes joined that are written alike, and further ones until all meet what is asked; None where they do."""
    if grouped.rejoined is None or not count:
        return None
    numbers = np.arange(count)
    cells = {name: column.published.cells(numbers, pd.RangeIndex(count)) for name, column in written.items()}
    alike = Grouping.of(pd.DataFrame(cells), list(cells))
    if alike.classes == count:
        return None
    together = np.append(alike.group, OUTSIDE)[grouped.classes]
    found = grouped.rejoined(together)
    if len(np.unique(found)) == len(np.unique(together)):
        return None
    return attrs.evolve(grouped, classes=found)


def _with_suppressed(frame: pd.DataFrame, released: pd.DataFrame, outside: Mask, columns: list[str]) -> pd.DataFrame:
    """The whole table, with `*` for the quasi-identifiers of the records that are not released."""
    written = {}
    for name in columns:
        cells = np.full(len(frame), SUPPRESSED, dtype=object)
        cells[~outside] = released[name].to_numpy(dtype=object)
        written[name] = pd.Series(pd.array(cells, dtype="string"), index=frame.index)
    return frame.assign(**written)


def _meets(frame: pd.DataFrame, columns: list[str], k: int, settings: Settings, times: Ints | None) -> bool:
    grouping = Grouping.of(frame, columns, settings.persons, times)
    if grouping.k is None or grouping.k < k:
        return False
    if not all(met_by(model, Classes(grouping.sizes)).all() for model in settings.promise.of_sizes):
        return False
    measured = [grouping.measured(frame[name], settings.promise) for name in settings.sensitive]
    return all(found is None or settings.promise.kept(found) for found in measured)
