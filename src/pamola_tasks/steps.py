"""What happens to each step of a run: skipped or attempted, published, recorded. The executor drives it."""

from __future__ import annotations

import collections
import contextlib
import time
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import OperationError, PamolaTaskError, PlanError
from pamola_tasks.operation import Artifact, OperationContext, OperationResult, OperationStatus
from pamola_tasks.record import DatasetRecord, StepRecord, now, rfc3339
from pamola_tasks_checkpoints.fingerprint import SavedStep
from pamola_tasks_checkpoints.ordering import put_in_order
from pamola_tasks_checkpoints.outputs import METRICS, StepData, StepOutputs, keep_metrics, kept_metrics
from pamola_tasks_checkpoints.staleness import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.lifecycle import RunSession
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices


def at_once(tell: Callable[[], None]) -> None:
    """Tell what a step tells here and now: right where steps run in the parent's main thread."""
    tell()


class Steps:
    """The `StepDriver` of a run.

    `prepare` and `complete` run in the parent, one at a time; `attempt` runs where the step runs.

    Args:
        run: The run, its plan configured.
        session: Where events and failures are told; None to look at verdicts only.

    Attributes:
        deliver: Has what a step tells while it runs told in the parent's main thread. The executor sets it where it
            runs steps elsewhere.
    """

    def __init__(self, run: RunServices, session: RunSession | None = None) -> None:
        self._given = session
        self.run = run
        self.plan = run.plan
        self.verdicts = Verdicts(run)
        self.failed = False
        self._stopped = False
        self._without: dict[str, str] = {}
        self._records: dict[str, StepRecord] = {}
        self._outputs: dict[str, StepOutputs] = {}
        self._claims: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._done: dict[str, float] = {}
        self._running: list[str] = []
        self._datasets: dict[str, DatasetRecord] = {}
        self._failures: dict[str, tuple[dict[str, Any], BaseException]] = {}
        self._place = {step.id: number for number, step in enumerate(self.plan)}
        self._warned_before = len(run.record.warnings)
        self.deliver: Callable[[Callable[[], None]], None] = at_once
        self._waiting = {step.id for step in self.plan}
        self._readers_left = collections.Counter(name for step in self.plan for name in step.reads)

    @property
    def _session(self) -> RunSession:
        assert self._given is not None
        return self._given

    @property
    def stopped(self) -> bool:
        """Whether no further step may begin."""
        return self._stopped

    # ------------------------------------------------------------ prepare

    def prepare(self, step: Step) -> bool:
        """Decide whether a step has to be run; what it left earlier is put in place when not."""
        run = self.run
        record = self._record(step)
        missing = [name for name in self.plan.needs(step) if name in self._without]
        if missing and (step.id in self.verdicts.left_out or self._without[missing[0]] != "left out"):
            reason = self.verdicts.left_out.get(step.id, f"needs what step {missing[0]} did not give")
            self._skip(step, record, reason)
            self._without[step.id] = "left out" if step.id in self.verdicts.left_out else "not run"
            return False
        with self._failing(step):
            if missing:
                raise PlanError(
                    f"step {step.id} needs what step {missing[0]} gives, which was left out and has changed"
                )
            verdict = self.verdicts.of(step)
            if isinstance(verdict, SavedStep):
                self._restore(step, record, verdict)
                return False
            if step.id in self.verdicts.left_out:
                self._skip(step, record, self.verdicts.left_out[step.id])
                self._without[step.id] = "left out"
                return False
            record.reason = verdict
            self._started[step.id] = time.perf_counter()
            self._running.append(step.id)
            run.lock.tell(self._running)
            record.started = now()
            run.progress.start_operation(step.id, description=step.operation.description)
            run.logger.info("step %s begins%s", step.id, f": {verdict}" if verdict else "", extra={"step_id": step.id})
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
            settings=self.run.redact.value(operation.parameters()),
            version=operation.version,
            distribution=step.distribution,
        )
        self._records[step.id] = record
        self.run.record.steps.append(record)
        return record

    def _restore(self, step: Step, record: StepRecord, saved: SavedStep) -> None:
        """Let a finished step stand: its datasets, metrics and artifacts are those of the run that made them."""
        run = self.run
        run.record.resumed_from = run.record.resumed_from or saved.run_id
        artifacts = self.put_in_place(step, saved)
        for name, known in saved.inputs.items():
            columns = known["columns"]
            shape = DatasetRecord(name=name, kind="input", rows=known["rows"], columns=columns and tuple(columns))
            self._note_read(shape)
        record.metrics = kept_metrics(run.files, saved)
        record.artifacts = artifacts
        run.record.artifacts.extend(artifacts)
        for warning in saved.warnings:
            run.warn(warning, step=step.id)
        record.made_by = saved.run_id
        self._skip(step, record, unchanged_since(saved), artifacts=artifacts)

    def put_in_place(self, step: Step, saved: SavedStep) -> list[Artifact]:
        """Make what a finished step left known to this run; its artifacts."""
        run = self.run
        artifacts = []
        for output in saved.outputs:
            if output.kind == METRICS:
                continue
            path = str(run.files.root / output.path)
            self._claims[path] = step.id
            if output.kind == "artifact":
                artifacts.append(Artifact(**{**output.artifact, "root": str(run.files.root)}))
                continue
            self.verdicts.offer(output)
            self._note_dataset(
                DatasetRecord(
                    name=output.name,
                    kind=output.kind,
                    path=output.path,
                    format=output.format,
                    sha256=output.sha256,
                    bytes=output.bytes,
                    rows=output.rows,
                    columns=output.columns,
                    encrypted=output.encrypted,
                    key_id=run.files.encryption_of(output.path).key_id,  # it may have been changed since
                    step=step.id,
                )
            )
        return artifacts

    def _skip(self, step: Step, record: StepRecord, reason: str, artifacts: list[Artifact] | None = None) -> None:
        run = self.run
        record.status = OperationStatus.SKIPPED.value
        record.reason = reason
        result = OperationResult(
            OperationStatus.SKIPPED, artifacts=artifacts or [], metrics=dict(record.metrics), attempts=0, reason=reason
        )
        run.results[step.id] = result
        self._keep_metrics(step, record)
        self._waiting.remove(step.id)
        self._release(step)
        run.logger.info("step %s skipped: %s", step.id, reason, extra={"step_id": step.id})
        run.progress.complete_operation(step.id, success=True)
        self._session.emit("pamola_on_step_skipped", step=step, reason=reason)

    # ------------------------------------------------------------ attempt

    def attempt(self, step: Step) -> OperationResult:
        """One attempt, through `pamola_run_step` and whatever is wrapped around it."""
        self._begin_attempt(step)
        return call_step(self.run, step)

    def _begin_attempt(self, step: Step) -> None:
        before = self._outputs.pop(step.id, None)
        if before is not None:
            before.discard()
        self._records[step.id].attempts += 1
        self.deliver(lambda: self._done.update({step.id: 0.0}))

    def perform(self, step: Step) -> OperationResult:
        """The plain implementation of `pamola_run_step`."""
        outputs = self._outputs[step.id] = self._outputs_of(step)
        return step.operation.execute(OperationContext(self.run, step, outputs, StepData(self.run, step, outputs)))

    def _outputs_of(self, step: Step) -> StepOutputs:
        def tell(done: float, total: float | None, unit: str) -> None:
            self.deliver(lambda: self._progress(step, done, total, unit))

        return StepOutputs(self.run, step, final=self.verdicts.final, claims=self._claims, tell_progress=tell)

    def _progress(self, step: Step, done: float, total: float | None, unit: str) -> None:
        if total is not None:
            self.run.progress.set_operation_total(step.id, total, unit)
        self.run.progress.update_operation(step.id, done - self._done.get(step.id, 0.0))
        self._done[step.id] = done
        self._session.emit("pamola_on_step_progress", step=step, done=done, total=total, unit=unit)

    def retried(self, step: Step, attempt: int, error: BaseException, wait: float) -> None:
        """Tell that an attempt failed and another will be made."""
        run = self.run
        message = run.redact(self._session.disclosure(self._read_by(step)).message(error))
        run.logger.warning(
            "step %s: attempt %d failed (%s), next in %.1f s",
            step.id,
            attempt,
            message,
            wait,
            extra={"step_id": step.id},
        )
        self._session.emit("pamola_on_step_retried", step=step, attempt=attempt, error=error, wait=wait)

    # ------------------------------------------------------------ attempts in another process

    def describe_run(self) -> bytes:
        """What another process needs to know of the run before it performs steps (`remote.RemoteRun`).

        Raises:
            OperationError: Something of it cannot be sent there.
        """
        from pamola_tasks_executor import remote

        return remote.describe_run(self.run, self._session.layers, self.verdicts.final)

    def send(self, step: Step) -> bytes:
        """Begin an attempt that another process makes: what it needs to know of the step.

        Raises:
            OperationError: The operation cannot be sent there.
        """
        from pamola_tasks_executor import remote

        self._begin_attempt(step)
        outputs = self._outputs[step.id] = self._outputs_of(step)
        outputs.expect()
        known = [self._datasets[name] for name in step.reads if name in self._datasets]
        return remote.describe_step(step, known, dict(self._claims))

    def hear(self, step: Step, message: bytes) -> None:
        """Pass on what the other process told while the step runs."""
        from pamola_tasks_executor import pickles, remote

        told = pickles.loads(message)
        self.deliver(lambda: remote.pass_on(told, self.run, step, lambda *done: self._progress(step, *done)))

    def receive(self, step: Step, answer: bytes) -> OperationResult:
        """Take what the other process gave; failures are exceptions, as those of `attempt`."""
        from pamola_tasks_executor import remote

        return remote.taken(answer, self._outputs[step.id])

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
        run, outputs = self.run, self._outputs.pop(step.id, None)
        datasets: list[DatasetRecord] = []
        artifacts: list[Artifact] = []
        saved: tuple[Any, ...] = ()
        if outputs is not None:
            result.warnings += outputs.warnings
            for warning in outputs.warnings:
                run.warn(warning, step=step.id)
            datasets, artifacts, saved = outputs.publish()
            self.verdicts.note_key(step, outputs.derives)
        known = {artifact.path for artifact in artifacts}
        for artifact in result.artifacts:
            artifact.step = step.id
        result.artifacts = artifacts + [a for a in result.artifacts if run.files.name(a.path) not in known]
        record.status = result.status.value
        record.metrics = run.redact.value(result.metrics)
        record.artifacts = result.artifacts
        in_journal = record.metrics
        if in_journal and run.checkpoints.enabled and run.files.encrypts("state"):
            saved, in_journal = (*saved, keep_metrics(run, step, record.metrics)), {}
        run.checkpoints.save(
            SavedStep(
                step_id=step.id,
                run_id=run.id,
                time=rfc3339(now()),
                fingerprint=self.verdicts.parts[step.id],
                outputs=saved,
                inputs={
                    name: {"rows": dataset.rows, "columns": dataset.columns}
                    for name, dataset in (outputs.read.items() if outputs is not None else ())
                    if dataset.rows is not None and self.plan.writer_of(name) is None
                },
                metrics=in_journal,
                warnings=tuple(record.warnings),
                status=record.status,
                seconds=record.seconds,
                index=self._place[step.id],
                run_seed=run.record.seed,
            )
        )
        run.history.step_finished(run, step.id, record.status, record.seconds)
        run.results[step.id] = result
        run.record.artifacts.extend(result.artifacts)
        self._keep_metrics(step, record)
        self._tell_finished(step, result, success=True)
        for dataset in outputs.read.values() if outputs is not None else ():
            self._note_read(dataset)
            self._session.emit("pamola_on_dataset_read", step=step, dataset=dataset)
        for dataset in datasets:
            self._note_dataset(dataset)
            self._session.emit("pamola_on_dataset_written", step=step, dataset=dataset)
        for artifact in result.artifacts:
            self._session.emit("pamola_on_artifact", step=step, artifact=artifact)
        self._session.emit("pamola_on_step_finished", step=step, result=result)

    def _tell_finished(self, step: Step, result: OperationResult, *, success: bool) -> None:
        if step.id in self._running:
            self._running.remove(step.id)
        self._waiting.remove(step.id)
        self._release(step)
        self.run.progress.complete_operation(step.id, success=success, metrics=None)
        self.run.logger.info(
            "step %s %s in %.3f s",
            step.id,
            result.status.value,
            result.execution_time or 0.0,
            extra={"step_id": step.id},
        )

    def _note_read(self, dataset: DatasetRecord) -> None:
        """Know more of an input, once it has been read: its rows and columns."""
        inputs = self.run.record.inputs
        for index, known in enumerate(inputs):
            if known.name == dataset.name and dataset.rows is not None:
                columns = dataset.columns or known.columns  # who read some columns only does not know all of them
                inputs[index] = attrs.evolve(known, rows=dataset.rows, columns=columns)

    def _note_dataset(self, dataset: DatasetRecord) -> None:
        record = self.run.record
        self._datasets[dataset.name] = dataset
        (record.outputs if dataset.kind == "output" else record.intermediates).append(dataset)

    def _keep_metrics(self, step: Step, record: StepRecord) -> None:
        if record.metrics:
            self.run.record.metrics[step.id] = record.metrics

    def _release(self, step: Step) -> None:
        """Drop datasets from memory that no step still to come reads."""
        for name in step.reads:
            self._readers_left[name] -= 1
        for name in {*step.reads, *step.writes}:
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
        outputs = self._outputs.pop(step.id, None)
        if outputs is not None:
            outputs.discard()
            for warning in outputs.warnings:
                run.warn(warning, step=step.id)
        self.failed = True
        self._without[step.id] = "failed"
        keeps_on = step.options.continue_on_error
        self._stopped = self._stopped or not (run.config.continue_on_error if keeps_on is None else keeps_on)
        disclosure = self._session.disclosure(datasets)
        result.status = OperationStatus.ERROR
        result.exception = error
        result.error_message = run.redact(disclosure.message(error))
        result.error_trace = run.redact(disclosure.trace(error))
        record.status = result.status.value
        record.metrics = run.redact.value(result.metrics)
        record.error = {
            "type": type(error).__name__,
            "message": result.error_message,
            "traceback": result.error_trace,
        }
        run.results[step.id] = result
        where = {"type": "operation_error", "step": step.id, "operation": step.name}
        run.record.errors.append({**record.error, "exception_type": type(error).__name__, **where})
        info = self._session.fail(
            "operation_error", error, operation=step.name, step=step.id, recorded=True, datasets=datasets
        )
        self._failures[step.id] = (info, error)
        exc_info = None if isinstance(error, PamolaTaskError) else error
        run.logger.error("step %s failed: %s", step.id, info["message"], exc_info=exc_info, extra={"step_id": step.id})
        self._tell_finished(step, result, success=False)
        run.history.step_finished(run, step.id, record.status, record.seconds)
        self._session.emit("pamola_on_step_finished", step=step, result=result)

    def _read_by(self, step: Step) -> list[DatasetRecord]:
        """What is known of the datasets that a step has read so far."""
        outputs = self._outputs.get(step.id)
        return list(outputs.read.values()) if outputs is not None else []

    # ------------------------------------------------------------ the end

    def settle(self) -> None:
        """Put what was recorded into the order of the plan, whatever ended first.

        Of several failures the first one in the plan is the one that the run failed with.
        """
        put_in_order(self.run, self._warned_before)
        record, place = self.run.record, self._place
        caused = [found for found in self._failures.items() if not getattr(found[1][1], "details", {}).get("stopped")]
        if caused and record.error is not None and record.error.get("step") in place:
            _, (record.error, self._session.error) = min(caused, key=lambda found: place[found[0]])


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
        raise OperationError(f"step {step.id} raised {type(error).__name__}, which is no Exception") from error
    if not isinstance(result, OperationResult):
        raise OperationError(f"step {step.id} gave a {type(result).__name__} instead of an OperationResult")
    if result.failed:
        if result.exception is not None:
            raise result.exception
        said = result.said(show_data=run.options.show_data)
        raise OperationError(said or f"step {step.id} ended with status {result.status.value}")
    return result
