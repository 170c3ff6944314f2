"""The plugin's own section of the configuration: `executor`."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class ExecutorSettings:
    """Where steps run.

    Attributes:
        kind: `threads` of this process, or `processes`. A step with a timeout or a memory limit has a process anyway.
        step_memory_limit_mb: The resident memory that a step may take, in MiB. A step that takes more is stopped and
            has failed. Linux only; elsewhere it is refused.
    """

    kind: Literal["threads", "processes"] = "threads"
    step_memory_limit_mb: int | None = None
