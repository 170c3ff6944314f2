"""`Task`: identity, operations and four phases. `pamola_tasks.BaseTask` is this and finds a kernel by itself."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from pamola_tasks.errors import ConfigurationError, FeatureNotImplementedError, PamolaTaskError, UsageError
from pamola_tasks.lifecycle import RunSession, drive, status_of, went_well
from pamola_tasks.operation import INJECTED_KEYS, Operation, parameters_for
from pamola_tasks.parameters import build
from pamola_tasks.plugins.manager import installed_redactor
from pamola_tasks.protocols import RunOptions
from pamola_tasks.record import Artifact, OperationResult

if TYPE_CHECKING:
    from argparse import Namespace
    from types import TracebackType

    from pamola_tasks.protocols import Config, KernelView


_SERVICES = {
    "config": "config",
    "reporter": "reporter",
    "directory_manager": "directories",
    "context_manager": "checkpoints",
    "encryption_manager": "encryption",
    "dependency_manager": "dependencies",
    "operation_executor": "executor",
    "progress_manager": "progress",
    "data_source": "data_source",
    "data_writer": "data_writer",
}


class Task:
    """A task: what it is, what it reads, and which operations it runs.

    Subclass it, name the task in `__init__`, add operations in `configure_operations`, and call `run()`. Every method
    may be overridden; call `super()`.

    Args:
        task_id: Names the task, its folder, its report and its log.
        task_type: What kind of task it is, for people: `analysis`, `export` …
        description: What it does, for people.
        input_datasets: Datasets and the files they are in, relative to the project or its data repository.
        auxiliary_datasets: The same for data that is only looked up.
        version: The task's version, for the report.
        data_types: For datasets, the dtypes of columns: `{"customers": {"zip": "string"}}`.
        use_encryption: Encrypt everything that the task writes and that holds data.
        encryption_keys: For input datasets encrypted with another key than the project's: it (32 bytes in base64).
        task_dir: A folder that takes the place of the project's data repository.

    Attributes:
        status: `pending`, `success`, or what went wrong: `dependency_error`, `initialization_error`,
            `configuration_error`, `operation_error`, `exception`, `interrupted`, `context_exception`, `report_error`,
            `log_error`, `finalization_error`.
        error_info: `type`, `message` and more of the first thing that went wrong; None when nothing did.
        results: Results by step id; `metrics` likewise. `artifacts` is a list of all of them.
        kernel: The kernel that runs it.
    """

    dependencies: Sequence[str] = ()
    input_datasets: dict[str, str]
    auxiliary_datasets: dict[str, str]
    data_types: dict[str, Any]
    encryption_keys: dict[str, str]

    # Services of the run, once they are up.
    config: Any  #: `run.config`
    reporter: Any  #: `run.reporter`
    directory_manager: Any  #: `run.directories`
    context_manager: Any  #: `run.checkpoints`
    encryption_manager: Any  #: `run.encryption`
    dependency_manager: Any  #: `run.dependencies`
    operation_executor: Any  #: `run.executor`
    progress_manager: Any  #: `run.progress`
    data_source: Any  #: `run.data_source`
    data_writer: Any  #: `run.data_writer`

    def __init__(
        self,
        task_id: str,
        task_type: str = "",
        description: str = "",
        input_datasets: Mapping[str, str] | None = None,
        auxiliary_datasets: Mapping[str, str] | None = None,
        version: str | None = None,
        *,
        data_types: Mapping[str, Any] | None = None,
        use_encryption: bool | None = None,
        encryption_keys: Mapping[str, str] | None = None,
        task_dir: str | Path | None = None,
    ) -> None:
        by_dataset = {
            "input_datasets": input_datasets,
            "auxiliary_datasets": auxiliary_datasets,
            "data_types": data_types,
            "encryption_keys": encryption_keys,
        }
        for name, mapping in by_dataset.items():
            if not isinstance(mapping, Mapping | None):
                raise UsageError(f"task {task_id}: {name} maps names of datasets, and is a {type(mapping).__name__}")
            setattr(self, name, dict(mapping or {}))
        stated = {
            "task_type": task_type,
            "description": description,
            **{name: dict(mapping or {}) for name, mapping in by_dataset.items() if name != "encryption_keys"},
            "version": version,
            "use_encryption": use_encryption,
            "dependencies": list(self.dependencies),
        }
        self._stated = {key: value for key, value in stated.items() if value not in (None, "", [], {})}
        self.task_id = task_id
        self.task_type = task_type
        self.description = description
        self.version = version or "1.0.0"
        self.use_encryption = bool(use_encryption)
        self.encryption_mode = "none"
        self.enable_checkpoints = True
        self.use_vectorization = False
        self.parallel_processes = 1
        self.use_dask = False
        self.npartitions = 4
        self.chunk_size = 100_000
        self.task_dir: Path | None = Path(task_dir) if task_dir is not None else None
        self._given_task_dir = self.task_dir
        self.file = ""
        self.kernel: KernelView | None = None
        self.project_root: Path | None = None
        self._options: RunOptions | None = None  # set by `drive`: an overriding initialize(args) need not know of more
        self._clear()

    def _clear(self) -> None:
        """Back to before a run."""
        self.status = "pending"
        self.error_info: dict[str, Any] | None = None
        self.start_time: float | None = None
        self.execution_time: float | None = None
        self.results: dict[str, OperationResult] = {}
        self.artifacts: list[Artifact] = []
        self.metrics: dict[str, Any] = {}
        self.operations: list[Operation] = []
        self.directories: dict[str, Path] | None = None
        for attribute in _SERVICES:
            setattr(self, attribute, None)
        self.logger: logging.Logger | None = None
        self._session: RunSession | None = None
        self._add_failed = False

    @property
    def origin(self) -> str:
        """Where the task comes from: its file, or `module:Class`."""
        module = type(self).__module__
        module = Path(str(sys.modules[module].__file__)).name if module.startswith("pamola_file_") else module
        return self.file or f"{module}:{type(self).__qualname__}"

    def stated_configuration(self) -> dict[str, Any]:
        """What the task's class states: arguments that were passed to the constructor, and `get_default_config`."""
        try:
            return {**self._stated, **self.get_default_config()}
        except PamolaTaskError:
            raise
        except Exception as error:
            problem = f"{type(self).__name__}.get_default_config() does not return a mapping of keys to values"
            raise ConfigurationError(f"{problem}: {type(error).__name__}: {error}") from error

    def overriding(self) -> dict[str, Any]:
        """Configuration that the task overrides all files with, if the caller does not: the place it was given."""
        if self._given_task_dir is None:
            return {}
        root = self.kernel.project.root if self.kernel is not None else None
        return {"data_repository": "." if root == self._given_task_dir.resolve() else str(self._given_task_dir)}

    def take_identity(self, config: Config) -> None:
        """Become what the merged configuration says. Called by the lifecycle."""
        for key in ("task_id", "task_type", "description", "version"):
            setattr(self, key, getattr(config, key) or getattr(self, key))
        for key in ("input_datasets", "auxiliary_datasets", "data_types"):
            setattr(self, key, dict(getattr(config, key)))
        for key in INJECTED_KEYS:
            setattr(self, key, getattr(config, key))

    def get_default_config(self) -> dict[str, Any]:
        """Configuration that the task's class states: above the environment, below files and command line."""
        return {}

    def configure_operations(self) -> None:
        """Add the task's operations with `add_operation`."""
        raise FeatureNotImplementedError(
            f"{type(self).__name__} has no configure_operations(self): write it, and add operations there"
        )

    def create_dependency_manager(self) -> Any:
        """The `Dependencies` that the task is checked by: the plugin's, in `dependency_manager`, unless overridden.

        `config` and `logger` are set when it is called.
        """
        return self.dependency_manager

    def run(
        self,
        args: Mapping[str, Any] | Namespace | None = None,
        force_restart: bool = False,
        enable_checkpoints: bool | None = None,
    ) -> bool:
        """Run the whole task.

        Args:
            args: Configuration that overrides all other, by dotted key, or what argparse gives; None is not given.
            force_restart: Ignore and replace checkpoints.
            enable_checkpoints: Overrides the configuration unless None.

        Returns:
            Whether it succeeded; the reason for a False is in `error_info`, the log and the report. KeyboardInterrupt
            is raised again after report and history have recorded it.
        """
        options = _options(args, force_restart, enable_checkpoints)
        if (of_kernel := self._options) is not None:
            overrides = {**options.overrides, **of_kernel.overrides}
            options = attrs.evolve(of_kernel, overrides=overrides, restart=force_restart or of_kernel.restart)
        success = drive(self, options)
        if self._session is not None and isinstance(self._session.error, KeyboardInterrupt):
            raise self._session.error
        return success

    def _run_for(self, options: RunOptions) -> None:
        """Run for a kernel, by `run` where a subclass has its own; what went wrong is in session and `error_info`."""
        if type(self).run is Task.run:
            drive(self, options)
            return
        self._options = options
        try:
            went_well(self, "run", "exception", self.run())
        except KeyboardInterrupt as interrupt:
            self._failed("interrupted", interrupt)
        except (Exception, SystemExit) as error:
            self._failed("exception", error)
        finally:
            self._options = None

    def initialize(
        self,
        args: Mapping[str, Any] | Namespace | None = None,
        force_restart: bool = False,
        enable_checkpoints: bool | None = None,
    ) -> bool:
        """Bring services up and check dependencies; whether the task can be configured and executed."""
        options = self._options or _options(args, force_restart, enable_checkpoints)
        self._clear()
        if self.kernel is None:
            self.kernel = self._own_kernel()
        self._session = session = RunSession(self.kernel, self, options)
        self.logger = session.run.logger
        self.start_time = session.run.record.started.timestamp()
        try:
            self.kernel.plugins.refuse_if_broken()
            session.bring_up()
        except Exception as error:
            self._failed(status_of(error), error)
        self._take_services(session)
        return session.error is None

    def _own_kernel(self) -> KernelView:
        """The kernel of a task that is run alone."""
        raise UsageError(f"{self.origin} has no kernel: give it to Kernel.run, or subclass BaseTask")

    def _take_services(self, session: RunSession) -> None:
        up = vars(session.run)
        self.project_root = up["project"].root if "project" in up else None
        for attribute, service in _SERVICES.items():
            setattr(self, attribute, up.get(service))
        if self.context_manager is not None:
            self.enable_checkpoints = self.context_manager.enabled
        if self.directory_manager is not None:
            if session.runs:
                self.directories = self.directory_manager.ensure_directories()
            self.task_dir = self.directory_manager.get_directory("task")

    def add_operation(
        self, operation_class: str | type[Operation], *, step: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> bool:
        """Add a step.

        Args:
            operation_class: An operation's name or class.
            step: `id, retry, timeout, step_memory_limit_mb, continue_on_error, python` of the step.
            **kwargs: The operation's parameters. What belongs to the task (`reporter`, `chunk_size` …) does not reach
                the operation from here; operations that have such a parameter get the task's value.

        Returns:
            Whether it was added; if not, the run fails: nothing is left out silently.
        """
        try:
            self.add_step(operation_class, step=step, **kwargs)
        except Exception as error:
            self._add_failed = True
            self._failed("configuration_error", error)
            return False
        return True

    def add_step(
        self, operation_class: str | type[Operation], *, step: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Operation:
        """Add a step, as `add_operation` does, and return its operation; `ConfigurationError` if that fails."""
        session = self._running("add_operation")
        registered = session.kernel.operations.get(operation_class)
        operation: Operation = build(registered.cls, parameters_for(registered.cls, kwargs, session.run))
        session.run.plan.inputs = tuple(session.run.data_source.names())
        session.run.plan.add(operation, name=registered.name, options=step, distribution=registered.distribution)
        self.operations.append(operation)
        return operation

    def execute(self) -> bool:
        """Run the operations that were added; whether all of them went well."""
        try:
            session = self._running("execute")
            if self._add_failed:
                return False
            if not len(session.run.plan):
                raise ConfigurationError(f"task {self.task_id} has no operations: add some in configure_operations")
        except Exception as error:
            self._failed("configuration_error", error)
            return False
        try:
            success = session.execute()
        except Exception as error:
            self._failed(status_of(error) if isinstance(error, ConfigurationError) else "exception", error)
            success = False
        self._take_results(session)
        return success

    def _take_results(self, session: RunSession) -> None:
        record = session.run.record
        self.results, self.artifacts, self.metrics = session.run.results, record.artifacts, record.metrics
        if record.error is not None:
            self.status, self.error_info = record.status, record.error

    def finalize(self, success: bool) -> bool:
        """Write report and history and let go of everything; `success`, unless one of them could not be written."""
        session = self._session
        if session is None:
            return False
        ended = session.finalize(success and not self._add_failed)
        record = session.run.record
        self.execution_time = record.seconds
        if record.error is not None:
            self.error_info = record.error
        self.status = "success" if ended else record.status if record.status != "running" else self.status
        return ended

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            if self._session is not None and not self._session.finished:
                self.finalize(self.status == "pending")
        elif self._session is None:
            self.status = "context_exception"
            self.error_info = {"type": "context_exception", "message": self._told(error)}
        else:
            self._failed("interrupted" if isinstance(error, KeyboardInterrupt) else "context_exception", error)
            self.finalize(False)

    def _running(self, method: str) -> RunSession:
        if self._session is None or self._session.finished:
            raise UsageError(f"{method} was called on a task that is not initialized: call initialize() or run() first")
        return self._session

    def _failed(self, status: str, error: BaseException) -> None:
        """Record why the task cannot go on; the first reason counts."""
        if self._session is not None:
            self._session.fail(status, error)
            self.status, self.error_info = self._session.run.record.status, self._session.run.record.error
        elif self.error_info is None:
            self.status = status
            self.error_info = {"type": status, "message": self._told(error), "exception_type": type(error).__name__}

    def _told(self, error: BaseException) -> str:
        """What may be said of an error where there is no run."""
        redactor = self.kernel.plugins.redactor if self.kernel is not None else installed_redactor()
        return redactor(redactor.disclosure().message(error))


def _options(args: Any, restart: bool, enable_checkpoints: bool | None) -> RunOptions:
    """What a caller asks for; of a script's command line None means that nothing was given."""
    given = args if isinstance(args, Mapping) or args is None else getattr(args, "__dict__", args)
    if not isinstance(given, Mapping | None):
        raise UsageError(f"args: expected configuration by key, got {type(args).__name__}")
    overrides = {key: value for key, value in (given or {}).items() if value is not None}
    return RunOptions(overrides=overrides, restart=restart, enable_checkpoints=enable_checkpoints)
