"""A step performed by another process: the run rebuilt there, the attempt, and the answer.

Publishing, recording and events stay with the parent. Encryption keys are not sent; this process finds its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks import BaseTask, Kernel
from pamola_tasks.errors import DataError, OperationError
from pamola_tasks.lifecycle import RunSession
from pamola_tasks.nulls import NoRedactor
from pamola_tasks.plan import Plan
from pamola_tasks.plugins.discovery import PluginRecord
from pamola_tasks.plugins.manager import Plugins
from pamola_tasks.steps import call_step, execute_step
from pamola_tasks.storage.staging import offer
from pamola_tasks_executor.guarding import guarded
from pamola_tasks_executor.memory import measured
from pamola_tasks_executor.other_interpreter import placed
from pamola_tasks_executor.remote import Answer, DescribedAttempt, DescribedRun, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import Disclosure, RunServices, StagedStep
    from pamola_tasks.record import OperationResult

_REPORTER = frozenset({"add_operation", "add_artifact", "add_metric"})
_PROGRESS = frozenset({"start_operation", "update_operation", "set_operation_total", "complete_operation"})


def perform(data: bytes) -> bytes:
    """Make one attempt at the step of `Work.data`; the answer says how it ended, whatever happened."""
    run, attempt = pickle.loads(data)
    messages: list[bytes] = []
    answer: Answer = loads(RemoteRun(run, messages.append).perform(attempt))
    return dumps(attrs.evolve(answer, messages=messages), "the answer")


class RemoteRun:
    """A run of which this process performs steps, with a kernel of its own, made of what `describe_run` gave.

    Where it does not come up here, that is the answer to every step. Messages for the parent are sent meanwhile.
    """

    def __init__(self, description: bytes, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._sending = threading.Lock()
        self._staged: StagedStep | None = None
        self._run: RunServices | None = None
        self._broken = b""
        self._step_id = self._folder = ""
        try:
            self._bring_up(loads(description))
        except Exception as error:
            self._broken = self._failed(error)

    def _bring_up(self, said: DescribedRun) -> None:
        with contextlib.suppress(FileNotFoundError):  # on another machine only the project has to be there
            os.chdir(said.folder)
        plugins = Plugins(**said.choices)
        records = [PluginRecord(*names) for names, _ in said.plugins]
        for record, (_, data) in zip(records, said.plugins, strict=True):
            record.get = partial(loads, data)
        plugins.load(*records)
        plugins.refuse_if_broken()
        task = BaseTask(said.task["task_id"], said.task["task_type"], said.task["description"])
        task.version, task.file = said.task["version"], said.task["file"]
        task.kernel = Kernel(said.root, loaded=plugins)
        session = RunSession(task.kernel, task, loads(said.options), runs=False)
        self._run = run = session.run
        run.layers = [loads(layer) for layer in said.layers]
        run.id = run.record.run_id = said.run_id
        run.record.seed = said.seed
        run.provide("progress", _Forwarded("progress", _PROGRESS, self._tell))
        run.provide("reporter", _Forwarded("reporter", _REPORTER, self._tell))
        session.bring_up("reporter")
        # What was logged and warned of until here, the parent has said already.
        run.logger.handlers[:] = [_ForwardingHandler(self._tell, said.log_level)]
        run.warn = lambda message, *, step="": self._tell("warning", message, step)  # type: ignore[method-assign]
        run.perform = self._perform

    def _tell(self, *told: Any) -> None:
        message = dumps(told, f"a message ({told[0]})")
        with self._sending:
            self._send(message)

    def warn(self, message: str) -> None:
        """Warn of the step that was performed last."""
        self._tell("warning", f"step {self._step_id}: {message}", self._step_id)

    def perform(self, attempt: bytes) -> bytes:
        """Make one attempt at the step that `remote.describe_step` described; how it ended, whatever happened."""
        run, self._staged = self._run, None
        if self._broken or run is None:
            return self._broken
        names: tuple[str, ...] = ()
        try:
            said: DescribedAttempt = loads(attempt)
            run.plan = Plan(published=said.published)
            self._step_id, self._folder = said.step_id, said.folder
            options = attrs.evolve(said.options, id=said.step_id)
            step = run.plan.add(said.operation, name=said.name, options=options, distribution=said.distribution)
            names = step.reads
            for dataset in said.datasets:
                offer(run, dataset)
            with measured(partial(self._tell, "memory")):
                result = guarded(
                    f"step {step.id}", partial(call_step, run, placed(run.config.plugin("executor"), step))
                )
            return self._answer(step, result)
        except BaseException as error:
            return self._failed(error)
        finally:
            for name in names:
                if name not in run.options.datasets:
                    run.data_source.release(name)

    def _perform(self, step: Step) -> OperationResult:
        """The plain implementation of `pamola_run_step` here."""

        def report(what: str, *facts: Any) -> None:
            self._tell("step", what, *facts)

        assert self._run is not None
        self._staged = self._run.checkpoints.stage(step)
        self._staged.expect(self._folder)
        return execute_step(self._run, step, self._staged, report)

    def _answer(self, step: Step, result: OperationResult) -> bytes:
        staged = self._staged
        answer = Answer(result=result)
        if staged is not None:  # else a wrapper answered without the step
            for file in staged.files:
                if file.record is not None and not file.record.path:
                    raise DataError(
                        f"step {step.id} wrote {file.record.name!r} to the memory of its process, which goes"
                    )
            answer = attrs.evolve(
                answer, files=staged.files, warnings=staged.warnings, read=staged.read, derives=staged.derives
            )
        return dumps(answer, f"the result of step {step.id}")

    def _failed(self, error: BaseException) -> bytes:
        """The answer that an attempt failed with this error; what cannot be sent is told in words."""
        run, staged = self._run, self._staged
        read = list(staged.read.values()) if staged is not None else []
        disclosure: Disclosure = (run.redactor if run is not None else NoRedactor("")).disclosure(run, read)
        trace = disclosure.trace(error)
        disclosure.remember(error)
        if not isinstance(error, Exception):
            error = OperationError(f"the step ended with {type(error).__name__} in its process")
        answer = Answer(error=error, trace=trace, warnings=staged.warnings if staged is not None else ())
        try:
            data = dumps(answer, "the error")
            loads(data)  # many exceptions can be pickled and not be made again
            return data
        except Exception:
            kind = type(error).__name__
            said = f"{kind}: {disclosure.message(error).removeprefix(f'{kind}: ')}" if str(error) else kind
            return dumps(attrs.evolve(answer, error=OperationError(said)), "the error")


class _Forwarded:
    """Stands for a service that lives in the parent: what these methods are told is sent, and nothing comes back."""

    def __init__(self, service: str, methods: frozenset[str], tell: Callable[..., None]) -> None:
        self._service, self._methods, self._tell = service, methods, tell

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in self._methods:
            raise AttributeError(f"run.{self._service}.{name} is there in the parent process only")
        return lambda *positional, **named: self._tell(self._service, name, positional, named)


class _ForwardingHandler(logging.Handler):
    """Sends log lines to the parent; the run's logger has redacted them already."""

    def __init__(self, tell: Callable[..., None], level: int) -> None:
        super().__init__(level)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        plain = (str, int, float, type(None))
        self._tell("log", {key: value for key, value in vars(record).items() if isinstance(value, plain)})
