"""The workers of a cluster as a place where attempts at steps are made."""

from __future__ import annotations

import os
import pickle
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
from cryptography.exceptions import InvalidTag

from pamola_tasks.errors import OperationError
from pamola_tasks_dask import worker
from pamola_tasks_dask.checking import check
from pamola_tasks_dask.connection import Connection, connect, within
from pamola_tasks_dask.errors import ClusterError, ClusterLost, WorkerLost
from pamola_tasks_dask.sealing import Replies, seal

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_dask.settings import DaskSettings

_LOOK = 0.5  # seconds between two looks at which workers there are
_PATIENCE = 60.0  # seconds that work waits while there is no worker at all
_CANCELLING = 5.0  # seconds that the scheduler may take to hear that an attempt is not wanted any more
_DONE = (-1, b"")  # in the inbox of an attempt whose task has ended


@attrs.frozen
class _State:
    """A state before the worker has sent one."""

    name: str
    answer: bytes = b""
    messages: tuple[bytes, ...] = ()


@attrs.define(eq=False)
class _Worker:
    """A worker that can be used: how many attempts it makes at a time, and those that it makes now."""

    slots: int
    busy: int = 0


@attrs.define(eq=False)
class _Attempt:
    """Work that was submitted: its name, the worker and the task of the cluster once there is one."""

    work: Any
    name: str = attrs.Factory(lambda: os.urandom(16).hex())
    address: str = ""
    future: Any = None
    replies: Replies | None = None
    said: str = "waiting"
    received: int = 0  # replies, until all of them have come with the result
    hears: bool = True
    lock: threading.Lock = attrs.Factory(threading.Lock)
    inbox: queue.SimpleQueue[tuple[int, bytes]] = attrs.Factory(queue.SimpleQueue)


