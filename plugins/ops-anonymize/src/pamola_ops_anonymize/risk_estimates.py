"""What `RiskOperation` estimates on demand: uniqueness in a population, risks by survey weights, special uniques."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext
from pamola_tasks.errors import DataError

from .columns import require_numbers
from .domains import Floats, Ints
from .individual_risk import estimated_sizes, individual_risks
from .measures import Grouping
from .population_uniqueness import SampleClasses, population_uniqueness
from .special_uniques import special_uniques

MOST_SETS = 10
"""How many sets of columns that single records out are listed."""


@attrs.frozen(eq=False)
class RecordRisks:
    """Estimates, and what they say of each record.

    Attributes:
        metrics: The estimates.
        of_record: By name, a number for each record.
    """

    metrics: dict[str, Any]
    of_record: dict[str, Floats]


def weights_of(ctx: OperationContext, frame: pd.DataFrame, name: str, dataset: str) -> Floats:
    """The survey weights of the records.

    Raises:
        DataError: They are not numbers above 0, or sum to no more than the number of records, so that they do not say
            how many persons each record represents.
    """
    require_numbers(ctx, dataset, frame[name], "weights")
    weights = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = int((~(np.isfinite(weights) & (weights > 0))).sum())
    if wrong:
        raise DataError(
            f"{dataset}: {wrong:,} of {len(weights):,} records have a weight in {name} that is missing or not above 0:"
            f" leave these records out before this step, or give them one"
        )
    if weights.sum() <= len(weights):
        raise DataError(
            f"{dataset}: the weights in {name} sum to no more than the number of records ({len(weights):,}): they are"
            f" scaled. State weights that say how many persons of the population each record represents"
        )
    return np.asarray(weights)


def by_weights(grouping: Grouping, weights: Floats, threshold: float, warn: Callable[[str], None]) -> RecordRisks:
    """The risk of each record and of the table, and the k of k-map, by the population that the weights estimate.

    Args:
        grouping: The classes.
        weights: How many persons of the population each record represents.
        threshold: Above which risk records count as at risk.
        warn: Called with a warning where a class has less weight than records.
    """
    population = estimated_sizes(weights, grouping.group, grouping.classes, grouping.persons)
    fewer = int((population < grouping.sizes).sum())
    if fewer:
        warn(
            f"{fewer:,} of {grouping.classes:,} equivalence classes have weights that sum to less than their"
            f" {grouping.counted}: there the population is taken to hold no more than these"
        )
    of_class = individual_risks(grouping.sizes, population)
    risk = grouping.greatest(of_class)
    metrics = {
        "population_estimated": float(population.sum()),
        "k_map_estimated": float(np.maximum(population, grouping.sizes).min()),
        "individual_risk": {
            "highest": float(risk.max()),
            "global": float(risk.mean()),
            "expected_reidentifications": float(risk.sum()),
            f"{grouping.counted}_at_risk": int((risk > threshold).sum()),
            "share_at_risk": float((risk > threshold).mean()),
        },
    }
    return RecordRisks(metrics, {"individual_risk": of_class[grouping.group]})


def unique_in_population(grouping: Grouping, fraction: float) -> dict[str, Any]:
    """How many persons are unique in the population that the table is a random sample of, by several estimators."""
    sample = SampleClasses.of(grouping.sizes, fraction)
    found = population_uniqueness(sample)
    uniques, expected = sample.of_size(1), found.uniques * fraction
    right = f"about {expected:,.0f} of the {uniques:,} unique {grouping.counted} of the table are unique there, too"
    return {
        "sampling_fraction": fraction,
        "population": found.population,
        "zayatz": found.zayatz / found.population,
        "pitman": None if found.pitman is None else found.pitman / found.population,
        "snb": None if found.snb is None else found.snb / found.population,
        "model": found.model,
        "uniqueness": found.uniques / found.population,
        "uniques": found.uniques,
        "sample_uniques_unique_in_population": expected,
        "meaning": f"an estimated {found.uniques / found.population:.2%} of a population of {found.population:,.0f} are"
        f" unique in it, and {right if uniques else f'none of the {grouping.counted} of the table is unique'}",
    }


def singled_out(
    grouping: Grouping, frame: pd.DataFrame, columns: list[str], max_size: int, fraction: float | None, threshold: float
) -> RecordRisks:
    """The records that few of their values single out (SUDA2)."""
    codes: list[Ints] = [
        np.asarray(pd.factorize(frame[name], use_na_sentinel=False)[0], dtype=np.int64) for name in columns
    ]
    found = special_uniques(codes, max_size, fraction, grouping.persons, grouping.times)
    score = grouping.greatest_of_records(found.score)
    smallest = np.zeros(len(frame), dtype=np.int64)
    for chosen, rows in found.found.items():  # sets grow
        smallest[rows] = np.where(smallest[rows], smallest[rows], len(chosen))
    by_size = np.bincount(smallest, minlength=found.max_size + 1).tolist()
    sets = sorted(found.found.items(), key=lambda each: (-len(each[1]), each[0]))[:MOST_SETS]
    singled = int((score > 0).sum())
    metrics: dict[str, Any] = {
        "max_size": found.max_size,
        grouping.counted: singled,
        "highest_score": float(score.max()),
        "meaning": f"{singled:,} of {grouping.total:,} {grouping.counted} are the only ones with their values in"
        f" {'1 column' if found.max_size == 1 else f'{found.max_size} columns or fewer'}",
    }
    of_record = {"suda_score": found.score}
    if found.dis is not None:
        dis = grouping.greatest_of_records(found.dis)
        metrics |= {
            "dis": found.file_dis,
            "highest_dis_score": float(dis.max()),
            f"{grouping.counted}_at_risk": int((dis > threshold).sum()),
        }
        of_record["dis_suda_score"] = found.dis
    told = {
        "special_uniques": metrics,
        "special_uniques_by_fewest_columns": {str(size): by_size[size] for size in range(1, found.max_size + 1)},
        "special_uniques_by_column": dict(zip(columns, found.contribution.tolist(), strict=True)),
        "special_uniques_by_set": [
            {"columns": [columns[at] for at in each], "records": len(rows)} for each, rows in sets
        ],
    }
    return RecordRisks(told, of_record)
