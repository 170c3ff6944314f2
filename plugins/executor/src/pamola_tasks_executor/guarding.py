"""What an operation may not do to its process and to who reports its errors, whatever it does."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pamola_tasks.errors import OperationError
from pamola_tasks.record import Artifact, OperationResult
from pamola_tasks.secret import withheld
from pamola_tasks_executor.standard_streams import StandardStreams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
_KEPT = 64  # file descriptors that no step gets
_MODULES = tuple(
    "builtins io os posix nt posixpath json json.encoder json.decoder zlib hashlib hmac time threading".split()
)
_DEPTH = 50  # of metrics: whoever writes reports and the journal has to go through them
_ERRORS = 1000  # that led to one: more are not asked for their texts
_PRINTED = 10_000  # errors in the traceback of one


def guarded(name: str, attempt: Callable[[], T]) -> T:
    """Make one attempt at an operation: what it changed of the process is put back, and its errors have texts.

    A process that it forked ends here if it returns: the run is the parent's.
    """
    pid = os.getpid()
    try:
        with _state.kept(lambda: os.getpid() == pid):
            result = attempt()
        if isinstance(result, OperationResult):
            _refuse_unwritable(name, result)
        return result
    except BaseException as error:
        _let_files_go(error)
        if _has_text(error):
            raise
        kind = type.__dict__["__name__"].__get__(type(error))  # whatever the class makes of its name
    finally:
        if os.getpid() != pid:
            os.write(2, f"warning: {name}: a process that it forked returned from it, and was ended\n".encode())
            os._exit(1)
    # Not in the handler: the other error would be a part of this one.
    raise OperationError(f"{name} raised {kind}: no text can be made of it or of what led to it")


def _let_files_go(error: BaseException) -> None:
    """Where an attempt used up all files: its frames hold what it has opened."""
    with contextlib.suppress(BaseException):  # an attribute of an error may raise what it likes
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            traceback.clear_frames(error.__traceback__)


def _refuse_unwritable(name: str, result: OperationResult) -> None:
    """Refuse a result that journal and report could not be written with."""
    try:
        kind = next((type(each).__name__ for each in result.artifacts if not isinstance(each, Artifact)), "")
        reason = f"{kind} among its artifacts" if kind else _unwritable(dict(result.metrics), 0)
    except Exception as error:  # also of a text that a value has to give
        reason = f"metrics that have no text ({type(error).__name__})"
    if reason:
        raise OperationError(
            f"{name} returned {reason}: metrics are a dict of numbers, texts, lists and dicts, at most {_DEPTH} in each"
            f" other, artifacts are `Artifact` objects"
        )


def _unwritable(value: Any, depth: int) -> str:
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if depth == _DEPTH:
            return "metrics that are nested too deep, or contain themselves"
        keys = [str(key) for key in value] if isinstance(value, Mapping) else []
        values = value.values() if isinstance(value, Mapping) else value
        return next((found for inner in (*keys, *values) if (found := _unwritable(inner, depth + 1))), "")
    str(value)
    return ""


def _has_text(error: BaseException) -> bool:
    """Whether an error, those that led to it and those in it can be printed. Each is asked once: causes can loop."""
    seen: dict[int, BaseException] = {}
    left = [error]
    with contextlib.suppress(BaseException):  # its text and its attributes may raise what they like
        while left and len(seen) < _ERRORS:
            one = left.pop()
            if id(one) not in seen:
                seen[id(one)] = one
                _ = str(one), type(one).__name__, one.__class__, one.__traceback__
                near = (one.__cause__, one.__context__, *_in_group(one))
                left += [each for each in near if each is not None]
        lines: dict[int, int] = {}
        return max(_printed(one, lines) for one in seen.values()) <= _PRINTED
    return False


def _printed(error: BaseException, known: dict[int, int]) -> int:
    """How many errors a traceback of this one prints: those of a group each time that they are in it."""
    if id(error) not in known:
        known[id(error)] = 1  # also of a group that is in itself
        known[id(error)] += sum(_printed(each, known) for each in _in_group(error))
    return known[id(error)]


def _in_group(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if isinstance(error, BaseExceptionGroup) else ()


class _State:
    """What all steps of this process share, as it was before the first of those that now run; restored by the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._before: list[tuple[Callable[[Any], Any], Callable[[], Any], Any]] = []
        self._descriptors: tuple[int, int] | None = None
        self._streams = contextlib.ExitStack()
        self._functions: list[tuple[Any, dict[str, Any]]] = []

    @contextlib.contextmanager
    def kept(self, here: Callable[[], bool]) -> Iterator[None]:
        """Keep it during one attempt; `here` says whether this is still the process that it began in."""
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._before = [(put, get, value) for get, put in _PARTS for value in _got(get)]
                self._descriptors = _descriptors()
                self._streams.callback(StandardStreams().put_back)
                self._functions = _functions()
            _keep_descriptors(self._descriptors)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ()) if sys.platform != "win32" else None
        try:
            yield
        finally:
            if here():
                _put_functions(self._functions)
                _give_descriptors(self._descriptors)
                if mask is not None:
                    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                with self._lock:
                    self._running -= 1
                    if not self._running:
                        with contextlib.suppress(OSError, ValueError):
                            self._streams.close()
                    for put, get, value in self._before if not self._running else ():
                        if _got(get) != [value]:
                            with contextlib.suppress(OSError, ValueError):  # ValueError: handlers of the main thread
                                put(value)


