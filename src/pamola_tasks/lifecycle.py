"""initialize → configure → execute → finalize: *when* things happen in a run; *how* is a matter of the services."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.bring_up import BringUp
from pamola_tasks.errors import ConfigurationError, DependencyError, PamolaTaskError, PlanError
from pamola_tasks.parameters import unknown_name
from pamola_tasks.plugins.observers import Observers
from pamola_tasks.record import now
from pamola_tasks.steps import Steps, settled_seed
from pamola_tasks.storage.ending import ends_with_words
from pamola_tasks.storage.system import peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pamola_tasks.plugins.discovery import PluginRecord
    from pamola_tasks.protocols import Disclosure, KernelView, RunOptions, Task
    from pamola_tasks.record import DatasetRecord


class RunSession(BringUp):
    """One run of one task: brings services up, drives the phases, and finishes whatever happened."""

    def __init__(self, kernel: KernelView, task: Task | None, options: RunOptions, *, runs: bool = True) -> None:
        self.started = False
        self.announced = False
        self.finished = False
        # A run of selected steps is announced once these are found in the plan: until then it can be refused.
        self._waits_for_plan = bool(options.selection)
        self.error: BaseException | None = None
        self.report: Path | None = None
        self.steps: Steps | None = None
        super().__init__(kernel, task, options, runs=runs)
        self.observers = Observers(self.run)

    def _after_lock(self) -> None:
        if self.runs:
            self.run.lock.take(wait=self.run.options.wait)
            self.started = True
            if not self._waits_for_plan:
                self._announce()

    def _announce(self) -> None:
        self._waits_for_plan = False
        self.run.history.run_started(self.run)
        self.announced = True
        self.emit("pamola_on_run_started")

    def settle_plan(self) -> None:
        """Let plugins change and check the plan; `PlanError` if it cannot run or a plugin objects."""
        run, plan, plugins = self.run, self.run.plan, self.kernel.plugins
        run.record.seed = settled_seed(run)
        before = meant = list(plan)

        def note_change(record: PluginRecord) -> None:
            nonlocal before
            after = list(plan)
            if after != before:
                was, now_is = (", ".join(step.id for step in steps) or "nothing" for steps in (before, after))
                run.record.plan_changes.append(f"{record.label} changed the plan from {was} to {now_is}")
                before = after

        plugins.each("pamola_modify_plan", after_each=note_change, run=run, plan=plan)
        for step in plan:
            run.redactor.learn(step.operation.parameters())
        known = {name for step in (*meant, *plan) for name in step.reads}
        known |= {*run.config.input_datasets, *run.config.auxiliary_datasets}
        unread = [unknown_name(name, sorted(known), "dataset") for name in run.options.datasets if name not in known]
        at = getattr(run.config, "problem_of", lambda *named: "")
        problems = unread + plan.problems(at) + plugins.objections("pamola_check_plan", run=run, plan=plan)
        if problems:
            raise PlanError(problems=tuple(problems))

    def execute(self) -> bool:
        """Run the plan; whether all of it went well."""
        run = self.run
        try:
            self.settle_plan()
            self.steps = Steps(run, self)
        except PlanError:
            # Selected steps that are not in the plan, or need what is not there, are no run: nothing is recorded.
            self.started = self.started and not self._waits_for_plan
            raise
        if self._waits_for_plan:
            self._announce()
        elif run.options.restart and run.checkpoints.enabled:  # what is refused costs no finished work
            run.checkpoints.clear()
        run.perform = self.steps.perform
        run.progress.set_total_operations(len(run.plan))
        try:
            run.executor.run_plan(run.plan, self.steps)
        finally:
            self.steps.settle()
        return not self.steps.failed

    def finalize(self, success: bool) -> bool:
        """Write report and history, notify observers, let go of everything; each of these whatever else fails.

        Returns:
            Whether the run was a success, and is recorded as one.
        """
        run, record = self.run, self.run.record
        if self.finished or not self.started:
            self._let_go()
            return self.finished and record.success
        self.finished = True
        if self._waits_for_plan:
            self._attempt("log_error", "the execution history", self._announce)
        record.finished = now()
        record.success = success
        record.peak_memory_bytes = peak_memory()
        if success:
            record.status = "success"
        try:
            reported = self._attempt("report_error", "the report", self._write_report)
            if not reported:  # what could be written of it says that the run went well
                with contextlib.suppress(Exception, SystemExit):
                    self._save_report()
            recorded = self._attempt("log_error", "the execution history", lambda: run.history.run_finished(run))
            failures = len(record.observer_failures)
            if self.announced:
                self.emit("pamola_on_run_finished")
            if reported and not (recorded and len(record.observer_failures) == failures):
                self._attempt("report_error", "the report", self._save_report)
        finally:
            self._let_go()
        return record.success

    def _write_report(self) -> None:
        run, record = self.run, self.run.record
        if "reporter" not in vars(run):  # initialization failed before it came up: a report of that is still owed
            self._up("reporter")
        run.reporter.add_task_summary(
            record.success,
            execution_time=record.seconds,
            metrics=record.metrics,
            error_info=record.error,
            encryption=run.encryption.get_encryption_info() if "encryption" in vars(run) else None,
        )
        self._save_report()

    def _save_report(self) -> None:
        path = self.run.reporter.save_report()
        self.report = path if path != Path() else None

    def _attempt(self, status: str, what: str, action: Callable[[], Any]) -> bool:
        """Do one thing of finalize; when it fails the run has failed, and the rest still happens."""
        try:
            action()
        except (Exception, SystemExit) as error:  # what exits here would hide how the run ended
            record, message = self.run.record, self.disclosure().message(error)
            failure = {"type": status, "message": self.run.redactor(f"{what} could not be written: {message}")}
            self.run.logger.error("%s", failure["message"], exc_info=error)
            record.errors.append(failure)
            if record.success or record.error is None:
                record.error, record.status, self.error = failure, status, error
            record.success = False
            return False
        return True

    def _let_go(self) -> None:
        """Close what is open, the newest service first; those of plugins by their method `close`."""
        run, up = self.run, vars(self.run)
        added = [name for name in reversed(run.services) if name in self.kernel.plugins.added_services]
        closings: dict[str, Callable[[], Any]] = {
            **{name: up[name].close for name in added if callable(getattr(up.get(name), "close", None))},
            "progress": lambda: run.progress.close(),
            "directories": self._clean_temp,
            "encryption": lambda: run.encryption.cleanup(),
            "lock": lambda: run.lock.release(),
            "logging": lambda: run.logging.close(),
        }
        for service, close in closings.items():
            if service in up:
                try:
                    close()
                except (Exception, SystemExit) as error:
                    message = self.disclosure().message(error)
                    run.logger.warning("closing %s failed: %s", service, message, exc_info=error)
        self.observers.close()
        run.logger.handlers[:] = [logging.NullHandler()]

    def _clean_temp(self) -> None:
        if self.task is not None and self.started:
            self.run.directories.clean_temp_directory()

    def fail(
        self,
        status: str,
        error: BaseException,
        *,
        datasets: Iterable[DatasetRecord] = (),
        recorded: bool = False,
        **more: Any,
    ) -> dict[str, Any]:
        """Record what made the run fail; the first one is kept, unless an interrupt ended the run."""
        record, redact, disclosure = self.run.record, self.run.redactor, self.disclosure(datasets)
        foreign = not isinstance(error, PamolaTaskError)
        info: dict[str, Any] = {
            "type": status,
            "message": redact(disclosure.message(error)),
            "exception_type": type(error).__name__,
            **more,
        }
        if foreign:
            info["traceback"] = redact(disclosure.trace(error))
        if record.error is None or isinstance(error, KeyboardInterrupt):
            record.error, record.status, self.error = info, status, error
        if self.finished:  # the task's own code failed after the run was recorded
            record.success = False
        if not recorded:
            record.errors.append(info)
            self.run.logger.error("%s", info["message"], exc_info=error if foreign else None)
        return info

    def disclosure(self, datasets: Iterable[DatasetRecord] = ()) -> Disclosure:
        """What may be said of errors in this run, where no cell of a table may be read."""
        return self.run.redactor.disclosure(self.run, datasets)

    def emit(self, hook: str, **arguments: Any) -> None:
        """Notify the observers, and the program that waits for the run."""
        if self.run.options.handle is not None:
            self.run.options.handle.take(hook, self.run, arguments)
        self.kernel.plugins.emit(self.observers, hook, run=self.run, **arguments)


def drive(task: Any, options: RunOptions) -> bool:
    """Run a `Task` through its own four phases, whatever it overrides. KeyboardInterrupt is recorded, not raised."""
    with ends_with_words(f"in a run of {task.origin}"):
        return _drive(task, options)


def _drive(task: Any, options: RunOptions) -> bool:
    task._options = options
    success = False
    try:
        with options.handle.reaching() if options.handle is not None else contextlib.nullcontext():
            if went_well(task, "initialize", "initialization_error", task.initialize(options.overrides or None)):
                try:
                    task.configure_operations()
                except Exception as error:
                    task._failed("configuration_error", error)
                else:
                    success = went_well(task, "execute", "exception", task.execute())
    except KeyboardInterrupt as interrupt:
        task._failed("interrupted", interrupt)
        if task._session is not None:
            task._take_results(task._session)
    except SystemExit as error:
        task._failed("unhandled_exception", PamolaTaskError(f"{task.origin} called sys.exit({error.code!r})"))
    except BaseException as error:  # whatever it was, the run has failed, and is reported and recorded as such
        task._failed("unhandled_exception", error)
    finally:
        task._options = None
    try:
        ended = task.finalize(success)
        if task._session is not None and task._session.started and not task._session.finished:
            raise PamolaTaskError(f"{task.origin}: finalize() did not call super().finalize(success)")
        return went_well(task, "finalize", "finalization_error", ended)
    except (Exception, SystemExit) as error:
        task._failed("finalization_error", error)
        if task._session is not None:
            task._session.finalize(False)
        return False


def went_well(task: Any, method: str, status: str, given: Any) -> bool:
    """Whether a method of a task said that it succeeded; a no without an error is an error of that method."""
    if not given and task._session is not None and task._session.error is None:
        task._failed(status, PamolaTaskError(f"{task.origin}: {method}() gave {given!r}"))
    return bool(given)


def status_of(error: BaseException) -> str:
    """The status string for an error that ended initialization."""
    if isinstance(error, DependencyError):
        return "dependency_error"
    return "configuration_error" if isinstance(error, ConfigurationError) else "initialization_error"
