"""A process that was started for another one ends with it, however that one ends."""

from __future__ import annotations

import os
import sys


def end_with(parent: int) -> None:
    """Have this process killed when the one that started it ends, even while an extension keeps Python waiting.

    That is Linux's `PR_SET_PDEATHSIG`. Elsewhere nothing is done here: whoever calls also waits, in a thread, for the
    end of what connects the two.

    Args:
        parent: The process that started this one.
    """
    if sys.platform == "linux":
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:  # it had ended before
            os._exit(1)
