"""`ExecutionLog`: the execution history of a project, and every question about it.

`configs/execution_log.jsonl` is the truth: one event a line, appended; when it is long it is closed, and moved to
`configs/execution_log.segments`. `configs/execution_log.json` shows the last 100 runs to other tools and is never read
back while the truth is there.
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
from pamola_tasks_history.segments import Reader, Segments
from pamola_tasks_history.settings import MIB, HistorySettings
from pamola_tasks_history.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from pamola_tasks.protocols import Files, RunServices
    from pamola_tasks.storage.journal import Damage
    from pamola_tasks_history.soundness import Examination

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
        kept_runs: The runs of a task of which older tables are kept, so that pruning leaves their records.
        segment_bytes: The log is closed, and another one begun, when it has so many bytes and a run begins.
    """

    def __init__(
        self,
        files: Files,
        path: str = "",
        *,
        logger: logging.Logger | None = None,
        redact: Callable[[Any], Any] = lambda value: value,
        key: Callable[[], bytes | None] = lambda: None,
        kept_runs: Callable[[str], Collection[str]] = lambda task_id: (),
        segment_bytes: int = HistorySettings().segment_mib * MIB,
    ) -> None:
        self._files = files
        named = PurePosixPath(path.replace(os.sep, "/") or LOG)
        self.log_path = str(named.with_suffix(".jsonl") if named.suffix == ".json" else named)
        self._logger = logger or logging.getLogger("pamola_tasks.history")
        self._segments = Segments(files, self.log_path, segment_bytes)
        self._summary = Summary(files, self._segments, logger=self._logger, damaged=self._damaged)
        self.summary_path = self._summary.path
        self.redact = redact
        self._key = key
        self._kept_runs = kept_runs
        self._index = Index(files, self._segments, key)
        self._begun: set[str] = set()
        self.damage = ""  #: what was left out of answers so far, in words

    # ------------------------------------------------------------ what a run records

    def run_started(self, run: RunServices) -> None:
        """Append `run_started`, and wait until the disk has it."""
        with self._failing("written"):
            if run.lock.after_a_crash:
                self._remove_leftovers()
                self._tell_of_unended(run)
            self._summary.adopt()
            self._append([events.started(run)], flush=True)
        self._begun.add(run.id)

    def _tell_of_unended(self, run: RunServices) -> None:
        before = self.find_latest_execution(run.record.task_id, success_only=False)
        if before is not None and before["status"] in ("running", "aborted"):
            run.warn(
                f"nothing says how run {before['task_run_id']} ended: its process was killed, or ended by a library"
            )

    def step_finished(self, run: RunServices, step: str, status: str, seconds: float) -> None:
        """Append `step_finished`."""
        facts = {"step": step, "status": status, "seconds": round(seconds, 6)}
        entry = events.event("step_finished", run.id, run.record.task_id, **facts)
        with self._failing("written"):
            self._append([entry], flush=False)

    def note(self, run: RunServices, key: str, facts: Mapping[str, Any]) -> None:
        """Append facts under a key that a plugin chooses, and wait until the disk has them: `notes` has them again."""
        with self._failing("written"):
            noted = events.event(events.NOTED, run.id, run.record.task_id, key=key, facts=self.redact(facts))
            self._append([noted], flush=True)

    def run_finished(self, run: RunServices) -> None:
        """Append `run_finished` or `run_failed`, wait until the disk has it, and refresh the file for other tools."""
        with self._failing("written"):
            entry = self.redact(events.finished(run))
            for update in self._updates_while_running(run.id):
                for key, value in update.items():
                    entry[key] = _united(entry.get(key), value) if key in ("input_files", "output_files") else value
            self._summary.adopt()
            self._append([entry], flush=True)
            if not self._has_end(run.id):  # something in this process replaced what it is written with
                raise ValueError("what was written of the end of the run cannot be read back")
            self._summary.refresh()

    def _has_end(self, run_id: str) -> bool:
        for entry in journal.decoded(Reader(self._segments).backwards(), but=events.STEP):
            if isinstance(entry, dict) and entry.get("run_id") == run_id and entry["event"] != events.NOTED:
                return entry["event"] in events.ENDED
        return False

    # ------------------------------------------------------------ questions

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all runs, newest first; no more of the log is read than is asked for."""
        return self._records(self._entries())

    def candidates(
        self, task_id: str | None = None, since: datetime | None = None, *, failed: bool = False
    ) -> Iterator[dict[str, Any]]:
        """The same of one task, since a moment, or those that did not succeed, and perhaps some others: by the index,
        so that a long log is not read for them."""
        if not self._index.worth_it():
            return self.records()
        return self._records(self._index.entries(self._key(), task_id=task_id, since=since, failed=failed))

    def notes(self, key: str, *, proven: bool = False) -> Iterator[Mapping[str, Any]]:
        """What `note` was given under a key, newest first, also by runs that were pruned since.

        With `proven` only what is authenticated, where the project has a key: else also what is older than the key.
        """
        kind, secret = f'"event":"{events.NOTED}"'.encode(), self._key()
        with self._failing("read"):
            for line in Reader(self._segments).backwards():
                if kind in line[:100]:
                    with contextlib.suppress(ValueError):  # damaged, which `examine` tells
                        entry = journal.decode(line, secret)
                        if entry.get("key") == key and not (proven and entry.get("authentic") is False):
                            yield entry["facts"]

    def lacks_key(self) -> bool:
        """Whether it is authenticated with a key that is not available here."""
        ended = (line for line in Reader(self._segments).backwards() if b'"event":"run_f' in line[:100])
        return self._key() is None and b',"mac":"' in next(ended, b"")[-80:]

    def _records(self, entries: Iterator[dict[str, Any] | Damage]) -> Iterator[dict[str, Any]]:
        found = events.records(entries, self._damaged)
        if self._segments.planted():
            self._damaged()
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
            for record in self._records(self._index.entries(self._key(), task_id=task_id)):
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

    def origin_of(self, path: str, task_id: str) -> tuple[str, str]:
        """Where a file among the outputs of a task comes from: `left` as a run of the task left it, `edited` since
        then, or `foreign`; and which run that was."""
        record = self.find_task_by_output(path)
        if record is None or record["task_id"] != task_id:
            return "foreign", ""
        known = next((entry.get("sha256") for entry in record["output_files"] if entry["path"] == path), None)
        return "left" if known == self._files.recognise(path).sha256 else "edited", record["task_run_id"]

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

    def rewrite(self, edited: Callable[[Iterable[bytes]], Iterable[bytes]]) -> None:
        """Replace the lines of the log by what this function makes of them, in one step that a crash cannot halve."""
        from pamola_tasks_history import pruning

        with self._failing("written"):
            pruning.rewrite(self._files, self._segments, edited, self._key())
            self._summary.refresh(rewritten=True)

    def prune(
        self,
        *,
        tasks: Collection[str] = (),
        keep: int | None = None,
        before: datetime | None = None,
        dry_run: bool = False,
        accept_damage: bool = False,
    ) -> list[Mapping[str, Any]]:
        """Take old runs out of the log, and write down in it how many, when and by whom.

        What else is in the log proves itself as before. What rests on a run keeps it (see `pruning.choose`).

        Args:
            tasks: Runs of these only; of all where there are none.
            keep: So many of each task's newest runs are kept.
            before: Those since then are kept.
            dry_run: Only say which.
            accept_damage: Prune also what is damaged, and write down how much was.

        Returns:
            What is shown of these runs, newest first (see `pruning.SHOWN`).
        """
        from pamola_tasks_history import pruning

        examined = self.examine()
        if examined.damaged and not accept_damage:
            raise ExecutionLogError(
                f"the execution log {self.log_path} has {examined.damaged} damaged lines, and pruning would remove what"
                " shows it: `pamola-task doctor --data` lists them; --accept-damage prunes and writes their number down"
            )
        with self._failing("read"):
            chosen = pruning.choose(
                self._files, self._segments, tasks=tasks, keep=keep, before=before, kept_runs=self._kept_runs
            )
        if chosen.runs and not dry_run:
            removal = pruning.Removal(
                {record["task_run_id"] for record in chosen.runs}, examined.pruned or {}, examined.damaged
            )
            with self._failing("written"):
                pruning.rewrite(self._files, self._segments, removal, self._key(), says=removal.event, upto=chosen.upto)
        if not dry_run and self._segments.exist():  # also where nothing is left to do: another one was killed then
            with self._failing("written"):
                self._segments.remove_superseded()
                self._summary.refresh(rewritten=True)
        return chosen.runs

    # ------------------------------------------------------------ soundness

    def examine(self, runs: set[str] | None = None) -> Examination:
        """Judge every line; `runs` are ids that the log should have."""
        from pamola_tasks_history.soundness import examine

        with self._failing("read"):
            return examine(self._segments, self._key(), runs)

    def problems(self) -> list[str]:
        """What is wrong with the log, in words with line numbers."""
        return [text if name == self.log_path else f"{name}: {text}" for name, text in self.examine().problems]

    def diagnose(self) -> list[Diagnosis]:
        """What is damaged or missing: lines of the log, and the file for other tools; and what was pruned."""
        problem, shown = "", None
        with self._failing("read"):
            if self._files.exists(self.summary_path):
                try:
                    shown = self._summary.shown()
                except (ExecutionLogError, ValueError) as damage:
                    problem = f"is damaged: {damage}"
            elif not self._segments.exist():
                return []
            if not self._segments.exist():
                text = f"{self.log_path} is missing: the next run restores it from {self.summary_path}"
                return [Diagnosis("error", "", text)]
            runs = {str(record["task_run_id"]) for record in (shown or {}).get("executions", ())}
            examined = self.examine(runs)
            if shown is not None:
                problem = self._summary.problem(shown, examined.missing)
            elif not problem:
                problem = "is missing" if examined.ended else ""
        found = [
            Diagnosis("warning" if journal.TORN in text or "nothing proves" in text else "error", "", f"{name}: {text}")
            for name, text in examined.problems
        ]
        if examined.pruned is not None:
            found.append(Diagnosis("note", "", f"{self.log_path}: {events.pruning(examined.pruned)}"))
        if problem:
            advice = "the next run rewrites it from the log"
            found.append(Diagnosis("error", "", f"{self.summary_path} {problem}", advice))
        return found

    # ------------------------------------------------------------ how it is done

    def _append(self, entries: list[dict[str, Any]], *, flush: bool) -> None:
        if flush:
            self._segments.close()
        before = self._segments.last_closed_line
        journal.append(self._files, self.log_path, entries, flush=flush, key=self._key(), before=before)

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
        for entry in journal.decoded(Reader(self._segments).backwards()):
            if isinstance(entry, dict) and entry.get("run_id") == run_id:
                if entry["event"] == "run_updated":
                    found.insert(0, entry["updates"])
                elif entry["event"] == "run_started":
                    break
        return found

    def _entries(self) -> Iterator[dict[str, Any] | Damage]:
        return journal.decoded(Reader(self._segments).backwards(), but=events.STEP, key=self._key())

    def _damaged(self, _damage: Damage | None = None) -> None:
        if not self.damage:
            self.damage = f"{self.log_path} has damaged lines or files, which are left out: `doctor --data` lists them"
            self._logger.warning("%s", self.damage)

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
