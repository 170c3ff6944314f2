"""A process that performs steps for another one, and can be stopped at any moment."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

import attrs

from pamola_tasks.errors import OperationError, StepTimeout
from pamola_tasks_executor.child import end_with

# The first byte of a message of the worker.
_BEGAN, _TOLD, _ANSWER = b"b", b"t", b"a"
_WATCH = 0.02  # seconds between two looks at a worker's memory
_GRACE = 2.0  # seconds that a worker without work has to end by itself
_starting = threading.Lock()


@attrs.frozen(kw_only=True)
class Limits:
    """What a step in a process of its own may take: seconds, and MiB of resident memory. None: as much as it likes."""

    timeout: float | None = None
    memory_mb: int | None = None


class Worker:
    """A process, started when it is first needed and again when it was stopped.

    It is started anew (spawn), never forked: locks that other threads hold would be copied as they are. On POSIX it
    leads a process group of its own, so that Ctrl-C reaches the parent alone, and what a step has started is stopped
    with it. All methods but `stop` are called in one thread.

    Args:
        description: What it makes its `RemoteRun` from.
    """

    def __init__(self, description: bytes) -> None:
        self._description = description
        self._process: Any = None
        self._connection: Connection | None = None
        self._performed = 0
        self._stopping = False

    def perform(
        self, step_id: str, attempt: bytes, hear: Callable[[bytes], None], limits: Limits | None = None
    ) -> bytes:
        """Have an attempt at a step made.

        Args:
            step_id: The step, for messages.
            attempt: What `RemoteRun.perform` is given.
            hear: Takes what is told meanwhile.
            limits: What the step may take.

        Returns:
            What `RemoteRun.perform` returned.

        Raises:
            StepTimeout: It took longer.
            OperationError: It took more memory; its process died; or `stop` was called.
        """
        limits = limits or Limits()
        if limits.memory_mb is not None and self._performed:
            self.end()  # what earlier steps left in memory must not count
        try:
            return self._answer(step_id, attempt, hear, limits)
        except BaseException:
            self._kill()
            raise

    def _answer(self, step_id: str, attempt: bytes, hear: Callable[[bytes], None], limits: Limits) -> bytes:
        began = False
        deadline = math.inf
        try:
            connection = self._started()
            connection.send_bytes(attempt)
            while True:
                self._refuse_if_stopped(step_id)
                if limits.memory_mb is not None:
                    self._check_memory(step_id, limits.memory_mb)
                left = deadline - time.monotonic()
                if left <= 0:
                    raise StepTimeout(f"step {step_id} took longer than {limits.timeout:g} s and was stopped")
                pause = min(left, _WATCH if limits.memory_mb is not None else math.inf)
                if not connection.poll(None if pause == math.inf else pause):
                    continue
                message = connection.recv_bytes()
                kind, content = message[:1], message[1:]
                if kind == _ANSWER:
                    self._performed += 1
                    return content
                if kind == _TOLD:
                    hear(content)
                else:
                    began = True
                    deadline = time.monotonic() + (math.inf if limits.timeout is None else limits.timeout)
        except (EOFError, ConnectionError) as error:
            self._refuse_if_stopped(step_id)
            raise OperationError(self._died(step_id, began)) from error

    def _refuse_if_stopped(self, step_id: str) -> None:
        if self._stopping:
            raise OperationError(f"step {step_id} was stopped, because the run ends", stopped=True)

    def _died(self, step_id: str, began: bool) -> str:
        self._process.join(_GRACE)
        code = self._process.exitcode
        how = f"exit code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = f"signal {signal.Signals(-code).name}"
        if began:
            return f"step {step_id}: its process died ({how})"
        return (
            f"step {step_id}: its process died before the step began ({how}); what it said stands on the terminal. A"
            f" script that runs a task does so under `if __name__ == '__main__':`, since a new process imports it"
        )

    def _check_memory(self, step_id: str, limit_mb: int) -> None:
        resident = resident_mb(self._process.pid)
        if resident > limit_mb:
            raise OperationError(
                f"step {step_id} took {resident:.0f} MiB of memory, more than the {limit_mb} MiB of its"
                f" step_memory_limit_mb, and was stopped"
            )

    # ------------------------------------------------------------ the process

    def _started(self) -> Connection:
        if self._connection is not None and self._process.is_alive():
            return self._connection
        self._kill()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with _starting:  # multiprocessing keeps a list of children, unguarded
            self._process = context.Process(target=serve, args=(theirs, os.getpid()), name="pamola step", daemon=True)
            self._process.start()
        theirs.close()
        self._connection, self._performed = ours, 0
        ours.send_bytes(self._description)
        return ours

    def stop(self) -> None:
        """Stop whatever is done, at once and for good. May be called in any thread."""
        self._stopping = True
        self._signal()

    def _signal(self) -> None:
        process = self._process
        if process is None:
            return
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(ValueError):  # closed by the thread that it belongs to, just now
            process.kill()

    def _kill(self) -> None:
        self._signal()
        self._close()

    def end(self) -> None:
        """Let a process that has nothing to do end by itself."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._process.join(_GRACE)
        self._kill()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join()
            self._process.close()
        self._connection = self._process = None


def resident_mb(pid: int) -> float:
    """The resident memory of a process in MiB; 0 when it has gone. Linux only."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


# ---------------------------------------------------------------- in the worker


def serve(connection: Connection, parent: int) -> None:
    """What a worker does: rebuild the run, then perform what comes, until nobody is there any more."""
    from pamola_tasks_executor.remote import RemoteRun, failed

    _belong_to(parent)
    sending = threading.Lock()

    def send(kind: bytes, content: bytes = b"") -> None:
        with sending:
            connection.send_bytes(kind + content)

    run: RemoteRun | None = None
    answer = b""
    try:
        run = RemoteRun(connection.recv_bytes(), lambda message: send(_TOLD, message))
    except Exception as error:  # told as the answer to the first step
        answer = failed(error)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            attempt = connection.recv_bytes()
            send(_BEGAN)
            send(_ANSWER, answer if run is None else run.perform(attempt))


def _belong_to(parent: int) -> None:
    """End when the parent does, whatever is being done here: what a step has begun must not go on alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.setsid()
    end_with(parent)
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


__all__ = ["Limits", "Worker", "resident_mb", "serve"]
