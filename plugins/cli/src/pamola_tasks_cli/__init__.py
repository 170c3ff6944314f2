"""The command line: `pamola-task`. One module a command; see `app`."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line and exit."""
    # Python looks for cycles after every 700 new objects: ninety times while modules are imported, and finds none.
    gc.set_threshold(100_000, 20, 20)
    from pamola_tasks_cli.app import run
    from pamola_tasks_cli.charset import adapt_streams

    adapt_streams()
    try:
        run()
    finally:
        gc.freeze()  # what is left ends with the process: it is not searched once more
