"""What another process has to know of a run and of an attempt at a step, and what the parent does with its answer.

All of it are pickles, also of definitions in files that cannot be imported, exchanged by processes of one run that
started each other, or that a place of the user's own has brought together. Encryption keys are not among them.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import re
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import OperationError, PamolaTaskError
from pamola_tasks.operation import Operation
from pamola_tasks.plan import StepOptions
from pamola_tasks.plugins.discovery import module_from
from pamola_tasks.protocols import StagedFile
from pamola_tasks.record import DatasetRecord, OperationResult
from pamola_tasks.secret import variables
from pamola_tasks_executor.memory import note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices, StagedStep, StepDriver


_NAMED = re.compile(r"\$\{env:([^}]+)\}")
_FROM_FILE = "pamola_file_"  # what `module_from` names the modules that it makes of files


@attrs.frozen(kw_only=True)
class DescribedRun:
    """A run: its kernel (each plugin by its record and as a pickle), task, layers and options."""

    folder: str
    root: Path
    plugins: list[tuple[tuple[str, str, str, str, bool], bytes]]
    choices: dict[str, Any]
    run_id: str
    seed: int | None
    task: dict[str, str]
    layers: list[bytes]
    options: bytes
    log_level: int


@attrs.frozen(kw_only=True)
class DescribedAttempt:
    """An attempt at a step, with the datasets that it reads and other steps have written; it writes into `folder`."""

    step_id: str
    name: str
    operation: Operation
    options: StepOptions
    distribution: str
    datasets: list[DatasetRecord]
    published: frozenset[str]
    folder: str


@attrs.frozen(kw_only=True)
class Answer:
    """How an attempt ended. With an error, `trace` is the whole traceback over there."""

    result: OperationResult | None = None
    error: BaseException | None = None
    trace: str = ""
    files: Sequence[StagedFile] = ()
    warnings: Sequence[str] = ()
    read: dict[str, DatasetRecord] = attrs.Factory(dict)
    derives: bool = False
    messages: Sequence[bytes] = ()


class RemoteTraceback(Exception):
    """The traceback of an error in another process; it is the cause of that error here."""

    holds_no_data = True  # it was made there by the same rules

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def describe_run(run: RunServices) -> bytes:
    """What `performing.RemoteRun` is made from; an OperationError where something of it cannot be sent."""
    task: Any = run.task
    plugins: Any = run.kernel.plugins
    root = run.kernel.project.files.root
    if not root.is_dir():
        raise OperationError(
            f"the project is in memory ({root}), where no other process can see it: run it in this one"
        )
    if task.encryption_keys:
        raise OperationError(
            "the task was given encryption_keys, and keys are not sent to other processes: run its steps on threads,"
            " without timeout and memory limit"
        )
    options = attrs.evolve(
        run.options,
        overrides={},
        restart=False,
        wait=False,
        console=False,
        quiet=True,
        owns_process=False,
        handle=None,
    )
    described = DescribedRun(
        folder=os.getcwd(),
        root=root,
        plugins=[
            ((r.name, r.target, r.distribution, r.version, r.given), dumps(r.object, f"plugin {r.label}"))
            for r in plugins.records
        ],
        choices=plugins.choices,
        run_id=run.id,
        seed=run.record.seed,
        task={name: getattr(task, name) for name in ("task_id", "task_type", "description", "version", "file")},
        layers=[dumps(layer, f"the configuration from {layer.origin}") for layer in run.layers or ()],
        options=dumps(options, "the frames given for input datasets"),
        log_level=min((handler.level for handler in run.logger.handlers), default=logging.CRITICAL),
    )
    return dumps(described, "the run")


def variables_of(run: RunServices) -> dict[str, str]:
    """What a process on another machine needs that the description of the run only refers to: variables that the
    configuration names, and what opens the run's key."""
    known = variables()
    named = {name for layer in run.layers or () for name in _NAMED.findall(repr(layer.values)) if name in known}
    opens: Callable[[], dict[str, str]] = getattr(run.encryption, "key_variables", dict)
    return {**{name: known[name] for name in named}, **opens()}


def describe_step(run: RunServices, step: Step, staged: StagedStep) -> bytes:
    """What `RemoteRun.perform` is given; an OperationError where it reads what is in this process's memory only."""
    attempt = DescribedAttempt(
        step_id=step.id,
        name=step.name,
        operation=step.operation,
        options=step.options,
        distribution=step.distribution,
        datasets=[d for d in (*run.record.intermediates, *run.record.outputs) if d.name in step.reads],
        published=frozenset(run.plan.final_datasets(run.config.outputs)),
        folder=staged.expect(),
    )
    for dataset in attempt.datasets:
        if not dataset.path:
            raise OperationError(f"step {step.id} reads {dataset.name!r}, which is in the memory of this process only")
    return dumps(attempt, f"step {step.id}")


