"""A step performed by another process: what is sent there, how the kernel is rebuilt there, and what comes back.

The parent describes the run once and every attempt at a step; the other process makes a `RemoteRun` of the one and
performs the others, each writing into its staging folder. Publishing, recording and events stay with the parent. How
bytes get from one process to the other is the executor's business. They are pickles, exchanged by processes of one run:
nothing of it is ever read from a file. Encryption keys are not among them; the other process finds its own.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks import BaseTask
from pamola_tasks.errors import DataError, OperationError, PamolaTaskError
from pamola_tasks.operation import Operation
from pamola_tasks.plan import Plan, StepOptions
from pamola_tasks.plugins.manager import Plugins
from pamola_tasks.plugins.records import PluginRecord
from pamola_tasks.protocols import RunOptions, RunServices, StagedFile
from pamola_tasks.result import OperationResult
from pamola_tasks.step_context import StepContext
from pamola_tasks_executor.pickles import dumps, loads
from pamola_tasks_redaction.disclosure import Disclosure, remember

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pamola_tasks.kernel import Kernel
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import KernelView, StagedStep
    from pamola_tasks.record import DatasetRecord

# ---------------------------------------------------------------- what is sent


@attrs.frozen(kw_only=True)
class _Kernel:
    """A kernel, as another process has to know it: each plugin by its record and, if it is loaded, as a pickle."""

    root: Path
    plugins: list[tuple[str, str, str, str, bytes]]
    disable: frozenset[str]
    prefer: dict[str, str]


@attrs.frozen(kw_only=True)
class _Run:
    """A run, as another process has to know it. Layers and options are pickles of their own."""

    folder: str
    kernel: _Kernel
    run_id: str
    seed: int | None
    task: dict[str, Any]
    layers: list[bytes]
    options: bytes
    log_level: int


@attrs.frozen(kw_only=True)
class _Attempt:
    """An attempt at a step, as another process has to know it."""

    step_id: str
    name: str
    operation: Operation
    options: StepOptions
    distribution: str
    datasets: list[DatasetRecord]
    published: frozenset[str]


def describe_kernel(kernel: KernelView) -> bytes:
    """What `kernel_from` makes the same kernel of in another process.

    Raises:
        OperationError: Something of it cannot be sent.
    """
    return dumps(_kernel(kernel), "the kernel")


def _kernel(kernel: KernelView) -> _Kernel:
    root = kernel.project.files.root
    if not root.is_dir():
        raise OperationError(
            f"the project is in memory ({root}), where no other process can see it: run it in this one"
        )
    plugins = kernel.plugins
    return _Kernel(
        root=root,
        plugins=[
            (r.name, r.target, r.distribution, r.version, dumps(r.object, f"plugin {r.label}")) for r in plugins.records
        ],
        disable=frozenset(plugins.disable),
        prefer=dict(plugins.prefer),
    )


def kernel_from(description: bytes) -> Kernel:
    """The kernel that `describe_kernel` described.

    Raises:
        PamolaTaskError: It does not come up here.
    """
    return _rebuilt(loads(description))


def _rebuilt(said: _Kernel) -> Kernel:
    from pamola_tasks.kernel import Kernel

    plugins = Plugins(disable=said.disable, prefer=said.prefer)
    for name, target, distribution, version, data in said.plugins:
        plugins.load(PluginRecord(name, target, distribution, version), lambda data=data: loads(data))  # type: ignore[misc]
    plugins.refuse_if_broken()
    return Kernel(said.root, loaded=plugins)


def describe_run(run: RunServices) -> bytes:
    """What `RemoteRun` is made from.

    Raises:
        OperationError: Something of it cannot be sent.
    """
    task = run.task
    if task.encryption_keys:
        raise OperationError(
            "the task was given encryption_keys, and keys are not sent to other processes: run its steps on threads,"
            " without timeout and memory limit"
        )
    options = attrs.evolve(run.options, overrides={}, restart=False, wait=False, console=False, quiet=True)
    described = _Run(
        folder=os.getcwd(),
        kernel=_kernel(run.kernel),
        run_id=run.id,
        seed=run.record.seed,
        task={
            "task_id": run.record.task_id,
            "task_type": task.task_type,
            "description": task.description,
            "version": task.version,
            "file": task.file,
        },
        layers=[dumps(layer, f"the configuration from {layer.origin}") for layer in run.layers or ()],
        options=dumps(options, "the frames given for input datasets"),
        log_level=min((handler.level for handler in run.logger.handlers), default=logging.CRITICAL),
    )
    return dumps(described, "the run")


def describe_step(run: RunServices, step: Step) -> bytes:
    """What `RemoteRun.perform` is given.

    Raises:
        OperationError: It cannot be sent, or reads what is in this process's memory only.
    """
    attempt = _Attempt(
        step_id=step.id,
        name=step.name,
        operation=step.operation,
        options=step.options,
        distribution=step.distribution,
        datasets=[d for d in (*run.record.intermediates, *run.record.outputs) if d.name in step.reads],
        published=frozenset(run.plan.final_datasets(run.config.outputs)),
    )
    for dataset in attempt.datasets:
        if not dataset.path:
            raise OperationError(f"step {step.id} reads {dataset.name!r}, which is in the memory of this process only")
    return dumps(attempt, f"step {step.id}")


# ---------------------------------------------------------------- what comes back


@attrs.frozen(kw_only=True)
class _Answer:
    """How an attempt ended. With an error, `trace` is the whole traceback over there."""

    result: OperationResult | None = None
    error: BaseException | None = None
    trace: str = ""
    staged: Sequence[StagedFile] = ()
    warnings: Sequence[str] = ()
    read: dict[str, DatasetRecord] = attrs.Factory(dict)
    derives: bool = False


class RemoteTraceback(Exception):
    """The traceback of an error in another process; it is the cause of that error here."""

    holds_no_data = True  # it was made there by the same rules

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def failed(error: BaseException, outputs: StagedStep | None = None, disclosure: Disclosure | None = None) -> bytes:
    """The answer that an attempt failed with this error; what cannot be sent is told in words."""
    disclosure = disclosure or Disclosure()
    trace = disclosure.trace(error)
    remember(error, disclosure)
    if not isinstance(error, Exception):
        error = OperationError(f"the step ended with {type(error).__name__} in its process")
    answer = _Answer(error=error, trace=trace, warnings=list(outputs.warnings) if outputs is not None else [])
    try:
        data = dumps(answer, "the error")
        loads(data)  # many exceptions can be pickled and not be made again
    except Exception:
        said = f"{type(error).__name__}: {disclosure.message(error)}" if str(error) else type(error).__name__
        data = dumps(attrs.evolve(answer, error=OperationError(said)), "the error")
    return data


def taken(answer: bytes, outputs: StagedStep) -> OperationResult:
    """Take over what an attempt left: its result, or its error raised.

    Args:
        answer: What `RemoteRun.perform` gave.
        outputs: The step's outputs here, which publish what was staged there.
    """
    said: _Answer = loads(answer)
    outputs.warnings += said.warnings
    outputs.read.update(said.read)
    if said.error is not None:
        said.error.__cause__ = RemoteTraceback(said.trace)
        raise said.error
    outputs.derives = said.derives
    outputs.take(said.staged)
    assert said.result is not None
    return said.result


def pass_on(told: tuple[Any, ...], run: RunServices, step: Step, progress: Callable[..., None]) -> None:
    """Let the parent's services have what a step told them over there."""
    kind, *what = told
    if kind == "log":
        run.logger.handle(logging.makeLogRecord(what[0]))
    elif kind == "warning":
        run.warn(what[0], step=what[1])
    elif kind == "step progress":
        progress(*what)
    else:
        method, positional, named = what
        try:
            getattr(getattr(run, kind), method)(*positional, **named)
        except PamolaTaskError as error:
            run.warn(f"step {step.id}: {kind}.{method} was refused: {error}", step=step.id)


