"""Which records make a class: the strategies, asked with records or with persons as their units."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataRefused, ParameterError

from .asking import met_by
from .boxes import Boxes
from .conditions import Conditions, PersonCounts, SensitiveCounts
from .domains import Codes, Floats, Ints, Mask
from .exact_suppression import suppressed_optimally
from .hierarchies import Hierarchy
from .improving import improved
from .local_suppression import suppressed_locally
from .microaggregation import microaggregate
from .models import SensitiveValues
from .mondrian import partition
from .persons import Persons, votes_of_persons
from .privacy_models import Classes
from .recoding import MOST_NODES, OUTSIDE, full_domain, local_recoding, met_by_joining, node_count
from .release_settings import Settings
from .restarts import improved_from_starts
from .row_order import by_cells
from .table import Table
from .ties import drawn


@attrs.frozen(eq=False)
class Grouped:
    """What a strategy has found.

    Attributes:
        classes: The class of each record to be grouped, `OUTSIDE` where it is suppressed.
        levels: Of a full-domain recoding the level of each dimension.
        boxes: Where cells end at the cuts of a partition, the box of each class.
        rejoined: Where a union of classes may violate what each of them meets (a person's vote in it is another one):
            given the class of each record, classes that meet it.
    """

    classes: Ints
    levels: list[int] | None = None
    boxes: Boxes | None = None
    rejoined: Callable[[Ints], Ints] | None = None


@attrs.frozen(eq=False)
class _Apart:
    """Persons whose records may be in different classes: those of the input, and those that count for k."""

    own: Persons
    counted: Persons
    of_population: bool


def classes_of(
    frame: pd.DataFrame,
    table: Table,
    complete: Mask,
    hierarchies: list[Hierarchy],
    importance: Floats,
    k: int,
    settings: Settings,
    progress: Callable[[int], None] | None,
) -> Grouped:
    """The class of each record to be grouped, `OUTSIDE` for all where they are fewer than k."""
    if settings.classes is not None:
        return Grouped(settings.classes)
    nothing = Grouped(np.full(len(table.combination), OUTSIDE, dtype=np.int64))
    if settings.persons is None or not len(frame):
        enough = len(frame) and int(table.weights.sum()) >= k
        return _grouped(frame, table, hierarchies, importance, k, settings, progress) if enough else nothing
    own = settings.persons.taken(np.flatnonzero(complete))
    there = len(table.combination) - table.records
    others = settings.persons_of_population or Persons.each(there)
    counted = others if settings.population is not None else own
    if counted.count < k:
        return nothing
    if settings.person_records == "apart":
        apart = _Apart(own, counted, settings.population is not None)
        counts = _person_counts(apart, table.combination, table.records, len(table.weights))
        table = attrs.evolve(table, weights=np.diff(counts.start))
        return _grouped(frame, table, hierarchies, importance, k, settings, progress, apart)
    everyone = own.followed_by(others)
    asked = settings.sensitive if settings.promise.of_sensitive else ()
    chosen = {
        name: frame[name].iloc[votes_of_persons(own, SensitiveValues.of(frame[name], settings.promise.distinguish))]
        for name in asked
    }
    subjects = pd.DataFrame(
        {name: column.reset_index(drop=True) for name, column in chosen.items()}, index=pd.RangeIndex(own.count)
    )
    units = table.of_persons(everyone, own.count)
    found = _grouped(subjects, units, hierarchies, importance, k, settings, progress)
    return attrs.evolve(found, classes=found.classes[everyone.of])


def _rejoining(
    codes: Codes, weights: Ints, unit: Ints, hierarchies: list[Hierarchy], importance: Floats, conditions: Conditions
) -> Callable[[Ints], Ints] | None:
    """How classes of records are joined until each meets the conditions; None where unions of classes do anyway."""
    if conditions.persons is None or not conditions.sensitive:
        return None
    settled = attrs.evolve(conditions, random=False)

    def rejoined(classes: Ints) -> Ints:
        of_unit = np.full(codes.shape[1], OUTSIDE, dtype=np.int64)
        of_unit[unit] = classes
        return met_by_joining(codes, weights, of_unit, hierarchies, importance, settled)[unit]

    return rejoined


def _person_counts(apart: _Apart, unit: Ints, records: int, units: int) -> PersonCounts:
    return PersonCounts.of(apart.counted, unit[records:] if apart.of_population else unit[:records], units)


def _grouped(
    frame: pd.DataFrame,
    table: Table,
    hierarchies: list[Hierarchy],
    importance: Floats,
    k: int,
    settings: Settings,
    progress: Callable[[int], None] | None,
    apart: _Apart | None = None,
) -> Grouped:
    if settings.strategy == "microaggregation":
        return _microaggregated(frame, table, hierarchies, importance, k, settings, progress, apart)
    unit, weights = table.combination, table.weights
    conditions = _conditions(frame, unit, table.records, weights, k, settings, apart, table.times)
    may_suppress = int(settings.suppression_limit * (len(frame) if table.times is None else table.times.sum()))
    rejoined = _rejoining(table.distinct, table.own, unit, hierarchies, importance, conditions)
    if settings.strategy == "suppression" and conditions.only_k and settings.population is None:
        return Grouped(_suppressed(frame, table, hierarchies, importance, k, settings, progress))
    if settings.strategy == "mondrian":
        boxes = Boxes.of(table.domains) if settings.bounds == "cuts" else None
        classes = partition(
            table.distinct,
            weights,
            table.domains,
            k,
            importance=importance,
            conditions=None if conditions.only_k else conditions,
            boxes=boxes,
            progress=progress,
        )
        return Grouped(classes[unit], boxes=boxes, rejoined=rejoined)
    if node_count(hierarchies) > MOST_NODES:
        raise ParameterError(
            f"AnonymizeOperation: the hierarchies of the quasi-identifiers have {node_count(hierarchies):,}"
            f" combinations of levels, more than the {MOST_NODES:,} that can be tried: use fewer"
            f" levels, or strategy mondrian"
        )
    if settings.recoding == "full-domain":
        classes, levels = full_domain(table.distinct, table.own, hierarchies, importance, conditions, may_suppress)
        return Grouped(classes[unit], levels)
    # where chance hides what sensitive values forbid, classes are found without a look at these, and then joined
    first = conditions.blind if conditions.random else conditions
    classes = local_recoding(table.distinct, table.own, hierarchies, importance, first, may_suppress, progress)
    which = table.distinct, classes, table.domains, hierarchies, importance, first
    settings.stage("improving")
    if settings.strategy == "suppression":
        classes = improved(*which, sets=0.0)
    else:
        classes = improved_from_starts(*which, by_sets=settings.output == "ranges")
    if conditions.random:
        classes = met_by_joining(table.distinct, table.own, classes, hierarchies, importance, conditions)
    return Grouped(classes[unit], rejoined=rejoined)


def _suppressed(
    frame: pd.DataFrame,
    table: Table,
    hierarchies: list[Hierarchy],
    importance: Floats,
    k: int,
    settings: Settings,
    progress: Callable[[int], None] | None,
) -> Ints:
    """The class of each record by local suppression: each is a unit, as those that are the same may help others."""
    order = by_cells(frame)  # which of those it is, is not left to the order of the table
    order = order[np.argsort(table.combination[order], kind="stable")]
    codes = np.take(table.distinct, table.combination[order], axis=1)
    each = Conditions(k, np.ones(codes.shape[1], dtype=np.int64))
    classes = suppressed_locally(codes, importance, k, progress)
    settings.stage("improving")
    classes = improved(codes, classes, table.domains, hierarchies, importance, each, sets=0.0)
    if settings.exact:
        classes = suppressed_optimally(codes, importance, k, classes)
    found = np.empty(len(order), dtype=np.int64)
    found[order] = classes
    return found


def _microaggregated(
    frame: pd.DataFrame,
    table: Table,
    hierarchies: list[Hierarchy],
    importance: Floats,
    k: int,
    settings: Settings,
    progress: Callable[[int], None] | None,
    apart: _Apart | None,
) -> Grouped:
    """The class of each record: each is a unit, in an order that does not depend on that of the table.

    Records that are equally far away are taken in their order, and these are many.
    """
    records = len(table.combination)
    counted = np.arange(records) >= (table.records if settings.population is not None else 0)
    others = np.zeros(records - len(frame), dtype=np.int64)
    asked = settings.sensitive if settings.promise.of_sensitive else ()
    sensitive: list[Ints | Floats] = [np.append(SensitiveValues.of(frame[name]).codes, others) for name in asked]
    if sensitive and settings.ties == "random":
        sensitive = [drawn(records)]
    order = np.lexsort((*sensitive, counted, table.combination))
    unit = np.empty(records, dtype=np.int64)
    unit[order] = np.arange(records)
    conditions = _conditions(frame, unit, table.records, counted[order].astype(np.int64), k, settings, apart)
    codes = np.take(table.distinct, table.combination[order], axis=1)
    classes = microaggregate(codes, table.domains, importance, conditions, progress)[unit]
    own = (order < table.records).astype(np.int64)
    return Grouped(classes, rejoined=_rejoining(codes, own, unit, hierarchies, importance, conditions))


def _conditions(
    frame: pd.DataFrame,
    unit: Ints,
    records: int,
    weights: Ints,
    k: int,
    settings: Settings,
    apart: _Apart | None,
    times: Ints | None = None,
) -> Conditions:
    """What classes have to meet: `unit` is that of each record, of which the first `records` are the input's."""
    promise = settings.promise
    persons = None if apart is None else _person_counts(apart, unit, records, len(weights))
    total = weights.sum() if apart is None else apart.counted.count
    of_population = settings.population is not None
    own = np.bincount(unit[:records], minlength=len(weights)) if of_population else None
    released = np.array([records], dtype=np.int64) if of_population else None
    whole = Classes(np.array([total], dtype=np.int64), released=released)
    for model in promise.of_sizes:
        if not met_by(model, whole).all():
            raise DataRefused(f"{model.words()} cannot be reached: the whole table as one class violates it")
    sensitive = []
    for name in settings.sensitive if promise.of_sensitive else ():
        values = SensitiveValues.of(frame[name], promise.distinguish, times)
        whose = None if apart is None else apart.own
        ordered = promise.is_ordered(values)
        counts = SensitiveCounts.of(values, unit[:records], len(weights), ordered=ordered, persons=whose, times=times)
        sensitive.append(counts)
        alone = Conditions(0, weights, promise, (counts,), own=own)
        everyone = np.arange(len(weights), dtype=np.int64)
        if not alone.met(everyone, np.zeros(len(weights), dtype=np.int64), 1)[0]:
            raise DataRefused(
                f"{promise.words()} cannot be reached for {name}: the whole table as one class violates it."
                f" Require less, or omit {name}",
                column=name,
            )
    return Conditions(
        k, weights, promise, tuple(sensitive), persons, own, bool(sensitive) and settings.ties == "random"
    )
