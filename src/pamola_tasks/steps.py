"""What happens to each step of a run: skipped or attempted, published, recorded. The executor drives it."""

from __future__ import annotations

import collections
import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, OperationError, PamolaTaskError, PlanError
from pamola_tasks.operation import OperationContext
from pamola_tasks.record import Artifact, DatasetRecord, OperationResult, OperationStatus, SavedStep, StepRecord, now
from pamola_tasks.storage.ending import ends_with_words
from pamola_tasks.storage.staging import StepData, check_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices, Session, StagedStep


@attrs.define(eq=False)
class _StepState:
    """What became of a step so far."""

    record: StepRecord
    staged: StagedStep | None = None  # what the present attempt reads and writes
    started: float = 0.0  # seconds of a clock
    done: float = 0.0  # of the attempt's work, as the operation counts it
    ended: bool = False
    without: str = ""  # why later steps do not get what it gives: `left out`, `failed`, `not run`
    failure: tuple[dict[str, Any], BaseException] | None = None

    @property
    def read(self) -> list[DatasetRecord]:
        """The datasets that the attempt has read so far."""
        return list(self.staged.read.values()) if self.staged is not None else []


class Steps:
    """The `StepDriver` of a run.

    Args:
        run: The run, its plan settled.
        session: Takes events and failures.
    """

    def __init__(self, run: RunServices, session: Session) -> None:
        self.run = run
        self.plan = run.plan
        self.failed = self.stopped = False
        self.call_in_parent: Callable[[Callable[[], None]], None] = lambda call: call()
        self._session = session
        self._left_out = run.options.selection.left_out(self.plan)
        self._states = {step.id: _StepState(self._new_record(step)) for step in self.plan}
        self._running: list[str] = []
        self._datasets: dict[str, DatasetRecord] = {}
        self._warned_before = len(run.record.warnings)
        self._readers_left = collections.Counter(name for step in self.plan for name in step.reads)
        if self._left_out:
            run.record.overrides.append(f"only some steps were asked for; left out: {', '.join(self._left_out)}")

    def _new_record(self, step: Step) -> StepRecord:
        return StepRecord(
            step=step.id,
            operation=step.name,
            description=step.operation.description,
            reads=list(step.reads),
            writes=list(step.writes),
            settings=self.run.redactor.value(step.operation.parameters()),
            version=step.operation.version,
            distribution=step.distribution,
        )

    def prepare(self, step: Step) -> bool:
        """Decide whether a step has to be run; what it left earlier is put in place when not."""
        run, state = self.run, self._states[step.id]
        run.record.steps.append(state.record)
        missing = next((name for name in self.plan.needs(step) if self._states[name].without), None)
        left_out = self._left_out.get(step.id)
        if missing and (left_out or self._states[missing].without != "left out"):
            state.without = "left out" if left_out else "not run"
            self._skip(step, left_out or f"needs what step {missing} did not give")
            return False
        with self._failing(step):
            if missing:
                raise PlanError(f"step {step.id} needs what step {missing} gives, which was left out and has changed")
            for name in step.reads:
                if name not in self._datasets and self.plan.writer_of(name) is None:
                    self._datasets[name] = run.data_source.describe(name)
                    run.record.inputs.append(self._datasets[name])
            verdict = run.checkpoints.stands(step)
            if isinstance(verdict, SavedStep):
                self._restore(step, verdict)
            elif left_out:
                state.without = "left out"
                self._skip(step, left_out)
            else:
                self._start(step, verdict)
                return True
        return False

    def _start(self, step: Step, why: str) -> None:
        run, state = self.run, self._states[step.id]
        state.record.reason = why
        state.record.started = now()
        state.started = time.perf_counter()
        self._running.append(step.id)
        run.lock.tell(self._running)
        run.progress.start_operation(step.id, description=step.operation.description)
        run.logger.info("step %s starts%s", step.id, f": {why}" if why else "", extra={"step_id": step.id})
        self._session.emit("pamola_on_step_started", step=step)

    def _restore(self, step: Step, saved: SavedStep) -> None:
        """Skip to a finished step: its datasets, metrics and artifacts are those of the run that made them."""
        run, record = self.run, self._states[step.id].record
        run.record.resumed_from = run.record.resumed_from or saved.run_id
        for output in saved.outputs:
            if output.kind == "artifact":
                record.artifacts.append(Artifact(**{**output.artifact, "root": str(run.files.root)}))
            elif output.kind in ("output", "intermediate"):
                known = attrs.asdict(output, recurse=False, filter=attrs.filters.exclude("artifact", "key_id", "step"))
                key_id = run.files.encryption_of(output.path).key_id  # it may have been changed since
                self._note_dataset(DatasetRecord(**known, key_id=key_id, step=step.id))
        for name, known in saved.inputs.items():
            columns = known["columns"] and tuple(known["columns"])
            self._note_read(DatasetRecord(**{**known, "name": name, "kind": "input", "columns": columns}))
        record.metrics = dict(saved.metrics)
        record.made_by = saved.run_id
        run.record.artifacts.extend(record.artifacts)
        for warning in saved.warnings:
            run.warn(warning, step=step.id)
        self._skip(step, unchanged_since(saved))

    def _skip(self, step: Step, reason: str) -> None:
        record = self._states[step.id].record
        record.reason = reason
        status, metrics = OperationStatus.SKIPPED, dict(record.metrics)
        result = OperationResult(status, list(record.artifacts), metrics, attempts=0, reason=reason)
        self._end(step, result, f"skipped: {reason}")
        self._session.emit("pamola_on_step_skipped", step=step, reason=reason)

    def attempt(self, step: Step) -> OperationResult:
        """Make one attempt, through `pamola_run_step` and its wrappers."""
        self._begin(step)
        return call_step(self.run, step)

    def begin(self, step: Step) -> StagedStep:
        """Begin one attempt that another process makes."""
        self._begin(step)
        staged = self._states[step.id].staged = self.run.checkpoints.stage(step)
        staged.expect()
        return staged

    def _begin(self, step: Step) -> None:
        state = self._states[step.id]
        if state.staged is not None:
            state.staged.discard()
            state.staged = None
        state.record.attempts += 1

    def perform(self, step: Step) -> OperationResult:
        """The plain implementation of `pamola_run_step`."""

        def report(what: str, *facts: Any) -> None:
            self.call_in_parent(lambda: getattr(self, what)(step, *facts))

        staged = self._states[step.id].staged = self.run.checkpoints.stage(step)
        with ends_with_words(f"in step {step.id} of task {self.run.record.task_id}", in_c=True):
            return execute_step(self.run, step, staged, report)

    def progress(self, step: Step, done: float, total: float | None, unit: str) -> None:
        """Pass on how far a step is."""
        state = self._states[step.id]
        if total is not None:
            self.run.progress.set_operation_total(step.id, total, unit)
        self.run.progress.update_operation(step.id, done - state.done)
        state.done = done
        self._session.emit("pamola_on_step_progress", step=step, done=done, total=total, unit=unit)

    def stage(self, step: Step, stage: str) -> None:
        """Pass on which stage a step begins: what it then reports as done counts from 0."""
        self._states[step.id].done = 0.0
        self._session.emit("pamola_on_step_stage", step=step, stage=stage)

    def retried(self, step: Step, attempt: int, error: BaseException, wait: float) -> None:
        """Report that an attempt failed and another will be made."""
        run, state = self.run, self._states[step.id]
        state.done = 0.0
        message = run.redactor(run.redactor.disclosure(run, state.read).message(error))
        said = "step %s: attempt %d failed (%s), next in %.1f s"
        run.logger.warning(said, step.id, attempt, message, wait, extra={"step_id": step.id})
        self._session.emit("pamola_on_step_retried", step=step, attempt=attempt, error=error, wait=wait)

    def complete(self, step: Step, result: OperationResult) -> None:
        """Publish, record and report what a step gave."""
        state = self._states[step.id]
        state.record.seconds = result.execution_time = time.perf_counter() - state.started
        result.attempts = state.record.attempts
        if result.failed:
            error = result.exception or OperationError(result.error_message or f"step {step.id} failed")
            self._fail(step, result, error)
            return
        with self._failing(step, result):
            self._publish(step, result)

    def _publish(self, step: Step, result: OperationResult) -> None:
        run, state = self.run, self._states[step.id]
        record, staged, read = state.record, state.staged, state.read
        for dataset in read:  # it must be what the step's fingerprint was made of
            known = self._datasets.get(dataset.name, dataset)
            if known.sha256 and dataset.sha256 and known.sha256 != dataset.sha256:
                where = f"{dataset.name} ({dataset.path})"
                raise DataError(f"{where} changed while step {step.id} read it: run the task again")
        result.warnings += self._warn(step)
        record.status, record.metrics = result.status.value, run.redactor.value(result.metrics)
        for artifact in result.artifacts:
            artifact.step = step.id
        check_release(run, record, staged)
        datasets, artifacts = run.checkpoints.publish(step, staged, record)
        state.staged = None
        published = {artifact.path for artifact in artifacts}
        result.artifacts = artifacts + [a for a in result.artifacts if run.files.name(a.path) not in published]
        record.artifacts = result.artifacts
        run.history.step_finished(run, step.id, record.status, record.seconds)
        run.record.artifacts.extend(result.artifacts)
        self._end(step, result, f"{record.status} in {record.seconds:.3f} s")
        for dataset in read:
            self._note_read(dataset)
            self._session.emit("pamola_on_dataset_read", step=step, dataset=dataset)
        for dataset in datasets:
            self._note_dataset(dataset)
            self._session.emit("pamola_on_dataset_written", step=step, dataset=dataset)
        for artifact in result.artifacts:
            self._session.emit("pamola_on_artifact", step=step, artifact=artifact)
        self._session.emit("pamola_on_step_finished", step=step, result=result)

    def _warn(self, step: Step) -> list[str]:
        """Pass on what the attempt warned of."""
        staged = self._states[step.id].staged
        warnings = staged.warnings if staged is not None else []
        for warning in warnings:
            self.run.warn(warning, step=step.id)
        return warnings

    def _end(self, step: Step, result: OperationResult, said: str) -> None:
        """What every end of a step means, whether it was skipped, went well or failed."""
        run, state = self.run, self._states[step.id]
        state.record.status = result.status.value
        run.results[step.id] = result
        if state.record.metrics and not result.failed:
            run.record.metrics[step.id] = state.record.metrics
        state.ended = True
        self._running = [running for running in self._running if running != step.id]
        self._release(step)
        run.progress.complete_operation(step.id, success=not result.failed)
        run.logger.info("step %s %s", step.id, said, extra={"step_id": step.id})

    def _note_read(self, dataset: DatasetRecord) -> None:
        """Know more of an input, once it has been read: its hash, rows and columns."""
        inputs = self.run.record.inputs
        inputs += [dataset] if dataset.step else []  # which copied it
        for index, known in enumerate(inputs):
            if known.name == dataset.name and not known.step:
                known = attrs.evolve(known, sha256=known.sha256 or dataset.sha256)
                if dataset.rows is not None:
                    columns = dataset.columns or known.columns  # who read some columns only does not know all of them
                    known = attrs.evolve(known, rows=dataset.rows, columns=columns)
                inputs[index] = self._datasets[known.name] = known

    def _note_dataset(self, dataset: DatasetRecord) -> None:
        record = self.run.record
        self._datasets[dataset.name] = dataset
        (record.outputs if dataset.kind == "output" else record.intermediates).append(dataset)

    def _release(self, step: Step) -> None:
        """Drop datasets from memory that no step still to come reads."""
        self._readers_left.subtract(step.reads)
        between = {name for name in step.writes if not self.plan.is_final(name, self.run.config.outputs)}
        for name in {*step.reads, *between}:
            if not self._readers_left[name] and name not in self.run.options.datasets:
                self.run.data_source.release(name)

    @contextlib.contextmanager
    def _failing(self, step: Step, result: OperationResult | None = None) -> Any:
        """A step's failure outside its own code: reading inputs, publishing, recording."""
        try:
            yield
        except Exception as error:
            if self._states[step.id].ended:
                raise
            self._fail(step, result or OperationResult(), error)

    def _fail(self, step: Step, result: OperationResult, error: BaseException) -> None:
        run, state = self.run, self._states[step.id]
        record, read, kind = state.record, state.read, type(error).__name__
        if state.staged is not None:
            state.staged.discard()
        self._warn(step)
        state.staged = None
        state.without = "failed"
        self.failed = True
        keeps_on = step.options.continue_on_error
        self.stopped = self.stopped or not (run.config.continue_on_error if keeps_on is None else keeps_on)
        disclosure = run.redactor.disclosure(run, read)
        result.status = OperationStatus.ERROR
        result.exception = error
        result.error_message = run.redactor(disclosure.message(error))
        result.error_trace = run.redactor(disclosure.trace(error))
        record.metrics = run.redactor.value(result.metrics)
        record.error = {"type": kind, "message": result.error_message, "traceback": result.error_trace}
        of_step = {"step": step.id, "operation": step.name}
        run.record.errors.append({**record.error, "exception_type": kind, "type": "operation_error", **of_step})
        info = self._session.fail("operation_error", error, recorded=True, datasets=read, **of_step)
        state.failure = info, error
        exc_info = None if isinstance(error, PamolaTaskError) else error
        run.logger.error("step %s failed: %s", step.id, info["message"], exc_info=exc_info, extra={"step_id": step.id})
        self._end(step, result, f"{result.status.value} in {record.seconds:.3f} s")
        run.history.step_finished(run, step.id, record.status, record.seconds)
        self._session.emit("pamola_on_step_finished", step=step, result=result)

    def settle(self) -> None:
        """Put what was recorded into the order of the plan, whatever ended first.

        Of several failures the first one in the plan is the one that the run failed with.
        """
        for staged in (state.staged for state in self._states.values() if state.staged is not None):
            staged.ended = True  # of a step that was interrupted, whose thread may still be at it
            staged.discard()
        record, place = self.run.record, _numbered(self._states)
        reads = _numbered(name for step in self.plan for name in step.reads)
        record.inputs.sort(key=lambda dataset: reads.get(dataset.name, -1))
        by_step: tuple[list[Any], ...] = (record.outputs, record.intermediates, record.steps, record.artifacts)
        for records in by_step:
            records.sort(key=lambda found: place.get(found.step, -1))
        record.errors.sort(key=lambda error: place.get(error.get("step", ""), -1))
        for values in (self.run.results, record.metrics):
            for step_id in place:
                if step_id in values:
                    values[step_id] = values.pop(step_id)
        # Warnings that several steps may have met come first, in the order of the alphabet.
        met = _numbered(text for step in record.steps for text in step.warnings)
        during = record.warnings[self._warned_before :]
        record.warnings[self._warned_before :] = sorted(during, key=lambda text: (met.get(text, -1), text))
        failures = [state.failure for state in self._states.values() if state.failure is not None]
        caused = [failure for failure in failures if not getattr(failure[1], "details", {}).get("stopped")]
        if caused and record.error is not None and record.error.get("step") in place:
            record.error, self._session.error = caused[0]


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def settled_seed(run: RunServices) -> int:
    """The seed that was configured; else that of the run being continued; else a fresh one."""
    seeds = (run.record.seed, run.config.seed, run.checkpoints.seed(), int.from_bytes(os.urandom(4)))
    return next(seed for seed in seeds if seed is not None)