class Cluster:
    """An `Elsewhere` of the workers of a Dask cluster, reached with the first work.

    Each attempt is a task of its own on one worker, and its work is sent once, sealed for the process there that opens
    it: where that worker ends, the attempt is lost, and Dask makes it on no other. Which worker takes it is decided
    here when one has a free thread.

    Args:
        run: The run whose steps are made there.
    """

    carries_keys = True

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._settings: DaskSettings = run.config.plugin("dask")
        self._name = os.urandom(16).hex()
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._refused: ClusterError | ClusterLost | None = None
        self._workers: dict[str, _Worker] = {}
        self._passed_over: set[str] = set()
        self._attempts: dict[str, _Attempt] = {}
        self._looked = self._had_workers = 0.0

    def submit(self, work: Any) -> _Attempt:
        """Take work; the first reaches the cluster, and is refused where that or its workers cannot be used."""
        self._reach()
        return _Attempt(work)

    def state(self, handle: _Attempt, wait: float) -> Any:
        """How far it is; work that no worker has yet is given to one."""
        self._look()
        if handle.future is None and not self._begin(handle):
            time.sleep(wait)
            return _State("waiting")
        try:
            number, sealed = handle.inbox.get(timeout=wait) if wait else handle.inbox.get_nowait()
        except queue.Empty:
            if handle.address not in self._workers:
                raise WorkerLost(self._lost(handle)) from None
            return _State(handle.said)
        if number == worker.KEY:
            self._send(handle, sealed)
            return _State(handle.said)
        if number == _DONE[0]:
            self._look()
            number, sealed = self._rest(handle)  # the last one has not been here, or nobody would have asked
        assert handle.replies is not None
        try:
            state = pickle.loads(handle.replies.open(number, sealed))
        except InvalidTag as error:
            raise OperationError(f"step {handle.work.step_id}: a reply is not from {handle.address}") from error
        handle.said = state.name
        if state.name == "ended":
            self._release(handle)
        return state

    def cancel(self, handle: _Attempt) -> None:
        """Have the worker stop it, which it does as soon as it hears of it."""
        if handle.future is not None:
            within(_CANCELLING, handle.future.cancel)
            self._release(handle)

    def close(self) -> None:
        """Let go of the cluster; one that was started here ends."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.cluster is None:  # else its workers end, and with them their helpers
                within(2, lambda: connection.client.run(worker.forget, self._name, on_error="ignore"))
            connection.close()

    # ------------------------------------------------------------ the cluster

    def _reach(self) -> None:
        """Reach the cluster and check its workers, once."""
        with self._lock:
            if self._refused is not None:
                raise self._refused
            if self._connection is not None:
                return
            if self._settings.insecure and self._settings.scheduler:
                self._run.warn(f"the steps run at {self._settings.scheduler}, and dask.insecure allows it to be read")
            jobs = max(1, min(int(self._run.config.parallel_processes or 1), len(self._run.plan)))
            try:
                self._connection = connect(self._settings, self._run.files, jobs)
                self._connection.client.subscribe_topic(worker.TOPIC, self._hear)
                self._wait_for_workers()
            except ClusterError as error:
                self._refused = error
                raise

    def _wait_for_workers(self) -> None:
        until = time.monotonic() + _PATIENCE
        while not (addresses := self._addresses()):
            if time.monotonic() > until:
                raise ClusterError(f"the cluster has no worker, also after {_PATIENCE:.0f} s: start some")
            time.sleep(_LOOK)
        if problems := self._add(addresses):
            said = "\n".join(problems)
            raise ClusterError(f"workers cannot run this project's steps, and nothing was run:\n{said}")

    def _addresses(self) -> dict[str, int]:
        """The workers that there are now, and how many threads each has."""
        assert self._connection is not None
        return {address: known["nthreads"] for address, known in self._connection.workers().items()}

    def _add(self, addresses: dict[str, int]) -> list[str]:
        """Check workers, and know those that can be used; what is wrong with the others."""
        assert self._connection is not None
        checked = check(self._connection, addresses, self._run.kernel.plugins, self._run.project.files)
        for address in checked.usable:
            self._workers[address] = _Worker(max(1, addresses[address]))
        self._passed_over |= addresses.keys() - set(checked.usable)
        return checked.problems

    def _look(self) -> None:
        """Find out now and then which workers came and which are gone."""
        now = time.monotonic()
        with self._lock:
            if self._refused is not None:
                raise self._refused
            if self._connection is None:
                return
            if self._connection.client.status != "running":  # Dask forgets the tasks of clients that it has lost
                lost = f"the connection to the scheduler {self._connection.address} was lost"
                self._refused = ClusterLost(f"{lost}: run the same command again, which skips what is finished")
                raise self._refused
            if now - self._looked < _LOOK:
                return
            self._looked = now
            addresses = self._addresses()
            for address in self._workers.keys() - addresses.keys():
                del self._workers[address]
            if new := {a: n for a, n in addresses.items() if a not in self._workers and a not in self._passed_over}:
                for problem in self._add(new):
                    self._run.warn(f"{problem}: it gets no step")
            if self._workers:
                self._had_workers = now

    # ------------------------------------------------------------ attempts

    def _begin(self, attempt: _Attempt) -> bool:
        """Give an attempt to the worker that has most threads free, if one has."""
        with self._lock:
            free = {address: found.slots - found.busy for address, found in self._workers.items()}
            address = max(free, key=lambda each: free[each], default="")
            if not address and time.monotonic() - self._had_workers > _PATIENCE:
                raise WorkerLost(f"step {attempt.work.step_id}: the cluster has no worker any more")
            if not address or free[address] < 1 or self._connection is None:
                return False
            self._workers[address].busy += 1
            attempt.address = address
            self._attempts[attempt.name] = attempt
            client = self._connection.client
        attempt.future = client.submit(
            worker.attempt,
            self._name,
            attempt.name,
            key=f"{worker.TOPIC}-{attempt.name}",
            workers=[address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        attempt.future.add_done_callback(lambda _: attempt.inbox.put(_DONE))
        return True

    def _send(self, attempt: _Attempt, public_key: bytes) -> None:
        """Send the work of an attempt that has begun, sealed with the key that it is waited for with; once."""
        if attempt.replies is not None or self._connection is None:  # it has begun again at its address
            raise WorkerLost(self._lost(attempt))
        sealed, attempt.replies = seal(pickle.dumps(attempt.work), attempt.name, public_key)
        answers = self._connection.ask(worker.deliver, attempt.name, sealed, workers=[attempt.address])
        if answers.get(attempt.address, "") is not None:
            raise WorkerLost(self._lost(attempt))

    def _hear(self, event: tuple[float, Any]) -> None:
        """Take a reply that was published; those that were missed come with the result."""
        name, number, sealed = event[1]
        attempt = self._attempts.get(name)
        if attempt is not None:
            with attempt.lock:
                if number == worker.KEY:
                    attempt.inbox.put((number, sealed))
                elif attempt.hears and number == attempt.received:
                    attempt.received += 1
                    attempt.inbox.put((number, sealed))

    def _rest(self, attempt: _Attempt) -> tuple[int, bytes]:
        """The next reply of a task that has ended; the others are put into the inbox."""
        if attempt.future.status != "finished":
            with self._lock:  # one that was started again at its address has another key: it is asked again
                self._workers.pop(attempt.address, None)
            raise WorkerLost(self._lost(attempt))
        said = within(_PATIENCE, attempt.future.result)
        if said is None:
            raise WorkerLost(self._lost(attempt))
        with attempt.lock:
            attempt.hears = False
            for number in range(attempt.received, len(said)):
                attempt.inbox.put((number, said[number]))
        return attempt.inbox.get_nowait()

    def _lost(self, attempt: _Attempt) -> str:
        """That an attempt is lost, and why."""
        error = None
        if attempt.future.status == "error":
            error = within(1, attempt.future.exception)
        why = f": {error}" if isinstance(error, RuntimeError) else ""
        return f"step {attempt.work.step_id} was lost with the worker {attempt.address}{why}"

    def _release(self, attempt: _Attempt) -> None:
        """The worker has a thread free again."""
        with self._lock:
            if self._attempts.pop(attempt.name, None) is not None and attempt.address in self._workers:
                self._workers[attempt.address].busy -= 1
        attempt.future.release()
