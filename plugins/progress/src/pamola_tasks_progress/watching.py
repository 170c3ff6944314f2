"""What becomes of the events of a run: they go to the live file, to bars, and to stderr where there is no terminal."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pamola_tasks_progress.events import RunEvents
from pamola_tasks_progress.live import LiveFile
from pamola_tasks_progress.manager import TaskProgressManager, nobody_looks
from pamola_tasks_progress.running import RunningStep, of_stage
from pamola_tasks_progress.wording import Shown

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices


class Watch:
    """A run that is watched."""

    def __init__(self, run: RunServices) -> None:
        self.events = RunEvents(run)  # which reads the live file of the run before
        self._run = run
        self._live = LiveFile(run)
        self._began = time.monotonic()
        self._ended = threading.Event()
        options = run.options
        told = options.owns_process and not options.quiet
        self._prints_events = told and options.log_format == "json"
        seconds = run.config.plugin("progress").line_interval
        if told and not self._prints_events and seconds and nobody_looks():
            threading.Thread(target=self._print_lines, args=(seconds,), name="progress lines", daemon=True).start()
        self.say("run_started")

    @property
    def bars(self) -> TaskProgressManager | None:
        """The bars of the run, where they are those of this plugin."""
        bars = vars(self._run).get("progress")
        return bars if isinstance(bars, TaskProgressManager) else None

    def say(self, kind: str, **arguments: Any) -> None:
        """Pass on an event, given the arguments of its hook."""
        event = self.events.said(kind, **arguments)
        if event is None:
            return
        self._live.add(event)
        if self._prints_events:
            _print(json.dumps(event))
        bars = self.bars
        if bars is not None and kind in ("step_started", "step_stage", "step_retried"):
            bars.forecast = self.events
            bars.begin_stage(event["step"], event.get("stage", ""))

    def close(self) -> None:
        """The run has ended."""
        self._ended.set()
        self.say("run_finished")
        self._live.close()

    def _print_lines(self, seconds: float) -> None:
        while not self._ended.wait(seconds):
            running = list(self.events.running.items())
            steps = "; ".join(self._line(step, step_id) for step_id, step in running) or "between steps"
            left, elapsed = self.events.of_all(), time.monotonic() - self._began
            whole = Shown(label=self._run.record.task_id, share=None, elapsed=elapsed, left=left)
            ends = f", {whole.ends}" if left is not None else ""
            _print(self._run.redact(f"{whole.label}: {steps} (run: {whole.clock} elapsed{ends})"))

    def _line(self, step: RunningStep, step_id: str) -> str:
        elapsed, left = time.monotonic() - step.started, self.events.of(step_id)
        share = step.done / step.total if step.total else None
        if left is not None:
            share = elapsed / max(elapsed + left, 1e-9)
        rest = of_stage(step) if left is None else left
        shown = Shown(label=step_id, share=share, elapsed=elapsed, left=rest, of_stage=left is None)
        stage = f" {step.stage}" if step.stage else ""
        return f"{shown.label}{stage}, {shown.percent}, {shown.clock} elapsed, {shown.ends}"


def _print(line: str) -> None:
    if sys.stderr is not None:
        text = line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)
        print(text, file=sys.stderr, flush=True)


_WATCHED: WeakKeyDictionary[RunServices, Watch] = WeakKeyDictionary()


def begin(run: RunServices) -> None:
    """Watch a run from now on."""
    _WATCHED[run] = Watch(run)


def watched(run: RunServices) -> Watch:
    """The watch of a run that has begun."""
    return _WATCHED[run]


def end(run: RunServices) -> None:
    """Say how a run ended, and watch it no longer."""
    _WATCHED.pop(run).close()
