"""How a log record becomes one line: text for people, JSON for machines.

Whatever a record holds, it stays within its line: a line break or another character that is not printed would let
a file name or an exception's message forge lines of its own.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_BESIDE_TRACEBACK = "    "


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
            return "\n".join([line, *(_BESIDE_TRACEBACK + more for more in self._traceback(record))])
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
