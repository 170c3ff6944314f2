"""The execution history: which task ran when, how it ended, what it read and wrote."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_history.log import ExecutionLog as ExecutionLog
else:
    __getattr__, __dir__, __all__ = lazily(__name__, {"log": "ExecutionLog"})
