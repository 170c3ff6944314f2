"""What steps recorded as they ended, put into the order of the plan: a report does not depend on who was faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import RunRecord


def put_in_order(run: RunServices, warned_before: int) -> None:
    """Sort what a run recorded of its steps.

    Args:
        warned_before: How many warnings there were before the first step began: they stay where they are.
    """
    record = run.record
    place = {step.id: number for number, step in enumerate(run.plan)}
    reads: dict[str, int] = {}
    for step in run.plan:
        for name in step.reads:
            reads.setdefault(name, len(reads))
    record.inputs.sort(key=lambda dataset: reads.get(dataset.name, -1))
    for datasets in (record.outputs, record.intermediates):
        datasets.sort(key=lambda dataset: place.get(dataset.step, -1))
    record.steps.sort(key=lambda step: place[step.step])
    record.artifacts.sort(key=lambda artifact: place.get(artifact.step, -1))
    record.errors.sort(key=lambda error: place.get(error.get("step", ""), -1))
    for by_step in (run.results, record.metrics):
        ordered: list[tuple[str, Any]] = sorted(by_step.items(), key=lambda item: place.get(item[0], -1))
        by_step.clear()
        by_step.update(ordered)
    _sort_warnings(record, warned_before)


def _sort_warnings(record: RunRecord, warned_before: int) -> None:
    """Warnings of steps in their order; those that several steps may have met first, in that of the alphabet."""
    met: dict[str, int] = {}
    for step in record.steps:
        for text in step.warnings:
            met.setdefault(text, len(met))
    during = record.warnings[warned_before:]
    during.sort(key=lambda text: (met.get(text, -1), text))
    record.warnings[warned_before:] = during
