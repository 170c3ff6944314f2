"""The logging service of a run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.storage.files import check_name
from pamola_tasks_logs.console import ConsoleHandler
from pamola_tasks_logs.files import RotatingLogHandler
from pamola_tasks_logs.formats import JsonLines, TextLines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pamola_tasks.protocols import RunServices
    from pamola_tasks_logs.settings import LogSettings


class RunLogs:
    """The handlers of one run: project log and console at the configured level, task log with everything.

    Args:
        run: The run; where it has no task there is no task log.

    Raises:
        ConfigurationError: `log_level` is not a level.
    """

    def __init__(self, run: RunServices) -> None:
        level = level_of(run.config.log_level)
        settings: LogSettings = run.config.plugin("logs")
        folder = run.places.folders["project_logs"]
        as_json = run.options.log_format == "json"
        self._handlers: list[logging.Handler] = []
        self._add_file(run, f"{folder}/project.log", level, settings, as_json)
        if run.task is not None:
            task_id = check_name(run.task.task_id, "task id")
            # `project` would be the project's own log: its lines are there already.
            if task_id != "project":
                self._add_file(run, f"{folder}/{task_id}.log", logging.DEBUG, settings, as_json)
        if run.options.console:
            console = ConsoleHandler(console_level(level, run))
            text = TextLines(run.redact, with_run=False, with_traceback=console.level <= logging.DEBUG)
            console.setFormatter(JsonLines(run.redact) if as_json else text)
            self._handlers.append(console)

    @property
    def handlers(self) -> Sequence[logging.Handler]:
        """The handlers, formatters set."""
        return tuple(self._handlers)

    def close(self) -> None:
        """Close the files."""
        for handler in self._handlers:
            handler.close()

    def _add_file(self, run: RunServices, name: str, level: int, settings: LogSettings, as_json: bool) -> None:
        handler = RotatingLogHandler(run.files, name, max_bytes=settings.max_bytes, backup_count=settings.backup_count)
        handler.setLevel(level)
        handler.setFormatter(JsonLines(run.redact) if as_json else TextLines(run.redact))
        self._handlers.append(handler)


def level_of(name: str) -> int:
    """The number of a level's name, in either case."""
    levels = logging.getLevelNamesMapping()
    level = levels.get(str(name).upper())
    if level is None:
        raise ConfigurationError(f"log_level {name!r} is not a log level: use DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def console_level(level: int, run: RunServices) -> int:
    """What reaches the terminal: the configured level (`-v` sets it to DEBUG), warnings only with `-q`."""
    return max(level, logging.WARNING) if run.options.quiet else level
