"""Ending this process past Python's own way out is an error with words: `os._exit`, `os.exec…`, and C's `exit`."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from pamola_tasks import errors
from pamola_tasks.storage import c_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

end_now = os._exit  #: ends this process without words, for what has a reason to

_REPLACED = ("_exit", "execv", "execve")  # all of `os.exec…` call one of these
_lock = threading.RLock()
_doing: dict[object, tuple[int, str | Callable[[], str]]] = {}  # what is under way: its thread, and words
_in_c: dict[object, str] = {}
_before: dict[tuple[Any, str], Callable[..., Any]] = {}  # what was replaced, by module and name
_OURS = {code for name, code in vars(errors).items() if name.startswith("EXIT_")}


@contextlib.contextmanager
def ends_with_words(doing: str | Callable[[], str], *, in_c: bool = False) -> Iterator[None]:
    """Have the process end with a line that says what was under way, in `doing`, where it is ended by `os._exit`.

    The exit code stays, but for those that mean something else here, 0 above all: these become 1. With `in_c` the same
    holds for C's `exit`. What a system call or a signal ends stays as it is, and forked processes end as they will.
    """
    token = object()
    with _lock:
        if not _doing:
            for module in filter(None, (os, sys.modules.get(os.name))):
                for name in filter(partial(hasattr, module), _REPLACED):
                    _before[module, name] = getattr(module, name)
                    setattr(module, name, _instead_of(name, _before[module, name], os.getpid()))
        _doing[token] = threading.get_ident(), doing
        if in_c:
            _in_c[token] = f"error: the process was ended by exit() of a library in C {doing}\n"
            c_exit.on_exit(_in_c[token])
    try:
        yield
    finally:
        if _lock is not None:  # as it is where Python, which ends, has taken this module apart
            _let_go(token)


def _let_go(token: object) -> None:
    with _lock:
        _doing.pop(token, None)
        if _in_c.pop(token, None) is not None:
            c_exit.on_exit(next(reversed(_in_c.values()), ""))
        if not _doing:
            for (module, name), function in _before.items():
                setattr(module, name, function)


def _instead_of(name: str, function: Callable[..., Any], pid: int) -> Callable[..., Any]:
    @wraps(function)
    def say_and_end(*arguments: Any, **named: Any) -> Any:
        if os.getpid() != pid or not _doing:
            return function(*arguments, **named)
        words = [words for thread, words in _doing.values() if thread == threading.get_ident()]
        words = words or [words for _, words in _doing.values()]
        doing = words[-1] if isinstance(words[-1], str) else words[-1]()
        said = f"error: the process was ended by os.{name}({', '.join(map(repr, arguments[:1]))}) {doing}\n"
        with contextlib.suppress(OSError):
            os.write(2, said.encode("utf-8", "replace"))
        code = arguments[0] if name == "_exit" and arguments else 0
        return end_now(errors.EXIT_TASK_FAILED if code in _OURS else code)

    return say_and_end
