"""Processes of this machine that make attempts at steps, and can be stopped at any moment."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable
from functools import cached_property
from multiprocessing.connection import Connection, wait
from typing import Any

from pamola_tasks.errors import OperationError
from pamola_tasks.secret import withheld
from pamola_tasks_executor.descendants import adopt_orphans, counted, end_descendants, parent_of
from pamola_tasks_executor.elsewhere import State, Work
from pamola_tasks_executor.memory import resident_mb

# The first byte of a message of the worker.
_BEGAN, _SAID, _ANSWER = b"b", b"s", b"a"
_WATCH = 0.02  # seconds between two looks at a worker's memory
_GRACE = 2.0  # seconds that a worker without work has to end by itself


class Processes:
    """An `Elsewhere` of worker processes: started when work needs one, reused, started again when one was stopped.

    On Linux they are forks of a server process, which has the modules imported that they need; elsewhere each is
    started from scratch. They are never forks of this process, which would copy locks held by other threads.
    """

    def __init__(self, modules: Iterable[str] = ()) -> None:
        self._modules = list(modules)
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()

    @cached_property
    def _context(self) -> Any:
        """How workers are started; the server of forks is started with the first of them.

        Its socket lies in the folder for temporary files, whose path may be too long for one (108 bytes).
        """
        if sys.platform == "linux":
            from multiprocessing import forkserver

            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([f"{__package__}.serving", *self._modules])
            with contextlib.suppress(OSError):
                forkserver.ensure_running()
                return context
        return multiprocessing.get_context("spawn")

    def submit(self, work: Work) -> _Worker:
        """Give the work to a worker without work, or to a new one."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
            if worker is not None and (work.memory_mb is not None or not worker.process.is_alive()):
                worker.end()  # what earlier steps left in memory must not count
                worker = None
            worker = worker or _Worker(self._context)  # under the lock: multiprocessing keeps a list of children
        worker.begin(work)
        return worker

    def state(self, handle: _Worker, wait: float) -> State:
        """What the worker sent."""
        state = handle.state(wait)
        if state.name == "ended":
            with self._lock:
                self._idle.append(handle)
        return state

    def cancel(self, handle: _Worker) -> None:
        """Kill the worker, with all that the step has started."""
        handle.kill()

    def close(self) -> None:
        """Let the workers end."""
        while self._idle:
            self._idle.pop().end()


class _Worker:
    """One process. On POSIX it leads a process group of its own, so that Ctrl-C reaches the parent alone."""

    def __init__(self, context: Any) -> None:
        self._connection: Connection
        self._connection, theirs = context.Pipe()
        arguments = (theirs, os.getcwd(), dict(os.environ), withheld)
        self.process = context.Process(target=serve, args=arguments, name="pamola step", daemon=True)
        self.process.start()
        theirs.close()
        self._server = parent_of(self.process.pid) if sys.platform == "linux" else 0
        self._run = b""
        self._work: Work
        self._began = False

    def begin(self, work: Work) -> None:
        self._work, self._began = work, False
        run = b"" if work.run == self._run else work.run  # it has been rebuilt there already
        self._run = work.run
        with contextlib.suppress(ConnectionError):  # it has died, which `state` finds
            self._connection.send_bytes(run)
            self._connection.send_bytes(work.attempt)

    def state(self, seconds: float) -> State:
        limit = self._work.memory_mb
        messages: list[bytes] = []
        try:
            while self._connection.poll(0 if messages else seconds if limit is None else min(seconds, _WATCH)):
                message = self._connection.recv_bytes()
                if message[:1] == _ANSWER:
                    return State(name="ended", answer=message[1:], messages=messages)
                if message[:1] == _BEGAN:
                    self._began = True
                    break  # the time limit counts from here
                messages.append(message[1:])
        except (EOFError, ConnectionError) as error:
            raise OperationError(self._died()) from error
        if limit is not None and (resident := resident_mb(self.process.pid)) > limit:
            raise OperationError(
                f"step {self._work.step_id} took {resident:.0f} MiB of memory, more than the {limit} MiB of its"
                f" step_memory_limit_mb, and was stopped"
            )
        return State(name="running" if self._began else "waiting", messages=messages)

    def _died(self) -> str:
        self.process.join(_GRACE)
        code = self.process.exitcode
        how = f"exit code {code}"
        with contextlib.suppress(ValueError):
            how = f"signal {signal.Signals(-(code or 0)).name}"
        if left := self._end_orphans():
            how += f"; {counted(left)} that it had started: ended"
        if self._began:
            return f"step {self._work.step_id}: its process died ({how})"
        return (
            f"step {self._work.step_id}: its process died before the step started ({how}); its output is on the"
            f" terminal. A script must run its task under `if __name__ == '__main__':`, because a new process"
            f" imports it"
        )

    def _end_orphans(self) -> list[str]:
        """End what it had started when it died: that belongs to the server of forks now."""
        if self._server in (0, os.getpid()):
            return []
        return end_descendants(self._server, {child.pid for child in multiprocessing.active_children() if child.pid})

    def end(self) -> None:
        """Let it end by itself, since it has no work."""
        self._connection.close()
        self.process.join(_GRACE)
        self.kill()

    def kill(self) -> None:
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.process.pid, signal.SIGSTOP)  # it starts nothing more, and orphans stay its own
                end_descendants(self.process.pid)
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self._connection.close()
        self.process.join()
        self.process.close()


# ---------------------------------------------------------------- in the worker


def serve(connection: Connection, folder: str, environment: dict[str, str], kept: dict[str, str]) -> None:
    """What a worker does: perform what comes, until the parent has no more."""
    _belong_to_parent()
    os.chdir(folder)
    os.environ.clear()  # a fork of the server has the environment of when that was started
    os.environ.update(environment)
    withheld.update(kept)
    from pamola_tasks_executor.other_interpreter import idle_pids
    from pamola_tasks_executor.performing import RemoteRun

    sending = threading.Lock()

    def send(kind: bytes, content: bytes = b"") -> None:
        with sending:
            connection.send_bytes(kind + content)

    run: RemoteRun | None = None
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            description, attempt = connection.recv_bytes(), connection.recv_bytes()
            if run is None or description:
                run = RemoteRun(description, lambda message: send(_SAID, message))
            send(_BEGAN)
            answer = run.perform(attempt)
            if left := end_descendants(os.getpid(), idle_pids()):
                run.warn(f"it left {counted(left)} running, ended with it")
            send(_ANSWER, answer)


def _belong_to_parent() -> None:
    """End when the parent does, whatever is being done here: what a step has begun must not go on alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.setsid()
    if sys.platform == "linux":  # also while an extension keeps Python waiting: the server ends with the parent
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        adopt_orphans()
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
