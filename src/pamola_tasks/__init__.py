"""pamola-tasks: privacy-enhancing data tasks that keep what they promise.

Names are resolved when they are used, so that importing this package costs nothing.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost every start of the command line

if TYPE_CHECKING:
    from pamola_tasks.hookspecs import hookimpl
    from pamola_tasks.kernel import Kernel, Outcome
    from pamola_tasks.operation import Operation, OperationContext, reads, writes
    from pamola_tasks.plugins.records import Command
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.result import Artifact, OperationResult, OperationStatus
    from pamola_tasks.secret import Secret
    from pamola_tasks.task import BaseTask

_HOMES = {
    "Artifact": "pamola_tasks.result",
    "BaseTask": "pamola_tasks.task",
    "Command": "pamola_tasks.plugins.records",
    "DatasetRecord": "pamola_tasks.record",
    "Kernel": "pamola_tasks.kernel",
    "Operation": "pamola_tasks.operation",
    "OperationContext": "pamola_tasks.operation",
    "OperationResult": "pamola_tasks.result",
    "OperationStatus": "pamola_tasks.result",
    "Outcome": "pamola_tasks.kernel",
    "Secret": "pamola_tasks.secret",
    "hookimpl": "pamola_tasks.hookspecs",
    "reads": "pamola_tasks.operation",
    "writes": "pamola_tasks.operation",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pamola_tasks' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "Artifact",
    "BaseTask",
    "Command",
    "DatasetRecord",
    "Kernel",
    "Operation",
    "OperationContext",
    "OperationResult",
    "OperationStatus",
    "Outcome",
    "Secret",
    "__version__",
    "hookimpl",
    "reads",
    "writes",
]
