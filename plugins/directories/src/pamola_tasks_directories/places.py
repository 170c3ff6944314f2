"""Tasks looked at from outside: what each has on the disk, whether it runs now, and at which step."""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.storage import files as durable
from pamola_tasks.storage import leftovers, locks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.storage.files import Files


@attrs.frozen
class TaskPlace:
    """Where one task keeps what it has.

    Args:
        files: What opens everything.
        repository: The project's data repository, normally `DATA`.
        task_id: The task, a plain name.
    """

    files: Files
    repository: str
    task_id: str = attrs.field()

    @task_id.validator
    def _plain_name(self, attribute: attrs.Attribute[str], value: str) -> None:
        durable.check_name(value, "the task id")

    @property
    def home(self) -> str:
        """The task's own folder."""
        return f"{self.repository}/processed/{self.task_id}"

    @property
    def state(self) -> str:
        """What the task keeps for its next run."""
        return f"{self.home}/.state"

    def report(self, run_id: str | None = None) -> str:
        """The JSON report of a run, or of the newest one."""
        name = f"{self.task_id}_report" if run_id is None else f"{self.task_id}/{run_id}"
        return f"{self.repository}/reports/{name}.json"

    def reported_runs(self) -> list[str]:
        """Ids of the runs that have a report, oldest first (they begin with the time)."""
        folder = f"{self.repository}/reports/{self.task_id}"
        return [
            name.removesuffix(".json") for name, kind in leftovers.entries(self.files, folder) if is_report(name, kind)
        ]

    def holder(self) -> dict[str, Any] | None:
        """Who took the task's lock last, as it says of itself: `pid, host, since, run_id`; None where nobody tells."""
        lines = self._lock_lines()
        try:
            told = json.loads(lines[0])
        except (IndexError, ValueError):
            return None
        return told if isinstance(told, dict) else None

    def _lock_lines(self) -> list[str]:
        try:
            with self.files.open_raw(f"{self.state}/lock") as file:
                return file.read(1 << 16).decode("utf-8", "replace").splitlines()
        except OSError:
            return []

    def is_running(self) -> bool:
        """Whether somebody holds the task's lock now."""
        try:
            with self.files.open_raw(f"{self.state}/lock") as file:
                free = locks.lock(file.fileno(), wait=False)
                if free:
                    locks.unlock(file.fileno())
                return not free
        except (FileNotFoundError, io.UnsupportedOperation):  # never run; or a file in memory, which nobody locks
            return False

    def running_steps(self) -> list[str]:
        """The steps that were begun and have not ended; of a task that does not run, those that were cut off."""
        return [name for line in self._lock_lines()[1:2] for name in line.split()]

    def unpublished(self) -> Iterator[str]:
        """What killed processes had begun to write beside a file's place."""
        return leftovers.unpublished(self.files, self.home)


def is_report(name: str, kind: str) -> bool:
    """Whether a file in a task's folder of reports is the JSON report of one run."""
    return kind == "file" and name.endswith(".json") and not durable.is_temporary(name)


def places(kernel: Kernel, run: RunServices) -> dict[str, TaskPlace]:
    """All tasks of a project, by id: those that it has, and those that have left something.

    Args:
        run: With the configuration up.
    """
    repository = run.config.data_repository
    left = [name for name, kind in leftovers.entries(run.files, f"{repository}/processed") if kind == "directory"]
    found = {}
    for task_id in sorted({*kernel.tasks.known(), *left}):
        with contextlib.suppress(PathSecurityError):  # a folder that no task can have made
            found[task_id] = TaskPlace(run.files, repository, task_id)
    return found


def place_of(kernel: Kernel, run: RunServices, task: str) -> TaskPlace:
    """A task's place, given its id (also of a task that is gone) or all else that can be run.

    Raises:
        UnknownTaskError: There is no such task, and none of that id has left anything.
    """
    repository = run.config.data_repository
    if not any(mark in task for mark in ("/", ":", os.sep)):
        with contextlib.suppress(PathSecurityError):
            place = TaskPlace(run.files, repository, task)
            if task in kernel.tasks.known() or run.files.exists(place.state):
                return place
    made = kernel.services(task, upto="config")
    return TaskPlace(run.files, made.config.data_repository, made.record.task_id)
