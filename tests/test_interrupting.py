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


@pytest.mark.parametrize("work", [computes, starts_threads, is_called_back, destroys])
def test_a_thread_ends_wherever_it_is(work: Callable[[], None]) -> None:
    for moment in range(20):
        ended, inside = [], threading.Event()

        def run(ended: list[BaseException] = ended, inside: threading.Event = inside) -> None:
            try:
                with reach.within():
                    inside.set()
                    while True:
                        work()
            except Ended as error:
                ended.append(error)

        reach = Reach(Ended)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        inside.wait()
        time.sleep(moment % 7 / 1000)
        reach.interrupt()
        thread.join(30)
        assert not thread.is_alive()
        assert ended


def test_what_comes_too_late_is_not_raised() -> None:
    for _ in range(200):
        reach, inside, after = Reach(Ended), threading.Event(), []

        def run(reach: Reach = reach, inside: threading.Event = inside, after: list[str] = after) -> None:
            try:
                with reach.within():
                    inside.set()
            except Ended:
                pass
            computes(50)
            after.append("all of it")

        thread = threading.Thread(target=run)
        thread.start()
        inside.wait()
        reach.interrupt()
        thread.join(30)
        assert after == ["all of it"]


def test_who_comes_after_it_ends_at_once() -> None:
    reach = Reach(Ended)
    reach.interrupt()
    with pytest.raises(Ended), reach.within():
        raise AssertionError("within")
