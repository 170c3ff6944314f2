"""What k-anonymity would cost a table, by k and strategy, and which settings to take."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from pamola_tasks.errors import DataRefused, PamolaTaskError

from .hierarchies import Hierarchy
from .persons import Persons
from .recoding import node_count
from .release_settings import HierarchySource
from .table import Table
from .trial import trial

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks import OperationContext

    from .charts import Chart

TRUTHFUL = ("hierarchy", "mondrian", "suppression")
"""Strategies whose cells are true of each record; of equal ones, the first is taken."""

MOST_NODES = 10_000
"""Combinations of levels up to which the strategy `hierarchy` is tried."""

MOST_SUPPRESSED = 10
"""Quasi-identifiers up to which the strategy `suppression` is tried, whose time doubles with each."""

MOST_GROUPED = 120_000_000
"""Records times sets of columns, for all k together, up to which the same is tried: some seconds at worst."""

_FIGURES = ("k_measured", "rows_suppressed", "highest_risk", "average_risk")


@attrs.frozen(kw_only=True)
class Costs:
    """What settings cost.

    Attributes:
        measured: For each strategy and k, its figures; `loss` is the information loss, 0 to 1.
        problems: Strategies that were not measured, and why.
    """

    measured: list[dict[str, Any]]
    problems: dict[str, str]

    def at(self, k: int) -> dict[str, float]:
        """The loss of each strategy that was measured at this k."""
        return {each["strategy"]: each["loss"] for each in self.measured if each["k"] == k}


def sampled(frame: pd.DataFrame, most: int, persons: Persons | None, rng: np.random.Generator) -> pd.DataFrame:
    """A random sample of about `most` records, of all records of a person or none; the table if it has no more."""
    if len(frame) <= most:
        return frame
    if persons is None:
        return frame.iloc[np.sort(rng.choice(len(frame), most, replace=False))].reset_index(drop=True)
    chosen = rng.choice(persons.count, max(1, round(most * persons.count / len(frame))), replace=False)
    return frame.loc[np.isin(persons.of, chosen)].reset_index(drop=True)


def costs_of(
    settings: Any,
    ctx: OperationContext,
    frame: pd.DataFrame,
    ks: Sequence[int],
    strategies: Sequence[str],
    progress: Callable[[int], None],
) -> Costs:
    """Try each strategy at each k.

    Args:
        settings: An AnonymizeOperation with all other settings.
        ctx: Of the step that asks.
        frame: The table, or a sample of it.
        ks: What to try.
        strategies: The same.
        progress: Called with how many settings have been tried.
    """
    measured: list[dict[str, Any]] = []
    problems: dict[str, str] = {}
    for number, strategy in enumerate(strategies):
        try:
            if strategy == "hierarchy":
                refuse_many(frame, settings.quasi_identifiers)
            if strategy == "suppression":
                refuse_large(len(frame), len(settings.quasi_identifiers), ks)
            for position, k in enumerate(ks):
                found = trial(attrs.evolve(settings, **_by(strategy), k=k), ctx, frame)
                figures = {name: found[name] for name in _FIGURES}
                measured.append({"strategy": strategy, "k": k, "loss": found["information_loss"], **figures})
                progress(number * len(ks) + position + 1)
        except PamolaTaskError as error:
            problems[strategy] = str(error)
    return Costs(measured=measured, problems=problems)


def _by(strategy: str) -> dict[str, Any]:
    """The settings that a strategy is tried with: `suppression` keeps a value or suppresses it, whatever is above."""
    return {"strategy": strategy, **({"hierarchies": {}, "ranges": {}} if strategy == "suppression" else {})}


def refuse_many(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse the strategy `hierarchy` where its search would take too long."""
    hierarchies: list[Hierarchy] = [HierarchySource().hierarchy(domain) for domain in Table.of(frame, columns).domains]
    if node_count(hierarchies) > MOST_NODES:
        raise DataRefused(f"the quasi-identifiers have {node_count(hierarchies):,} combinations of levels")


def refuse_large(records: int, columns: int, ks: Sequence[int]) -> None:
    """Refuse the strategy `suppression` where its search would take too long: a k takes each set once per halving."""
    if columns > MOST_SUPPRESSED:
        raise DataRefused(f"it tries all sets of the {columns} quasi-identifiers")
    if grouped(records, columns, ks) > MOST_GROUPED:
        raise DataRefused(
            f"it tries all sets of the {columns} quasi-identifiers on {records:,} records for {len(ks)} values of k"
        )


