"""The lock of a task: the operating system's, so that no crash leaves one behind."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING

from pamola_tasks import nulls
from pamola_tasks.errors import AlreadyRunning
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import locks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.protocols import Lock, RunServices


class TaskLock:
    """The operating system's lock on a task. Who holds it stands in the file until they let go, and which steps run."""

    def __init__(self, descriptor: int, holder: bytes) -> None:
        self._stack = contextlib.ExitStack()  # what keeps the file open
        self._descriptor = descriptor
        self.after_a_crash = os.fstat(descriptor).st_size > 0
        self._told = len(holder)
        # Its first byte, a brace, stays until the new holder lets go: no crash on the way may hide the one before.
        kept = int(self.after_a_crash)
        os.ftruncate(descriptor, kept)
        os.write(descriptor, holder[kept:])

    @classmethod
    def take(cls, run: RunServices) -> Lock:
        """Lock the task, or say who has it.

        Raises:
            AlreadyRunning: Another process runs this task.
        """
        path = run.directories.get_directory("state") / "lock"
        with run.files.naming(path), contextlib.ExitStack() as stack:
            file = stack.enter_context(run.files.append(path))
            try:
                descriptor = file.fileno()
            except OSError:  # a file in memory: nobody else can see it
                return nulls.NoLock()
            if not locks.lock(descriptor, wait=run.options.wait):
                with run.files.open_raw(path) as held:
                    text = held.read(4096).decode("utf-8", "replace")
                raise AlreadyRunning(
                    f"task {run.record.task_id} is running already{_holder(text)}: wait for it with --wait"
                )
            holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": rfc3339(now()), "run_id": run.id}
            taken = cls(descriptor, json.dumps(holder).encode() + b"\n")
            taken._stack = stack.pop_all()
            return taken

    def tell(self, steps: Iterable[str]) -> None:
        """Say which steps run now, in the line behind the holder's: for `pamola-task status`."""
        os.ftruncate(self._descriptor, self._told)
        os.write(self._descriptor, (" ".join(steps) + "\n").encode())

    def release(self) -> None:
        """Let go; the system does so too when the process ends."""
        with self._stack:
            os.ftruncate(self._descriptor, 0)


def _holder(text: str) -> str:
    try:
        who = json.loads(text.partition("\n")[0])
        return f" (process {who['pid']} on {who['host']}, since {who['since']})"
    except (ValueError, KeyError, TypeError):
        return ""
