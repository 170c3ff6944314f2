"""Imported by the server that workers are forks of: what a worker leaves that has died belongs to the server then."""

from __future__ import annotations

import sys

from pamola_tasks_executor.descendants import adopt_orphans

if sys.platform == "linux":
    adopt_orphans()
