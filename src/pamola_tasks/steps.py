"""What happens to each step of a run: skipped or attempted, published, recorded. The executor drives it."""

from __future__ import annotations

import collections
import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, OperationError, PamolaTaskError, PlanError
from pamola_tasks.operation import execute_step
from pamola_tasks.record import Artifact, DatasetRecord, SavedStep, StepRecord, now
from pamola_tasks.result import OperationResult, OperationStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices, Session, StagedStep


class Steps:
    """The `StepDriver` of a run.

    Args:
        run: The run, its plan settled.
        session: Takes events and failures.
    """

    def __init__(self, run: RunServices, session: Session) -> None:
        self.run = run
        self.plan = run.plan
        self.failed = False
        self.call_in_parent: Callable[[Callable[[], None]], None] = lambda call: call()
        self._session = session
        self._left_out = run.options.selection.left_out(self.plan)
        self.stopped = False
        self._without: dict[str, str] = {}
        self._records: dict[str, StepRecord] = {}
        self._staged: dict[str, StagedStep] = {}
        self._started: dict[str, float] = {}
        self._done: dict[str, float] = {}
        self._running: list[str] = []
        self._datasets: dict[str, DatasetRecord] = {}
        self._failures: dict[str, tuple[dict[str, Any], BaseException]] = {}
        self._place = _numbered(self.plan.step_ids)
        self._warned_before = len(run.record.warnings)
        self._waiting = {step.id for step in self.plan}
        self._readers_left = collections.Counter(name for step in self.plan for name in step.reads)
        if self._left_out:
            run.record.overrides.append(f"only some steps were asked for; left out: {', '.join(self._left_out)}")

    # ------------------------------------------------------------ prepare

    def prepare(self, step: Step) -> bool:
        """Decide whether a step has to be run; what it left earlier is put in place when not."""
        run = self.run
        record = self._record(step)
        missing = [name for name in self.plan.needs(step) if name in self._without]
        left_out = self._left_out.get(step.id)
        if missing and (left_out or self._without[missing[0]] != "left out"):
            self._skip(step, record, left_out or f"needs what step {missing[0]} did not give")
            self._without[step.id] = "left out" if left_out else "not run"
            return False
        with self._failing(step):
            if missing:
                raise PlanError(
                    f"step {step.id} needs what step {missing[0]} gives, which was left out and has changed"
                )
            self._record_inputs(step)
            verdict = run.checkpoints.stands(step)
            if isinstance(verdict, SavedStep):
                self._restore(step, record, verdict)
                return False
            if left_out:
                self._skip(step, record, left_out)
                self._without[step.id] = "left out"
                return False
            record.reason = verdict
            self._started[step.id] = time.perf_counter()
            self._running.append(step.id)
            run.lock.tell(self._running)
            record.started = now()
            run.progress.start_operation(step.id, description=step.operation.description)
            run.logger.info("step %s starts%s", step.id, f": {verdict}" if verdict else "", extra={"step_id": step.id})
            self._session.emit("pamola_on_step_started", step=step)
            return True
        return False

    def _record(self, step: Step) -> StepRecord:
        operation = step.operation
        record = StepRecord(
            step=step.id,
            operation=step.name,
            description=operation.description,
            reads=list(step.reads),
            writes=list(step.writes),
            settings=self.run.redactor.value(operation.parameters()),
            version=operation.version,
            distribution=step.distribution,
        )
        self._records[step.id] = record
        self.run.record.steps.append(record)
        return record

    def _record_inputs(self, step: Step) -> None:
        for name in step.reads:
            if name not in self._datasets and self.plan.writer_of(name) is None:
                self._datasets[name] = self.run.data_source.describe(name)
                self.run.record.inputs.append(self._datasets[name])

    def _restore(self, step: Step, record: StepRecord, saved: SavedStep) -> None:
        """Skip to a finished step: its datasets, metrics and artifacts are those of the run that made them."""
        run = self.run
        run.record.resumed_from = run.record.resumed_from or saved.run_id
        for output in saved.outputs:
            if output.kind == "artifact":
                record.artifacts.append(Artifact(**{**output.artifact, "root": str(run.files.root)}))
            elif output.kind in ("output", "intermediate"):
                known = attrs.asdict(output, recurse=False, filter=attrs.filters.exclude("artifact", "key_id"))
                key_id = run.files.encryption_of(output.path).key_id  # it may have been changed since
                self._note_dataset(DatasetRecord(**known, key_id=key_id, step=step.id))
        for name, known in saved.inputs.items():
            columns = known["columns"]
            shape = DatasetRecord(name=name, kind="input", rows=known["rows"], columns=columns and tuple(columns))
            self._note_read(shape)
        record.metrics = dict(saved.metrics)
        run.record.artifacts.extend(record.artifacts)
        for warning in saved.warnings:
            run.warn(warning, step=step.id)
        record.made_by = saved.run_id
        self._skip(step, record, unchanged_since(saved), artifacts=record.artifacts)

    def _skip(self, step: Step, record: StepRecord, reason: str, artifacts: list[Artifact] | None = None) -> None:
        run = self.run
        record.status = OperationStatus.SKIPPED.value
        record.reason = reason
        result = OperationResult(
            OperationStatus.SKIPPED, artifacts=artifacts or [], metrics=dict(record.metrics), attempts=0, reason=reason
        )
        run.results[step.id] = result
        if record.metrics:
            run.record.metrics[step.id] = record.metrics
        self._waiting.remove(step.id)
        self._release(step)
        run.logger.info("step %s skipped: %s", step.id, reason, extra={"step_id": step.id})
        run.progress.complete_operation(step.id, success=True)
        self._session.emit("pamola_on_step_skipped", step=step, reason=reason)

    # ------------------------------------------------------------ attempt

    def attempt(self, step: Step) -> OperationResult:
        """Make one attempt, through `pamola_run_step` and its wrappers."""
        self._begin(step)
        return call_step(self.run, step)

    def begin(self, step: Step) -> StagedStep:
        """Begin one attempt that another process makes."""
        self._begin(step)
        staged = self._staged[step.id] = self.run.checkpoints.stage(step)
        staged.expect()
        return staged

    def _begin(self, step: Step) -> None:
        before = self._staged.pop(step.id, None)
        if before is not None:
            before.discard()
        self._records[step.id].attempts += 1
        self.call_in_parent(lambda: self._done.update({step.id: 0.0}))

    def perform(self, step: Step) -> OperationResult:
        """The plain implementation of `pamola_run_step`."""

        def progress(done: float, total: float | None, unit: str) -> None:
            self.call_in_parent(lambda: self.progress(step, done, total, unit))

        staged = self._staged[step.id] = self.run.checkpoints.stage(step)
        return execute_step(self.run, step, staged, progress)

    def progress(self, step: Step, done: float, total: float | None, unit: str) -> None:
        """Pass on how far a step is."""
        if total is not None:
            self.run.progress.set_operation_total(step.id, total, unit)
        self.run.progress.update_operation(step.id, done - self._done.get(step.id, 0.0))
        self._done[step.id] = done
        self._session.emit("pamola_on_step_progress", step=step, done=done, total=total, unit=unit)

    def retried(self, step: Step, attempt: int, error: BaseException, wait: float) -> None:
        """Report that an attempt failed and another will be made."""
        run = self.run
        message = run.redactor(run.redactor.disclosure(run, self._read_by(step)).message(error))
        said = "step %s: attempt %d failed (%s), next in %.1f s"
        run.logger.warning(said, step.id, attempt, message, wait, extra={"step_id": step.id})
        self._session.emit("pamola_on_step_retried", step=step, attempt=attempt, error=error, wait=wait)

    # ------------------------------------------------------------ complete

    def complete(self, step: Step, result: OperationResult) -> None:
        """Publish, record and report what a step gave."""
        record = self._records[step.id]
        record.seconds = result.execution_time = time.perf_counter() - self._started[step.id]
        result.attempts = record.attempts
        if result.failed:
            error = result.exception or OperationError(result.error_message or f"step {step.id} failed")
            self._step_failed(step, result, error)
            return
        with self._failing(step, result):
            self._publish(step, record, result)

    def _publish(self, step: Step, record: StepRecord, result: OperationResult) -> None:
        run, staged = self.run, self._staged.get(step.id)
        read = list(staged.read.values()) if staged is not None else []
        for dataset in read:
            self._refuse_changed(step, dataset)
        for warning in staged.warnings if staged is not None else ():
            result.warnings.append(warning)
            run.warn(warning, step=step.id)
        record.status = result.status.value
        record.metrics = run.redactor.value(result.metrics)
        datasets, artifacts = run.checkpoints.publish(step, staged, record)
        self._staged.pop(step.id, None)
        known = {artifact.path for artifact in artifacts}
        for artifact in result.artifacts:
            artifact.step = step.id
        result.artifacts = artifacts + [a for a in result.artifacts if run.files.name(a.path) not in known]
        record.artifacts = result.artifacts
        run.history.step_finished(run, step.id, record.status, record.seconds)
        run.results[step.id] = result
        run.record.artifacts.extend(result.artifacts)
        if record.metrics:
            run.record.metrics[step.id] = record.metrics
        self._end(step, result, success=True)
        for dataset in read:
            self._note_read(dataset)
            self._session.emit("pamola_on_dataset_read", step=step, dataset=dataset)
        for dataset in datasets:
            self._note_dataset(dataset)
            self._session.emit("pamola_on_dataset_written", step=step, dataset=dataset)
        for artifact in result.artifacts:
            self._session.emit("pamola_on_artifact", step=step, artifact=artifact)
        self._session.emit("pamola_on_step_finished", step=step, result=result)

    def _refuse_changed(self, step: Step, dataset: DatasetRecord) -> None:
        """What a step has read must be what its fingerprint was made of."""
        known = self._datasets.get(dataset.name)
        if known is not None and known.sha256 != dataset.sha256 and known.sha256 and dataset.sha256:
            raise DataError(f"{dataset.name} ({dataset.path}) changed while step {step.id} read it: run the task again")

    def _end(self, step: Step, result: OperationResult, *, success: bool) -> None:
        if step.id in self._running:
            self._running.remove(step.id)
        self._waiting.remove(step.id)
        self._release(step)
        self.run.progress.complete_operation(step.id, success=success, metrics=None)
        seconds = result.execution_time or 0.0
        self.run.logger.info("step %s %s in %.3f s", step.id, result.status.value, seconds, extra={"step_id": step.id})

    def _note_read(self, dataset: DatasetRecord) -> None:
        """Know more of an input, once it has been read: its hash, rows and columns."""
        inputs = self.run.record.inputs
        for index, known in enumerate(inputs):
            if known.name == dataset.name:
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
        for name in step.reads:
            self._readers_left[name] -= 1
        between = {name for name in step.writes if not self.plan.is_final(name, self.run.config.outputs)}
        for name in {*step.reads, *between}:
            if not self._readers_left.get(name) and name not in self.run.options.datasets:
                self.run.data_source.release(name)

    # ------------------------------------------------------------ failure

    @contextlib.contextmanager
    def _failing(self, step: Step, result: OperationResult | None = None) -> Any:
        """A step's failure outside its own code: reading inputs, publishing, recording."""
        try:
            yield
        except Exception as error:
            if step.id in self._waiting:
                self._step_failed(step, result or OperationResult(), error)
            else:
                raise

    def _step_failed(self, step: Step, result: OperationResult, error: BaseException) -> None:
        run, record = self.run, self._records[step.id]
        datasets = self._read_by(step)
        staged = self._staged.pop(step.id, None)
        if staged is not None:
            staged.discard()
            for warning in staged.warnings:
                run.warn(warning, step=step.id)
        self.failed = True
        self._without[step.id] = "failed"
        keeps_on = step.options.continue_on_error
        self.stopped = self.stopped or not (run.config.continue_on_error if keeps_on is None else keeps_on)
        disclosure = run.redactor.disclosure(run, datasets)
        result.status = OperationStatus.ERROR
        result.exception = error
        result.error_message = run.redactor(disclosure.message(error))
        result.error_trace = run.redactor(disclosure.trace(error))
        record.status = result.status.value
        record.metrics = run.redactor.value(result.metrics)
        kind = type(error).__name__
        record.error = {"type": kind, "message": result.error_message, "traceback": result.error_trace}
        run.results[step.id] = result
        where = {"type": "operation_error", "step": step.id, "operation": step.name}
        run.record.errors.append({**record.error, "exception_type": kind, **where})
        info = self._session.fail(
            "operation_error", error, operation=step.name, step=step.id, recorded=True, datasets=datasets
        )
        self._failures[step.id] = (info, error)
        exc_info = None if isinstance(error, PamolaTaskError) else error
        run.logger.error("step %s failed: %s", step.id, info["message"], exc_info=exc_info, extra={"step_id": step.id})
        self._end(step, result, success=False)
        run.history.step_finished(run, step.id, record.status, record.seconds)
        self._session.emit("pamola_on_step_finished", step=step, result=result)

    def _read_by(self, step: Step) -> list[DatasetRecord]:
        """What is known of the datasets that a step has read so far."""
        staged = self._staged.get(step.id)
        return list(staged.read.values()) if staged is not None else []

    # ------------------------------------------------------------ the end

    def settle(self) -> None:
        """Put what was recorded into the order of the plan, whatever ended first.

        Of several failures the first one in the plan is the one that the run failed with.
        """
        record, place = self.run.record, self._place
        reads = _numbered(name for step in self.plan for name in step.reads)
        record.inputs.sort(key=lambda dataset: reads.get(dataset.name, -1))
        for datasets in (record.outputs, record.intermediates):
            datasets.sort(key=lambda dataset: place.get(dataset.step, -1))
        record.steps.sort(key=lambda step: place[step.step])
        record.artifacts.sort(key=lambda artifact: place.get(artifact.step, -1))
        record.errors.sort(key=lambda error: place.get(error.get("step", ""), -1))
        for by_step in (self.run.results, record.metrics):
            ordered: list[tuple[str, Any]] = sorted(by_step.items(), key=lambda item: place.get(item[0], -1))
            by_step.clear()
            by_step.update(ordered)
        # Warnings that several steps may have met come first, in the order of the alphabet.
        met = _numbered(text for step in record.steps for text in step.warnings)
        during = record.warnings[self._warned_before :]
        record.warnings[self._warned_before :] = sorted(during, key=lambda text: (met.get(text, -1), text))
        caused = [found for found in self._failures.items() if not getattr(found[1][1], "details", {}).get("stopped")]
        if caused and record.error is not None and record.error.get("step") in place:
            _, (record.error, self._session.error) = min(caused, key=lambda found: place[found[0]])


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def settled_seed(run: RunServices) -> int:
    """The seed that was configured; else that of the run being continued; else a fresh one."""
    for seed in (run.record.seed, run.config.seed, run.checkpoints.seed()):
        if seed is not None:
            return seed
    return int.from_bytes(os.urandom(4))


def unchanged_since(saved: SavedStep) -> str:
    """Why a finished step is not run again, with the time it was finished (UTC)."""
    return f"nothing changed since {saved.time[:10]} {saved.time[11:16]} UTC"


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
        if result.exception is not None:
            raise result.exception
        raise OperationError(said or f"step {step.id} ended with status {result.status.value}")
    return result
