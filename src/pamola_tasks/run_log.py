"""The logger of one run: what goes through it is redacted and escaped, whatever the handler."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.protocols import RunServices

_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(0x7F, 0xA0)]}
_CONTROL |= {
    code: f"\\u{code:04x}" for code in [0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
}
_CONTROL |= {9: "\\t", 10: "\\n", 13: "\\r"}


class LogBuffer(logging.Handler):
    """Keeps what is logged before a run has a log. (`logging.handlers` has one like it, and imports sockets.)"""

    def __init__(self) -> None:
        super().__init__()
        self.buffer: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.buffer.append(record)


class RunLogger(logging.Logger):
    """A logger whose handlers cannot stop the run: one that raises is left out, and the report says so."""

    def __init__(self, run: RunServices) -> None:
        super().__init__(f"task.{run.record.task_id or 'none'}", logging.DEBUG)
        self._run = run

    def callHandlers(self, record: logging.LogRecord) -> None:
        """Give a record to every handler."""
        for handler in list(self.handlers):
            self.give(handler, record)

    def give(self, handler: logging.Handler, record: logging.LogRecord) -> None:
        """Give a record to one handler, if its level asks for it."""
        if record.levelno < handler.level:
            return
        try:
            handler.handle(record)
        except (Exception, SystemExit) as error:
            self.removeHandler(handler)
            name = f"{type(handler).__module__}.{type(handler).__name__}"
            self._run.record.warnings.append(f"log handler {name} raised {type(error).__name__} and is left out")


def run_logger(run: RunServices, buffer: logging.Handler) -> RunLogger:
    """A logger of this run alone, not registered anywhere, so that two kernels in one process do not meet."""
    logger = RunLogger(run)

    def finish(record: logging.LogRecord) -> bool:
        """Redact and escape, so that neither a secret nor a forged line can reach a handler."""
        text = run.redactor(record.getMessage())
        record.msg = text if text.isprintable() else text.translate(_CONTROL)
        record.args = None
        if record.exc_info and record.exc_info[1] is not None:
            lines = run.redactor(run.redactor.disclosure(run).trace(record.exc_info[1]).rstrip())
            record.exc_text = "\n".join(line.translate(_CONTROL) for line in lines.split("\n"))
            record.exc_info = None
        record.run_id = run.id
        record.task_id = run.record.task_id
        record.step_id = getattr(record, "step_id", "")
        return True

    logger.addFilter(finish)
    logger.addHandler(buffer)
    logger.addHandler(logging.NullHandler())  # without any handler, logging would write to stderr
    return logger


def hand_over(run: RunServices, logger: RunLogger, buffer: LogBuffer, handlers: Iterable[logging.Handler]) -> None:
    """Let the handlers of a run begin with what was logged before there were any."""
    logger.removeHandler(buffer)
    for record in buffer.buffer:  # secrets that were registered since are hidden in them too
        record.msg = run.redactor(record.msg)
        record.exc_text = record.exc_text and run.redactor(record.exc_text)
    for handler in handlers:
        logger.addHandler(handler)
        for record in buffer.buffer:
            logger.give(handler, record)
    buffer.buffer.clear()
