"""Imported by the server that workers are forks of: what a worker leaves that has died belongs to the server then."""

from __future__ import annotations

import sys
import warnings

from pamola_tasks_executor.descendants import adopt_orphans

if sys.platform == "linux":
    adopt_orphans()
    # Those it has then waited for too, which a server of forks does not expect.
    warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid", UserWarning)
