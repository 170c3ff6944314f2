"""What a language model is sent of a report: counts and measures, by name; no cell, no minimum, no text of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from .columns_sent import sendable

_COUNTS = (
    "rows columns missing_cells duplicate_rows rows_in rows_out rows_suppressed rows_dropped cells_suppressed"
    " equivalence_classes equivalence_classes_before records persons classes smallest_class unique_records"
)
_MEASURES = (
    "k k_claimed k_measured k_before l l_claimed l_measured t t_claimed t_measured information_loss highest_risk"
    " average_risk highest average marketer share_at_risk unique_share loss before after"
)
FIGURES = frozenset(f"{_COUNTS} {_MEASURES}".split())
#: What may stand above a figure; a name of a column, or anything else out of the data, may not.
_ABOVE = frozenset("exposure risk measures prosecutor journalist knowable population_uniqueness".split())
_RISKS = ("highest (prosecutor)", "average (marketer)", "unique records")


@attrs.frozen(kw_only=True)
class Figures:
    """The figures of a report.

    Attributes:
        sent: What is sent, as JSON values.
        values: Every number in it.
        names: Every name in it.
    """

    sent: dict[str, Any]
    values: list[float]
    names: list[str]


def figures_of(report: Mapping[str, Any]) -> Figures:
    """The figures of a JSON report: of the run, and of each step that succeeded."""
    task, run = report.get("task") or {}, report.get("run") or {}
    steps, names = [], [str(task.get("id", ""))]
    for each in report.get("operations") or ():
        found = dict(_numbers(each.get("metrics") or {}, ()))
        settings = each.get("settings") or {}
        quasi = [name for name in settings.get("quasi_identifiers") or () if isinstance(name, str) and sendable(name)]
        names += [str(each.get("step", "")), *quasi]
        steps.append(
            {
                "step": each.get("step"),
                "operation": each.get("name"),
                "status": each.get("status"),
                "quasi_identifiers": quasi,
                "figures": found,
            }
        )
    sent = {"task": task.get("id"), "status": run.get("status"), "steps": steps}
    values = [float(value) for step in steps for value in step["figures"].values()]
    return Figures(sent=sent, values=values, names=[name for name in names if name])


def _numbers(metrics: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            if name in _ABOVE or name in _RISKS:
                yield from _numbers(value, (*above, name))
        elif name in FIGURES and isinstance(value, int | float) and not isinstance(value, bool):
            yield ": ".join((*above, name)), round(value, 6) if isinstance(value, float) else value
