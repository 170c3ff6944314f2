"""Names of the forerunner of pamola-tasks that neither its document nor our own code needs."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_compat.base_task import BaseTask as BaseTask
    from pamola_tasks_compat.task_runner import TaskRunner as TaskRunner

__getattr__, __dir__, __all__ = lazily(__name__, {"base_task": "BaseTask", "task_runner": "TaskRunner"})
