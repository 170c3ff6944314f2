"""`ExecutionLog`: the execution history of a project, and every question about it.

`configs/execution_log.jsonl` is the truth: one event a line, appended. `configs/execution_log.json` shows its last
100 runs to other tools and is never read back while the truth is there.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ExecutionLogError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.storage import journal, leftovers
from pamola_tasks_history import events
from pamola_tasks_history.index import Index
from pamola_tasks_history.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pamola_tasks.protocols import Files, RunServices
    from pamola_tasks.storage.journal import Damage, Journal

LOG = "configs/execution_log.jsonl"
_NEAR = 1000  # events at the end of a long log that are looked through before the index is asked


class ExecutionLog:
    """The execution history.

    Every failure raises `ExecutionLogError`; a path that the project does not allow raises `PathSecurityError`.

    Args:
        files: The project's files.
        path: Another place than `configs/execution_log.jsonl`, relative to the project's root: the log (`.jsonl`), or
            the file for other tools (`.json`); the other one is next to it.
        logger: Logs damaged lines.
        redact: Makes what is written safe to read.
        key: Gives what authenticates records, asked when it is needed: None where there is no key, or none yet.
    """

    def __init__(
        self,
        files: Files,
        path: str = "",
        *,
        logger: logging.Logger | None = None,
        redact: Callable[[Any], Any] = lambda value: value,
        key: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        self._files = files
        named = PurePosixPath(path.replace(os.sep, "/") or LOG)
        self.log_path = str(named.with_suffix(".jsonl") if named.suffix == ".json" else named)
        self._logger = logger or logging.getLogger("pamola_tasks.history")
        self._summary = Summary(files, self.log_path, logger=self._logger, damaged=self._damaged)
        self.summary_path = self._summary.path
        self.redact = redact
        self._key = key
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
        facts = {"step": step, "status": status, "seconds": round(seconds, 6)}
        entry = events.event("step_finished", run.id, run.record.task_id, **facts)
        with self._failing("written"):
            self._append([entry], flush=False)

    def run_finished(self, run: RunServices) -> None:
        """Append `run_finished` or `run_failed`, wait until the disk has it, and refresh the file for other tools."""
        with self._failing("written"):
            entry = self.redact(events.finished(run))
            for update in self._updates_while_running(run.id):
                for key, value in update.items():
                    entry[key] = _united(entry.get(key), value) if key in ("input_files", "output_files") else value
            self._summary.adopt()
            self._append([entry], flush=True)
            self._summary.refresh()

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
        for record in self._records(islice(self._entries(), None if not long else 0 if self._index.loaded else _NEAR)):
            near.add(record["task_run_id"])
            if record["task_id"] == task_id:
                yield record
        if long:
            for record in self._records(self._index.entries_of(task_id, self._key())):
                if record["task_run_id"] not in near:
                    yield record

    def get_task_execution_history(
        self, task_id: str | None = None, limit: int | None = 10, success_only: bool = False
    ) -> list[dict[str, Any]]:
        """At most `limit` records of runs, newest first: of one task or all, without those that failed or with them."""
        records = self.records() if task_id is None else self._records_of(task_id)
        return list(islice((record for record in records if record["success"] or not success_only), limit))

    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None:
        """The newest record of a task, or None. Without `success_only` it may be of a run that still runs."""
        found = self.get_task_execution_history(task_id, 1, success_only)
        return found[0] if found else None

    def find_task_by_output(self, file_path: str | Path) -> dict[str, Any] | None:
        """The record of the newest run that left this file (relative to the project's root, or absolute), or None."""
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

    # ------------------------------------------------------------ changes by other tools

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records of runs that were not run by the framework; the log is created if missing."""
        with self._failing("written"):
            self._summary.adopt()
            self._append(self.redact([entry for record in records for entry in events.of_record(record)]), flush=True)
            self._summary.refresh()

    def update(self, run_id: str, task_id: str, updates: Mapping[str, Any]) -> None:
        """Change keys of a record."""
        with self._failing("written"):
            self._append([self.redact(events.event("run_updated", run_id, task_id, updates=updates))], flush=True)
            self._summary.refresh()

    def rewrite(self, edited: Callable[[list[bytes]], Iterable[bytes]]) -> None:
        """Replace the lines of the log by what this function makes of them, in one step that a crash cannot halve."""
        with self._failing("written"):
            self._index.forget()
            with journal.locked(self._files, self.log_path):
                with self._files.open_raw(self.log_path) as file:
                    lines = file.read().split(b"\n")[:-1]  # the last is empty, or what a crash left of a line
                key = self._key()
                if key is None and any(b',"mac":"' in line[-80:] for line in lines):
                    raise ValueError("its records are authenticated with the project's key, which is not available")
                journal.replace(self._files, self.log_path, journal.chained_again(edited(lines), key))
            self._summary.refresh(rewritten=True)

    # ------------------------------------------------------------ soundness

    def problems(self) -> list[str]:
        """What is wrong with the log, in words with line numbers."""
        with self._failing("read"):
            return _problems(self._read())

    def diagnose(self) -> list[Diagnosis]:
        """What is damaged or missing: lines of the log, and the file for other tools."""
        with self._failing("read"):
            read = self._read()
            found = [
                Diagnosis(
                    "warning" if journal.TORN in problem or "nothing proves" in problem else "error",
                    "",
                    f"{self.log_path}: {problem}",
                )
                for problem in _problems(read)
            ]
            summary = self._files.exists(self.summary_path)
            if not self._files.exists(self.log_path):
                if summary:
                    text = f"{self.log_path} is missing: the next run restores it from {self.summary_path}"
                    found.append(Diagnosis("error", "", text))
                return found
            ended = any(entry.get("event") in events.ENDED for entry in read.entries)
            problem = self._summary.problem(read) if summary else "is missing" if ended else ""
        if problem:
            advice = "the next run rewrites it from the log"
            found.append(Diagnosis("error", "", f"{self.summary_path} {problem}", advice))
        return found

    # ------------------------------------------------------------ how it is done

    def _append(self, entries: list[dict[str, Any]], *, flush: bool) -> None:
        journal.append(self._files, self.log_path, entries, flush=flush, key=self._key())

    def _read(self) -> Journal:
        """All events, of which those must be authenticated that say how a run ended."""
        return journal.read(self._files, self.log_path, key=self._key(), needs=events.is_of_end, keeps_old=True)

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

    def _entries(self) -> Iterator[dict[str, Any] | Damage]:
        return journal.newest_first(self._files, self.log_path, but=events.STEP, key=self._key())

    def _damaged(self, _damage: Damage) -> None:
        if not self._told:
            said = "%s has damaged lines, which are left out: `pamola-task doctor` lists them"
            self._logger.warning(said, self.log_path)
        self._told = True

    @contextlib.contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        """What can go wrong with the disk, or with a value, as an error that says where."""
        try:
            yield
        except (OSError, ValueError, TypeError) as problem:
            raise ExecutionLogError(
                f"the execution log {self.log_path} could not be {done}: {problem}", path=self.log_path
            ) from problem


def _left(record: Mapping[str, Any], paths: set[str]) -> bool:
    return any(output.get("path") in paths for output in record["output_files"])


def _united(present: list[dict[str, Any]] | None, added: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both lists of files, each path once."""
    return list({item["path"]: item for item in [*added, *(present or ())]}.values())


def _problems(read: Journal) -> list[str]:
    """What is wrong with a log, in words."""
    found = [f"line {damage.line} is damaged: {damage.reason}" for damage in read.damaged]
    if read.old:
        found.append(
            f"{len(read.old)} records are older than the project's key, or were not made by it: nothing proves them"
        )
    if read.torn:
        found.append(f"{journal.TORN}; the next run removes it")
    begun: set[str] = set()
    ended: set[str] = set()
    for entry in read.entries:
        kind, run_id = entry.get("event"), entry.get("run_id")
        name = f"{kind or 'an event'} of run {run_id or 'without id'}"
        if entry.get("schema") != events.SCHEMA:
            found.append(f"{name} has the schema {entry.get('schema')!r}: written by another release")
        if kind not in events.EVENTS:
            found.append(f"{name} is an event of unknown kind")
        found += [
            f"{name}: {key!r} is missing or no text"
            for key in ("run_id", "task_id", "time")
            if not (isinstance(entry.get(key), str) and entry[key])
        ]
        if isinstance(entry.get("time"), str) and entry["time"] and events.moment(entry["time"]) is None:
            found.append(f"{name}: its time is none")
        seen = ended if kind in events.ENDED else begun if kind == "run_started" else None
        if seen is not None and isinstance(run_id, str):
            if run_id in seen:
                found.append(f"{name} is there twice")
            seen.add(run_id)
    return found
