"""Where the directories of a task lie, as paths alone: nothing is made or looked at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs

from pamola_tasks.errors import DirectoryManagerError
from pamola_tasks.storage.files import check_name

# Under the task's own directory, by type.
_OF_TASK = {
    "input": "input",
    "output": "output",
    "dictionaries": "dictionaries",
    "temp": "temp",
    "logs": "logs",
    "state": ".state",
}


@attrs.frozen
class Layout:
    """The directories of one task.

    Attributes:
        root: The project's root.
        repository: The data repository, usually `DATA`.
        directories: Absolute paths by type.
    """

    root: Path
    repository: Path
    directories: dict[str, Path]

    @classmethod
    def of(
        cls,
        task_id: str,
        *,
        root: Path,
        data_repository: str = "DATA",
        task_dir: str | Path | None = None,
        extra: Iterable[str] = (),
    ) -> Layout:
        """Lay out the directories of a task.

        Args:
            task_id: The task's id, one plain name.
            root: The project's root.
            data_repository: Relative to the root, or absolute.
            task_dir: Where `processed` and `reports` lie instead of in the repository.
            extra: Further directories of the task, each a type of its own name.

        Raises:
            PathSecurityError: The id or an extra name is no plain name.
            DirectoryManagerError: An extra name is a standard type.
        """
        check_name(task_id, "the task id")
        repository = root / (data_repository or "DATA")
        base = repository if task_dir is None else root / task_dir
        task = base / "processed" / task_id
        directories = {"task": task} | {kind: task / name for kind, name in _OF_TASK.items()}
        directories |= {
            "raw": repository / "raw",
            "processed": base / "processed",
            "reports": base / "reports",
            "configs": root / "configs",
            "project_logs": root / "logs",
        }
        for name in extra:
            if check_name(name, "the extra directory") in directories:
                raise DirectoryManagerError(f"directories.extra: {name!r} is a standard directory; take it out")
            directories[name] = task / name
        return cls(root, repository, directories)
