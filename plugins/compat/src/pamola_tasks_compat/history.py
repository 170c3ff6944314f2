"""`ExecutionLog` with the methods of the forerunner: recording runs of other tools, changing, exporting, importing."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from pamola_tasks.errors import ExecutionLogError, PathSecurityError
from pamola_tasks.protocols import Files, Progress
from pamola_tasks.record import Artifact, new_run_id, now, rfc3339
from pamola_tasks.storage import journal
from pamola_tasks.storage.files import check_name
from pamola_tasks_compat.owners import owned
from pamola_tasks_compat.progress import shown

_CSV_COLUMNS = (
    "task_id",
    "task_type",
    "task_run_id",
    "timestamp",
    "success",
    "execution_time",
    "report_path",
    "input_files_count",
    "output_files_count",
    "hostname",
    "status",
)


class ExecutionLog:
    """The execution history of a project, as the plugin for the service `history` keeps it.

    Every failure raises `ExecutionLogError`; a path that the project does not allow raises `PathSecurityError`. Each
    method takes a `progress_manager` that it is shown on. What is not here is the plugin's own.

    Args:
        files: The project's files.
        path: Another place of the log than the usual one.
        options: As the plugin's class takes them.
    """

    def __init__(self, files: Files, path: str = "", **options: Any) -> None:
        self._log: Any = owned("history", "pamola_tasks_history.log", "ExecutionLog")(files, path, **options)
        self._files = files

    @classmethod
    def of(cls, log: Any, files: Files) -> Self:
        """The same for a history that is there already, such as that of a run."""
        made = cls.__new__(cls)
        made._log, made._files = log, files
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_log"], name) if "_log" in self.__dict__ else self.__getattribute__(name)

    # ------------------------------------------------------------ recording

    def initialize_execution_log(
        self, project_path: str | Path | None = None, progress_manager: Progress | None = None
    ) -> Path:
        """Make the log where it is missing, from the file for other tools where that is there.

        Args:
            project_path: The project whose log is meant, for the caller's safety: it has to be this one.
            progress_manager: Shown on.

        Returns:
            Where the log is.
        """
        if project_path is not None and os.path.realpath(project_path) != os.path.realpath(self._files.root):
            raise ExecutionLogError(
                f"this is the history of the project {self._files.root}, not of {project_path}: open the history of"
                " that project with Kernel.discover(project=…)"
            )
        with shown(progress_manager, "Making the execution log"):
            self._log.add([])
        return self._files.root / str(self._log.log_path)

    def record_task_execution(
        self,
        task_id: str,
        task_type: str,
        success: bool,
        execution_time: float,
        report_path: str | Path | None,
        input_datasets: Mapping[str, str | Path] | Iterable[str | Path] | None = None,
        output_artifacts: Iterable[Artifact | Mapping[str, Any] | str | Path] | None = None,
        progress_manager: Progress | None = None,
    ) -> str:
        """Record a run that was not run by the framework.

        Args:
            task_id: The task.
            task_type: Its type.
            success: Whether it succeeded.
            execution_time: Seconds.
            report_path: Its report, if it wrote one.
            input_datasets: Paths by name, or paths.
            output_artifacts: Artifacts, mappings with `path` (and `type`, `description`), or paths.
            progress_manager: Shown on.

        Returns:
            The id that the run was given.
        """
        inputs: Iterable[tuple[str, str | Path]] = (
            input_datasets.items()
            if isinstance(input_datasets, Mapping)
            else [(Path(path).stem, path) for path in input_datasets or ()]
        )
        check_name(task_id, "the task id")
        if isinstance(execution_time, bool) or not isinstance(execution_time, (int, float)) or not execution_time >= 0:
            raise ExecutionLogError("the run cannot be recorded: 'execution_time' must be seconds, 0 or more")
        with shown(progress_manager, "Recording the run"):
            ended = now()
            record = {
                "task_id": task_id,
                "task_type": task_type,
                "task_run_id": new_run_id(),
                "timestamp": rfc3339(ended),
                "success": success,
                "status": "success" if success else "failed",
                "started": rfc3339(ended - timedelta(seconds=execution_time)),
                "finished": rfc3339(ended),
                "execution_time": execution_time,
                "report_path": self._stored(report_path) if report_path else "",
                "input_files": [{"name": name, "path": self._stored(path)} for name, path in inputs],
                "output_files": [self._output(item) for item in output_artifacts or ()],
                "hostname": platform.node() or "localhost",
                "pid": os.getpid(),
            }
            _refuse(_of_events("problems_of")(record), "the run cannot be recorded")
            self._log.add([record])
        return str(record["task_run_id"])

    def track_input_files(
        self, task_id: str, file_paths: Iterable[str | Path], progress_manager: Progress | None = None
    ) -> bool:
        """Add input files to the newest run of a task; False when it has none."""
        added = [{"name": Path(path).stem, "path": self._stored(path)} for path in file_paths]
        return self._track(task_id, "input_files", added, progress_manager)

    def track_output_files(
        self, task_id: str, file_paths: Iterable[str | Path], progress_manager: Progress | None = None
    ) -> bool:
        """Add output files to the newest run of a task; False when it has none."""
        return self._track(task_id, "output_files", [self._output(path) for path in file_paths], progress_manager)

    def _track(self, task_id: str, key: str, added: list[dict[str, Any]], progress: Progress | None) -> bool:
        with shown(progress, f"Tracking {key.replace('_', ' ')}"):
            record = self._log.find_latest_execution(task_id, success_only=False)
            if record is None:
                return False
            united = {item["path"]: item for item in [*added, *record[key]]}
            self._log.update(record["task_run_id"], task_id, {key: list(united.values())})
            return True

    # ------------------------------------------------------------ changing what is recorded

    def update_execution_record(
        self, task_run_id: str, updates: Mapping[str, Any], progress_manager: Progress | None = None
    ) -> bool:
        """Change keys of a record; False when there is no run of this id.

        Raises:
            ExecutionLogError: A value is not what the key needs, or a path is not allowed; nothing is changed.
        """
        changed = dict(updates)
        _refuse(
            [f"{key!r} names the run and cannot be changed" for key in ("task_id", "task_run_id") if key in changed]
            + _of_events("problems_of")(changed, required=()),
            f"the record of run {task_run_id} cannot be changed",
        )
        for key in ("input_files", "output_files"):
            if key in changed:
                changed[key] = [{**item, "path": self._stored(item["path"])} for item in changed[key]]
        if changed.get("report_path"):
            changed["report_path"] = self._stored(changed["report_path"])
        with shown(progress_manager, "Changing a record"):
            record = next((r for r in self._log.records() if r["task_run_id"] == task_run_id), None)
            if record is not None:
                self._log.update(task_run_id, record["task_id"], changed)
            return record is not None

    def remove_execution_record(self, task_run_id: str, progress_manager: Progress | None = None) -> bool:
        """Remove a run from the log, for good; False when there is no run of this id."""
        with shown(progress_manager, "Removing a record"):
            if not any(record["task_run_id"] == task_run_id for record in self._log.records()):
                return False
            self._rewrite(lambda run_id: run_id != task_run_id)
            return True

    def cleanup_old_executions(
        self,
        max_age_days: float = 30,
        max_per_task: int = 10,
        dry_run: bool = False,
        progress_manager: Progress | None = None,
    ) -> tuple[int, list[str]]:
        """Remove runs that are older than `max_age_days` and not among the newest `max_per_task` of their task.

        The newest run of a task, and runs that still run, stay in any case.

        Args:
            max_age_days: Younger runs stay.
            max_per_task: So many of each task stay.
            dry_run: List the runs without removing them.
            progress_manager: Shown on.

        Returns:
            How many, and their ids.
        """
        if not max_age_days >= 0 or max_per_task < 0:
            raise ExecutionLogError("nothing was cleaned up: max_age_days and max_per_task must be 0 or more")
        oldest = now() - timedelta(days=max_age_days)
        counted: dict[str, int] = {}
        removed: list[str] = []
        with shown(progress_manager, "Cleaning up the history"):
            for record in self._log.records():
                place = counted[record["task_id"]] = counted.get(record["task_id"], 0) + 1
                when: datetime | None = _of_events("moment")(record["timestamp"])
                if place > max(max_per_task, 1) and record["status"] != "running" and (when is None or when < oldest):
                    removed.append(record["task_run_id"])
            if removed and not dry_run:
                gone = set(removed)
                self._rewrite(lambda run_id: run_id not in gone)
        return len(removed), removed

    # ------------------------------------------------------------ the files

    def validate_execution_log(self, progress_manager: Progress | None = None) -> tuple[bool, list[str]]:
        """Whether the log is sound, and what is wrong with it, in words with line numbers."""
        with shown(progress_manager, "Checking the execution log"):
            found: list[str] = self._log.problems()
        return not found, found

    def export_execution_log(
        self, output_path: str | Path | None = None, format: str = "json", progress_manager: Progress | None = None
    ) -> Path:
        """Write all records to a file, which `import_execution_log` reads.

        Args:
            output_path: Where to, in the project; `logs/execution_log_<time>.<format>` unless given.
            format: `json`, or `csv` with counts in place of the lists of files.
            progress_manager: Shown on.

        Returns:
            The file.
        """
        if format not in ("json", "csv"):
            raise ExecutionLogError(f"the execution log is exported as json or csv, not as {format!r}")
        target = str(output_path or f"logs/execution_log_{now():%Y%m%d_%H%M%S}.{format}")
        with shown(progress_manager, "Exporting the history"):
            found = list(self._log.records())
            text = _to_csv(found) if format == "csv" else self._to_json(found)
            try:
                self._files.write(target, text, "log")
            except (OSError, ValueError, TypeError) as problem:
                raise ExecutionLogError(f"the execution log {target} could not be exported: {problem}") from problem
        return self._files.root / target

    def import_execution_log(
        self, input_path: str | Path, merge: bool = False, progress_manager: Progress | None = None
    ) -> bool:
        """Read records from a file that was exported (`.csv`, else JSON), also one of the framework's forerunner.

        Args:
            input_path: The file, where the project may read.
            merge: Add the runs that are not in the log. Without, the file's runs replace all but those that run now.
            progress_manager: Shown on.

        Raises:
            ExecutionLogError: The file cannot be read or is not of this form; nothing is changed.
        """
        with shown(progress_manager, "Importing runs"):
            try:
                data = self._files.read(input_path, "log")
            except (OSError, ValueError, TypeError) as problem:
                raise ExecutionLogError(f"the execution log {input_path} could not be imported: {problem}") from problem
            if str(input_path).endswith(".csv"):
                imported = _of_summary("complete")(_from_csv(data), self._files.root)
            else:
                imported = _of_summary("parse")(data, self._files.root)
            present = {record["task_run_id"]: record["status"] for record in self._log.records()}
            kept = set(present) if merge else {run_id for run_id, status in present.items() if status == "running"}
            added = [record for record in imported if record["task_run_id"] not in kept]
            self._rewrite(lambda run_id: run_id in kept, added)
        return True

    # ------------------------------------------------------------ how it is done

    def _rewrite(self, keep: Callable[[str], bool], records: Iterable[Mapping[str, Any]] = ()) -> None:
        """Remove runs from the log for good, and add others, each at its place in time."""
        entries = self._log.redact([entry for record in records for entry in _of_events("of_record")(record)])
        self._log.rewrite(lambda lines: _merged(lines, keep, entries))

    def _stored(self, path: str | Path) -> str:
        """A path as it is stored, after asking whether the project allows it."""
        try:
            found: str = _of_events("stored_path")(path, self._files.root)
            self._files.stat(found)
        except FileNotFoundError:
            return found  # files may be gone, or not be there yet
        except (ValueError, TypeError, OSError, PathSecurityError) as problem:
            raise ExecutionLogError(f"{str(path)!r} cannot be recorded: {problem}") from problem
        return found

    def _output(self, item: Artifact | Mapping[str, Any] | str | Path) -> dict[str, Any]:
        """An output file as it is stored."""
        if isinstance(item, (str, Path)):
            facts: Mapping[str, Any] = {"path": item}
        elif isinstance(item, Mapping):
            facts = item
        else:
            facts = {"path": item.path, "type": item.artifact_type, "description": item.description}
        path = facts.get("path", "")
        kind = facts.get("type") or Path(path).suffix.lstrip(".")
        return {"path": self._stored(path), "type": kind, "description": facts.get("description", "")}

    def _to_json(self, records: list[dict[str, Any]]) -> str:
        return str(_of_summary("to_json")(_of_summary("document")(records)))


def _of_events(name: str) -> Any:
    return owned("history", "pamola_tasks_history.events", name)


def _of_summary(name: str) -> Any:
    return owned("history", "pamola_tasks_history.summary", name)


def _merged(lines: Iterable[bytes], keep: Callable[[str], bool], added: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The lines of a log without the events of some runs, and with others, each before the first that is newer.

    Lines that are damaged stay: they are evidence.
    """
    waiting = sorted(added, key=lambda entry: str(entry["time"]), reverse=True)
    for line in lines:
        with contextlib.suppress(ValueError):
            entry = journal.decode(line)
            if not keep(entry.get("run_id", "")):
                continue
            while waiting and waiting[-1]["time"] < entry.get("time", ""):
                yield journal.encode(waiting.pop())
        yield line + b"\n"
    yield from map(journal.encode, reversed(waiting))


