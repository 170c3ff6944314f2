"""What a run would do with each step, and why, without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.steps import Steps, unchanged_since
from pamola_tasks_checkpoints.fingerprint import SavedStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices


@attrs.frozen(kw_only=True)
class Forecast:
    """What would become of a step: `run`, `skip` or `leave out`, why, and for `skip` the run whose result stands."""

    step: Step
    action: str
    reason: str
    made_by: str = ""


def preview(run: RunServices, remade: Mapping[str, str] | None = None) -> list[Forecast]:
    """For each step of a configured plan, `run`, `skip` or `leave out`, and why, without running anything.

    Args:
        run: The run, configured.
        remade: Inputs that will not be what they are now, by name, and who makes them anew.
    """
    steps = Steps(run)
    anew: set[str] = set()
    found = []
    for step in run.plan:
        forecast = _forecast(steps, step, anew, remade or {})
        if forecast.action != "skip":
            anew.add(step.id)
        found.append(forecast)
    return found


def _forecast(steps: Steps, step: Step, anew: set[str], remade: Mapping[str, str]) -> Forecast:
    left_out = steps.verdicts.left_out.get(step.id)
    behind = [f"what step {name} makes anew" for name in steps.plan.needs(step) if name in anew]
    behind += [f"{name}, which {remade[name]} makes anew" for name in step.reads if name in remade]
    reason = f"it reads {behind[0]}" if behind else ""
    if not behind:
        try:
            verdict = steps.verdicts.of(step)
        except PamolaTaskError as error:
            verdict = f"its input cannot be used: {error}"
        if isinstance(verdict, SavedStep):
            steps.put_in_place(step, verdict)
            return Forecast(step=step, action="skip", reason=unchanged_since(verdict), made_by=verdict.run_id)
        reason = verdict or "never finished"
    if left_out:
        return Forecast(step=step, action="leave out", reason=left_out)
    return Forecast(step=step, action="run", reason=reason)
