"""Logs of scripts that run no task, with the format, rotation and redaction of a run's."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pamola_tasks.kernel import Kernel
from pamola_tasks.plugins.manager import installed_redactor
from pamola_tasks.storage.files import check_name
from pamola_tasks_compat.owners import owned

if TYPE_CHECKING:
    from pathlib import Path

    from pamola_tasks.protocols import Redactor


def configure_logging(
    name: str = "pamola",
    level: str = "INFO",
    log_file: str | Path | None = None,
    log_dir: str | Path | None = None,
    max_bytes: int = 10 * 1024 * 1024,
    backup_count: int = 5,
    structured: bool = False,
    force_reconfigure: bool = False,
    task_id: str = "",
) -> logging.Logger:
    """A logger that writes to stderr, and to a file of the current project where one is named.

    Args:
        name: The logger's name. One that has handlers stays as it is.
        level: The least important level that is written.
        log_file: The file, in `log_dir`.
        log_dir: Its folder, `logs` unless given; with a folder alone the file is `<name>.log`.
        max_bytes: A file that would grow beyond this many bytes is put aside.
        backup_count: How many files put aside are kept.
        structured: Write JSON lines instead of text.
        force_reconfigure: Replace the handlers that the logger has.
        task_id: What the lines say they belong to.

    Raises:
        ConfigurationError: The level is none.
        PathSecurityError: The file is not in the project.
    """
    logger = logging.getLogger(name)
    if logger.handlers and not force_reconfigure:
        return logger
    number = _of_logs("service", "level_of")(level)
    redact = installed_redactor()
    handlers: list[logging.Handler] = [_of_logs("service", "ConsoleHandler")()]
    if log_file is not None or log_dir is not None:
        files = Kernel.discover().project.files
        path = files.name(f"{log_dir or 'logs'}/{log_file or f'{name}.log'}")
        with files.append(path):
            pass  # refused now and not with the first line
        rotating = _of_logs("files", "RotatingLogHandler")
        handlers.append(rotating(files, path, max_bytes=max_bytes, backup_count=backup_count))
    lines = _of_logs("service", "JsonLines" if structured else "TextLines")
    formatter = lines(redact) if structured else lines(redact, with_run=False)
    release(logger)
    for handler in handlers:
        handler.addFilter(_Safe(redact, task_id))
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    logger.setLevel(number)
    logger.propagate = False
    return logger


def configure_task_logging(
    task_id: str, level: str = "INFO", log_dir: str | Path | None = None, structured: bool = False
) -> logging.Logger:
    """The logger `task.<task_id>`, with the file `<task_id>.log`; arguments as for `configure_logging`."""
    file = f"{check_name(task_id, 'the task id')}.log"
    return configure_logging(
        f"task.{task_id}", level, file, log_dir, structured=structured, force_reconfigure=True, task_id=task_id
    )


@contextlib.contextmanager
def task_logging_context(
    task_id: str, level: str = "INFO", log_dir: str | Path | None = None, structured: bool = False
) -> Iterator[logging.Logger]:
    """`configure_task_logging` for a block; its files are closed behind it."""
    logger = configure_task_logging(task_id, level, log_dir, structured)
    try:
        yield logger
    finally:
        release(logger)


def release(logger: logging.Logger) -> None:
    """Close and take away the handlers of a logger."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def _of_logs(module: str, name: str) -> Any:
    return owned("logging", f"pamola_tasks_logs.{module}", name)


class _Safe(logging.Filter):
    """Hides secrets in what a record says, and data in what an exception says."""

    def __init__(self, redact: Redactor, task_id: str) -> None:
        super().__init__()
        self._redact = redact
        self._task_id = task_id

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record; every record passes."""
        record.msg, record.args = self._redact(record.getMessage()), None
        record.task_id = self._task_id
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = self._redact(self._redact.disclosure().trace(record.exc_info[1]))
            record.exc_info = None
        return True
