"""How the services of one run come up, each seeing only those before it; what holds where a service has no provider."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks import configuration, nulls
from pamola_tasks.errors import DependencyError, EncryptionError, PamolaTaskError, PluginError
from pamola_tasks.plan import Plan
from pamola_tasks.protocols import RunOptions, RunServices
from pamola_tasks.protocols.services import in_order
from pamola_tasks.record import RunRecord, new_run_id
from pamola_tasks.run_log import RunLogger
from pamola_tasks.storage.files import Files, check_name
from pamola_tasks.storage.staging import NoCheckpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.protocols import Directories, KernelView, Task

_HARMLESS: dict[str, Callable[[RunServices], Any]] = {
    "logging": lambda run: nulls.NoLogging(),
    "history": lambda run: nulls.NoHistory(),
    "checkpoints": NoCheckpoints,
    "progress": lambda run: nulls.NoProgress(),
    "reporter": lambda run: nulls.NoReporter(),
    "encryption": lambda run: nulls.NoEncryption(),
    "dependencies": lambda run: nulls.NoDependencies(run),
}


class BringUp:
    """Brings up the services of one run.

    A service comes up by its provider's answer, or by what is harmless without one. `_make_<service>` takes the place
    of the answer; `_after_<service>` follows where more has to happen then.

    Args:
        kernel: The kernel.
        task: The task, or None to bring up services without one.
        options: What the caller asked for.
        runs: Whether this is a run: without, nothing is locked, recorded or written, and no observer is called.
    """

    def __init__(self, kernel: KernelView, task: Task | None, options: RunOptions, *, runs: bool = True) -> None:
        self.kernel = kernel
        self.runs = runs
        self.task = task
        self.run = run = RunServices(in_order(kernel.plugins.services))
        run.id = new_run_id()
        run.kernel, run.options, run.dry = kernel, options, not runs
        run.plan, run.results = Plan(), {}
        run.record = RunRecord(run_id=run.id, task_id=task.task_id if task is not None else "")
        run.record.overrides.extend(kernel.plugins.left_out())
        run.task = task  # type: ignore[assignment]  # None is for commands that need services but no task
        self._refusal: PamolaTaskError | None = None
        try:  # before all others, since every line of log passes through it; without it nothing comes up
            self._up("redactor")
        except PamolaTaskError as error:
            self._refusal = error
            run.provide("redactor", nulls.NoRedactor(str(error)))
        self._logger = run.logger = RunLogger(run)

    def bring_up(self, upto: str = "") -> RunServices:
        """Bring services up, in order, to this one, or all; the first that fails raises its `PamolaTaskError`."""
        if self._refusal is not None:
            raise self._refusal
        services = self.run.services
        for service in services[: services.index(upto) + 1 if upto else None]:
            if service not in vars(self.run):
                self._up(service)
        return self.run

    def _up(self, service: str) -> None:
        run = self.run
        run._asking = f"the provider of {service!r}"
        make = getattr(self, f"_make_{service}", None)
        answer = make() if make is not None else self._provided(service, run=run)
        if answer is not None or service in self.kernel.plugins.added_services:
            run.provide(service, answer)
        after = getattr(self, f"_after_{service}", None)
        if after is not None:
            after()
        run._asking = "the kernel"

    def _provided(self, service: str, **arguments: Any) -> Any:
        """What the provider gives, or what is harmless without one; an essential service that is missing is refused."""
        answer = self.kernel.plugins.provide(service, **arguments)
        if answer is None and service in _HARMLESS:
            return _HARMLESS[service](self.run)
        if answer is None and self.kernel.plugins.services[service].essential:
            raise self.kernel.plugins.missing(service)
        return answer

    def _make_project(self) -> Any:
        if self.runs:
            plugins = self.kernel.plugins
            for service in self.run.services:  # or it is not clear which plugin provides it
                if plugins.provider(service) is None and plugins.services[service].essential:
                    raise plugins.missing(service)
        return self.kernel.project

    def _after_project(self) -> None:
        for warning in (*self.run.project.warnings, *self.kernel.plugins.passed_over()):
            self.run.warn(warning)

    def _make_path_guard(self) -> Any:
        self.run.files = self.kernel.project.files
        return self.run.files.guard

    def _make_config(self) -> Any:
        run, task = self.run, self.task
        if run.layers is None:
            overrides = {**(task.overriding() if task is not None else {}), **run.options.overrides}
            run.layers = configuration.layers_of(self.kernel, task, overrides)
        return configuration.merged(self.kernel, task, run.layers)

    def _after_config(self) -> None:
        run, config = self.run, self.run.config
        if self.runs and callable(freeze := getattr(config, "freeze", None)):
            freeze()
        self._encrypts = config.use_encryption  # whatever becomes of the configuration
        configuration.hide_secrets(run)
        for warning in getattr(config, "warnings", ()):
            run.warn(warning)
        guard = run.path_guard
        if config.allow_external and config.allowed_external_paths:
            guard = guard.extended(Path(path) for path in config.allowed_external_paths)
            run.provide("path_guard", guard)
        run.files = files = Files(guard, self.kernel.veto(config), self.kernel.project.files.containers)
        files.lock_timeout = getattr(config, "lock_timeout", files.lock_timeout)
        if getattr(config, "file_access", "owner") == "group":
            private = [path for path in config.input_datasets.values() if not files.open_to_group(path)]
            files.shared = not private
            for path in private:
                run.warn(f"file_access is group, but only its owner may read the input {path}: results are private too")
        if self.task is not None:
            self.task.take_identity(config)
            run.record.task_id = check_name(self.task.task_id, "the task id")
        configuration.add_redactions(run)

    def _make_places(self) -> Any:
        return self._provided("places", project=self.kernel.project, config=self.run.config)

    def _make_directories(self) -> Any:
        if self.task is None:
            return None
        directories = self._provided("directories", run=self.run)
        self._check_layout(directories)
        if self.runs:
            directories.ensure_directories()
        return directories

    def _check_layout(self, directories: Directories) -> None:
        """Refuse services that disagree on the layout: what a run writes has to be where locks and keys look for it."""
        run, plugins = self.run, self.kernel.plugins
        task_id, places = run.record.task_id, plugins.provider("places").label
        for kind, name in run.places.of(task_id).directories.items():
            owner = run.places.owner_of(f"{name}/file")
            if owner != task_id:
                raise PluginError(
                    f"{places} says that {name} is the {kind} directory of task {task_id}, and that files in it belong"
                    f" to {owner or 'no task'}"
                )
            found = run.files.name(directories.get_directory(kind))
            if found != name:
                raise PluginError(
                    f"two layouts: the {kind} directory of {task_id} is {found} for"
                    f" {plugins.provider('directories').label}, which provides `directories`, and {name} for {places},"
                    f" which provides `places`: provide both"
                )

    def _make_logging(self) -> Any:
        return self._provided("logging", run=self.run) if self.runs else nulls.NoLogging()

    def _after_logging(self) -> None:
        if not self.runs:
            return
        more = self.kernel.plugins.items("pamola_add_log_handlers", logging.Handler, "log handlers", run=self.run)
        self._logger.begin([*self.run.logging.handlers, *(handler for _, handler in more)])

    def _after_encryption(self) -> None:
        run = self.run
        if self._encrypts and self.kernel.plugins.provider("encryption") is None:
            raise EncryptionError(f"use_encryption is on, and {self.kernel.plugins.missing('encryption')}")
        if self._encrypts and not run.encryption.enabled:
            raise EncryptionError("use_encryption is on, but the encryption service does not encrypt: nothing is run")
        run.files = run.files.encrypting(run.encryption, run.places.owner_of)

    def _after_data_source(self) -> None:
        for name, frame in self.run.options.datasets.items():
            self.run.data_source.add_dataframe(name, frame)

    def _make_dependencies(self) -> Any:
        run, task = self.run, self.task
        dependencies = self._provided("dependencies", run=run)
        if task is None:
            return dependencies
        task.config, task.logger, task.dependency_manager = run.config, run.logger, dependencies
        return task.create_dependency_manager()

    def _after_dependencies(self) -> None:
        if self.runs:
            self.run.dependencies.assert_dependencies_completed()
            problems = self.kernel.plugins.objections("pamola_check_dependencies", run=self.run)
            if problems:
                raise DependencyError("\n".join(problems))
