"""What can be wrong with another interpreter, each with a code of its own."""

from __future__ import annotations

from pamola_tasks.errors import OperationError


class InterpreterError(OperationError, code="interpreter"):
    """Another interpreter cannot be used, or did not do what was asked of it."""

    retriable = False


class InterpreterMissing(InterpreterError, code="interpreter_missing"):
    """There is no program at the path of the interpreter, or it cannot be started."""


class InterpreterTooOld(InterpreterError, code="interpreter_too_old"):
    """The other interpreter is an older Python than its side of the protocol needs."""


class InterpreterCrashed(InterpreterError, code="interpreter_crashed"):
    """The other interpreter ended while it did the work of a step."""


class InterpreterGarbage(InterpreterError, code="interpreter_garbage"):
    """The other interpreter wrote something else than messages of the protocol."""


class InterpreterSilent(InterpreterError, code="interpreter_silent"):
    """The other interpreter did not begin to answer in time."""


class OperationThereFailed(OperationError, code="operation_there"):
    """The operation failed in the other interpreter; `details` has the class of the error as `error`."""

    retriable = False
