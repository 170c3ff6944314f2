"""What is said of each event: as for every program, with seconds of stages, and when the end is expected."""

from __future__ import annotations

import os
import platform
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pamola_tasks import RunEvent
from pamola_tasks.record import now, rfc3339
from pamola_tasks_progress.estimates import Estimates, earlier_stages
from pamola_tasks_progress.running import RunningStep, of_stage

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

INTERVAL = 0.5  # seconds: progress of a step is said at most once in so many


class RunEvents:
    """Follows a run by its events, and says what is to be said of each.

    Attributes:
        running: The steps that are at work, by id.
        ended: The steps that are not to come any more.
        estimates: When they, and the run, are expected to end.
    """

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self.running: dict[str, RunningStep] = {}
        self.ended: set[str] = set()
        self.estimates = Estimates(run, earlier_stages(run))

    def of(self, name: str) -> float | None:
        """Seconds until a step that is at work ends; None where that is not known."""
        running = self.running.get(name)
        return None if running is None else self.estimates.of_step(name, running)

    def of_all(self) -> float | None:
        """Seconds until the run ends; None where that is not known, as before its first step."""
        if not (self.running or self.ended):
            return None
        return self.estimates.of_run(dict(self.running), self.ended)

    def said(self, event: str, **arguments: Any) -> dict[str, Any] | None:
        """What is said of an event, as JSON values; None of what a thread reports that outlived its step, and where
        progress was said a moment ago.

        Args:
            event: The event hook without `pamola_on_`.
            **arguments: Those of the hook, without the run.
        """
        step_id = arguments["step"].id if "step" in arguments else ""
        more: dict[str, Any] = {}
        match event:
            case "run_started":
                more = {"pid": os.getpid(), "host": platform.node(), "show_data": self._run.options.show_data}
            case "step_started" | "step_retried":
                self.running[step_id] = RunningStep()
            case "step_stage" | "step_progress":
                running = self.running.get(step_id)
                if running is None or (event == "step_progress" and not _moved(running, **arguments)):
                    return None
                if event == "step_stage":
                    running.begin(self._run.redact(arguments["stage"]))
                more = {"stage": running.stage}
            case "step_finished" | "step_skipped":
                more = self._ended(step_id, failed="result" in arguments and arguments["result"].failed)
        if step_id in self.running:
            more |= self._expected(step_id)
        return {**RunEvent.of(event, self._run, arguments).to_dict(), "task": self._run.record.task_id, **more}

    def _ended(self, step_id: str, *, failed: bool) -> dict[str, Any]:
        """The stages of a step that has ended, with seconds; of one that was skipped, as they are known."""
        self.ended.add(step_id)
        running = self.running.pop(step_id, None)
        if running is None:
            stages = self.estimates.stages.get(step_id)
        else:
            running.begin("")
            stages = None if failed else running.stages
        return {} if stages is None else {"stages": stages}

    def _expected(self, step_id: str) -> dict[str, str]:
        """When the step and the run are expected to end, or else the stage; what is not known is left out."""
        found = {"eta": self.of(step_id), "run_eta": self.of_all()}
        if found["eta"] is None:
            found["stage_eta"] = of_stage(self.running[step_id])
        moment = now()
        return {key: rfc3339(moment + timedelta(seconds=left)) for key, left in found.items() if left is not None}


def _moved(running: RunningStep, step: Any, done: float, total: float | None, unit: str) -> bool:
    """Note how far a step is; whether it is time to say so."""
    running.done, running.total, running.unit = done, total, unit
    moment = time.monotonic()
    if moment - running.told < INTERVAL and not (total is not None and done >= total):
        return False
    running.told = moment
    return True
