"""The section of the report on perturbations: risk and utility, as measured, of each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.protocols import ReportSection

if TYPE_CHECKING:
    from pamola_tasks.record import RunRecord

TERMS = {
    "PRAM": "Each category is released as another with known probabilities (Gouweleeuw and others 1998).",
    "invariant PRAM": "PRAM whose probabilities leave the frequencies as they are, in expectation.",
    "posterior": "The probability that a record released with a category had it in the original.",
    "rank swapping": "Values are swapped among records near in rank (Moore 1996).",
    "targeted record swapping": "Households at risk swap their areas with similar households elsewhere.",
    "data shuffling": (
        "Values change places among the records so that rank correlations with other columns stay (Muralidhar and"
        " Sarathy 2006)."
    ),
    "true match rate": (
        "How often someone who has all original values links a released record, by its nearest original one, with the"
        " right person."
    ),
    "IL1s": "The mean absolute change of a value over √2 standard deviations of the column.",
}


def sections(record: RunRecord) -> list[ReportSection]:
    """The section, where a step of this pack has run."""
    rows = [
        {"step": step.step, **_of_step(step.metrics)}
        for step in record.steps
        if step.distribution.startswith("pamola-ops-perturb ") and step.metrics
    ]
    if not rows:
        return []
    return [ReportSection(key="perturbation", title="Perturbation", facts={"steps": rows, "glossary": TERMS})]


def _of_step(metrics: dict[str, Any]) -> dict[str, Any]:
    changed = metrics.get("share_changed") or {}
    linkage, utility = metrics.get("record_linkage") or {}, metrics.get("utility") or {}
    columns = (utility.get("columns") or {}).values()
    told: dict[str, Any] = {
        "method": metrics.get("method", ""),
        "changed": {name: round(share, 4) for name, share in changed.items()},
    }
    if "true_match_rate" in linkage:
        told["true match rate"] = round(linkage["true_match_rate"], 4)
    if pram := metrics.get("pram"):
        told["posterior"] = {name: round(each["posterior"]["greatest"], 4) for name, each in pram.items()}
        told["distance of frequencies"] = {n: round(each["distance_of_frequencies"], 4) for n, each in pram.items()}
    if ranks := [each["rank_correlation"] for each in columns if "rank_correlation" in each]:
        told["least rank correlation"] = round(min(ranks), 4)
    if (change := utility.get("greatest_change_of_correlation")) is not None:
        told["greatest change of a correlation"] = round(change, 4)
    if (distance := utility.get("average_absolute_distance")) is not None:
        told["average absolute distance"] = round(distance, 4)
    if intervals := metrics.get("intervals"):
        told["intervals of their own"] = round(intervals["share_with_intervals_of_their_own"], 4)
    return told
