"""Whether a key is in use: it must not change while a run writes with it, wherever tasks and their locks are."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pamola_tasks.errors import AlreadyRunning
from pamola_tasks.storage import locks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.protocols import Files, KernelView

LOCK = ".pamola/keys.lock"  # shared by the runs that encrypt; held alone by who changes keys


@contextlib.contextmanager
def using(files: Files) -> Iterator[None]:
    """For a run that encrypts: keep others from changing the key.

    Raises:
        AlreadyRunning: Another process is changing it.
    """
    files.mkdirs(".pamola")
    with files.append(LOCK) as file:
        if not locks.lock(file.fileno(), wait=False, shared=True):
            raise AlreadyRunning("the key of this project is being changed: run the task when that is done")
        yield


@contextlib.contextmanager
def not_in_use(kernel: KernelView, files: Files) -> Iterator[None]:
    """For who changes the key: keep tasks from running, and runs from encrypting.

    Raises:
        AlreadyRunning: A task is running.
    """
    with contextlib.ExitStack() as stack:
        for task_id in kernel.task_ids():
            try:
                stack.enter_context(kernel.inspect(task_id).lock.keeping_out(task_id))
            except AlreadyRunning:
                raise _running(task_id) from None
        files.mkdirs(".pamola")
        file = stack.enter_context(files.append(LOCK))
        if not locks.lock(file.fileno(), wait=False):
            raise _running("a task")
        yield


def _running(what: str) -> AlreadyRunning:
    return AlreadyRunning(f"{what} is running: keys are changed when it has ended; nothing was changed")
