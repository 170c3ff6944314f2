"""What is written for each class, column by column, and what that loses and reveals."""

from __future__ import annotations

import attrs
import numpy as np

from .bounds import climbed, rounded
from .central_records import Central, central_records
from .classes import Grouped
from .distributions import of_labels, of_ranges, of_representatives
from .domains import Floats, Ints, Mask, counted, counted_keys
from .generalization import GeneralizedColumn, generalize, labelled, representative
from .held import Held, Holders, OfPersons
from .hierarchies import Hierarchy
from .persons import Persons
from .release_settings import Settings
from .table import Table
from .threads import each


@attrs.frozen(eq=False)
class Written:
    """One quasi-identifier of a release.

    Attributes:
        published: Its cells.
        ncp_set: What intervals and sets of it lose, summed over the records.
        ncp_hier: The same of labels of its hierarchy.
        ncp_file: The same with the lines of the hierarchy's file as values.
        after: What the cells say of how often each value occurs.
        untold: Records whose cell is suppressed.
    """

    published: GeneralizedColumn
    ncp_set: float
    ncp_hier: float
    ncp_file: float
    after: Floats
    untold: float


def written_cells(
    columns: list[str],
    table: Table,
    hierarchies: list[Hierarchy],
    grouped: Grouped,
    sizes: Ints,
    k: int,
    settings: Settings,
    complete: Mask,
) -> dict[str, Written]:
    """The quasi-identifiers as they are published.

    Args:
        columns: Their names.
        table: Their codes.
        hierarchies: One a column.
        grouped: The class of each record of the table, below 0 for what is not released.
        sizes: Released records of each class.
        k: How many persons (records) have to share a cell.
        settings: How cells are written.
        complete: Which records of the input are those of the table.
    """
    count = len(sizes)
    if not count:
        empty = GeneralizedColumn([], np.zeros(0, dtype=np.int64), np.zeros(0))
        domains = zip(columns, table.domains, strict=True)
        return {column: Written(empty, 0.0, 0.0, 0.0, np.zeros(domain.size + 1), 0.0) for column, domain in domains}
    classes, levels, boxes = grouped.classes, grouped.levels, grouped.boxes
    inside: Mask = classes >= 0
    # a pair of class and combination each once: what a class holds is all that cells depend on
    width = table.distinct.shape[1]
    times = None if table.times is None else table.times[inside]
    pairs, weight = counted_keys(classes[inside] * width + table.combination[inside], times)
    owner, unit = pairs // width, (pairs % width).astype(np.int32)
    # a representative is no interval: its loss is that of the values which it stands for
    rounds = settings.bounds == "rounded" and settings.output != "representative"
    holders = _holders(table, classes, owner, unit, weight, settings, complete) if rounds else None
    del pairs
    chosen: Central | None = None
    if settings.output == "representative":
        avoid = settings.on_real_records == "avoid"
        chosen = central_records(table, owner, unit, weight, count, avoid=avoid)

    def of_column(position: int) -> Written:
        domain, hierarchy = table.domains[position], hierarchies[position]
        codes = table.distinct[position][unit]
        held: Held | None = None
        if holders is not None:
            held = holders.held(table.distinct[position], domain.size + 1)
        level: int | Ints | None = None if levels is None else levels[position]
        if boxes is not None:
            covered, told = boxes.cells(position, domain, codes, owner, sizes)
        elif held is None:
            covered, told = generalize(domain, codes, owner, count), of_ranges(domain, codes, owner, sizes)
        else:
            stated = hierarchy if columns[position] in settings.with_labels else None
            covered, told = rounded(domain, codes, owner, sizes, held, k, stated)
            if level is None:
                level = climbed(hierarchy, domain, codes, owner, count, held)
        cells = covered
        if settings.output == "labels":
            cells = labelled(hierarchy, codes, owner, count, level)
            told = of_labels(domain, hierarchy, codes, owner, sizes, level)
        elif chosen is not None:
            which, hidden = chosen.codes[position], chosen.hidden[position]
            cells = representative(domain, codes, which, owner, count, hidden)
            told = of_representatives(domain, codes, which, owner, sizes, hidden)
        by_label, by_line = hierarchy.losses_of(codes, owner, count, level)
        sums = [float((loss * sizes).sum()) for loss in (covered.loss, by_label, by_line)]
        return Written(cells, sums[0], sums[1], sums[2], *told)

    written = dict(zip(columns, each(of_column, range(len(columns))), strict=True))
    if settings.output == "representative":
        return _as_read(written, table, hierarchies, owner, unit, sizes)
    return written


def _as_read(
    written: dict[str, Written], table: Table, hierarchies: list[Hierarchy], owner: Ints, unit: Ints, sizes: Ints
) -> dict[str, Written]:
    """The same with the losses of classes as they are written: those with the same representative are one class."""
    key = np.zeros(len(sizes), dtype=np.int64)
    for column in written.values():
        texts = np.append(np.unique(np.array(column.published.labels, dtype=object), return_inverse=True)[1], -1)
        _, key = np.unique(key * (len(texts) + 1) + texts[column.published.of_class] + 1, return_inverse=True)
    count = int(key.max()) + 1
    if count == len(sizes):
        return written
    order = np.argsort(key[owner], kind="stable")
    whose, units = key[owner][order], unit[order]
    weights = np.bincount(key, weights=sizes, minlength=count)
    found = {}
    for (name, column), domain, row, hierarchy in zip(
        written.items(), table.domains, table.distinct, hierarchies, strict=True
    ):
        covered = generalize(domain, row[units], whose, count).loss
        np.maximum.at(covered, key, column.published.loss)  # a cell that is suppressed
        by_label, by_line = hierarchy.losses_of(row[units], whose, count)
        sums = [float((loss * weights).sum()) for loss in (covered, by_label, by_line)]
        found[name] = attrs.evolve(column, ncp_set=sums[0], ncp_hier=sums[1], ncp_file=sums[2])
    return found


def _holders(
    table: Table, classes: Ints, owner: Ints, unit: Ints, weight: Ints, settings: Settings, complete: Mask
) -> Holders:
    records = table.records
    if settings.persons is not None:
        own = settings.persons.taken(np.flatnonzero(complete))
        others = settings.persons_of_population or Persons.each(len(classes) - records)
        whose = own.followed_by(others).of
        return Holders(owner, unit, weight, weight, OfPersons(whose, table.combination, classes[:records]))
    width = table.distinct.shape[1]
    if records < len(classes):  # the cells are those of the population, too; but it is not released
        released = classes[:records] >= 0
        keys = classes[:records][released] * width + table.combination[:records][released]
        weight = np.bincount(np.searchsorted(owner * width + unit, keys), minlength=len(owner))
    return Holders(owner, unit, weight, counted(table.combination, width, table.times))
