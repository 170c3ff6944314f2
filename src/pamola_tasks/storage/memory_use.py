"""How much memory this process has used."""

from __future__ import annotations

import sys


def peak_memory() -> int | None:
    """The largest resident size of this process so far, in bytes; None where the system does not report it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