def unchanged_since(saved: SavedStep) -> str:
    """Why a finished step is not run again, with the time it was finished (UTC)."""
    return f"nothing changed since {saved.time[:10]} {saved.time[11:16]} UTC"


def execute_step(run: RunServices, step: Step, staged: StagedStep, report: Callable[..., None]) -> OperationResult:
    """Have the operation of a step do its work, and find out what it read.

    Args:
        staged: Where the attempt writes, and what is known of what it read.
        report: Called with ("progress", done, total, unit), at most ten times a second, and with ("stage", name).
    """
    try:
        with StepData(run, step, staged) as data:
            return step.operation.execute(OperationContext(run, step, data, staged, report))
    finally:
        staged.ended = True


def call_step(run: RunServices, step: Step) -> OperationResult:
    """One attempt at a step where it runs, through `pamola_run_step`; what does not go well is an exception."""
    try:
        result = run.kernel.plugins.manager.hook.pamola_run_step(run=run, step=step)
    except SystemExit as error:
        raise OperationError(f"step {step.id} called sys.exit({error.code!r})") from error
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # it would pass by everything that records a failure
        raise OperationError(f"step {step.id} raised {type(error).__name__}, which is not an Exception") from error
    if not isinstance(result, OperationResult):
        raise OperationError(f"step {step.id} returned {type(result).__name__} instead of an OperationResult")
    said = result.said(lambda error: run.redactor.disclosure(run).message(error))
    if result.failed:
        raise result.exception or OperationError(said or f"step {step.id} ended with status {result.status.value}")
    return result
