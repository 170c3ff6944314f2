"""Which errors may pass, so that trying again makes sense."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterable

from pamola_tasks.errors import NonRetriableError

# Never, whatever is asked for: the program or its parameters are wrong, or the program is to end.
NEVER: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)
NEVER += (NonRetriableError, SyntaxError, NameError, TypeError, ValueError)
_PASSING = (ConnectionError, TimeoutError, BlockingIOError, InterruptedError, BrokenPipeError)
# System errors of which the class alone says that they last.
_LASTING: tuple[type[OSError], ...] = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError)
_LASTING += (NotADirectoryError, ProcessLookupError, ChildProcessError, io.UnsupportedOperation)
# Not every system has each of them. No space (ENOSPC, EDQUOT) is not among them: it lasts until somebody makes room.
_PASSING_NUMBERS = {
    getattr(errno, name, None)
    for name in (
        "EINTR EAGAIN EWOULDBLOCK EIO EBUSY ETXTBSY EDEADLK ENOLCK ESTALE EMFILE ENFILE ENOBUFS ETIMEDOUT ENETDOWN"
        " ENETUNREACH ENETRESET EHOSTDOWN EHOSTUNREACH ECONNREFUSED ECONNRESET ECONNABORTED EREMOTEIO"
    ).split()
}


class Transient:
    """Says of an error whether it may pass.

    A class that is named decides for itself, then an exception's own `retriable` (true or false). Else it is the most
    specific of its classes that is known, by name or from the start. An `OSError` is judged by its
    number; without one it may pass.

    Args:
        names: Names of further exception classes, bare or with their module.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)

    def __call__(self, error: BaseException) -> bool:
        """Whether this error may pass."""
        if not isinstance(error, Exception):
            return False
        if self._named(type(error)) and not isinstance(error, NEVER):
            return True
        own = getattr(error, "retriable", None)
        if isinstance(own, bool):
            return own
        verdicts = (self._verdict(kind, error) for kind in type(error).__mro__)
        return next((verdict for verdict in verdicts if verdict is not None), False)

    def _named(self, kind: type) -> bool:
        return kind.__name__ in self._names or f"{kind.__module__}.{kind.__name__}" in self._names

    def _verdict(self, kind: type, error: Exception) -> bool | None:
        if kind in NEVER:
            return False
        if self._named(kind) or kind in _PASSING:
            return True
        if kind in _LASTING:
            return False
        if kind is OSError:
            number = getattr(error, "errno", None)
            return number is None or number in _PASSING_NUMBERS
        return None


def never_retried(names: Iterable[str]) -> list[str]:
    """Those of the names whose classes are never retried."""
    never = {kind.__name__ for kind in NEVER}
    return [name for name in names if name.removeprefix("builtins.") in never]
