"""One hierarchy of errors, and the exit code each of them ends the command line with.

Every class carries a stable `code`, which the manual lists, and an `exit_code`. The message of an error is
written for the person who meets it: what happened, where, and what to do.
"""

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

    Args:
        message: What happened, where, and what to do.
        details: Facts for machines (written to the report), never data values or secrets.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = EXIT_TASK_FAILED

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes with their details."""
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(cls: type[PamolaTaskError], args: tuple[Any, ...], state: dict[str, Any]) -> PamolaTaskError:
    error = cls.__new__(cls)
    Exception.__init__(error, *args)
    error.__dict__.update(state)
    return error


# ---------------------------------------------------------------- usage, configuration, plugins: exit code 2


class UsageError(PamolaTaskError):
    """The command or the call does not make sense."""

    code = "usage"
    exit_code = EXIT_USAGE


class ConfigurationError(PamolaTaskError):
    """A configuration file, setting or override is wrong; `problems` lists every one found."""

    code = "configuration"
    exit_code = EXIT_USAGE

    def __init__(self, message: str = "", *, problems: tuple[str, ...] = (), **details: Any) -> None:
        super().__init__(message or "\n".join(problems), **details)
        self.problems = problems or (message,)


class ValidationError(ConfigurationError):
    """A file can be read, but its content is invalid."""

    code = "validation"


class ProjectError(ConfigurationError):
    """The project's root cannot be found or used."""

    code = "project"


class ParameterError(ConfigurationError):
    """An operation was given a parameter that it does not know or cannot use.

    `parameters` names the parameter of each problem, empty where a problem is about several.
    """

    code = "parameter"

    def __init__(
        self, message: str = "", *, problems: tuple[str, ...] = (), parameters: tuple[str, ...] = (), **details: Any
    ) -> None:
        super().__init__(message, problems=problems, **details)
        self.parameters = parameters or ("",) * len(self.problems)


InvalidParameterError = ParameterError


class UnknownOperationError(ConfigurationError):
    """No installed operation pack offers an operation of that name."""

    code = "unknown_operation"


class UnknownTaskError(UsageError):
    """No task of that name was found."""

    code = "unknown_task"


class TaskRegistryError(UsageError):
    """A task class cannot be registered or created."""

    code = "task_registry"


class FeatureNotImplementedError(ConfigurationError, NotImplementedError):
    """A method that the task's author has to write was not written."""

    code = "not_implemented"


class PlanError(ConfigurationError):
    """The steps of a task do not fit together."""

    code = "plan"


class TaskCycleError(ConfigurationError):
    """Tasks need each other in a circle, so that none of them can be the first."""

    code = "task_cycle"


class PluginError(PamolaTaskError):
    """An installed plugin cannot be used, or violates the contract of its hook."""

    code = "plugin"
    exit_code = EXIT_USAGE


class ProviderConflict(PluginError):
    """Two or more plugins offer the same service and none of them is preferred."""

    code = "provider_conflict"


class ServiceMissing(PluginError):
    """No plugin offers a service that the run cannot do without."""

    code = "service_missing"


class ServiceNotReady(PluginError):
    """A plugin asked for a service that comes up later than itself.

    Args:
        service: The service that was asked for.
        asked_by: Who asked: the service being provided at that moment, or the plugin's name.
    """

    code = "service_not_ready"

    def __init__(self, service: str, asked_by: str) -> None:
        super().__init__(
            f"{asked_by} asked for `run.{service}`, which is not up yet: services come up in the order that"
            f" the manual's page on hooks gives, each seeing only those before it",
            service=service,
            asked_by=asked_by,
        )
        self.service = service
        self.asked_by = asked_by


# ---------------------------------------------------------------- dependencies: exit code 3


class DependencyError(PamolaTaskError):
    """Something the task depends on is not there."""

    code = "dependency"
    exit_code = EXIT_DEPENDENCIES


class DependencyMissingError(DependencyError):
    """A task that this one depends on has left no report."""

    code = "dependency_missing"


class DependencyFailedError(DependencyError):
    """A task that this one depends on did not succeed."""

    code = "dependency_failed"


# ---------------------------------------------------------------- security: exit code 4


class SecurityError(PamolaTaskError):
    """Refused on security grounds."""

    code = "security"
    exit_code = EXIT_SECURITY


class PathSecurityError(SecurityError):
    """A path leaves the places that the project allows, or is not a safe name."""

    code = "path_security"


class PathValidationError(PathSecurityError):
    """A path given to the directory manager is refused."""

    code = "path_validation"


class EncryptionError(SecurityError):
    """Encryption was asked for and cannot be done, or encrypted data cannot be trusted."""

    code = "encryption"


class DataRefused(SecurityError):
    """Releasing this data was refused by a privacy check."""

    code = "data_refused"


# ---------------------------------------------------------------- running: exit code 1, 75, 130


class OperationError(PamolaTaskError):
    """An operation failed."""

    code = "operation"


class NonRetriableError(OperationError):
    """An operation failed in a way that trying again cannot mend."""

    code = "non_retriable"


class MaxRetriesExceededError(OperationError):
    """An operation went on failing until its retries were used up."""

    code = "max_retries"


class StepTimeout(OperationError, TimeoutError):
    """A step took longer than its time limit."""

    code = "timeout"
    retriable = False


class DataError(PamolaTaskError):
    """A dataset is missing, cannot be read, or is not what the operation needs."""

    code = "data"


class DataWriteError(DataError):
    """A dataset or artifact cannot be written."""

    code = "data_write"


class ReportingError(PamolaTaskError):
    """The report cannot be made or saved."""

    code = "reporting"


class DirectoryManagerError(PamolaTaskError):
    """A directory of the task is unknown or cannot be used."""

    code = "directory"


class DirectoryCreationError(DirectoryManagerError):
    """A directory of the task cannot be made."""

    code = "directory_creation"


class CheckpointError(PamolaTaskError):
    """A checkpoint cannot be saved."""

    code = "checkpoint"


class StateRestorationError(CheckpointError):
    """A checkpoint cannot be restored."""

    code = "state_restoration"


class ExecutionLogError(PamolaTaskError):
    """The execution history cannot be read or written."""

    code = "execution_log"


class AlreadyRunning(PamolaTaskError):
    """Another process is running this task."""

    code = "already_running"
    exit_code = EXIT_ALREADY_RUNNING


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a run as Ctrl-C does, with another exit code."""
