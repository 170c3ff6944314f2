"""What callers and other tools say of runs, brought into the form in which the log keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ExecutionLogError, PathSecurityError
from pamola_tasks.record import rfc3339
from pamola_tasks_history import events

if TYPE_CHECKING:
    from pamola_tasks.operation import Artifact
    from pamola_tasks.protocols import Files


def stored(files: Files, path: str | Path) -> str:
    """A path as it is stored, after asking whether the project allows it.

    Raises:
        ExecutionLogError: It does not, or it is no path.
    """
    try:
        found = events.stored_path(path, files.root)
        files.stat(found)
    except FileNotFoundError:
        return found  # files may be gone, or not be there yet
    except (ValueError, TypeError, OSError, PathSecurityError) as problem:
        raise ExecutionLogError(f"{str(path)!r} cannot be recorded: {problem}") from problem
    return found


def output(files: Files, item: Artifact | Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """An output file as it is stored.

    Raises:
        ExecutionLogError: The project does not allow its path.
    """
    if isinstance(item, (str, Path)):
        facts: Mapping[str, Any] = {"path": item}
    elif isinstance(item, Mapping):
        facts = item
    else:
        facts = {"path": item.path, "type": item.artifact_type, "description": item.description}
    path = facts.get("path", "")
    kind = facts.get("type") or Path(path).suffix.lstrip(".")
    return {"path": stored(files, path), "type": kind, "description": facts.get("description", "")}


def normalize(records: list[dict[str, Any]], root: Path) -> None:
    """Bring the paths and times of foreign records into the form of ours.

    Raises:
        ExecutionLogError: A path cannot be stored.
    """
    for record in records:
        try:
            for item in (*record["input_files"], *record["output_files"]):
                item["path"] = events.stored_path(item["path"], root)
            if record.get("report_path"):
                record["report_path"] = events.stored_path(record["report_path"], root)
        except ValueError as problem:
            raise ExecutionLogError(f"run {record['task_run_id']}: a path of it {problem}") from problem
        when = events.moment(record["timestamp"])
        if when is not None:
            record["timestamp"] = rfc3339(when)
