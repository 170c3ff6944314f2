"""One hierarchy of errors, each with a stable `code` and the exit code that it ends the command line with."""

from __future__ import annotations

from typing import Any, ClassVar

EXIT_OK = 0
EXIT_TASK_FAILED = 1
EXIT_USAGE = 2
EXIT_DEPENDENCIES = 3
EXIT_SECURITY = 4
EXIT_ALREADY_RUNNING = 75
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class PamolaTaskError(Exception):
    """The root of all errors that pamola-tasks raises on purpose.

    Subclasses name their own: `class NoPaper(PamolaTaskError, code="no_paper")`; the exit code is inherited.

    Args:
        message: What happened, where, and what to do.
        details: Facts for machines (written to the report), never data values or secrets.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = EXIT_TASK_FAILED

    def __init_subclass__(cls, *, code: str = "", exit_code: int | None = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.code = code or cls.code
        cls.exit_code = cls.exit_code if exit_code is None else exit_code

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes with their details."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(cls: type[PamolaTaskError], args: tuple[Any, ...]) -> PamolaTaskError:
    error = cls.__new__(cls)
    error.args = args
    return error


class SetupError(PamolaTaskError, code="setup", exit_code=EXIT_USAGE):
    """What was asked for cannot be run: the call, the task, its configuration, the project or a plugin is wrong."""


class UsageError(SetupError, code="usage"):
    """The command or the call does not make sense."""


class ConfigurationError(SetupError, code="configuration"):
    """A configuration file, setting or override is wrong; `problems` lists every one found."""

    def __init__(self, message: str = "", *, problems: tuple[str, ...] = (), **details: Any) -> None:
        super().__init__(message or "\n".join(problems), **details)
        self.problems = problems or (message,)


class ValidationError(ConfigurationError, code="validation"):
    """A file can be read, but its content is invalid."""


class ProjectError(ConfigurationError, code="project"):
    """The project's root cannot be found or used."""


class ParameterError(ConfigurationError, code="parameter"):
    """An operation was given a parameter that it does not know or cannot use.

    `parameters` names the parameter of each problem, empty where a problem is about several.
    """

    def __init__(
        self, message: str = "", *, problems: tuple[str, ...] = (), parameters: tuple[str, ...] = (), **details: Any
    ) -> None:
        super().__init__(message, problems=problems, **details)
        self.parameters = parameters or ("",) * len(self.problems)


InvalidParameterError = ParameterError


class UnknownOperationError(ConfigurationError, code="unknown_operation"):
    """No installed operation pack offers an operation of that name."""


class UnknownTaskError(UsageError, code="unknown_task"):
    """No task of that name was found."""


class TaskRegistryError(UsageError, code="task_registry"):
    """A task class cannot be registered or created."""


class FeatureNotImplementedError(ConfigurationError, NotImplementedError, code="not_implemented"):
    """A method that the task's author has to write was not written."""


class PlanError(ConfigurationError, code="plan"):
    """The steps of a task do not fit together."""


class TaskCycleError(ConfigurationError, code="task_cycle"):
    """Tasks need each other in a circle, so that none of them can be the first."""


class PluginError(SetupError, code="plugin"):
    """An installed plugin cannot be used, or violates the contract of its hook."""


class ProviderConflict(PluginError, code="provider_conflict"):
    """Two or more plugins offer the same service and none of them is preferred."""


class ServiceMissing(PluginError, code="service_missing"):
    """No plugin offers a service that the run cannot do without."""


class ServiceNotReady(PluginError, code="service_not_ready"):
    """A plugin asked for a service that comes up later than itself.

    Args:
        service: The service that was asked for.
        asked_by: Who asked: the service being provided at that moment, or the plugin's name.
    """

    def __init__(self, service: str, asked_by: str) -> None:
        super().__init__(
            f"{asked_by} asked for `run.{service}`, which is not up yet: services come up in the order that"
            f" the manual's page on hooks gives, each seeing only those before it",
            service=service,
            asked_by=asked_by,
        )
        self.service, self.asked_by = service, asked_by


class DependencyError(PamolaTaskError, code="dependency", exit_code=EXIT_DEPENDENCIES):
    """Something the task depends on is not there."""


class DependencyMissingError(DependencyError, code="dependency_missing"):
    """A task that this one depends on has left no report."""


class DependencyFailedError(DependencyError, code="dependency_failed"):
    """A task that this one depends on did not succeed."""


class SecurityError(PamolaTaskError, code="security", exit_code=EXIT_SECURITY):
    """Refused on security grounds."""


class PathSecurityError(SecurityError, code="path_security"):
    """A path leaves the places that the project allows, or is not a safe name."""


class UntrustedError(SecurityError, code="untrusted"):
    """A project, a file of its configuration or a Python file is another user's, or others can change it."""


class PathValidationError(PathSecurityError, code="path_validation"):
    """A path given to the directory manager is refused."""


class EncryptionError(SecurityError, code="encryption"):
    """Encryption was asked for and cannot be done, or encrypted data cannot be trusted."""


class DataRefused(SecurityError, code="data_refused"):
    """Releasing this data was refused by a privacy check."""


class OperationError(PamolaTaskError, code="operation"):
    """An operation failed."""


class NonRetriableError(OperationError, code="non_retriable"):
    """An operation failed in a way that trying again cannot mend."""


class MaxRetriesExceededError(OperationError, code="max_retries"):
    """An operation went on failing until its retries were used up."""


class StepTimeout(OperationError, TimeoutError, code="timeout"):
    """A step took longer than its time limit."""

    retriable = False


class DataError(PamolaTaskError, code="data"):
    """A dataset is missing, cannot be read, or is not what the operation needs."""


class DataWriteError(DataError, code="data_write"):
    """A dataset or artifact cannot be written."""


class ReportingError(PamolaTaskError, code="reporting"):
    """The report cannot be made or saved."""


class DirectoryManagerError(PamolaTaskError, code="directory"):
    """A directory of the task is unknown or cannot be used."""


class DirectoryCreationError(DirectoryManagerError, code="directory_creation"):
    """A directory of the task cannot be made."""


class CheckpointError(PamolaTaskError, code="checkpoint"):
    """A checkpoint cannot be saved."""


class StateRestorationError(CheckpointError, code="state_restoration"):
    """A checkpoint cannot be restored."""


class ExecutionLogError(PamolaTaskError, code="execution_log"):
    """The execution history cannot be read or written."""


class AlreadyRunning(PamolaTaskError, code="already_running", exit_code=EXIT_ALREADY_RUNNING):
    """Another process is running this task."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a run as Ctrl-C does, with another exit code."""

    exit_code = EXIT_TERMINATED


class Cancelled(KeyboardInterrupt):
    """The program that started a run ends it: `RunHandle.cancel`."""

    holds_no_data = True  #: so that the message is shown

    def __str__(self) -> str:
        return "cancelled by the program that started the run"


class RunCancelled(PamolaTaskError, code="cancelled", exit_code=EXIT_INTERRUPTED):
    """A run was cancelled before it began; one that was cancelled later has an outcome, with status `interrupted`."""


def exit_code_of(error: BaseException | None) -> int:
    """What the command line ends with where this, or something unknown, made a run fail."""
    if isinstance(error, (PamolaTaskError, Terminated)):
        return error.exit_code
    return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_TASK_FAILED
