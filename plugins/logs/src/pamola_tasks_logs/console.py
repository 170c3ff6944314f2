"""Log lines on stderr, above any progress bar."""

from __future__ import annotations

import contextlib
import logging
import sys


class ConsoleHandler(logging.Handler):
    """Writes to whatever `sys.stderr` is at that moment; progress bars step aside while it writes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
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
