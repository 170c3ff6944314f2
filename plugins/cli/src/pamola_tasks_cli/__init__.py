"""The command line: `pamola-task`. One module a command; see `app`."""

from __future__ import annotations

import gc
import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line and exit."""
    # Python looks for cycles after every 700 new objects: ninety times while modules are imported, and finds none.
    gc.set_threshold(100_000, 20, 20)
    from pamola_tasks_cli.app import run

    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, TextIOWrapper)]
    if all(stream.encoding.lower() == "utf-8" for stream in streams):  # which lacks halves of characters only
        for stream in streams:
            stream.reconfigure(errors="backslashreplace")
    else:
        from pamola_tasks_cli.charset import adapt_streams

        adapt_streams()
    try:
        run()
    finally:
        gc.freeze()  # what is left ends with the process: it is not searched once more
