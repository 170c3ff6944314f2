"""Storing, loading and examining reports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PathSecurityError, ReportingError, UsageError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.storage.files import check_name

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Places, Role

_LARGEST = 256 << 20
_MISSING = " is missing"
_NO_REPORT = ("running", "aborted", "unknown")


def as_json(report: Mapping[str, Any]) -> bytes:
    """A report or manifest as JSON: one line for each entry of its lists and sections, so that it can be read and
    compared line by line, at a fifth of the time that full indentation takes."""
    parts = [f"  {_encoded(key)}: {_expanded(item)}" for key, item in report.items()]
    return "{{\n{}\n}}\n".format(",\n".join(parts)).encode("utf-8", "backslashreplace")


def _expanded(item: Any) -> str:
    if isinstance(item, Mapping) and item:
        return "{{\n    {}\n  }}".format(",\n    ".join(f"{_encoded(key)}: {_encoded(v)}" for key, v in item.items()))
    if isinstance(item, list) and item:
        return "[\n    {}\n  ]".format(",\n    ".join(map(_encoded, item)))
    return _encoded(item)


_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class Reports:
    """The reports of one task, which is a plain name, where `places` says."""

    def __init__(self, places: Places, task_id: str) -> None:
        self._places = places
        self.place = places.of(task_id)
        self.task_id = task_id

    def newest(self, extension: str = "json") -> str:
        """The report of the newest run."""
        return self.place.report(extension=extension)

    def of_run(self, run_id: str, extension: str = "json") -> str:
        """The report of one run."""
        return self.place.report(check_name(run_id, "run id"), extension)

    def whole(self, run_id: str) -> str:
        """The report of one run that encrypts, with what the others withhold: an encrypted file."""
        return self.of_run(run_id, "whole")

    def runs(self) -> list[str]:
        """Ids of the runs that have a report, oldest first."""
        return self._places.runs(self.task_id)

    def read(self, files: Files, run_id: str | None = None) -> dict[str, Any]:
        """The report of the run whose id is or, unambiguously, begins with `run_id`; of the newest run unless given.

        Raises:
            UsageError: There is none, or the beginning fits several runs.
            ReportingError: The file is there and is not a report.
        """
        name = self.newest() if run_id is None else self.of_run(self.run_of(run_id))
        try:
            return self._read(files, name, "report")
        except FileNotFoundError:
            raise UsageError(
                f"task {self.task_id} has no report yet: run it with `pamola-task run {self.task_id}`"
            ) from None

    def read_whole(self, files: Files, run_id: str) -> dict[str, Any]:
        """The encrypted report of a run.

        Raises:
            EncryptionError: The key is not available, or it was altered.
            ReportingError: It is that of another run.
        """
        name = self.whole(run_id)
        report = self._read(files, name, "artifact")
        if (report["task"].get("id"), report["run"].get("id")) != (self.task_id, run_id):
            raise ReportingError(f"{name} is the report of another run")
        return report

    def _read(self, files: Files, name: str, role: Role) -> dict[str, Any]:
        try:
            if files.stat(name).size > _LARGEST:
                raise ReportingError(f"{name} is not a report of pamola-tasks: larger than {_LARGEST >> 20} MiB")
            report = json.loads(files.read(name, role))
        except (ValueError, RecursionError) as error:
            raise ReportingError(
                f"{name} is damaged: invalid JSON: {error}; the reports of single runs are next to it"
            ) from None
        if not isinstance(report, dict) or not all(isinstance(report.get(key, {}), dict) for key in ("task", "run")):
            raise ReportingError(f"{name} is not a report of pamola-tasks")
        if report.get("schema") != 1:
            raise ReportingError(
                f"{name} has schema {report.get('schema')!r}, and this release reads schema 1: update it"
            )
        return report

    def run_of(self, beginning: str) -> str:
        """The run with a report whose id is or, unambiguously, begins with this; a UsageError where there is none."""
        runs = self.runs()
        if beginning in runs:
            return beginning
        fitting = [run for run in runs if re.fullmatch(r"[0-9a-fA-F-]{4,}", beginning) and run.startswith(beginning)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise UsageError(
                f"{beginning!r} is the beginning of {len(fitting)} runs of {self.task_id}: {', '.join(fitting[-5:])}"
            )
        known = f"those with a report are: {', '.join(runs[-5:])}" if runs else "it has no report yet"
        raise UsageError(f"task {self.task_id} has no run {beginning!r}; {known}")


def diagnose(files: Files, reports: Reports, latest: Mapping[str, Any] | None) -> list[Diagnosis]:
    """What is wrong with the reports of a task of which the history has this newest record."""
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


def altered(
    files: Files, reports: Reports, records: Sequence[Mapping[str, Any]], pruned: Callable[[], set[str] | None]
) -> list[Diagnosis]:
    """Which files of reports are not as the history, in records newest first, has them; of older runs their own.

    `pruned` is asked for the runs of which `reports prune` removed all files, if that is known.
    """
    found = []
    for number, record in enumerate(records):
        own = [
            entry
            for entry in record.get("report_files") or ()
            if not number or str(entry.get("path")).startswith(f"{reports.place.run_reports}/")
        ]  # the others were replaced by a newer run
        there = any(files.exists(str(entry.get("path"))) for entry in own)
        for entry in own:
            if not (problem := fault(files, entry, str(record.get("task_run_id")))):
                continue
            if problem.endswith(_MISSING) and not (there or not number):
                if (known := pruned()) is None or record.get("task_run_id") in known:
                    continue
                problem += ", and `reports prune` did not remove it"
            found.append(_wrong(problem))
    return found


def fault(files: Files, entry: Mapping[str, Any], run_id: str) -> str:
    """Why a file of a report is not as the history has it; nothing where it is."""
    path = str(entry.get("path"))
    try:
        return "" if files.sha256(path) == entry.get("sha256") else f"{path} was changed since run {run_id} wrote it"
    except FileNotFoundError:
        return f"{path}{_MISSING}"
    except (OSError, PathSecurityError) as problem:
        return f"{path} cannot be read: {problem}"


PRUNED = "reports pruned"  # the key of what the history is given to vouch for


def pruned_by(history: Any, task_id: str) -> set[str] | None:
    """The runs of a task of which `reports prune` removed all files, as the history has it; None where it cannot."""
    if not hasattr(history, "notes"):
        return None
    notes = history.notes(PRUNED, proven=True)
    return {run for note in notes if note.get("task") == task_id for run in note.get("runs", ())}


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
