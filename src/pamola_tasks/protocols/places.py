"""Where tasks keep what they have: the layout of a project, the directories of a run, the lock of a task."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@attrs.frozen(kw_only=True)
class TaskPlace:
    """Where one task keeps what it has. Nothing of it need be there.

    All names are for `Files`: relative to the project's root, or absolute.
    """

    task_id: str  #: the task
    #: its directories by type: `task, input, output, dictionaries, temp, logs, state`, and further ones
    directories: Mapping[str, str]
    lock: str  #: the file that the task's lock is held on, for locks that are files
    manifest: str  #: the list of what its newest run published
    newest_report: str  #: the report of its newest run, without extension
    run_reports: str  #: the directory with a report for each run, named by the run's id

    @property
    def home(self) -> str:
        """The task's own directory."""
        return self.directories["task"]

    @property
    def state(self) -> str:
        """What the task keeps for its next run."""
        return self.directories["state"]

    def report(self, run_id: str | None = None, extension: str = "json") -> str:
        """The report of a run, or of the newest one."""
        stem = self.newest_report if run_id is None else f"{self.run_reports}/{run_id}"
        return f"{stem}.{extension}"


class Places(Protocol):
    """The layout of a project: where everything is, of any task. Nothing else in the system knows a folder's name."""

    @property
    def folders(self) -> Mapping[str, str]:
        """The project's folders by type, named as in `TaskPlace`: `raw, processed, reports, configs, project_logs`."""

    def of(self, task_id: str) -> TaskPlace:
        """Where a task keeps its files, also if there is no such task; `PathSecurityError` if the id is not a name."""

    def left(self) -> list[str]:
        """The ids of all tasks that have left something, sorted."""

    def runs(self, task_id: str) -> list[str]:
        """The ids of the runs of a task that have a report, oldest first."""

    def owner_of(self, path: str | Path) -> str:
        """The task in one of whose directories a path is, judged by the path alone; empty for all other paths.

        Encrypted files are bound to it, and are written in one directory of a task and moved to another.
        """


class Directories(Protocol):
    """The directories of one run's task (`TaskDirectoryManager`), the same that `Places` says: a run is refused where
    the two disagree. Types: those of `TaskPlace.directories` and of `Places.folders`."""

    def ensure_directories(self) -> dict[str, Path]:
        """Make what is missing; all directories by type."""

    def get_directory(self, dir_type: str) -> Path:
        """One directory, absolute; an unknown type raises `DirectoryManagerError`."""

    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path:
        """A path for an artifact, checked."""

    def clean_temp_directory(self) -> bool:
        """Empty the temp directory, without deleting it."""


@attrs.frozen(kw_only=True)
class LockHolder:
    """Who locked a task and has not let go of it: it runs, or its process ended without. Empty where it is unknown."""

    run_id: str = ""
    pid: int | None = None
    host: str = ""
    since: str = ""  # RFC 3339
    steps: tuple[str, ...] = ()  # that run, or ran when the process ended

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}" if self.pid is not None else ""


class Lock(Protocol):
    """Keeps a task from running twice at the same time. The kernel takes it for a run; any process can ask about it."""

    @property
    def held(self) -> bool:
        """Whether this run holds it."""

    @property
    def after_a_crash(self) -> bool:
        """Whether the run that held it before did not let go of it itself, and may have left files half written."""

    def take(self, *, wait: bool = False) -> None:
        """Lock the run's task, then remove what a run that crashed has left half written in the task's directories.

        While another process holds it, wait, or raise `AlreadyRunning`.
        """

    def tell(self, steps: Iterable[str]) -> None:
        """Say which steps run now, to other processes."""

    def release(self) -> None:
        """Let go; nothing happens where it is not held."""

    def holder(self, task_id: str) -> LockHolder | None:
        """The process that holds the lock of a task; None if unlocked, or unknown."""

    def is_running(self, task_id: str) -> bool:
        """Whether a task is locked now."""

    def keeping_out(self, task_id: str) -> AbstractContextManager[None]:
        """Keep every process from running a task while the block lasts; `AlreadyRunning` if one does."""
