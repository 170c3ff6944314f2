"""Progress of a run: bars on stderr, on a terminal."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_progress.manager import TaskProgressManager as TaskProgressManager
else:
    __getattr__, __dir__, __all__ = lazily(__name__, {"manager": "TaskProgressManager"})
