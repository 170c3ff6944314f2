"""What a worker of the cluster does: say what it is, and have attempts made by processes of its own.

A step runs in a child of a helper's child, `python -m pamola_tasks_executor`, which watches its memory and outlives its
crash. Work and replies pass the scheduler and the worker sealed, and are opened by the helper.
"""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import threading
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from distributed import get_worker

from pamola_tasks_dask.helper import ENDED, Piped

TOPIC = "pamola-tasks"  # where replies are published while an attempt runs
KEY = -2  # the number of what is published before the first reply: the public key that work is to be sealed with
_LOOK = 0.2  # seconds between two looks at whether an attempt is still wanted
_IDLE = 20.0  # seconds that a helper without work is kept
_GRACE = 7.0  # seconds that a helper has to stop what it has begun
_PATIENCE = 60.0  # seconds that the work of an attempt may take to come
_ID = os.urandom(8).hex()  # which worker this is

_work: dict[str, queue.SimpleQueue[bytes]] = {}  # what attempts that have begun wait for, by their names


def versions_of(distributions: Sequence[str]) -> dict[str, str]:
    """The versions of Python and of distributions as they are installed where this runs; empty for what is missing."""
    found = {"Python": platform.python_version()}
    for name in distributions:
        found[name] = ""
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def describe(distributions: Sequence[str], shared: str, nonce: str) -> dict[str, Any]:
    """What this worker is: its versions, an id, and whether it sees the file `shared` that holds the nonce.

    Where it does, it writes another one beside it, named by the nonce it was given and its id.
    """
    said: dict[str, Any] = {"versions": versions_of(distributions), "id": _ID, "root": ""}
    try:
        descriptor = os.open(shared, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with open(descriptor, encoding="ascii") as file:
            if file.read(len(nonce) + 1) != nonce:
                said["root"] = "has other content there"
        answer = Path(f"{shared}.{_ID}")
        os.close(os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        said["root"] = error.strerror or type(error).__name__
    return said


def attempt(run: str, name: str) -> list[bytes]:
    """Make one attempt; all replies, which are published as they come too. A RuntimeError where a helper died.

    Published first is the public key of a helper, for which `deliver` then brings the work.

    Args:
        run: What the attempts of one run have in common, which share helpers.
        name: The attempt.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state not in ("executing", "long-running"):
            raise RuntimeError("the run does not wait for this attempt any more")

    said: list[bytes] = []
    with _HELPERS.taken(run) as helper:
        helper.send(name.encode())
        helper.send(_delivered(worker, name, helper.public_key(wanted), wanted))
        while True:
            message = helper.receive()
            if message is None:
                wanted()
                continue
            said.append(message[1:])
            worker.log_event(TOPIC, [name, len(said) - 1, said[-1]])
            if message[:1] == ENDED:
                return said


def _delivered(worker: Any, name: str, public_key: bytes, wanted: Callable[[], None]) -> bytes:
    """Say what the work of an attempt is to be sealed with, and wait for it."""
    inbox = _work[name] = queue.SimpleQueue()
    until = time.monotonic() + _PATIENCE
    try:
        worker.log_event(TOPIC, [name, KEY, public_key])
        while time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                return inbox.get(timeout=_LOOK)
            wanted()
    finally:
        del _work[name]
    raise RuntimeError(f"its work did not come within {_PATIENCE:.0f} s")


def deliver(name: str, sealed: bytes) -> None:
    """Bring the work of an attempt: `sealing.seal` of a pickled `Work`, with the key that was published."""
    if name in _work:  # else it has ended, which the run hears
        _work[name].put(sealed)


class _Helper:
    """A process that opens work and has attempts made, one at a time."""

    def __init__(self) -> None:
        self._piped = Piped("pamola_tasks_dask.helper")
        self._public_key = b""
        self.send = self._piped.send
        self.timer: threading.Timer | None = None

    def public_key(self, wanted: Callable[[], None]) -> bytes:
        """What work for it is sealed with, which it says first."""
        while not self._public_key:
            self._public_key = self.receive() or b""
            wanted()
        return self._public_key

    def receive(self) -> bytes | None:
        """What it says next, or None if that has not come yet."""
        try:
            return self._piped.incoming.recv_bytes() if self._piped.incoming.poll(_LOOK) else None
        except (EOFError, ConnectionError):
            code = self._piped.process.wait()
            raise RuntimeError(f"the process that makes attempts ended with exit code {code}") from None

    def end(self) -> None:
        """Have it stop what it does, and end."""
        self._piped.end(_GRACE)


class _Helpers:
    """Helpers without work, by run, which are ended when no work has come for a while."""

    def __init__(self) -> None:
        self._idle: dict[str, list[_Helper]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self, run: str) -> Any:
        """A helper, put back if all went well and ended otherwise."""
        with self._lock:
            idle = self._idle.get(run)
            helper = idle.pop() if idle else None
        if helper is not None and helper.timer is not None:
            helper.timer.cancel()
        helper = helper or _Helper()
        try:
            yield helper
        except BaseException:
            helper.end()
            raise
        with self._lock:
            self._idle.setdefault(run, []).append(helper)
        helper.timer = threading.Timer(_IDLE, self._expire, (run, helper))
        helper.timer.daemon = True
        helper.timer.start()

    def _expire(self, run: str, helper: _Helper) -> None:
        with self._lock:
            if helper not in self._idle.get(run, ()):
                return
            self._idle[run].remove(helper)
        helper.end()

    def forget(self, run: str) -> None:
        """End the helpers of a run, and with them what they know of it."""
        with self._lock:
            helpers = self._idle.pop(run, [])
        for helper in helpers:
            if helper.timer is not None:
                helper.timer.cancel()
            helper.end()


_HELPERS = _Helpers()


def forget(run: str) -> None:
    """The run has ended: end its helpers, in the background."""
    threading.Thread(target=_HELPERS.forget, args=(run,), daemon=True).start()
