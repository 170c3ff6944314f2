"""The events of one run, as they happen: to the file of the task, and to a server where one is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pamola_tasks_openlineage.events import Events
from pamola_tasks_openlineage.outlets import EventFile, EventServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import OperationResult, StepRecord

_ABORTED = ("interrupted", "cancelled")  # how a run ends that was not let to its end


class Emission:
    """Says what happens in a run as events.

    Args:
        run: The run.
    """

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._events = Events(run)
        self._file = EventFile(run)
        settings = run.config.plugin("openlineage")
        self._server = EventServer(settings) if settings.url else None
        self._said: set[str] = set()  # datasets, by name
        self._looked_back = False
        self._emit(self._events.run_event("START"))

    def step_started(self, step: Step) -> None:
        """A step begins."""
        self._look_back()
        self._emit(self._events.step_event("START", step))

    def step_finished(self, step: Step, result: OperationResult) -> None:
        """A step has ended, well or not."""
        record = self._record(step)
        kind = "ABORT" if isinstance(result.exception, KeyboardInterrupt) else "FAIL" if result.failed else "COMPLETE"
        self._emit_datasets(step)
        self._emit(self._events.step_event(kind, step, record))

    def step_skipped(self, step: Step) -> None:
        """A step is not run. Where an earlier result is used, its events have the datasets; else there are none."""
        record = self._record(step)
        if not record.made_by:
            return
        self._look_back()
        self._emit_datasets(step)
        for kind in ("START", "COMPLETE"):
            self._emit(self._events.step_event(kind, step, record))

    def finish(self) -> None:
        """The run has ended."""
        record = self._run.record
        self._look_back()
        kind = "COMPLETE" if record.success else "ABORT" if record.status in _ABORTED else "FAIL"
        self._emit(self._events.run_event(kind))
        if self._server is not None:
            self._server.close()

    def _record(self, step: Step) -> StepRecord:
        return next(each for each in self._run.record.steps if each.step == step.id)

    def _emit_datasets(self, step: Step) -> None:
        for name in (*step.reads, *step.writes):
            if name not in self._said and (event := self._events.dataset_event(name)) is not None:
                self._said.add(name)
                self._emit(event)

    def _look_back(self) -> None:
        """End runs of this task whose processes are gone, once the lock says that they are."""
        if self._looked_back or not ("lock" in vars(self._run) and self._run.lock.held):
            return
        self._looked_back = True
        for run, job in self._file.unfinished(besides=self._events.ids):
            self._emit(self._events.abort_event(run, job))

    def _emit(self, event: Any) -> None:
        told = _redacted(self._events.as_dict(event), self._run.redactor)
        self._file.add(told)
        if self._server is not None and (why := self._server.send(told)):
            self._run.warn(
                f"OpenLineage events are not sent any more in this run: {why}. All of them are in {self._file.path}"
            )


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """An event without secrets in its texts. No key hides what it has: a tag has its name under `key`."""
    if isinstance(value, dict):
        return {redact(key): _redacted(each, redact) for key, each in value.items()}
    if isinstance(value, list):
        return [_redacted(each, redact) for each in value]
    return redact(value) if isinstance(value, str) else value


_EMISSIONS: WeakKeyDictionary[RunServices, Emission] = WeakKeyDictionary()


def begin(run: RunServices) -> None:
    """Emit the events of a run from now on."""
    _EMISSIONS[run] = Emission(run)


def emission_of(run: RunServices) -> Emission:
    """The emission of a run that has begun."""
    return _EMISSIONS[run]


def end(run: RunServices) -> None:
    """Emit the last event of a run."""
    _EMISSIONS.pop(run).finish()
