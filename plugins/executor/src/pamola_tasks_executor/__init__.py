"""Runs operations: with retries, one after the other or at the same time, here or in other processes."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_executor.elsewhere import Elsewhere as Elsewhere
    from pamola_tasks_executor.elsewhere import State as State
    from pamola_tasks_executor.elsewhere import Work as Work
    from pamola_tasks_executor.executor import TaskOperationExecutor as TaskOperationExecutor
    from pamola_tasks_executor.performing import perform as perform

__getattr__, __dir__, __all__ = lazily(
    __name__, {"elsewhere": "Elsewhere State Work", "executor": "TaskOperationExecutor", "performing": "perform"}
)
