"""Entry point of the pack: the operations that it adds, and the template of a task that uses one."""

from __future__ import annotations

from pamola_tasks import Command, Contribution, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {
        "CorrelationOperation": "pamola_ops_profile.operations:CorrelationOperation",
        "ProfileOperation": "pamola_ops_profile.operations:ProfileOperation",
    }


@hookimpl
def pamola_add_functions() -> dict[str, str]:
    return {"profile": "pamola_ops_profile.functions:profile"}


@hookimpl
def pamola_add_templates() -> dict[str, Contribution]:
    """With this pack, `pamola-task new task` writes a task that profiles a table."""
    about = "Create a task: a declaration or a class."
    return {"task": Contribution(Command("pamola_ops_profile.template:new_task", help=about), replaces="task")}
