"""What this plugin adds: one operation, which runs those of pamola-core, and an objection where it could not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {"PamolaCoreOperation": "pamola_ops_pamola_core.operation:PamolaCoreOperation"}


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> Iterator[str]:
    executor = run.config.plugin("executor")
    for step in plan:
        ours = type(step.operation).__module__.startswith("pamola_ops_pamola_core.")
        if ours and not (step.options.python or getattr(executor, "python", None)):
            yield (
                f"step {step.id}: name the interpreter that has pamola-core: `python: PATH` beside the operation,"
                " or executor.python for all steps of the task"
            )
