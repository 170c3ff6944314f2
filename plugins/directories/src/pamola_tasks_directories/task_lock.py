"""The lock of a task: the operating system's, so that no crash leaves one behind."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import platform
from typing import TYPE_CHECKING

from pamola_tasks.errors import AlreadyRunning
from pamola_tasks.protocols import LockHolder
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import leftovers, system

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from pamola_tasks.protocols import RunServices

_MOST = 1 << 16  # bytes of a lock file that are read


class TaskLock:
    """The operating system's lock on the file that `run.places` names.

    The file names its holder and the running steps until it is released. Files in memory are not locked: no other
    process can see them. With a task or without, it can be asked about any.
    """

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._stack = contextlib.ExitStack()  # what keeps the file open
        self._descriptor: int | None = None
        self._told = 0
        self._path = ""
        self.after_a_crash = False

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def take(self, *, wait: bool = False) -> None:
        """Lock the run's task, and remove what a run that crashed has left half written; see `AlreadyRunning`."""
        run = self._run
        place = run.places.of(run.record.task_id)
        self._path = place.lock
        with self._naming(), contextlib.ExitStack() as stack:
            try:
                descriptor, locked = self._locked(stack, place.task_id, wait=math.inf if wait else 0)
            except io.UnsupportedOperation:
                return
            if not locked:
                if stranger := self._stranger(descriptor, place.task_id):
                    raise AlreadyRunning(
                        f"task {place.task_id} is locked by process {stranger}, which does not say that it runs it: end"
                        f" that process, or wait for it with --wait"
                    )
                raise AlreadyRunning(
                    f"task {place.task_id} is running already{self._named(place.task_id)}: wait for it with --wait"
                )
            self._sign(descriptor)
            self._stack = stack.pop_all()
        remove = leftovers.remove_of_task if self.after_a_crash else leftovers.remove_staged
        remove(run.files, place)

    def _locked(self, stack: contextlib.ExitStack, task_id: str, wait: float) -> tuple[int, bool]:
        """Open the lock file, made where it is missing, and lock it: its descriptor, and whether it could be locked."""
        while True:
            with contextlib.ExitStack() as opened:
                descriptor = opened.enter_context(self._run.files.append(self._run.places.of(task_id).lock)).fileno()
                locked = system.lock(descriptor, wait=wait)
                if os.fstat(descriptor).st_nlink:  # else it was removed on the way here, and another one is locked
                    stack.push(opened.pop_all())
                    return descriptor, locked

    def _stranger(self, descriptor: int, task_id: str) -> int | None:
        """The process that has the lock, if it is of this machine and another one than the file says."""
        pid, said = system.lock_holder(descriptor), self.holder(task_id)
        return pid if pid and (said is None or (said.pid != pid and said.host in ("", platform.node()))) else None

    def _sign(self, descriptor: int) -> None:
        run = self._run
        holder = {"pid": os.getpid(), "host": platform.node(), "since": rfc3339(now()), "run_id": run.id}
        line = json.dumps(holder).encode() + b"\n"
        self.after_a_crash = os.fstat(descriptor).st_size > 0
        # Its first byte, a brace, stays until the new holder lets go: no crash on the way may hide the one before.
        kept = int(self.after_a_crash)
        os.ftruncate(descriptor, kept)
        os.write(descriptor, line[kept:])
        self._descriptor, self._told = descriptor, len(line)

    def tell(self, steps: Iterable[str]) -> None:
        """Say which steps run now, in the line behind the holder's: for `pamola-task status`."""
        if self._descriptor is not None:
            with self._naming():
                os.ftruncate(self._descriptor, self._told)
                os.write(self._descriptor, (" ".join(steps) + "\n").encode())

    def release(self) -> None:
        """Let go; the system does so too when the process ends."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with self._naming(), self._stack:
                os.ftruncate(descriptor, 0)

    def _naming(self) -> AbstractContextManager[None]:
        return self._run.files.naming(self._path)

    # ------------------------------------------------------------ of any task

    def holder(self, task_id: str) -> LockHolder | None:
        """What the lock file says; nothing where its last holder let go."""
        try:
            with self._run.files.open_raw(self._run.places.of(task_id).lock) as file:
                lines = file.read(_MOST).decode("utf-8", "replace").splitlines()
            told = json.loads(lines[0])
        except (OSError, IndexError, ValueError):
            return None
        if not isinstance(told, dict):
            return None
        texts = {key: str(told.get(key) or "") for key in ("run_id", "host", "since")}
        pid, steps = told.get("pid"), " ".join(lines[1:2]).split()
        return LockHolder(pid=pid if isinstance(pid, int) else None, steps=tuple(steps), **texts)

    def is_running(self, task_id: str) -> bool:
        """Whether the file is locked now: looking at a task neither makes nor changes its lock file."""
        try:
            with self._run.files.open_raw(self._run.places.of(task_id).lock) as file:
                descriptor = file.fileno()
                if not system.lock(descriptor, wait=False):
                    return True
                system.unlock(descriptor)
        except (FileNotFoundError, io.UnsupportedOperation):
            pass
        return False

    @contextlib.contextmanager
    def keeping_out(self, task_id: str) -> Iterator[None]:
        """Hold the lock without signing it, or `AlreadyRunning`; the lock file of a task that never ran is removed."""
        path = self._run.places.of(task_id).lock
        with contextlib.ExitStack() as stack:
            new = not self._run.files.exists(path)
            try:
                descriptor, locked = self._locked(stack, task_id, wait=0)
            except io.UnsupportedOperation:
                yield
                return
            if not locked:
                raise AlreadyRunning(f"{task_id} is running{self._named(task_id)}")
            stack.callback(system.unlock, descriptor)
            try:
                yield
            finally:
                if new:
                    with contextlib.suppress(OSError):  # Windows keeps what is open
                        self._run.files.unlink(path, missing_ok=True)

    def _named(self, task_id: str) -> str:
        who = self.holder(task_id)
        return f" ({who})" if who is not None and str(who) else ""
