"""What a run would do with each step, without running anything, and whether the selected steps can run at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from pamola_tasks.errors import PamolaTaskError, PlanError
from pamola_tasks.record import SavedStep
from pamola_tasks.steps import settled_seed, unchanged_since

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices


@attrs.frozen(kw_only=True)
class PlannedStep:
    """What would become of a step: `run`, `skip` or `leave out`, why, and for `skip` the run that finished it."""

    step: Step
    action: str
    reason: str
    made_by: str = ""


class DryRun:
    """Looks at the steps of a configured run without running them.

    Args:
        run: The run.
        remade: Inputs that will not be what they are now, by name, and what makes them anew.
    """

    def __init__(self, run: RunServices, remade: Mapping[str, str] | None = None) -> None:
        self._run = run
        self._remade = remade or {}
        self._left_out = run.options.selection.left_out(run.plan)
        run.record.seed = settled_seed(run)

    def steps(self) -> list[PlannedStep]:
        """What would become of each step, in the plan's order."""
        anew: set[str] = set()
        found = []
        for step in self._run.plan:
            planned = self._planned(step, anew)
            if planned.action != "skip":
                anew.add(step.id)
            found.append(planned)
        return found

    def _planned(self, step: Step, anew: set[str]) -> PlannedStep:
        behind = [f"what step {name} makes anew" for name in self._run.plan.needs(step) if name in anew]
        behind += [f"{name}, which {self._remade[name]} makes anew" for name in step.reads if name in self._remade]
        verdict: SavedStep | str = f"it reads {behind[0]}" if behind else ""
        if not behind:
            try:
                verdict = self._run.checkpoints.stands(step) or "never finished"
            except PamolaTaskError as error:
                verdict = f"its input cannot be used: {error}"
        if isinstance(verdict, SavedStep):
            return PlannedStep(step=step, action="skip", reason=unchanged_since(verdict), made_by=verdict.run_id)
        if step.id in self._left_out:
            return PlannedStep(step=step, action="leave out", reason=self._left_out[step.id])
        return PlannedStep(step=step, action="run", reason=verdict)

    def check_selection(self) -> None:
        """Refuse to begin where a step that was left out is needed and cannot be taken from an earlier run.

        What a step gives that is left out behind one that is run is known only when that one has ended; the run then
        finds it.

        Raises:
            PlanError: With every reason.
        """
        if not self._left_out:
            return
        self._run.record.overrides.append(f"only some steps were asked for; left out: {', '.join(self._left_out)}")
        problems = []
        running: set[str] = set()
        missing: dict[str, str] = {}
        for step in self._run.plan:
            needs = self._run.plan.needs(step)
            behind = [name for name in needs if name in missing]
            if step.id not in self._left_out:
                running.add(step.id)
                problems += [
                    f"step {step.id} needs what step {name} gives, which was left out and cannot be taken from an"
                    f" earlier run: {missing[name]}"
                    for name in behind
                ]
            elif not behind and running & set(needs):
                running.add(step.id)
            else:
                verdict = f"step {behind[0]} would have to run first" if behind else self._run.checkpoints.stands(step)
                if not isinstance(verdict, SavedStep):
                    missing[step.id] = verdict or "it was never finished"
        if problems:
            raise PlanError(problems=tuple(problems))
