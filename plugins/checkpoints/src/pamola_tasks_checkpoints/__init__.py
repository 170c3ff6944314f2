"""Checkpoints: finished steps are recorded, verified and skipped."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_checkpoints.entries import from_entry as from_entry
    from pamola_tasks_checkpoints.entries import to_entry as to_entry
    from pamola_tasks_checkpoints.manager import ContextManager as ContextManager
    from pamola_tasks_checkpoints.manager import TaskContextManager as TaskContextManager
    from pamola_tasks_checkpoints.run_checkpoints import RunCheckpoints as RunCheckpoints

__getattr__, __dir__, __all__ = lazily(
    __name__,
    {
        "entries": "from_entry to_entry",
        "manager": "ContextManager TaskContextManager",
        "run_checkpoints": "RunCheckpoints",
    },
)
