"""Whether the reports and the manifest of a task are all there, whole, and each in its own place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pamola_tasks.protocols import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import Files
    from pamola_tasks_reports.store import Reports

_NO_REPORT = ("running", "aborted", "unknown")


def diagnose(files: Files, reports: Reports, latest: Mapping[str, Any] | None) -> list[Diagnosis]:
    """What is wrong with the reports of one task.

    Args:
        files: Opens them.
        reports: Their folder.
        latest: The newest record of the task in the history, where there is one.
    """
    found: list[Diagnosis] = []
    runs = reports.runs()
    for run_id in runs:
        found += _problems(files, reports.of_run(run_id), {"task.id": reports.task_id, "run.id": run_id})
    known = latest is not None and latest.get("status") not in _NO_REPORT and bool(latest.get("report_path"))
    newest = str(latest.get("task_run_id")) if known and latest is not None else max(runs, default="")
    if not newest:
        return found
    if newest not in runs:
        found.append(_wrong(f"{reports.of_run(newest)} is missing, and the history has the run"))
    found += _problems(files, reports.newest(), {"task.id": reports.task_id, "run.id": newest})
    return found + _problems(files, reports.place.manifest, {"task_id": reports.task_id, "run_id": newest})


def _problems(files: Files, name: str, wanted: Mapping[str, str]) -> list[Diagnosis]:
    """What is wrong with one file: not there, no JSON, of another release, or not what belongs here."""
    try:
        document = json.loads(files.read(name, "report"))
    except FileNotFoundError:
        return [_wrong(f"{name} is missing")]
    except (OSError, ValueError, RecursionError) as problem:
        return [_wrong(f"{name} is damaged: {problem}")]
    if not isinstance(document, dict):
        return [_wrong(f"{name} is damaged: not a JSON object")]
    if document.get("schema") != 1:
        return [_wrong(f"{name} has the schema {document.get('schema')!r}: it is damaged, or of another release")]
    return [
        _wrong(f"{name} is in the place of another: it is of {key.replace('.', ' ').replace('_', ' ')} {told!r}")
        for key, value in wanted.items()
        if (told := _at(document, key)) != value
    ]


def _at(document: Mapping[str, Any], key: str) -> Any:
    first, _, rest = key.partition(".")
    value = document.get(first)
    return _at(value, rest) if rest and isinstance(value, dict) else None if rest else value


def _wrong(finding: str) -> Diagnosis:
    return Diagnosis(level="error", subject="", finding=finding, advice="the next run of the task writes a new one")