def _descriptors() -> tuple[int, int] | None:
    """How many files this process may have open: what holds, and what that can be raised to."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _keep_descriptors(before: tuple[int, int] | None) -> None:
    """Leave some for what comes after a step that uses up all: its error, the report, the history."""
    if before is not None and before[0] > 4 * _KEPT:
        # Where an earlier step has used up all, this one gets most of what that has left.
        _allow_descriptors(before[1], before[0] - _KEPT, before[0] - _KEPT // 4)


def _give_descriptors(before: tuple[int, int] | None) -> None:
    """Put the limit back, higher where even so nothing can be opened."""
    if before is not None and (now := _descriptors()) is not None:
        _allow_descriptors(now[1], before[0], now[1])


def _allow_descriptors(most: int, *limits: int) -> None:
    """Set the first of these limits with which something can be opened."""
    import resource

    for limit in limits:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
            os.close(os.open(os.devnull, os.O_RDONLY))
            return


def _got(get: Callable[[], Any]) -> list[Any]:
    with contextlib.suppress(OSError):  # the current folder is gone
        return [get()]
    return []


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _environment() -> dict[Any, Any]:
    """The variables as `os` keeps them: to decode all of them takes longer than a short step."""
    return dict(vars(os.environ).get("_data", os.environ))


def _put_environment(kept: dict[Any, Any]) -> None:
    before = {os.fsdecode(name): os.fsdecode(value) for name, value in kept.items()}
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    # What holds keys may have been taken out meanwhile.
    changed = {name: value for name, value in before.items() if os.environ.get(name) != value and name not in withheld}
    os.environ.update(changed)


# Those of `signal` make an enumeration of every number, which takes longer than a short step.
_handler_of: Callable[[int], Any] = getattr(sys.modules.get("_signal"), "getsignal", signal.getsignal)
_numbers = cache(signal.valid_signals) if sys.platform != "win32" else None


def _handlers() -> dict[int, Any]:
    return {number: _handler_of(number) for number in _numbers()} if _numbers is not None else {}


def _put_handlers(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        if handler is not None and _handler_of(number) is not handler:
            signal.signal(number, handler)


def _functions() -> list[tuple[Any, dict[str, Any]]]:
    """What is in the modules that everything after a step is written with, and their names by now."""
    return [(vars(module), vars(module).copy()) for module in map(sys.modules.get, _MODULES) if module is not None]


def _put_functions(before: list[tuple[Any, dict[str, Any]]]) -> None:
    for now, names in before:
        with contextlib.suppress(Exception):  # what is there instead compares as it likes
            if now == names:
                continue
        now.update({name: it for name, it in names.items() if callable(it) and now.get(name) is not it})


def _put_entries(now: list[Any], before: list[Any]) -> None:
    """Put back what was taken out of a list that imports go by; what was added stays, since modules may need it."""
    if any(entry not in now for entry in before):
        now[:] = [*before, *(entry for entry in now if entry not in before)]


_PARTS: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
    (os.getcwd, os.chdir),
    (_umask, os.umask),
    (_environment, _put_environment),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (lambda: sys.path.copy(), lambda before: _put_entries(sys.path, before)),
    (lambda: sys.meta_path.copy(), lambda before: _put_entries(sys.meta_path, before)),
]
if sys.platform != "win32":
    _PARTS += [  # a timer first: its signal would meet the handler of before
        (
            lambda: signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0),
            lambda idle: idle and signal.setitimer(signal.ITIMER_REAL, 0),
        ),
        (_handlers, _put_handlers),
    ]
_state = _State()
