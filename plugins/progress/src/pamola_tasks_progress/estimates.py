"""When the steps of a run, and the run, are expected to end: from earlier runs of the task and present progress."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_progress.running import RunningStep

_RUNS = 5  # earlier runs of a step whose seconds count
_AHEAD = 1.0  # seconds for which what is expected of steps that have to come is kept
_RECORDS = 50  # of the history that are looked at for them

Stages = Sequence[tuple[str, float]]


class Estimates:
    """How long the steps of a run took before.

    A step is expected to take the median of its seconds in the newest earlier runs, each scaled by the rows (else the
    bytes) that it reads now and read then. How far it is, its stages say, by the seconds that they took in the last run
    that made it: the more of it is done, the more counts the pace of this run.

    Args:
        run: The run.
        stages: By step, the stages of the last run that made it, with seconds.
    """

    def __init__(self, run: RunServices, stages: Mapping[str, Stages]) -> None:
        self._run = run
        self.stages = stages
        self._times: dict[str, list[Mapping[str, Any]]] | None = None
        self._looked, self._ahead = 0.0, dict[str, float | None]()  # what steps that have to come are expected to take
        self._usual = 1.0  # how much more the newest step of which it is known reads now

    def expected(self, step_id: str) -> float | None:
        """The seconds that a step is expected to take; None where no earlier run is known."""
        if self._times is None:
            self._times = {}
            with contextlib.suppress(OSError, PamolaTaskError):
                self._times = self._earlier()
        times = self._times.get(step_id)
        if not times:
            return None
        now = _read(self._run, self._run.plan[step_id])
        seconds = []
        for then in times:
            scale = _scale(now, then)
            self._usual = scale or self._usual
            seconds.append(then["seconds"] * (scale or self._usual))
        seconds.sort()  # `statistics` takes longer to import than a short step
        return float(seconds[(len(seconds) - 1) // 2] + seconds[len(seconds) // 2]) / 2

    def _earlier(self) -> dict[str, list[Mapping[str, Any]]]:
        """What each step took in the newest runs that made it, and what it read."""
        history: Any = self._run.history
        task_id = self._run.record.task_id
        records: Iterable[Mapping[str, Any]] = ()
        if hasattr(history, "candidates"):
            records = history.candidates(task_id)
        elif hasattr(history, "records"):
            records = history.records()
        found: dict[str, list[Mapping[str, Any]]] = {}
        for record in itertools.islice(records, _RECORDS):
            times = record.get("step_times") if record.get("task_id") == task_id else None
            for step, then in times.items() if isinstance(times, dict) else ():
                known = found.setdefault(step, [])
                if isinstance(then, dict) and isinstance(then.get("seconds"), int | float) and len(known) < _RUNS:
                    known.append(then)
        return found

    def of_step(self, step_id: str, running: RunningStep) -> float | None:
        """Seconds until a running step ends; None where that is not known."""
        expected = self.expected(step_id)
        if expected is None:
            return None
        elapsed = time.monotonic() - running.started
        part = self._part(step_id, running, expected)
        if part is None or expected <= 0:
            return max(expected - elapsed, 0.0)
        pace = 1 - part + elapsed / expected  # of this run where all is done, of earlier ones at the beginning
        return (1 - part) * expected * pace

    def _part(self, step: str, running: RunningStep, expected: float) -> float | None:
        """Which part of its work a step has done, by the seconds of its stages; None where they are not known."""
        before, place = self.stages.get(step, ()), len(running.stages)
        whole = sum(seconds for _, seconds in before)
        if place >= len(before) or before[place][0] != running.stage or whole <= 0:
            return None
        of_stage = before[place][1]
        if running.total:
            part = running.done / running.total
        else:
            usual = of_stage / whole * expected
            part = (time.monotonic() - running.staged) / usual if usual > 0 else 1.0
        return (sum(seconds for _, seconds in before[:place]) + min(max(part, 0.0), 1.0) * of_stage) / whole

    def of_run(self, running: Mapping[str, RunningStep], ended: set[str]) -> float | None:
        """Seconds until the run ends; None where a step that has to come is not known."""
        now, longest = 0.0, 0.0
        if (moment := time.monotonic()) >= self._looked + _AHEAD:
            self._looked, self._ahead = moment, {}
        for step in self._run.plan:
            if step.id in ended:
                continue
            if (at_work := running.get(step.id)) is not None:
                left = self.of_step(step.id, at_work)
            elif step.id in self._ahead:
                left = self._ahead[step.id]
            else:
                left = self._ahead[step.id] = self.expected(step.id)
            if left is None:
                return None
            now += left
            longest = max(longest, left)
        return max(longest, now / max(self._run.config.parallel_processes, 1))


def earlier_stages(run: RunServices) -> dict[str, Stages]:
    """The stages of steps, with seconds, from the live file of the run before."""
    found: dict[str, Stages] = {}
    path = run.places.of(run.record.task_id).live
    with contextlib.suppress(OSError, PamolaTaskError), run.files.open_raw(path) as file:
        for line in file:
            if b'"stages"' in line:
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                    said = json.loads(line)
                    found[said["step"]] = [(str(name), float(seconds)) for name, seconds in said["stages"]]
    return found


def _read(run: RunServices, step: Step) -> dict[str, int]:
    """How many rows and bytes a step reads, where all of its datasets say."""
    record = run.record
    known = {found.name: found for found in (*record.inputs, *record.intermediates, *record.outputs)}
    found: dict[str, int] = {}
    for key in ("rows", "bytes"):
        sizes: list[Any] = [getattr(known.get(name), key, None) for name in step.reads]
        if sizes and None not in sizes:
            found[key] = sum(sizes)
    return found


def _scale(now: Mapping[str, Any], then: Mapping[str, Any]) -> float | None:
    """How much more is read now than then; None where it is not known."""
    for key in ("rows", "bytes"):
        if now.get(key) and isinstance(then.get(key), int) and then[key]:
            return float(now[key] / then[key])
    return None
