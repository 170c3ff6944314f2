"""pamola-tasks: privacy-enhancing data tasks that keep what they promise.

Names are resolved when they are used, so that importing this package costs nothing.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost every start of the command line

if TYPE_CHECKING:
    from pamola_tasks.hookspecs import hookimpl
    from pamola_tasks.kernel import Kernel, Outcome
    from pamola_tasks.operation import Operation, OperationContext, reads, writes
    from pamola_tasks.plugin_records import Command
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.result import Artifact, OperationResult, OperationStatus
    from pamola_tasks.runner import DeclaredTask, TaskRunner
    from pamola_tasks.secrets import Secret
    from pamola_tasks.task import BaseTask

_HOMES = {
    "Artifact": "result",
    "BaseTask": "task",
    "Command": "plugin_records",
    "DatasetRecord": "record",
    "DeclaredTask": "runner",
    "Kernel": "kernel",
    "Operation": "operation",
    "OperationContext": "operation",
    "OperationResult": "result",
    "OperationStatus": "result",
    "Outcome": "kernel",
    "Secret": "secrets",
    "TaskRunner": "runner",
    "hookimpl": "hookspecs",
    "reads": "operation",
    "writes": "operation",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pamola_tasks' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"pamola_tasks.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "Artifact",
    "BaseTask",
    "Command",
    "DatasetRecord",
    "DeclaredTask",
    "Kernel",
    "Operation",
    "OperationContext",
    "OperationResult",
    "OperationStatus",
    "Outcome",
    "Secret",
    "TaskRunner",
    "__version__",
    "hookimpl",
    "reads",
    "writes",
]
