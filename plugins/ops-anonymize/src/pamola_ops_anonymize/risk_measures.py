"""Measures of re-identification and disclosure of a table's classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .alike import Distinguish
from .domains import Floats, Ints
from .measures import Grouping
from .models import Histogram, SensitiveValues


def reidentification(grouping: Grouping, threshold: float) -> dict[str, Any]:
    """What an attacker who knows that a person is in the table can do with the table alone.

    Args:
        grouping: The classes of the table; at least one.
        threshold: Above which risk a record counts as at risk.
    """
    sizes, total = grouping.sizes, grouping.total
    risk, uniques = risks_of(grouping, 1.0 / sizes, threshold)
    average = risk["average"] = grouping.classes / total if grouping.persons is None else risk["average"]
    return {
        "rows": records(grouping),
        **({} if grouping.persons is None else {"persons": total}),
        "k": grouping.k,
        "equivalence_classes": grouping.classes,
        "average_class_size": grouping.average_size,
        "largest_class": int(sizes.max()),
        "sample_uniques": uniques,
        "uniqueness": uniques / total,
        "class_sizes": _histogram(sizes, grouping.counted),
        "prosecutor": risk,
        "journalist": dict(risk),
        "marketer": average,
        "risk_threshold": threshold,
    }


def risks_of(grouping: Grouping, of_class: Floats, threshold: float) -> tuple[dict[str, Any], int]:
    """What the risks of classes are for records (persons: the greatest of theirs), and how many have a risk of 1."""
    risk, times = of_class, grouping.sizes
    if grouping.persons is not None:
        risk = grouping.greatest(of_class)
        times = np.ones(len(risk), dtype=np.int64)
    total, at_risk = grouping.total, int(times[risk > threshold].sum())
    told = {
        "highest": float(risk.max()),
        "average": float(np.sort(risk * times).sum()) / total,  # sorted: the sum is the same whatever the order
        f"{grouping.counted}_at_risk": at_risk,
        "share_at_risk": at_risk / total,
    }
    return told, int(times[risk == 1.0].sum())


def records(grouping: Grouping, of: Any = None) -> int:
    """How many records there are, or in some of the rows."""
    of = np.ones(len(grouping.group), dtype=bool) if of is None else of
    return int(of.sum()) if grouping.times is None else int(grouping.times[of].sum())


def _histogram(sizes: Ints, counted: str) -> dict[str, dict[str, int]]:
    """Classes, and records or persons, by size of the class, in ranges that double."""
    edges = [1, 2, 3, 5, 10, 20, 50, 100, 1000]
    found: dict[str, dict[str, int]] = {}
    for low, following in zip(edges, [*edges[1:], None], strict=True):
        inside = (sizes >= low) & (True if following is None else sizes < following)
        if inside.any():
            label = f"{low}+" if following is None else str(low) if following == low + 1 else f"{low}-{following - 1}"
            found[label] = {"equivalence_classes": int(inside.sum()), counted: int(sizes[inside].sum())}
    return found


def disclosure(
    grouping: Grouping, column: pd.Series[Any], least: int, c: float, distinguish: Distinguish = "reader"
) -> dict[str, Any]:
    """What the classes reveal about a sensitive attribute; a missing value is a value.

    Distinct, entropy and recursive (c, l)-diversity: A. Machanavajjhala, D. Kifer, J. Gehrke and
    M. Venkitasubramaniam: l-diversity, ACM TKDD 1(1), 2007. t-closeness: N. Li, T. Li and S. Venkatasubramanian, ICDE
    2007, section 4, by earth mover's distance, ordered for numbers and dates (and ordered categoricals), equal for
    categories. δ-disclosure: J. Brickell and V. Shmatikov, KDD 2008.

    Args:
        grouping: The classes.
        column: The attribute, of the same records, or of rows that represent several.
        least: The l for which the c of recursive diversity is reported.
        c: The c for which the l of recursive diversity is reported.
        distinguish: How values are distinguished for diversity: as a reader does, or as they are (`exact`).
    """
    values = SensitiveValues.of(column, distinguish, grouping.times)
    histogram = grouping.histogram(values)
    distinct = histogram.distinct()
    diversity = grouping.diversity(values)
    assert diversity is not None  # there is a record
    ratio = float(histogram.recursive(least).max())
    delta = float(histogram.disclosure().max())
    told: dict[str, Any] = {
        "distinct_l": int(distinct.min()),
        "entropy_l": float(histogram.entropy().min()),
        "recursive_c": _finite(ratio),
        "recursive_c_is_for_l": least,
        "recursive_l": _recursive_l(histogram, c),
        "recursive_l_is_for_c": c,
        "t": float(histogram.distance(ordered=values.ordered).max()),
        "t_categorical": float(histogram.distance(ordered=False).max()),
        "distance": "ordered" if values.ordered else "categorical",
        "delta": _finite(delta),
        "values_read_alike": values.read_alike,
        "exposed_classes": diversity.exposed_classes,
        "exposed_records": diversity.exposed_records,
        "meaning": diversity.meaning(str(column.name), grouping.total, grouping.counted),
    }
    return told


def _recursive_l(histogram: Histogram, c: float) -> int:
    """The greatest l for which every class is recursively (c, l)-diverse; 1 where not even 2 is reached.

    The l-th and rarer values become fewer as l grows, so that the first l that fails is the end.
    """
    reached = 1
    while reached < int(histogram.distinct().min()) and bool((histogram.recursive(reached + 1) < c).all()):
        reached += 1
    return reached


def _finite(value: float) -> float | None:
    """None for an infinite measure: JSON has no word for it."""
    return value if np.isfinite(value) else None
