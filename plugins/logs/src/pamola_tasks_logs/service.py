"""The logging service of a run, and how a log record becomes one line: text for people, JSON for machines.

Whatever a record holds, it stays within its line: a line break or another character that is not printed would let
a file name or an exception's message forge lines of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.storage.files import check_name
from pamola_tasks_logs.files import RotatingLogHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


# ---------------------------------------------------------------- formats


def printable(text: str) -> str:
    """The text with every character that is not printed (control, bidi, line separators) as its escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(record.msecs):03d}Z"


class _Lines(logging.Formatter):
    """What both formats share: `redact` is applied to tracebacks, which are made here; messages arrive redacted."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def _traceback(self, record: logging.LogRecord) -> list[str]:
        text = record.exc_text or ""
        if not text and record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info))
        if record.stack_info:
            text = f"{text}\n{record.stack_info}"
        return [printable(line) for line in self._redact(text).splitlines() if line.strip()] if text else []


class TextLines(_Lines):
    """`time | level | run | logger | file:line | message`; tracebacks follow, indented.

    On a terminal the run's id is left out, and tracebacks are for those who look for an error.
    """

    def __init__(self, redact: Callable[[str], str], *, with_run: bool = True, with_traceback: bool = True) -> None:
        super().__init__(redact)
        self._with_run = with_run
        self._with_traceback = with_traceback

    def format(self, record: logging.LogRecord) -> str:
        step = getattr(record, "step_id", "")
        run = f" | {getattr(record, 'run_id', '') or '-'}" if self._with_run else ""
        message = printable(record.getMessage())
        line = (
            f"{_moment(record)} | {record.levelname:<7}{run} | {printable(record.name)}"
            f" | {printable(record.filename)}:{record.lineno} | {f'[{printable(step)}] ' if step else ''}{message}"
        )
        if self._with_traceback and (record.exc_info or record.exc_text or record.stack_info):
            return "\n".join([line, *("    " + more for more in self._traceback(record))])
        return line


class JsonLines(_Lines):
    """One JSON object a line, with the keys of the origin and `run_id` and `step_id`."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {
            "timestamp": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": printable(record.getMessage()),
            "process_id": record.process,
            "thread_id": record.thread,
            "module": record.module,
            "function": record.funcName,
            "line": record.lineno,
        }
        facts |= {key: getattr(record, key, "") for key in ("task_id", "run_id", "step_id")}
        if record.exc_info or record.exc_text or record.stack_info:
            facts["exception"] = self._traceback(record)
        return json.dumps(facts, ensure_ascii=True)