def grouped(records: int, columns: int, ks: Sequence[int]) -> int:
    """How many records local suppression groups at most, by all sets of columns and for all k."""
    return records * (1 << columns) * sum(k.bit_length() for k in ks)


@attrs.frozen(kw_only=True)
class Choice:
    """Settings to take.

    Attributes:
        settings: Of AnonymizeOperation.
        loss: What they cost.
        records: On how many records that was measured.
        why: Sentences.
    """

    settings: dict[str, Any]
    loss: float
    records: int
    why: list[str]


def chosen(
    settings: Any, ctx: OperationContext, frame: pd.DataFrame, costs: Costs, sensitive: Sequence[str]
) -> Choice | None:
    """The strategy of least loss whose cells are true of each record; 2-diversity of the sensitive attributes, if any.

    The strategies are compared with the settings that are proposed, `l` included.

    Args:
        settings: An AnonymizeOperation with the k to take.
        ctx: Of the step that asks.
        frame: What the choice is tried on: the table, or a sample of it.
        costs: What settings cost.
        sensitive: The sensitive attributes.

    Returns:
        None where no such strategy was measured, or the choice cannot be tried.
    """
    k, losses = settings.k, costs.at(settings.k)
    candidates = [attrs.evolve(settings, **_by(name)) for name in TRUTHFUL if name in losses]
    if not candidates:
        return None
    listed, found = ", ".join(sensitive), {}
    if sensitive:
        more = {"sensitive_attributes": list(sensitive), "l": 2}
        found = _losses([attrs.evolve(each, **more) for each in candidates], ctx, frame)
    diverse = bool(found)
    found = found or _losses(candidates, ctx, frame)
    if not found:
        return None
    best = min(found, key=found.__getitem__)
    asked = "k and l" if diverse else "k"
    why = [
        f"k = {k}: the quasi-identifiers of a person lead to the right record with a chance of 1 in {k} at most",
        f"with this {asked}, {best} loses least of the strategies whose cells are true of each record"
        f" ({_by_loss(found)})",
    ]
    why += [
        f"{name} loses less (with k alone {100 * loss:.1f} %, {best} {100 * losses[best]:.1f} %), but writes one value"
        f" for all records of a class: for statistics, not for single records"
        for name, loss in losses.items()
        if name not in TRUTHFUL and loss < losses[best]
    ]
    taken: dict[str, Any] = {"k": k, "strategy": best}
    if diverse:
        taken["l"] = 2
        said = f"l = 2: with k alone, a class may share one value of {listed}, which is then known of each in it"
        without = trial(attrs.evolve(settings, **_by(best)), ctx, frame)["information_loss"]
        why.append(f"{said}; without l the loss is {100 * without:.1f} %" if without < found[best] else said)
    elif sensitive:
        why.append(f"no l: the table cannot be divided so that each class has two values of {listed}")
    return Choice(settings=taken, loss=found[best], records=len(frame), why=why)


def _losses(candidates: Sequence[Any], ctx: OperationContext, frame: pd.DataFrame) -> dict[str, float]:
    """The loss of each of these settings that the table can meet, by strategy."""
    found = {}
    for each in candidates:
        with contextlib.suppress(DataRefused):
            found[each.strategy] = trial(each, ctx, frame)["information_loss"]
    return found


def _by_loss(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {100 * loss:.1f} %" for name, loss in sorted(losses.items(), key=lambda each: each[1]))


def chart_of(costs: Costs, measured_on: str) -> Chart:
    """The risk-utility curve of each strategy: its loss at each k, against the highest risk.

    G. T. Duncan, S. A. Keller-McNulty and S. L. Stokes: Disclosure risk vs. data utility: the R-U confidentiality map,
    National Institute of Statistical Sciences, technical report 121, 2001.
    """
    curves: dict[str, list[dict[str, Any]]] = {}
    for each in costs.measured:
        point = {"x": each["highest_risk"], "y": each["loss"], "label": f"k = {each['k']}"}
        curves.setdefault(each["strategy"], []).append(point)
    return {
        "kind": "points",
        "title": "What k costs: risk and loss",
        "note": f"Each point is a k from {costs.measured[0]['k']} on; lower and further left is better. Measured"
        f" {measured_on}.",
        "x": {"label": "highest risk of re-identification", "unit": "share"},
        "y": {"label": "information loss", "unit": "share"},
        "series": [{"name": name, "joined": True, "points": points} for name, points in curves.items()],
    }
