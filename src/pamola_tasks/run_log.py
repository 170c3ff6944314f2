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


class RunLogger(logging.Logger):
    """A logger of one run alone, registered nowhere, so that two kernels in one process do not meet.

    What is logged before it has handlers is kept for them. A handler that raises is left out, and the report says so.
    It propagates to `pamola_tasks.task` and above, as far as these have handlers and their level allows.
    """

    def __init__(self, run: RunServices) -> None:
        above = logging.getLogger("pamola_tasks.task")
        super().__init__(f"{above.name}.{run.record.task_id or 'none'}", logging.DEBUG)
        self.parent = above
        self._run = run
        self._kept: list[logging.LogRecord] | None = []
        self.addFilter(self._finish)

    def _finish(self, record: logging.LogRecord) -> bool:
        """Redact and escape, so that neither a secret nor a forged line can reach a handler."""
        run = self._run
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

    def callHandlers(self, record: logging.LogRecord) -> None:
        """Give a record to every handler that its level asks for."""
        if self._kept is not None and not self.handlers:
            self._kept.append(record)
        for handler in list(self.handlers):
            if record.levelno >= handler.level:
                try:
                    handler.handle(record)
                except (Exception, SystemExit) as error:
                    self.removeHandler(handler)
                    name = f"{type(handler).__module__}.{type(handler).__name__}"
                    warning = f"log handler {name} raised {type(error).__name__} and is left out"
                    self._run.record.warnings.append(warning)
        above = self.parent
        if self._kept is None and above is not None and above.isEnabledFor(record.levelno) and above.hasHandlers():
            above.callHandlers(record)

    def begin(self, handlers: Iterable[logging.Handler]) -> None:
        """Log to these handlers, beginning with what was logged before there were any."""
        kept, self._kept = self._kept or [], None
        for handler in handlers:
            self.addHandler(handler)
        for record in kept:  # secrets that were registered since are hidden in them too
            record.msg = self._run.redactor(record.msg)
            record.exc_text = record.exc_text and self._run.redactor(record.exc_text)
            self.callHandlers(record)
