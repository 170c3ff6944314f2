"""Threads that are ended from outside, wherever they are at that moment."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import pytest

from pamola_tasks.storage.interrupting import Reach


class Ended(KeyboardInterrupt):
    pass


class Held:
    pass


def computes(times: int = 5000) -> None:
    """For longer than the interpreter lets one thread compute while others wait."""
    for _ in range(times):
        sum(range(100))


def starts_threads() -> None:
    thread = threading.Thread(target=sum, args=[range(100)])
    thread.start()
    thread.join()
    computes()


def is_called_back() -> None:
    held = Held()
    kept = weakref.ref(held, lambda gone: computes())
    del held
    assert kept() is None
    computes()


def destroys() -> None:
    class Slow:
        def __del__(self) -> None:
            computes()

    Slow()
    computes()


class Worker:
    """A thread within the reach of another one."""

    def __init__(self, work: Callable[[], None], then: Callable[[], None] = lambda: None) -> None:
        self.reach, self.inside = Reach(Ended), threading.Event()
        self.ended = self.after = False
        self.work, self.then = work, then
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.inside.wait()

    def run(self) -> None:
        try:
            with self.reach.within():
                self.inside.set()
                self.work()
        except Ended:
            self.ended = True
        self.then()
        self.after = True

    def interrupt(self) -> None:
        self.reach.interrupt()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("work", [computes, starts_threads, is_called_back, destroys])
def test_a_thread_ends_wherever_it_is(work: Callable[[], None]) -> None:
    def for_ever() -> None:
        while True:
            work()

    for moment in range(20):
        worker = Worker(for_ever)
        time.sleep(moment % 7 / 1000)
        worker.interrupt()
        assert worker.ended


def test_what_comes_too_late_is_not_raised() -> None:
    for _ in range(200):
        worker = Worker(lambda: None, then=lambda: computes(50))
        worker.interrupt()
        assert worker.after


def test_who_comes_after_it_ends_at_once() -> None:
    reach = Reach(Ended)
    reach.interrupt()
    with pytest.raises(Ended), reach.within():
        raise AssertionError("within")
