"""Threads that a step left running do not keep the command: Python waits for them without end when it ends."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

from pamola_tasks.storage.ending import end_now

_PATIENCE = 10.0  # seconds; threads of idle pools, and of what is just done, end by themselves


def _left() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]


def end_without_threads(code: int) -> None:
    """Have the process end with this code when others' threads, but daemons, still run in ten seconds; name them."""

    def watch() -> None:
        time.sleep(_PATIENCE)
        if left := _left():
            names = ", ".join(sorted(each.name for each in left))
            said = f"warning: still running {_PATIENCE:g} s after the command, and ended with the process: {names}\n"
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stdout.flush()
            with contextlib.suppress(OSError):
                os.write(2, said.encode("utf-8", "replace"))
            end_now(code)

    if _left():
        threading.Thread(target=watch, name="pamola end", daemon=True).start()
