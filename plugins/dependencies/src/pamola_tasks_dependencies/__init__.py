"""Dependencies: whether the tasks that a task needs have succeeded, and what they left."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_dependencies.manager import TaskDependencyManager as TaskDependencyManager
else:
    __getattr__, __dir__, __all__ = lazily(__name__, {"manager": "TaskDependencyManager"})
