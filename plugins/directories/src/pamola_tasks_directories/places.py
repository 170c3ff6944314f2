"""The layout of a project: the one module that knows where everything is."""

from __future__ import annotations

import contextlib
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pamola_tasks.errors import DirectoryManagerError, PathSecurityError
from pamola_tasks.protocols import TaskPlace
from pamola_tasks.storage.files import check_name, is_temporary
from pamola_tasks.storage.leftovers import entries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.protocols import Files

# Directories under the task's own, by type.
_OF_TASK = {name: name for name in ("input", "output", "dictionaries", "temp", "logs")} | {"state": ".state"}
INTERNAL = "internal"  # what must not leave; made when there is something in it
EARLIER = "earlier"  # tables that newer ones replaced; made when one is kept
RELEASES = "releases"  # the register of releases; made when there is one


class ProjectPlaces:
    """Where everything is, as names for `Files`.

    Args:
        data_repository: Relative to the project's root, or absolute.
        extra: Further directories of each task, each a type of its own name.

    Raises:
        PathSecurityError: An extra name is not a plain name.
        DirectoryManagerError: An extra name is a standard directory.
    """

    def __init__(self, files: Files, data_repository: str = "DATA", extra: Iterable[str] = ()) -> None:
        self._files = files
        self._data = files.root / (data_repository or "DATA")
        self._processed = self._data / "processed"
        self._of_task = {**_OF_TASK, INTERNAL: INTERNAL, EARLIER: EARLIER}
        for name in extra:
            if check_name(name, "the extra directory") in {**self._of_task, **self.folders, "task": ""}:
                raise DirectoryManagerError(f"directories.extra: {name!r} is a standard directory; take it out")
            self._of_task[name] = name

    @cached_property
    def folders(self) -> dict[str, str]:
        """The project's folders, by type."""
        found = {
            "raw": self._data / "raw",
            "processed": self._processed,
            "reports": self._data / "reports",
            "configs": self._files.root / "configs",
            "project_logs": self._files.root / "logs",
            RELEASES: self._files.root / "releases",
        }
        return {kind: self._files.name(path) for kind, path in found.items()}

    def of(self, task_id: str) -> TaskPlace:
        """Where a task keeps what it has; a PathSecurityError where the id is not one plain name."""
        home = self._files.name(self._processed / check_name(task_id, "the task id"))
        directories = {"task": home} | {kind: f"{home}/{name}" for kind, name in self._of_task.items()}
        return TaskPlace(
            task_id=task_id,
            directories=directories,
            lock=f"{directories['state']}/lock",
            manifest=f"{home}/manifest.json",
            newest_report=f"{self.folders['reports']}/{task_id}_report",
            run_reports=f"{self.folders['reports']}/{task_id}",
        )

    def left(self) -> list[str]:
        """The tasks with a directory of their own, or with reports."""
        found = set()
        for folder in (self.folders["processed"], self.folders["reports"]):
            for name, kind in entries(self._files, folder):
                if kind == "directory":
                    with contextlib.suppress(PathSecurityError):  # no task can have made it
                        found.add(check_name(name, "the task id"))
        return sorted(found)

    def runs(self, task_id: str) -> list[str]:
        """The runs of a task that have a report; their ids begin with the time."""
        return [
            name.removesuffix(".json")
            for name, kind in entries(self._files, self.of(task_id).run_reports)
            if kind == "file" and name.endswith(".json") and not is_temporary(name)
        ]

    def kept_as(self, path: str, run_id: str) -> str:
        """Where a published table that a run left is kept, once a newer one has taken its place."""
        return f"{self.of(self.owner_of(path)).directories[EARLIER]}/{run_id}/{os.path.basename(path)}"

    def kept(self, path: str) -> list[str]:
        """The older tables that are kept of a published one, those of newer runs first."""
        runs = self.kept_runs(self.owner_of(path))
        return [kept for kept in (self.kept_as(path, run_id) for run_id in runs) if self._files.exists(kept)]

    def kept_runs(self, task_id: str) -> list[str]:
        """The runs of a task of which older tables are kept, newest first; their ids begin with the time."""
        with contextlib.suppress(PathSecurityError):  # of a record that no task can have made
            earlier = self.of(task_id).directories[EARLIER]
            return [name for name, _ in reversed(entries(self._files, earlier)) if self._holds(f"{earlier}/{name}")]
        return []

    def _holds(self, folder: str) -> bool:
        return self._files.stat(folder).kind == "directory" and bool(entries(self._files, folder))

    def owner_of(self, path: str | Path) -> str:
        """The task in whose directory a path is. Nothing is opened, and the file need not be there."""
        with contextlib.suppress(ValueError):
            parts = Path(os.path.normpath(self._files.root / path)).relative_to(self._processed).parts
            return parts[0] if len(parts) > 1 else ""
        return ""
