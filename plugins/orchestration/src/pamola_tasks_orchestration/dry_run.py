"""What a run would do with each step, and whether selected steps can run at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks.errors import PamolaTaskError, PlanError
from pamola_tasks.protocols import PlannedStep
from pamola_tasks.record import SavedStep
from pamola_tasks.steps import unchanged_since

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices


def dry_run(run: RunServices, remade: Mapping[str, str] | None = None) -> list[PlannedStep]:
    """What would become of each step of a configured run, in the plan's order.

    `remade` are inputs that will not be what they are now, by name, and what rewrites them.
    """
    left_out = run.options.selection.left_out(run.plan)
    anew: set[str] = set()
    planned = []
    for step in run.plan:
        behind = [f"the output of step {name}, which runs again" for name in run.plan.needs(step) if name in anew]
        behind += [f"{name}, which {remade[name]} writes again" for name in step.reads if remade and name in remade]
        verdict = f"it reads {behind[0]}" if behind else _verdict(run, step)
        if isinstance(verdict, SavedStep):
            why, covers = unchanged_since(verdict), tuple(verdict.fingerprint)
            planned.append(PlannedStep(step=step, action="skip", reason=why, made_by=verdict.run_id, covers=covers))
            continue
        anew.add(step.id)
        if step.id in left_out:
            planned.append(PlannedStep(step=step, action="leave out", reason=left_out[step.id]))
        else:
            planned.append(PlannedStep(step=step, action="run", reason=verdict))
    return planned


def _verdict(run: RunServices, step: Step) -> SavedStep | str:
    try:
        return run.checkpoints.stands(step) or "never finished"
    except PamolaTaskError as error:
        return f"its input cannot be used: {error}"


def selection_problems(run: RunServices) -> list[str]:
    """Steps that were asked for and need one that was left out and cannot be taken from an earlier run.

    What a step that is left out behind one that runs would give is known only when that one has ended: the run finds
    it then.
    """
    try:
        left_out = run.options.selection.left_out(run.plan)
    except PlanError:  # the run is refused for it
        return []
    problems = []
    running: set[str] = set()
    missing: dict[str, str] = {}
    for step in run.plan if left_out else ():
        needs = run.plan.needs(step)
        behind = [name for name in needs if name in missing]
        if step.id not in left_out:
            running.add(step.id)
            problems += [
                f"step {step.id} needs what step {name} gives, which was left out and cannot be taken from an"
                f" earlier run: {missing[name]}"
                for name in behind
            ]
        elif not behind and running & set(needs):
            running.add(step.id)
        else:
            verdict = f"step {behind[0]} would have to run first" if behind else run.checkpoints.stands(step)
            if not isinstance(verdict, SavedStep):
                missing[step.id] = verdict or "it was never finished"
    return problems