# ---------------------------------------------------------------- over there


class _Forwarded:
    """Stands for a service that lives in the parent.

    Args:
        service: Its name.
        methods: What can be told to it from here; nothing comes back.
        tell: Sends.
    """

    def __init__(self, service: str, methods: frozenset[str], tell: Callable[..., None]) -> None:
        self._service, self._methods, self._tell = service, methods, tell

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in self._methods:
            raise AttributeError(f"run.{self._service}.{name} is there in the parent process only")
        return lambda *positional, **named: self._tell(self._service, name, positional, named)


_REPORTER = frozenset({"add_operation", "add_artifact", "add_metric"})
_PROGRESS = frozenset({"start_operation", "update_operation", "set_operation_total", "complete_operation"})


class _ForwardingHandler(logging.Handler):
    """Sends log lines to the parent; the run's logger has redacted them already."""

    def __init__(self, tell: Callable[..., None], level: int) -> None:
        super().__init__(level)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        plain = (str, int, float, type(None))
        self._tell("log", {key: value for key, value in vars(record).items() if isinstance(value, plain)})


class RemoteRun:
    """A run of which this process performs steps, with a kernel of its own.

    Args:
        description: What `describe_run` gave.
        send: Takes messages for the parent, while a step is performed.

    Raises:
        PamolaTaskError: The kernel or a service does not come up here.
    """

    def __init__(self, description: bytes, send: Callable[[bytes], None]) -> None:
        from pamola_tasks.lifecycle import RunSession

        said: _Run = loads(description)
        self._send = send
        self._sending = threading.Lock()
        os.chdir(said.folder)
        task = BaseTask(said.task["task_id"], said.task["task_type"], said.task["description"])
        task.version, task.file = said.task["version"], said.task["file"]
        task.kernel = kernel = _rebuilt(said.kernel)
        options: RunOptions = loads(said.options)
        session = RunSession(kernel, task, options, runs=False)
        self.run = run = session.run
        run.layers = [loads(layer) for layer in said.layers]
        run.id = run.record.run_id = said.run_id
        run.record.seed = said.seed
        run.provide("progress", _Forwarded("progress", _PROGRESS, self._tell))
        run.provide("reporter", _Forwarded("reporter", _REPORTER, self._tell))
        session.bring_up("reporter")
        # What was logged and warned of until here, the parent has said already.
        run.logger.handlers[:] = [_ForwardingHandler(self._tell, said.log_level)]
        run.warn = self._warn  # type: ignore[method-assign]
        run.perform = self._perform
        self._outputs: StagedStep | None = None

    def _tell(self, *told: Any) -> None:
        message = dumps(told, f"what is told to {told[0]}")
        with self._sending:
            self._send(message)

    def _warn(self, message: str, *, step: str = "") -> None:
        self._tell("warning", message, step)

    def perform(self, attempt: bytes) -> bytes:
        """Make one attempt at a step.

        Args:
            attempt: What `describe_step` gave.

        Returns:
            How it ended, whatever happened.
        """
        from pamola_tasks.steps import call_step

        self._outputs = None
        names: tuple[str, ...] = ()
        try:
            said: _Attempt = loads(attempt)
            run = self.run
            run.plan = Plan(published=said.published)
            step = run.plan.add(
                said.operation,
                name=said.name,
                options=attrs.evolve(said.options, id=said.step_id),
                distribution=said.distribution,
            )
            names = step.reads
            for dataset in said.datasets:
                role = "data" if dataset.kind == "output" else "state"
                path = str(run.files.root / dataset.path)
                run.data_source.add_file_path(
                    dataset.name, path, format=dataset.format, role=role, sha256=dataset.sha256
                )
            result = call_step(run, step)
            return self._answer(step, result)
        except BaseException as error:
            datasets: list[DatasetRecord] = list(self._outputs.read.values()) if self._outputs is not None else []
            return failed(error, self._outputs, Disclosure.of(self.run, datasets))
        finally:
            for name in names:
                if name not in self.run.options.datasets:
                    self.run.data_source.release(name)

    def _perform(self, step: Step) -> OperationResult:
        """The plain implementation of `pamola_run_step` here."""
        staged = self._outputs = self.run.checkpoints.stage(step)
        tell = lambda done, total, unit: self._tell("step progress", done, total, unit)  # noqa: E731
        return step.operation.execute(StepContext(self.run, step, staged, tell))

    def _answer(self, step: Step, result: OperationResult) -> bytes:
        outputs = self._outputs
        if outputs is None:  # a wrapper answered without the step
            return dumps(_Answer(result=result), f"the result of step {step.id}")
        for file in outputs.files:
            if file.record is not None and not file.record.path:
                raise DataError(f"step {step.id} wrote {file.record.name!r} to the memory of its process, which goes")
        answer = _Answer(
            result=result,
            staged=outputs.files,
            warnings=outputs.warnings,
            read=outputs.read,
            derives=outputs.derives,
        )
        return dumps(answer, f"the result of step {step.id}")


__all__ = ["RemoteRun", "RemoteTraceback", "describe_run", "describe_step", "failed"]