def _refuse(problems: list[str], what: str) -> None:
    if problems:
        raise ExecutionLogError(f"{what}: {'; '.join(problems)}")


def _to_csv(records: Iterable[Mapping[str, Any]]) -> str:
    """Records as CSV, with counts in place of the lists of files."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        counts = {f"{key}_count": len(record[key]) for key in ("input_files", "output_files")}
        writer.writerow({**record, **counts})
    return text.getvalue()


def _from_csv(data: bytes) -> list[dict[str, Any]]:
    try:
        return list(_rows(csv.DictReader(io.StringIO(data.decode("utf-8-sig")))))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise ExecutionLogError(f"not an exported execution log: {problem}") from problem


def _rows(rows: csv.DictReader[str]) -> Iterable[dict[str, Any]]:
    required = _of_events("REQUIRED")
    missing = [column for column in required if column not in (rows.fieldnames or ())]
    if missing:
        raise ExecutionLogError(f"not an exported execution log: the column {missing[0]!r} is missing")
    for row in rows:
        known = {key: value for key, value in row.items() if key in _CSV_COLUMNS and not key.endswith("_count")}
        truth = {"true": True, "false": False}.get((row["success"] or "").lower())
        try:
            seconds = float(row["execution_time"]) if row.get("execution_time") else None
        except ValueError:
            raise ExecutionLogError(f"line {rows.line_num}: the execution time is not a number") from None
        if truth is None:
            raise ExecutionLogError(f"line {rows.line_num}: success must be True or False")
        status = row.get("status") or ("success" if truth else "failed")
        yield {**known, "success": truth, "execution_time": seconds, "status": status}
