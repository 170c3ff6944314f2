"""A step that is at work: since when, in which stage, and how far."""

from __future__ import annotations

import time

import attrs

from pamola_tasks_progress.wording import LITTLE


@attrs.define(eq=False)
class RunningStep:
    """A step that is at work."""

    started: float = attrs.Factory(time.monotonic)
    stage: str = ""
    staged: float = attrs.Factory(time.monotonic)  #: when its stage began
    stages: list[tuple[str, float]] = attrs.Factory(list)  #: those that have ended, with seconds
    done: float = 0.0
    total: float | None = None
    unit: str = ""
    told: float = 0.0  #: when its progress was told last

    def begin(self, stage: str) -> None:
        """Begin a stage, which ends the one before."""
        moment = time.monotonic()
        if self.stage:
            self.stages.append((self.stage, round(moment - self.staged, 3)))
        self.stage, self.staged = stage, moment
        self.done, self.total, self.unit, self.told = 0.0, None, "", 0.0


def of_stage(running: RunningStep) -> float | None:
    """Seconds until the present stage ends, by its own progress; None where it says too little."""
    if not running.total or running.done < LITTLE * running.total:
        return None
    return max((time.monotonic() - running.staged) * (running.total / running.done - 1), 0.0)
