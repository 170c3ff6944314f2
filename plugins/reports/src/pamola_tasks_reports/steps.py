"""The steps of a run as its report has them: also those that did not finish, and those that were never begun."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.record import OperationStatus, StepRecord, now, rfc3339

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.record import RunRecord
    from pamola_tasks_reports.artifacts import Inventory

_KEPT = (
    "step status attempts metrics error description reason made_by reads writes settings warnings peak_memory_mb"
    " own_process"
).split()
_PENDING = OperationStatus.PENDING.value


def steps_of(
    record: RunRecord, plan: Iterable[Step], ended: bool, inventory: Inventory, problems: list[str]
) -> list[dict[str, Any]]:
    """Every step of the plan, in its order.

    Once the run has ended, a step that was at work then is `interrupted`, after the time that it had taken, and one
    that was not begun is `not run`.

    Args:
        record: What the run recorded.
        plan: Its steps.
        ended: Whether it has ended.
        inventory: Where charts are read from.
        problems: Takes what goes wrong.
    """
    found = {step.step: _as_left(step, record, ended) for step in record.steps}
    for step in plan:
        if step.id not in found and ended:
            found[step.id] = _not_run(step, record)
    place = {step.id: number for number, step in enumerate(plan)}
    return [_entry(step, inventory, problems) for step in sorted(found.values(), key=lambda s: place.get(s.step, -1))]


def seconds_outside(record: RunRecord) -> float:
    """The seconds of a run in which no step was at work: its start, checks of inputs, publishing, records."""
    ended = record.finished or now()
    steps = [step for step in record.steps if step.started is not None]
    spans = sorted((step.started, _end(step, ended)) for step in steps if step.started is not None)
    inside, until = timedelta(0), record.started
    for begin, end in spans:
        inside += max(timedelta(0), end - max(begin, until))
        until = max(until, end)
    return max(0.0, (ended - record.started - inside).total_seconds())


def _end(step: StepRecord, run_ended: datetime) -> datetime:
    assert step.started is not None
    return run_ended if step.status == _PENDING else step.started + timedelta(seconds=step.seconds)


def _as_left(step: StepRecord, record: RunRecord, ended: bool) -> StepRecord:
    if step.status != _PENDING or not ended:
        return step
    if step.started is None:
        return attrs.evolve(step, status="not run", reason=_why(record))
    seconds = ((record.finished or now()) - step.started).total_seconds()
    return attrs.evolve(step, status="interrupted", seconds=seconds)


def _not_run(step: Step, record: RunRecord) -> StepRecord:
    return StepRecord(
        step=step.id,
        operation=step.name,
        status="not run",
        description=step.operation.description,
        reason=_why(record),
        reads=list(step.reads),
        writes=list(step.writes),
        settings=step.operation.parameters(),
        version=step.operation.version,
        distribution=step.distribution,
    )


def _why(record: RunRecord) -> str:
    return "the run was interrupted before" if record.status == "interrupted" else "the run failed before"


def _entry(step: StepRecord, inventory: Inventory, problems: list[str]) -> dict[str, Any]:
    charts = inventory.charts(step.artifacts, step.step, problems)
    return {
        **{key: getattr(step, key) for key in _KEPT},
        "name": step.operation,
        "version": step.version,
        "distribution": step.distribution,
        "started": step.started and rfc3339(step.started),
        "seconds": round(step.seconds, 6),
        "artifacts": [inventory.name(artifact.path) for artifact in step.artifacts],
        **({"charts": charts} if charts else {}),
    }
