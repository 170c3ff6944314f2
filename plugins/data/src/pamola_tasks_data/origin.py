"""Where inputs are; outputs of other tasks are read only as recorded, and only encrypted in a run that encrypts."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DataError, PathSecurityError
from pamola_tasks.record import is_address

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_data.verified import VerifiedFile


def input_files(run: RunServices) -> dict[str, str]:
    """Where each input is that is in a file, by the dataset's name.

    Of one that is elsewhere a plugin adds the step that copies it (`pamola_modify_plan`).
    """
    named = {**run.config.auxiliary_datasets, **run.config.input_datasets}
    return {name: _place_of(run, str(path)) for name, path in named.items() if not is_address(path)}


def _place_of(run: RunServices, path: str) -> str:
    """An input's path: under the project's root; under the data repository where it is there only."""
    if os.path.isabs(path):
        return path
    with contextlib.suppress(PathSecurityError):
        in_repository = f"{run.config.data_repository}/{path}"
        if not run.files.exists(path) and run.files.exists(in_repository):
            return in_repository
    return path


def writer_of(run: RunServices | None, path: str) -> str:
    """Id of the task of the project that writes a file, judged by its path; empty where none does.

    A task's `input` directory is for files of people.
    """
    if run is None or "places" not in vars(run):
        return ""
    with contextlib.suppress(PathSecurityError):
        name = run.files.name(path)
        if owner := run.places.owner_of(name):
            given = run.places.of(owner).directories.get("input")
            return "" if given and name.startswith(f"{given}/") else owner
    return ""


def is_output(run: RunServices | None, path: str) -> bool:
    """Whether a task of the project writes a file, so that it is written as tasks write; judged by its path."""
    return bool(writer_of(run, path))


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
