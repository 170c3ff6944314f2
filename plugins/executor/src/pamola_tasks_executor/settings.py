"""The plugin's own section of the configuration: `executor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from pamola_tasks.plan import Step


@attrs.frozen(kw_only=True)
class ExecutorSettings:
    """Where steps run.

    Attributes:
        kind: `threads` of this process, or `processes`. A step with a timeout or a memory limit has a process anyway.
        step_memory_limit_mb: The resident memory that a step may take, in MiB. A step that takes more is stopped and
            has failed. Linux only; elsewhere it is refused.
        python: Another Python interpreter that makes the attempts at all steps, of a venv for example: in the project,
            or in one of `allowed_external_paths`. `python` beside an operation says it of one step.
    """

    kind: Literal["threads", "processes"] = "threads"
    step_memory_limit_mb: int | None = None
    python: str | None = None


def stated_interpreter(settings: ExecutorSettings, step: Step) -> str:
    """The interpreter that makes the attempts at a step, as it was stated; empty where it is the run's own."""
    return step.options.python or settings.python or ""
