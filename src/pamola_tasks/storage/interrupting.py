"""One thread ends what another one computes, by an exception."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType


_PATIENCE = 1.0  # seconds that a thread may take to start another one


class Reach:
    """Where threads can be ended from outside.

    Args:
        error: What is raised in them.
    """

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error
        self._lock = threading.Lock()
        self._threads: set[int] = set()
        self._interrupted = False

    @contextlib.contextmanager
    def within(self) -> Iterator[None]:
        """Within, `interrupt` raises the error in this thread; if it was called before, it is raised at once."""
        thread = threading.get_ident()
        with self._lock:
            self._threads.add(thread)
            _REACHED[thread, self._error] = self
        try:
            if self._interrupted:
                raise self._error
            yield
        finally:
            with self._lock:
                self._threads.discard(thread)
                _REACHED.pop((thread, self._error), None)
                if self._interrupted:  # perhaps a moment too late
                    _take_back()

    def interrupt(self) -> None:
        """Raise the error in all threads that are within, each before its next line of Python."""
        if self._threads:
            _repeats_what_was_lost()
        with self._lock:
            if not self._interrupted:
                self._interrupted = True
                for thread in self._threads:
                    _raise_in(thread, self._error)

    def repeat(self, thread: int) -> None:
        """Raise the error in a thread once more, if it is still within."""
        with self._lock:
            if thread in self._threads:
                _raise_in(thread, self._error)


_REACHED: dict[tuple[int, type[BaseException]], Reach] = {}
_LOST: queue.SimpleQueue[tuple[int, type[BaseException]]] = queue.SimpleQueue()


class _TakenBack(BaseException):
    """Takes the place of an interruption that was not raised yet."""


def _raise_in(thread: int, error: type[BaseException]) -> None:
    import ctypes

    until = time.monotonic() + _PATIENCE
    while _starts_another(thread) and time.monotonic() < until:
        time.sleep(0.001)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def _starts_another(thread: int) -> bool:
    """Whether a thread is starting one: until that runs it has the same number, and would be ended instead (3.11)."""
    frame: FrameType | None = sys._current_frames().get(thread)
    starts = threading.Thread.start.__code__
    return any(each.f_code is starts for each in islice(_callers(frame), 4))


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _take_back() -> None:
    """Whatever was to be raised in this thread is raised no more.

    Another error takes its place and is raised here: the interpreter looks for interruptions before each line until it
    has raised one, which makes all slow, and is for ever under a profiler (CPython 3.11).
    """
    try:
        while True:  # where it is raised in a destructor it is lost
            _raise_in(threading.get_ident(), _TakenBack)
            for _ in range(100):
                time.sleep(0)
    except _TakenBack:
        pass


@cache
def _repeats_what_was_lost() -> None:
    """What is raised in a destructor, or in the callback of a weak reference, is ignored there: raise it once more."""
    before = sys.unraisablehook

    def note(lost: Any) -> None:
        place = threading.get_ident(), lost.exc_type
        if place in _REACHED:
            _LOST.put(place)
        elif lost.exc_type is not _TakenBack:
            before(lost)

    def hook(lost: Any) -> None:
        try:
            note(lost)
        except BaseException as error:  # raised while another one was noted
            if (threading.get_ident(), type(error)) not in _REACHED:
                raise
            note(lost)

    sys.unraisablehook = hook
    threading.Thread(target=_repeat, name="pamola interruptions", daemon=True).start()


def _repeat() -> None:
    while place := _LOST.get():
        if (reach := _REACHED.get(place)) is not None:
            reach.repeat(place[0])
