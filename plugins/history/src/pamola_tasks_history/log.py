"""`ExecutionLog`: the execution history of a project, and every question about it.

`configs/execution_log.jsonl` is the truth: one event a line, appended. `configs/execution_log.json` shows its last
100 runs to other tools and is never read back while the truth is there.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from datetime import timedelta
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ExecutionLogError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.protocols.observability import shown
from pamola_tasks.record import new_run_id, now, rfc3339
from pamola_tasks.storage import journal, leftovers
from pamola_tasks.storage.files import check_name
from pamola_tasks_history import events, given, storage
from pamola_tasks_history.index import Index
from pamola_tasks_history.process import this_process
from pamola_tasks_history.summary import Summary, document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pamola_tasks.operation import Artifact
    from pamola_tasks.protocols import Files, Progress, RunServices
    from pamola_tasks.storage.journal import Damage

LOG = "configs/execution_log.jsonl"
_NEAR = 1000  # events at the end of a long log that are looked through before the index is asked


class ExecutionLog:
    """The execution history.

    Every failure raises `ExecutionLogError`; a path that the project does not allow raises `PathSecurityError`.

    Args:
        files: The project's files.
        path: Another place than `configs/execution_log.jsonl`, relative to the project's root: the log (`.jsonl`), or
            the file for other tools (`.json`); the other one lies beside it.
        logger: Told of damaged lines.
        redact: Makes what is written safe to read.
    """

    def __init__(
        self,
        files: Files,
        path: str = "",
        *,
        logger: logging.Logger | None = None,
        redact: Callable[[Any], Any] | None = None,
    ) -> None:
        self._files = files
        named = PurePosixPath(path.replace(os.sep, "/") or LOG)
        self.log_path = str(named.with_suffix(".jsonl") if named.suffix == ".json" else named)
        self._logger = logger or logging.getLogger("pamola_tasks.history")
        self._summary = Summary(files, self.log_path, logger=self._logger, damaged=self._damaged)
        self.summary_path = self._summary.path
        self._redact = redact or (lambda value: value)
        self._index = Index(files, self.log_path)
        self._begun: set[str] = set()
        self._told = False

    # ------------------------------------------------------------ what a run records

    def run_started(self, run: RunServices) -> None:
        """Append `run_started`, and wait until the disk has it."""
        with self._failing("written"):
            if run.lock.after_a_crash:
                self._remove_leftovers()
            self._summary.adopt()
            self._append([events.started(run)], flush=True)
        self._begun.add(run.id)

    def step_finished(self, run: RunServices, step: str, status: str, seconds: float) -> None:
        """Append `step_finished`."""
        entry = events.event(
            "step_finished", run.id, run.record.task_id, step=step, status=status, seconds=round(seconds, 6)
        )
        with self._failing("written"):
            self._append([entry], flush=False)

    def run_finished(self, run: RunServices) -> None:
        """Append `run_finished` or `run_failed`, wait until the disk has it, and refresh the file for other tools."""
        with self._failing("written"):
            entry = self._redact(events.finished(run))
            for update in self._updates_while_running(run.id):
                for key, value in update.items():
                    entry[key] = _united(entry.get(key), value) if key in ("input_files", "output_files") else value
            self._summary.adopt()
            self._append([entry], flush=True)
            self._summary.refresh()

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
            input_datasets: Paths by name, or paths.
            output_artifacts: Artifacts, mappings with `path` (and `type`, `description`), or paths.
            progress_manager: Shown on, as in the other methods.

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
        with shown(progress_manager, "Recording the run"), self._failing("written"):
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
                "report_path": given.stored(self._files, report_path) if report_path else "",
                "input_files": [{"name": name, "path": given.stored(self._files, path)} for name, path in inputs],
                "output_files": [given.output(self._files, item) for item in output_artifacts or ()],
                "hostname": this_process().host,
                "pid": os.getpid(),
            }
            self._refuse(events.problems_of(record), "the run cannot be recorded")
            self._summary.adopt()
            self._append(self._redact(events.of_record(record)), flush=True)
            self._summary.refresh()
        return str(record["task_run_id"])

    def track_input_files(
        self, task_id: str, file_paths: Iterable[str | Path], progress_manager: Progress | None = None
    ) -> bool:
        """Add input files to the newest run of a task; False when it has none."""
        added = [{"name": Path(path).stem, "path": given.stored(self._files, path)} for path in file_paths]
        return self._track(task_id, "input_files", added, progress_manager)

    def track_output_files(
        self, task_id: str, file_paths: Iterable[str | Path], progress_manager: Progress | None = None
    ) -> bool:
        """Add output files to the newest run of a task; False when it has none."""
        return self._track(
            task_id, "output_files", [given.output(self._files, path) for path in file_paths], progress_manager
        )

    def _track(self, task_id: str, key: str, added: list[dict[str, Any]], progress: Progress | None) -> bool:
        with shown(progress, f"Tracking {key.replace('_', ' ')}"):
            record = self.find_latest_execution(task_id, success_only=False)
            if record is None:
                return False
            return self._update(record["task_run_id"], task_id, {key: _united(record[key], added)})

    # ------------------------------------------------------------ questions

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all runs, newest first; no more of the log is read than is asked for."""
        return self._records(self._entries())

    def _records(self, entries: Iterator[dict[str, Any] | Damage]) -> Iterator[dict[str, Any]]:
        found = events.records(entries, self._damaged)
        while True:
            with self._failing("read"):
                record = next(found, None)
            if record is None:
                return
            yield record

    def _records_of(self, task_id: str) -> Iterator[dict[str, Any]]:
        """The records of a task, newest first: from the end of the log, and by the index what is far from it."""
        near: set[str] = set()
        long = self._index.worth_it()
        for record in self._records(islice(self._entries(), _NEAR if long else None)):
            near.add(record["task_run_id"])
            if record["task_id"] == task_id:
                yield record
        if long:
            for record in self._records(self._index.entries_of(task_id)):
                if record["task_run_id"] not in near:
                    yield record

    def get_task_execution_history(
        self,
        task_id: str | None = None,
        limit: int | None = 10,
        success_only: bool = False,
        progress_manager: Progress | None = None,
    ) -> list[dict[str, Any]]:
        """Records of runs, newest first.

        Args:
            task_id: Of this task only.
            limit: At most so many; None for all.
        """
        with shown(progress_manager, "Reading the history"):
            records = self.records() if task_id is None else self._records_of(task_id)
            return list(islice((record for record in records if record["success"] or not success_only), limit))

    def find_latest_execution(
        self, task_id: str, success_only: bool = True, progress_manager: Progress | None = None
    ) -> dict[str, Any] | None:
        """The newest record of a task, or None. Without `success_only` it may be of a run that still runs."""
        found = self.get_task_execution_history(task_id, 1, success_only, progress_manager)
        return found[0] if found else None

    def find_task_by_output(
        self, file_path: str | Path, progress_manager: Progress | None = None
    ) -> dict[str, Any] | None:
        """The record of the newest run that left this file, or None.

        Args:
            file_path: Relative to the project's root, or absolute.
        """
        with shown(progress_manager, "Looking for the task that wrote a file"):
            try:
                wanted = {events.stored_path(file_path, self._files.root), self._files.name(file_path)}
            except ValueError as problem:
                raise ExecutionLogError(f"{str(file_path)!r} {problem}") from problem
            if self._index.worth_it():
                with self._failing("read"):
                    writer = self._index.writer_of(wanted)
                if writer is None:
                    return None
                record = next((r for r in self._records_of(writer[0]) if r["task_run_id"] == writer[1]), None)
                if record is not None and _left(record, wanted):
                    return record
            # The log is short; or the run that left the file last was changed so that it did not.
            return next((record for record in self.records() if _left(record, wanted)), None)

    # ------------------------------------------------------------ changing what is recorded

    def update_execution_record(
        self, task_run_id: str, updates: Mapping[str, Any], progress_manager: Progress | None = None
    ) -> bool:
        """Change keys of a record; False when there is no run of this id.

        Raises:
            ExecutionLogError: A value is not what the key needs, or a path is not allowed; nothing is changed.
        """
        changed = dict(updates)
        self._refuse(
            [f"{key!r} names the run and cannot be changed" for key in ("task_id", "task_run_id") if key in changed]
            + events.problems_of(changed, required=()),
            f"the record of run {task_run_id} cannot be changed",
        )
        for key in ("input_files", "output_files"):
            if key in changed:
                changed[key] = [{**item, "path": given.stored(self._files, item["path"])} for item in changed[key]]
        if changed.get("report_path"):
            changed["report_path"] = given.stored(self._files, changed["report_path"])
        with shown(progress_manager, "Changing a record"):
            record = next((r for r in self.records() if r["task_run_id"] == task_run_id), None)
            return record is not None and self._update(task_run_id, record["task_id"], changed)

    def remove_execution_record(self, task_run_id: str, progress_manager: Progress | None = None) -> bool:
        """Remove a run from the log, for good; False when there is no run of this id."""
        with shown(progress_manager, "Removing a record"):
            if not any(record["task_run_id"] == task_run_id for record in self.records()):
                return False
            self._remove({task_run_id})
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
            dry_run: Only tell.

        Returns:
            How many, and their ids.
        """
        if not max_age_days >= 0 or max_per_task < 0:
            raise ExecutionLogError("nothing was cleaned up: max_age_days and max_per_task must be 0 or more")
        oldest = now() - timedelta(days=max_age_days)
        counted: dict[str, int] = {}
        removed = []
        with shown(progress_manager, "Cleaning up the history"):
            for record in self.records():
                place = counted[record["task_id"]] = counted.get(record["task_id"], 0) + 1
                when = events.moment(record["timestamp"])
                if place > max(max_per_task, 1) and record["status"] != "running" and (when is None or when < oldest):
                    removed.append(record["task_run_id"])
            if removed and not dry_run:
                self._remove(set(removed))
        return len(removed), removed

    # ------------------------------------------------------------ the files

    def initialize_execution_log(
        self, project_path: str | Path | None = None, progress_manager: Progress | None = None
    ) -> Path:
        """Make the log where it is missing, from the file for other tools where that is there.

        Args:
            project_path: The project whose log is meant, for the caller's safety: it has to be this one.

        Returns:
            Where the log is.
        """
        if project_path is not None and os.path.realpath(project_path) != os.path.realpath(self._files.root):
            raise ExecutionLogError(
                f"this is the history of the project {self._files.root}, not of {project_path}: open the history of"
                " that project with Kernel.discover(project=…)"
            )
        with shown(progress_manager, "Making the execution log"), self._failing("made"):
            self._summary.adopt()
            self._append([], flush=False)
            if not self._files.exists(self.summary_path):
                self._summary.refresh()
        return self._files.root / self.log_path

    def validate_execution_log(self, progress_manager: Progress | None = None) -> tuple[bool, list[str]]:
        """Whether the log is sound, and what is wrong with it, in words with line numbers."""
        with shown(progress_manager, "Checking the execution log"), self._failing("read"):
            found = storage.problems(journal.read(self._files, self.log_path))
        return not found, found

    def diagnose(self) -> list[Diagnosis]:
        """What is damaged or missing: lines of the log, and the file for other tools."""
        with self._failing("read"):
            read = journal.read(self._files, self.log_path)
            found = [
                Diagnosis(
                    level="warning" if "cut off" in problem else "error",
                    subject="",
                    finding=f"{self.log_path}: {problem}",
                )
                for problem in storage.problems(read)
            ]
            summary = self._files.exists(self.summary_path)
            if not self._files.exists(self.log_path):
                if summary:
                    text = f"{self.log_path} is missing: the next run begins it with what {self.summary_path} has"
                    found.append(Diagnosis(level="error", subject="", finding=text))
                return found
            ended = any(entry.get("event") in events.ENDED for entry in read.entries)
            problem = self._summary.problem(read) if summary else "is missing" if ended else ""
        if problem:
            text = f"{self.summary_path} {problem}"
            advice = "the next run writes it anew; the log is the truth"
            found.append(Diagnosis(level="error", subject="", finding=text, advice=advice))
        return found

    def export_execution_log(
        self,
        output_path: str | Path | None = None,
        format: str = "json",
        progress_manager: Progress | None = None,
    ) -> Path:
        """Write all records to a file, which `import_execution_log` reads.

        Args:
            output_path: Where to, in the project; `logs/execution_log_<time>.<format>` unless given.
            format: `json`, or `csv` with counts in place of the lists of files.

        Returns:
            The file.
        """
        if format not in ("json", "csv"):
            raise ExecutionLogError(f"the execution log is exported as json or csv, not as {format!r}")
        target = str(output_path or f"logs/execution_log_{now():%Y%m%d_%H%M%S}.{format}")
        with shown(progress_manager, "Exporting the history"):
            found = list(self.records())
            text = storage.to_json(document(found)) if format == "json" else storage.to_csv(found)
            with self._failing("exported", target):
                self._files.write(target, text, "log")
        return self._files.root / target

    def import_execution_log(
        self, input_path: str | Path, merge: bool = False, progress_manager: Progress | None = None
    ) -> bool:
        """Read records from a file that was exported (`.csv`, else JSON), also one of the framework's forerunner.

        Args:
            input_path: The file, where the project may read.
            merge: Add the runs that are not in the log. Without, the file's runs replace all but those that run now.

        Raises:
            ExecutionLogError: The file cannot be read or is not of this form; nothing is changed.
        """
        with shown(progress_manager, "Importing runs"):
            with self._failing("imported", str(input_path)):
                imported = storage.parse(self._files.read(input_path, "log"), csv=str(input_path).endswith(".csv"))
            given.normalize(imported, self._files.root)
            present = {record["task_run_id"]: record["status"] for record in self.records()}
            kept = set(present) if merge else {run_id for run_id, status in present.items() if status == "running"}
            entries = self._redact([e for r in imported if r["task_run_id"] not in kept for e in events.of_record(r)])
            with self._failing("written"):
                self._index.forget()
                storage.rewrite(self._files, self.log_path, lambda run_id: run_id in kept, entries)
                self._summary.refresh(rewritten=True)
        return True

    # ------------------------------------------------------------ how it is done

    def _append(self, entries: list[dict[str, Any]], *, flush: bool) -> None:
        journal.append(self._files, self.log_path, entries, flush=flush)

    def _update(self, run_id: str, task_id: str, updates: dict[str, Any]) -> bool:
        with self._failing("written"):
            self._append([self._redact(events.event("run_updated", run_id, task_id, updates=updates))], flush=True)
            self._summary.refresh()
        return True

    def _remove_leftovers(self) -> None:
        """Remove what killed processes had begun to write of the two files, which happens under the log's lock only."""
        folder, name = os.path.split(self.log_path)
        with journal.locked(self._files, self.log_path):
            names = (name, os.path.basename(self.summary_path))
            leftovers.remove_unpublished(self._files, folder or ".", of=names)

    def _updates_while_running(self, run_id: str) -> list[dict[str, Any]]:
        """Updates of a run between its beginning and now, oldest first: what its end says must not hide them."""
        found: list[dict[str, Any]] = []
        if run_id not in self._begun:
            return found
        for entry in journal.newest_first(self._files, self.log_path):
            if isinstance(entry, dict) and entry.get("run_id") == run_id:
                if entry["event"] == "run_updated":
                    found.insert(0, entry["updates"])
                elif entry["event"] == "run_started":
                    break
        return found

    def _remove(self, run_ids: set[str]) -> None:
        with self._failing("written"):
            self._index.forget()
            storage.rewrite(self._files, self.log_path, lambda run_id: run_id not in run_ids, [])
            self._summary.refresh(rewritten=True)

    def _entries(self) -> Iterator[dict[str, Any] | Damage]:
        return journal.newest_first(self._files, self.log_path, but=events.STEP)

    def _damaged(self, _damage: Damage) -> None:
        if not self._told:
            self._told = True
            self._logger.warning(
                "%s has damaged lines, which are left out: validate_execution_log() lists them", self.log_path
            )

    def _refuse(self, problems: list[str], what: str) -> None:
        if problems:
            raise ExecutionLogError(f"{what}: {'; '.join(problems)}")

    @contextlib.contextmanager
    def _failing(self, done: str, path: str = "") -> Iterator[None]:
        """What can go wrong with the disk, or with a value, as an error that says where."""
        try:
            yield
        except (OSError, ValueError, TypeError) as problem:
            raise ExecutionLogError(
                f"the execution log {path or self.log_path} could not be {done}: {problem}", path=path or self.log_path
            ) from problem


def _left(record: Mapping[str, Any], paths: set[str]) -> bool:
    return any(output.get("path") in paths for output in record["output_files"])


def _united(present: list[dict[str, Any]] | None, added: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both lists of files, each path once."""
    return list({item["path"]: item for item in [*added, *(present or ())]}.values())