def taken(data: bytes, driver: StepDriver, step: Step, staged: StagedStep, origin: str) -> OperationResult:
    """Take over what an attempt left: its result, or its error raised; `staged` publishes what was staged there."""
    answer = _read(data, f"{origin} gave an answer")
    outcome = (answer.result if answer.error is None else answer.error) if isinstance(answer, Answer) else None
    if not isinstance(outcome, OperationResult | BaseException):
        raise OperationError(f"{origin} gave an answer that cannot be read: it has no result")
    for message in answer.messages:
        pass_on(message, driver, step, origin)
    staged.warnings += answer.warnings
    staged.read.update(answer.read)
    if isinstance(outcome, BaseException):
        outcome.__cause__ = RemoteTraceback(answer.trace) if answer.trace else None
        raise outcome
    staged.derives = answer.derives
    staged.take(answer.files)
    return outcome


def _read(data: bytes, what: str) -> Any:
    try:
        return loads(data)
    except Exception as error:
        raise OperationError(f"{what} that cannot be read: {error or type(error).__name__}") from error


def pass_on(message: bytes, driver: StepDriver, step: Step, origin: str) -> None:
    """Pass what a step reported elsewhere to the parent's services."""
    kind, *what = _read(message, f"{origin} sent a message")
    driver.call_in_parent(lambda: _pass_on(kind, what, driver, step))


def _pass_on(kind: str, what: list[Any], driver: StepDriver, step: Step) -> None:
    run = driver.run
    if kind == "log":
        run.logger.handle(logging.makeLogRecord(what[0]))
    elif kind == "warning":
        run.warn(what[0], step=what[1])
    elif kind == "memory":
        note(run, step.id, what[0], own_process=True)
    elif kind == "step":
        told, *facts = what
        (driver.stage if told == "stage" else driver.progress)(step, *facts)
    else:
        method, positional, named = what
        try:
            getattr(getattr(run, kind), method)(*positional, **named)
        except PamolaTaskError as error:
            run.warn(f"step {step.id}: {kind}.{method} was refused: {error}", step=step.id)


# ---------------------------------------------------------------- values as bytes


class _Pickler(pickle.Pickler):
    """Sends modules by name; those made of a file, which nobody else can import, with the file's path."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, ModuleType):
            return _module, (obj.__name__, _file_of(obj))
        if isinstance(obj, type | FunctionType) and obj.__module__ == "__main__" and not _main_has_a_file():
            raise pickle.PicklingError(
                f"{obj.__qualname__} is defined in a notebook cell or at a prompt, from which no other process can"
                " import it: put it in a file, and import it from there"
            )
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    """Finds classes in modules that were made of files too."""

    def __init__(self, data: bytes, files: dict[str, str]) -> None:
        super().__init__(io.BytesIO(data))
        self._files = files

    def find_class(self, module: str, name: str) -> Any:
        if module in self._files:
            _module(module, self._files[module])
        return super().find_class(module, name)


def _main_has_a_file() -> bool:
    return os.path.exists(getattr(sys.modules.get("__main__"), "__file__", None) or "")


def _file_of(module: ModuleType) -> str:
    return str(module.__file__) if module.__name__.startswith(_FROM_FILE) else ""


def _module(name: str, file: str) -> ModuleType:
    if name not in sys.modules and file:
        module_from(Path(file))
    __import__(name)
    return sys.modules[name]


def dumps(value: Any, what: str) -> bytes:
    """A value in bytes for another process; an OperationError says what cannot be sent, and why."""
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    except Exception as error:
        raise OperationError(
            f"{what} cannot be sent to another process: {error or type(error).__name__} (define classes and functions"
            f" at module level; or run the steps on threads, without timeout and memory limit, and tasks one at a time)"
        ) from error
    files = {name: _file_of(module) for name, module in list(sys.modules.items()) if name.startswith(_FROM_FILE)}
    return pickle.dumps((files, buffer.getvalue()), pickle.HIGHEST_PROTOCOL)


def loads(data: bytes) -> Any:
    """What `dumps` made bytes of."""
    files, inner = pickle.loads(data)
    return _Unpickler(inner, files).load()
