"""Ending this process past Python's own way out is an error with words: `os._exit`, `os.exec…`, `exit` in C."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import EXIT_TASK_FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

end_now = os._exit  #: ends this process without words, for what has a reason to

_REPLACED = ("_exit", "execv", "execve")  # all of `os.exec…` call one of these
_lock = threading.RLock()
_doing: dict[object, tuple[int, str, bool]] = {}  # what is under way: its thread, words, and whether C counts
_before: dict[tuple[Any, str], Callable[..., Any]] = {}  # what was replaced, by module and name
_streams: list[tuple[Any, int]] = []  # of the C library, which writes out at `exit` what is in them: library, stream


@contextlib.contextmanager
def ends_with_words(doing: str, *, in_c: bool = False) -> Iterator[None]:
    """Have the process end with exit code 1 and a line that says what was under way, in `doing`, where it is ended.

    With `in_c` also where code in C calls `exit`, on systems with `fopencookie`. What is past both (a system call, a
    signal) stays as it is, and forked processes end as they will.
    """
    token = object()
    with _lock:
        if not _doing:
            for module in filter(None, (os, sys.modules.get(os.name))):
                for name in filter(partial(hasattr, module), _REPLACED):
                    _before[module, name] = getattr(module, name)
                    setattr(module, name, _instead_of(name, _before[module, name], os.getpid()))
        _doing[token] = threading.get_ident(), doing, in_c
        if in_c:
            _prepare()
    try:
        yield
    finally:
        with _lock:
            _doing.pop(token, None)
            if in_c:
                _prepare()
            if not _doing:
                for (module, name), function in _before.items():
                    setattr(module, name, function)


def _instead_of(name: str, function: Callable[..., Any], pid: int) -> Callable[..., Any]:
    @wraps(function)
    def say_and_end(*arguments: Any, **named: Any) -> Any:
        if os.getpid() != pid or not _doing:
            return function(*arguments, **named)
        words = [words for thread, words, _ in _doing.values() if thread == threading.get_ident()]
        words = words or [words for _, words, _ in _doing.values()]
        said = f"error: the process was ended by os.{name}({', '.join(map(repr, arguments[:1]))}) {words[-1]}\n"
        with contextlib.suppress(OSError):
            os.write(2, said.encode("utf-8", "replace"))
        return end_now(EXIT_TASK_FAILED)

    return say_and_end


def _prepare() -> None:
    """Leave in streams of the C library what `exit` is to write: the words to stderr, then a byte to `_exit(1)`."""
    _forget()
    steps = [words for _, words, in_c in _doing.values() if in_c]
    if not steps or sys.platform == "win32":
        return
    import ctypes

    class Functions(ctypes.Structure):
        _fields_ = [(name, ctypes.c_void_p) for name in ("read", "write", "seek", "close")]

    library = ctypes.CDLL(None)
    if not hasattr(library, "fopencookie") or not hasattr(library, "__fpurge"):
        return
    library.fopencookie.restype = library.fdopen.restype = ctypes.c_void_p
    end = ctypes.cast(library._exit, ctypes.c_void_p).value
    status = ctypes.c_void_p(EXIT_TASK_FAILED)
    said = f"error: the process was ended by exit() in a library {' or '.join(steps)}\n"
    # The newest stream is written first.
    ending = library.fopencookie(status, b"w", Functions(None, end, None, None))
    saying = library.fdopen(os.dup(2), b"w")
    for stream, text in ((ending, "x"), (saying, said)):
        pointer = ctypes.c_void_p(stream)
        library.setvbuf(pointer, None, 0, ctypes.c_size_t(4096))
        library.fputs(text.encode("utf-8", "replace"), pointer)
        _streams.append((library, stream))


def _forget() -> None:
    while _streams:
        import ctypes

        library, stream = _streams.pop()
        library.__fpurge(ctypes.c_void_p(stream))
        library.fclose(ctypes.c_void_p(stream))


@atexit.register
def _leave() -> None:
    """Python ends by `exit` as well, which is its own way out also while threads go on."""
    with _lock:
        _doing.clear()
        _forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
