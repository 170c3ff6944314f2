"""A plugin that knows a secret, and an operation whose error quotes a cell."""

from __future__ import annotations

from typing import Any

from pamola_tasks import Operation, hookimpl, reads

PAMOLA_HOOK_API = 1


class Quote(Operation):
    """Fail, with a cell in the message."""

    input_dataset: str = reads()
    fails: bool = True

    def execute(self, ctx: Any) -> Any:
        """Fail."""
        cell = ctx.data.frame(self.input_dataset).iloc[0, 0]
        raise ValueError(f"what is {cell}?")


@hookimpl
def pamola_add_operations() -> dict[str, Any]:
    """The one."""
    return {"Quote": Quote}


@hookimpl
def pamola_find_secret(name: str) -> str | None:
    """The one."""
    return "hushhush-4711" if name == "lineage" else None
