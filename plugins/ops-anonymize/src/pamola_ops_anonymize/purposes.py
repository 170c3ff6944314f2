"""The purpose of pseudonyms where none is stated: today one for each release, once one for all of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import RunServices

NO_PURPOSE = "pseudonyms"  # what earlier versions took where none was stated, and their vaults do not say


def warn_of_other_purposes(run: RunServices, plan: Plan) -> None:
    """Warn of steps whose last run had the purpose that earlier versions took where none is stated."""
    for step in plan:
        if step.name == "PseudonymizeOperation" and getattr(step.operation, "purpose", "") is None:
            saved = run.checkpoints.load().get(step.id)
            if saved is not None and saved.fingerprint.get("parameter purpose") == f'"{NO_PURPOSE}"':
                run.warn(
                    f"step {step.id}: its last run had the purpose {NO_PURPOSE}, once the default; the pseudonyms of"
                    f" this run will be others. State `purpose: {NO_PURPOSE}` to keep them"
                )
