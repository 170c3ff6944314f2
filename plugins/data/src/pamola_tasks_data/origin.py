"""Outputs of other tasks are read only as recorded, and only encrypted ones in a run that encrypts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DataError, PathSecurityError

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_data.verified import VerifiedFile


def is_output(run: RunServices | None, path: str) -> bool:
    """Whether a task of the project writes a file, so that it is written as tasks write; judged by its path.

    A task's `input` directory is for files of people.
    """
    if run is None or "places" not in vars(run):
        return False
    with contextlib.suppress(PathSecurityError):
        name = run.files.name(path)
        if owner := run.places.owner_of(name):
            given = run.places.of(owner).directories.get("input")
            return not (given and name.startswith(f"{given}/"))
    return False


def check_origin(run: RunServices, name: str, file: VerifiedFile) -> None:
    """Refuse a file of another task that is not what the newest run that left it recorded.

    Raises:
        DataError: It is not, and `data.unverified_inputs` does not list the dataset.
    """
    path = run.files.name(file.path)
    owner = run.places.owner_of(path)
    if owner in ("", run.record.task_id) or name in run.config.plugin("data").unverified_inputs:
        return
    if problem := _problem(run, owner, path, file):
        raise DataError(
            f"dataset {name!r} ({path}) is an output of task {owner!r}, and {problem}: run"
            f" `pamola-task run {owner}` again, or list {name} under `data.unverified_inputs` to read it all the same"
        )


def _problem(run: RunServices, owner: str, path: str, file: VerifiedFile) -> str:
    strict = run.config.use_encryption
    if strict and not file.encryption.encrypted:
        return "it is not encrypted, although this run encrypts"
    record = _record(run, owner, path)
    recorded: Any = next((e for e in (record or {}).get("output_files") or () if e.get("path") == path), {})
    if not recorded.get("sha256"):
        return "no run recorded that it left it" if strict and record is not None else ""
    if strict and record is not None and record.get("authentic") is False:
        return "the record of the run that left it was not made with the project's key"
    if file.sha256 != recorded["sha256"]:
        return f"it was changed since run {record and record.get('task_run_id')} left it"
    return ""


def _record(run: RunServices, owner: str, path: str) -> Any:
    """What the history has of the newest run that left a file, else of the newest run of its task."""
    find = getattr(run.history, "find_task_by_output", None)
    return (find(path) if find else None) or run.history.find_latest_execution(owner, success_only=False)
