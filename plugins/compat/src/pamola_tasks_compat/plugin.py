"""What pamola-tasks-compat adds to the system."""

from __future__ import annotations

PAMOLA_HOOK_API = 1
