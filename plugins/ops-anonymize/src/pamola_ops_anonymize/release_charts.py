"""The charts of a release."""

from __future__ import annotations

from typing import Any

from . import charts
from .measures import Grouping
from .release import Release

_RISKS = ("Prosecutor and journalist, highest", "Marketer, average")
_WITHIN = ("Highest, within the table", "Average, within the table")


def charts_of(operation: Any, release: Release, grouping: Grouping) -> list[charts.Chart]:
    """What an AnonymizeOperation shows of its release."""
    before = charts.highest_and_average(release.sizes_before)
    after = charts.highest_and_average(grouping.sizes)
    # k-map counts in a population that an attacker would search: its risk is not that of the table alone
    names = _WITHIN if operation.population else _RISKS
    return [
        charts.risk_gauge(dict(zip(names, zip(before, after, strict=True), strict=True)), 1.0 / operation.k),
        charts.class_sizes({"before": release.sizes_before, "after": grouping.sizes}, operation.k),
        charts.losses(release.ncp_set, release.ncp_hier),
        *charts.distributions(release.distributions, operation.k),
    ]
