"""The logging service of a run."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.storage.files import check_name
from pamola_tasks_logs.files import RotatingLogHandler
from pamola_tasks_logs.formats import JsonLines, TextLines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pamola_tasks.protocols import RunServices
    from pamola_tasks_logs.settings import LogSettings


class RunLogs:
    """The handlers of one run: project log and console at the configured level, task log with everything.

    Raises:
        ConfigurationError: `log_level` is not a level.
    """

    def __init__(self, run: RunServices) -> None:
        level = level_of(run.config.log_level)
        settings: LogSettings = run.config.plugin("logs")
        as_json = run.options.log_format == "json"
        logs = {"project": level}
        if run.task is not None:  # a task called `project` has its lines in the project's log already
            logs.setdefault(check_name(run.task.task_id, "task id"), logging.DEBUG)
        self._handlers: list[logging.Handler] = []
        for name, lowest in logs.items():
            path = f"{run.places.folders['project_logs']}/{name}.log"
            handler = RotatingLogHandler(
                run.files, path, max_bytes=settings.max_bytes, backup_count=settings.backup_count
            )
            handler.setLevel(lowest)
            handler.setFormatter(JsonLines(run.redact) if as_json else TextLines(run.redact))
            self._handlers.append(handler)
        if run.options.console:
            console = ConsoleHandler(console_level(level, run))
            text = TextLines(run.redact, with_run=False, with_traceback=console.level <= logging.DEBUG)
            console.setFormatter(JsonLines(run.redact) if as_json else text)
            self._handlers.append(console)

    @property
    def handlers(self) -> Sequence[logging.Handler]:
        return tuple(self._handlers)

    def close(self) -> None:
        for handler in self._handlers:
            handler.close()


def level_of(name: str) -> int:
    """The number of a level's name, in either case."""
    level = logging.getLevelNamesMapping().get(str(name).upper())
    if level is None:
        raise ConfigurationError(f"log_level {name!r} is not a log level: use DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def console_level(level: int, run: RunServices) -> int:
    """What reaches the terminal: the configured level (`-v` sets it to DEBUG), warnings only with `-q`."""
    return max(level, logging.WARNING) if run.options.quiet else level


class ConsoleHandler(logging.Handler):
    """Writes to whatever `sys.stderr` is at that moment; progress bars step aside while it writes."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr
        if stream is None:  # a program without a console
            return
        try:
            text = self.format(record)
            with _bars_aside():
                stream.write(text + "\n")
                stream.flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError):
            self.handleError(record)


def _bars_aside() -> contextlib.AbstractContextManager[None]:
    """Where tqdm was imported by whoever shows bars, its way of writing beside them."""
    module = sys.modules.get("tqdm.std")
    if module is None:
        return contextlib.nullcontext()
    aside: contextlib.AbstractContextManager[None] = module.tqdm.external_write_mode(file=sys.stderr)
    return aside
