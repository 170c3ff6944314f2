"""Runs operations: with retries, one after the other or at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_executor.executor import TaskOperationExecutor, create_operation_executor


def __getattr__(name: str) -> Any:
    if name in __all__:
        from pamola_tasks_executor import executor

        return getattr(executor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["TaskOperationExecutor", "create_operation_executor"]
