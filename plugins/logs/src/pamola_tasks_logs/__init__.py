"""Logs of the project and of each task, rotated by size, as text or JSON lines."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_logs.files import RotatingLogHandler as RotatingLogHandler
    from pamola_tasks_logs.service import RunLogs as RunLogs
else:
    __getattr__, __dir__, __all__ = lazily(__name__, {"files": "RotatingLogHandler", "service": "RunLogs"})
