"""initialize → configure → execute → finalize, and the order in which services come up.

The kernel knows here *when* things happen; *how* is a matter of the services. `RunSession` is one run of one task.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pamola_tasks import configuration as configuring
from pamola_tasks import nulls
from pamola_tasks.errors import (
    ConfigurationError,
    DependencyError,
    EncryptionError,
    PamolaTaskError,
    PlanError,
    PluginError,
    UsageError,
)
from pamola_tasks.plan import Plan
from pamola_tasks.plugins.observers import Observers
from pamola_tasks.protocols import RunOptions, RunServices, Task
from pamola_tasks.record import RunRecord, new_run_id, now
from pamola_tasks.run_log import LogBuffer, hand_over, run_logger
from pamola_tasks.steps import Steps
from pamola_tasks.storage.files import Files, check_name
from pamola_tasks.storage.memory_use import peak_memory
from pamola_tasks.storage.staging import NoCheckpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pamola_tasks.plugins.records import PluginRecord
    from pamola_tasks.protocols import Directories, Disclosure, KernelView
    from pamola_tasks.record import DatasetRecord


class _Driven(Task, Protocol):
    """A task that `drive` takes through its phases."""

    _options: RunOptions | None
    _session: RunSession | None

    def initialize(self, args: Any = None) -> bool: ...
    def execute(self) -> bool: ...
    def finalize(self, success: bool) -> bool: ...
    def _failed(self, status: str, error: BaseException) -> None: ...
    def _take_results(self, session: RunSession) -> None: ...


class RunSession:
    """One run of one task: brings services up, drives the phases, and finishes whatever happened.

    Args:
        kernel: The kernel.
        task: The task, or None to bring up services without one.
        options: What the caller asked for.
        runs: Whether this is a run: without, nothing is locked, recorded or written, and nobody is told.

    Attributes:
    """

    def __init__(self, kernel: KernelView, task: Task | None, options: RunOptions, *, runs: bool = True) -> None:
        self.kernel = kernel
        self.runs = runs
        self.task = task
        self.started = False
        self.announced = False
        self.finished = False
        self._unannounced = bool(options.selection)
        self.error: BaseException | None = None
        self.report: Path | None = None
        self.run = run = RunServices(kernel.plugins.service_order())
        run.id = new_run_id()
        run.kernel = kernel
        run.options = options
        run.dry = not runs
        run.plan = Plan()
        run.results = {}
        task_id = task.task_id if task is not None else ""
        run.record = RunRecord(run_id=run.id, task_id=task_id)
        run.record.overrides.extend(kernel.plugins.left_out())
        run.task = task  # type: ignore[assignment]  # None is for commands that need services but no task
        self._refusal: PamolaTaskError | None = None
        self._up_redactor()
        self._log_buffer = LogBuffer()
        run.logger = run_logger(run, self._log_buffer)
        self.observers = Observers(self._observer_failed, self.disclosure, self._observer_overdue)
        self.steps: Steps | None = None

    # ------------------------------------------------------------ initialize

    def bring_up(self, upto: str = "") -> RunServices:
        """Bring services up, in order, to this one; all of them unless one is named.

        Raises:
            PamolaTaskError: The first one that could not be brought up.
        """
        if self._refusal is not None:
            raise self._refusal
        services = self.run.services
        for service in services[: services.index(upto) + 1 if upto else None]:
            if service in vars(self.run):
                continue
            self.run._asking = f"the provider of {service!r}"
            bring = getattr(self, f"_up_{service}", None)
            if bring is None:
                self._up_added(service)
            else:
                bring()
        self.run._asking = "the kernel"
        return self.run

    def _up_added(self, service: str) -> None:
        """A kind of service that a plugin adds."""
        answer = self.kernel.plugins.provide(service, run=self.run)
        if answer is None and self.kernel.plugins.services[service].essential:
            raise self.kernel.plugins.missing(service)
        self.run.provide(service, answer)

    def _up_redactor(self) -> None:
        """Before all others, since every word of a run passes through it; without it nothing comes up."""
        self.run._asking = "the provider of 'redactor'"
        try:
            redactor = self._essential("redactor")
        except PamolaTaskError as error:
            self._refusal, redactor = error, nulls.NoRedactor(str(error))
        self.run.provide("redactor", redactor)
        self.run._asking = "the kernel"

    def _up_project(self) -> None:
        if self.runs:
            _refuse_while_imported()
            self.kernel.plugins.refuse_if_unprovided()
        self.run.provide("project", self.kernel.project)
        for warning in self.kernel.project.warnings:
            self.run.warn(warning)

    def _up_path_guard(self) -> None:
        self.run.provide("path_guard", self.kernel.project.files.guard)
        self.run._files = self.kernel.project.files

    def _up_config(self) -> None:
        run, kernel, task = self.run, self.kernel, self.task
        overrides = {**(task.overriding() if task is not None else {}), **run.options.overrides}
        if run.layers is None:
            run.layers = configuring.layers_of(kernel, task, overrides)
        config = configuring.merged(kernel, task, run.layers)
        run.provide("config", config)
        configuring.hide_secrets(run)
        for warning in getattr(config, "warnings", ()):
            run.warn(warning)
        guard = run.path_guard
        if config.allow_external and config.allowed_external_paths:
            guard = guard.extended(Path(path) for path in config.allowed_external_paths)
            run.provide("path_guard", guard)
        run._files = Files(guard, kernel.veto(config), kernel.project.files.containers)
        if task is not None:
            task.take_identity(config)
            run.record.task_id = check_name(task.task_id, "the task id")
        configuring.hide_what_plugins_say(run)

    def _up_places(self) -> None:
        places = self.kernel.plugins.provide("places", project=self.kernel.project, config=self.run.config)
        if places is None:
            raise self.kernel.plugins.missing("places")
        self.run.provide("places", places)

    def _up_directories(self) -> None:
        if self.task is None:
            return
        directories = self._essential("directories")
        self._check_layout(directories)
        if self.runs:
            directories.ensure_directories()
        self.run.provide("directories", directories)

    def _check_layout(self, directories: Directories) -> None:
        """What a run writes has to be where everything else looks for it: locks, keys, reports.

        Raises:
            PluginError: `directories` and `places` disagree, or `places` with itself; it names the providers.
        """
        run, plugins = self.run, self.kernel.plugins
        for kind, name in run.places.of(run.record.task_id).directories.items():
            owner = run.places.owner_of(f"{name}/file")
            if owner != run.record.task_id:
                raise PluginError(
                    f"{plugins.provider('places').label} says that {name} is the {kind} directory of task"
                    f" {run.record.task_id}, and that files in it belong to {owner or 'no task'}"
                )
            found = run.files.name(directories.get_directory(kind))
            if found != name:
                one, other = plugins.provider("directories"), plugins.provider("places")
                raise PluginError(
                    f"two layouts: the {kind} directory of {run.record.task_id} is {found} for {one.label}, which"
                    f" provides `directories`, and {name} for {other.label}, which provides `places`: provide both"
                )

    def _up_logging(self) -> None:
        run = self.run
        service = (self.kernel.plugins.provide("logging", run=run) if self.runs else None) or nulls.NoLogging()
        run.provide("logging", service)
        handlers = list(service.handlers)
        if not self.runs:
            return
        for _, more in self.kernel.plugins.each("pamola_add_log_handlers", run=run):
            handlers += list(more or ())
        hand_over(run, self._log_buffer, handlers)

    def _up_history(self) -> None:
        history = self.kernel.plugins.provide("history", run=self.run) or nulls.NoHistory()
        self.run.provide("history", history)

    def _up_lock(self) -> None:
        run = self.run
        run.provide("lock", self._essential("lock"))
        if not self.runs:
            return
        run.lock.take(wait=run.options.wait)
        self.started = True
        if not self._unannounced:
            self._announce()

    def _announce(self) -> None:
        """Have the beginning of the run recorded and told.

        Of a run of some steps only, once they have been found in the plan: until then it can still be refused.
        """
        self._unannounced = False
        self.run.history.run_started(self.run)
        self.announced = True
        self.emit("pamola_on_run_started")

    def _up_encryption(self) -> None:
        run = self.run
        encryption = self.kernel.plugins.provide("encryption", run=run)
        if encryption is None:
            if run.config.use_encryption:
                raise EncryptionError(f"use_encryption is on, and {self.kernel.plugins.missing('encryption')}")
            encryption = nulls.NoEncryption()
        if run.config.use_encryption and not encryption.enabled:
            raise EncryptionError("use_encryption is on, but the encryption service does not encrypt: nothing is run")
        run.provide("encryption", encryption)
        run._files = run.files.encrypting(encryption, run.places.owner_of)

    def _up_data_source(self) -> None:
        source = self._essential("data_source")
        self.run.provide("data_source", source)
        for name, frame in self.run.options.datasets.items():
            source.add_dataframe(name, frame)

    def _up_data_writer(self) -> None:
        self.run.provide("data_writer", self._essential("data_writer"))

    def _up_checkpoints(self) -> None:
        run = self.run
        checkpoints = self.kernel.plugins.provide("checkpoints", run=run) or NoCheckpoints(run)
        run.provide("checkpoints", checkpoints)
        if not self.runs:
            return
        if run.options.restart and not run.options.selection and checkpoints.enabled:
            checkpoints.clear()

    def _up_dependencies(self) -> None:
        run = self.run
        dependencies = self.kernel.plugins.provide("dependencies", run=run)
        dependencies = dependencies or nulls.NoDependencies(run, self.kernel.plugins)
        if (task := self.task) is not None:
            task.config, task.logger, task.dependency_manager = run.config, run.logger, dependencies
            dependencies = task.create_dependency_manager()
        run.provide("dependencies", dependencies)
        if not self.runs:
            return
        run.dependencies.assert_dependencies_completed()
        problems = self.kernel.plugins.objections("pamola_check_dependencies", run=run)
        if problems:
            raise DependencyError("\n".join(problems))

    def _up_progress(self) -> None:
        self.run.provide("progress", self.kernel.plugins.provide("progress", run=self.run) or nulls.NoProgress())

    def _up_reporter(self) -> None:
        self.run.provide("reporter", self.kernel.plugins.provide("reporter", run=self.run) or nulls.NoReporter())

    def _up_executor(self) -> None:
        self.run.provide("executor", self._essential("executor"))

    def _essential(self, service: str) -> Any:
        answer = self.kernel.plugins.provide(service, run=self.run)
        if answer is None:
            raise self.kernel.plugins.missing(service)
        return answer

    # ------------------------------------------------------------ configure, execute

    def settle_plan(self) -> None:
        """Let plugins change and check the plan.

        Raises:
            PlanError: It cannot run, or somebody objects.
        """
        run, plan = self.run, self.run.plan
        before = list(plan)

        def note_change(record: PluginRecord) -> None:
            nonlocal before
            after = list(plan)
            if after != before:
                was, now_is = (", ".join(step.id for step in steps) or "nothing" for steps in (before, after))
                run.record.plan_changes.append(f"{record.label} changed the plan from {was} to {now_is}")
                before = after

        plugins = self.kernel.plugins
        plugins.each("pamola_modify_plan", after_each=note_change, run=run, plan=plan)
        for step in plan:
            run.redactor.learn(step.operation.parameters())
        problems = plan.problems() + self.kernel.plugins.objections("pamola_check_plan", run=run, plan=plan)
        if problems:
            raise PlanError(problems=tuple(problems))

    def execute(self) -> bool:
        """Run the plan; whether all of it went well."""
        run = self.run
        self.settle_plan()
        self.steps = self._select_steps()
        run.perform = self.steps.perform
        run.progress.set_total_operations(len(run.plan))
        try:
            run.executor.run_plan(run.plan, self.steps)
        finally:
            self.steps.settle()
        return not self.steps.failed

    def _select_steps(self) -> Steps:
        """The steps that were asked for.

        Raises:
            PlanError: They are not in the plan, or need what is not there. Then this is no run: nothing is recorded.
        """
        try:
            if self.run.options.selection:
                from pamola_tasks.dry_run import DryRun

                DryRun(self.run).check_selection()
            steps = Steps(self.run, self)
        except PlanError:
            self.started = self.started and not self._unannounced
            raise
        if self._unannounced:
            self._announce()
        return steps

    # ------------------------------------------------------------ finalize

    def finalize(self, success: bool) -> bool:
        """Write report and history, tell observers, let go of everything; each of these whatever else fails.

        Returns:
            Whether the run was a success, and is recorded as one.
        """
        if self.finished or not self.started:
            self._let_go()
            return self.finished and self.run.record.success
        self.finished = True
        run, record = self.run, self.run.record
        if self._unannounced:
            self._attempt("log_error", "the execution history", self._announce)
        record.finished = now()
        record.success = success
        record.peak_memory_bytes = peak_memory()
        if success:
            record.status = "success"
        try:
            unreported = self._write_report()
            unrecorded = self._attempt("log_error", "the execution history", lambda: run.history.run_finished(run))
            heard = len(record.observer_failures)
            if self.announced:
                self.emit("pamola_on_run_finished")
            if not unreported and (unrecorded or len(record.observer_failures) > heard):
                self._attempt("report_error", "the report", self._save_report)
        finally:
            self._let_go()
        return record.success

    def _write_report(self) -> list[str]:
        run, record = self.run, self.run.record
        if "reporter" not in vars(run):
            # Initialization failed before it came up; a report of the failure is still owed.
            problems = self._attempt("report_error", "the reporter", self._up_reporter)
            if problems:
                return problems
        return self._attempt(
            "report_error",
            "the report",
            lambda: run.reporter.add_task_summary(
                record.success,
                execution_time=record.seconds,
                metrics=record.metrics,
                error_info=record.error,
                encryption=run.encryption.get_encryption_info() if "encryption" in vars(run) else None,
            ),
        ) or self._attempt("report_error", "the report", self._save_report)

    def _save_report(self) -> None:
        path = self.run.reporter.save_report()
        self.report = path if path != Path() else None

    def _attempt(self, status: str, what: str, action: Any) -> list[str]:
        """Do one thing of finalize; when it fails the run has failed, and the rest still happens."""
        try:
            action()
        except Exception as error:
            message = self.run.redactor(f"{what} could not be written: {self.disclosure().message(error)}")
            self.run.logger.error("%s", message, exc_info=error)
            record = self.run.record
            record.errors.append({"type": status, "message": message})
            if record.success or record.error is None:
                record.error = {"type": status, "message": message}
                record.status = status
                self.error = error
            record.success = False
            return [message]
        return []

    def _let_go(self) -> None:
        """Close what is open, the newest service first."""
        up = vars(self.run)
        closings: list[tuple[str, Callable[[], Any]]] = [
            *self._closings_of_added(),
            ("progress", lambda: self.run.progress.close()),
            ("directories", self._clean_temp),
            ("encryption", lambda: self.run.encryption.cleanup()),
            ("lock", lambda: self.run.lock.release()),
            ("logging", lambda: self.run.logging.close()),
        ]
        for service, close in closings:
            if service in up:
                try:
                    close()
                except Exception as error:
                    told = self.disclosure().message(error)
                    self.run.logger.warning("closing %s failed: %s", service, told, exc_info=error)
        self.observers.watch.close()
        self.run.logger.handlers[:] = [logging.NullHandler()]

    def _closings_of_added(self) -> list[tuple[str, Callable[[], Any]]]:
        """How services that plugins add are closed: by their method `close`, where they have one."""
        added = [name for name in self.run.services if name in self.kernel.plugins.added_services]
        found = [(name, getattr(vars(self.run).get(name), "close", None)) for name in reversed(added)]
        return [(name, close) for name, close in found if callable(close)]

    def _clean_temp(self) -> None:
        if self.task is not None and "lock" in vars(self.run) and self.started:
            self.run.directories.clean_temp_directory()

    # ------------------------------------------------------------ what went wrong

    def fail(self, status: str, error: BaseException, **more: Any) -> dict[str, Any]:
        """Record what made the run fail; the first one stands, but for an interrupt, which is why all ended."""
        record, redact, disclosure = self.run.record, self.run.redactor, self.disclosure(more.pop("datasets", ()))
        info: dict[str, Any] = {
            "type": status,
            "message": redact(disclosure.message(error)),
            "exception_type": type(error).__name__,
            **more,
        }
        if not isinstance(error, PamolaTaskError):
            info["traceback"] = redact(disclosure.trace(error))
        if record.error is None or isinstance(error, KeyboardInterrupt):
            record.error = info
            record.status = status
            self.error = error
        if not more.get("recorded"):
            record.errors.append(info)
            self.run.logger.error("%s", info["message"], exc_info=None if isinstance(error, PamolaTaskError) else error)
        info.pop("recorded", None)
        return info

    def disclosure(self, datasets: Iterable[DatasetRecord] = ()) -> Disclosure:
        """What may be said of errors in this run, where no cell of a table may be read."""
        return self.run.redactor.disclosure(self.run, datasets)

    def emit(self, hook: str, **arguments: Any) -> None:
        """Tell the observers."""
        self.kernel.plugins.emit(self.observers, hook, run=self.run, **arguments)

    def _observer_failed(self, failure: dict[str, str]) -> None:
        failure = {key: self.run.redactor(text) for key, text in failure.items()}
        self.run.record.observer_failures.append(failure)
        self.run.logger.warning("observer %s failed in %s: %s", failure["plugin"], failure["hook"], failure["error"])

    def _observer_overdue(self, plugin: str, hook: str, seconds: float, stack: str) -> None:
        """Name an observer that hangs, and where, while it does: in the log, and on stderr where that is no log."""
        said = f"observer {plugin} has been in {hook} for {seconds:.0f} s: Ctrl-C abandons this call; it is at\n{stack}"
        said = self.run.redactor(said).rstrip()
        if not self.run.options.console and sys.stderr is not None:
            print(f"warning: {said}", file=sys.stderr, flush=True)
        self.run.record.observer_failures.append(
            {"plugin": plugin, "hook": hook, "error": f"it took longer than {seconds:.0f} s", "traceback": stack}
        )
        self.run.logger.warning("%s", said)


def drive(task: _Driven, options: RunOptions) -> bool:
    """Run a task through its own four phases, whatever it overrides. KeyboardInterrupt is recorded, not raised."""
    success = False
    task._options = options
    try:
        try:
            if task.initialize(options.overrides or None):
                try:
                    task.configure_operations()
                except Exception as error:
                    task._failed("configuration_error", error)
                else:
                    success = task.execute()
            elif task._session is not None and task._session.error is None:
                task._failed("initialization_error", PamolaTaskError(f"{task.origin}: initialize() gave False"))
        except KeyboardInterrupt as interrupt:
            success = False
            task._failed("interrupted", interrupt)
            if task._session is not None:
                task._take_results(task._session)
        except SystemExit as error:
            success = False
            task._failed("unhandled_exception", PamolaTaskError(f"{task.origin} called sys.exit({error.code!r})"))
        except BaseException as error:  # whatever it was, the run has failed, and is reported and recorded as such
            success = False
            task._failed("unhandled_exception", error)
        try:
            return bool(task.finalize(success))
        except Exception as error:
            task._failed("finalization_error", error)
            if task._session is not None:
                task._session.finalize(False)
            return False
    finally:
        task._options = None


def _refuse_while_imported() -> None:
    """A process that performs steps imports the script that runs the task: that must not run it again.

    Raises:
        UsageError: This is such a process, and it is importing.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and getattr(process.current_process(), "_inheriting", False):
        raise UsageError(
            "a task is run while a process that performs steps imports the script: put what runs the task under"
            " `if __name__ == '__main__':`"
        )


def status_of(error: BaseException) -> str:
    """The status string for an error that ended initialization."""
    if isinstance(error, DependencyError):
        return "dependency_error"
    if isinstance(error, ConfigurationError):
        return "configuration_error"
    return "initialization_error"
