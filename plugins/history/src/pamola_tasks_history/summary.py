"""The last 100 runs in a file for other tools: made from the log, and never read back while the log is there."""

from __future__ import annotations

from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ExecutionLogError
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import journal
from pamola_tasks_history import events, storage

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from pamola_tasks.protocols import Files
    from pamola_tasks.storage.journal import Damage

SHOWN = 100
VERSION = "1.0.0"


class Summary:
    """The file for other tools, beside the log.

    Args:
        files: The project's files.
        log_path: The log.
        logger: Logs a file that cannot be read.
        damaged: Called for damaged lines of the log.
    """

    def __init__(
        self, files: Files, log_path: str, *, logger: logging.Logger, damaged: Callable[[Damage], None]
    ) -> None:
        self.path = str(PurePosixPath(log_path).with_suffix(".json"))
        self._files = files
        self._log_path = log_path
        self._logger = logger
        self._damaged = damaged

    def refresh(self, *, rewritten: bool = False) -> None:
        """Rewrite it, and record runs that were found to be aborted.

        Of several runs that end at once, one does it for all.

        Args:
            rewritten: Also if it describes a longer log than this one.
        """
        dead: list[tuple[str, str]] = []
        wanted = self._files.stat(self._log_path).size
        with journal.locked(self._files, self._log_path):
            if not rewritten and storage.shown_bytes(self._files, self.path) >= wanted:
                return
            # Read under the lock: two runs that end at once must not overwrite the newer view by the older.
            size = self._files.stat(self._log_path).size
            entries = journal.newest_first(self._files, self._log_path, but=events.STEP)
            found = list(islice(events.records(entries, self._damaged, lambda *run: dead.append(run)), SHOWN))
            self._files.write(self.path, storage.to_json({**document(found), "log_bytes": size}), "log")
        if dead:
            aborted = [events.event("run_aborted", run_id, task_id) for run_id, task_id in dead]
            journal.append(self._files, self._log_path, aborted, flush=False)

    def adopt(self) -> None:
        """Where it is there and no log, as the framework's forerunner leaves it: begin the log with it."""
        if self._files.exists(self._log_path) or not self._files.exists(self.path):
            return
        try:
            records = self._parsed()
        except (ExecutionLogError, ValueError) as problem:
            aside = f"{self.path}.damaged"
            self._files.replace(self.path, aside)
            self._logger.warning(
                "%s cannot be read (%s): it is kept as %s, and a new history starts", self.path, problem, aside
            )
            return
        entries = [entry for record in records for entry in events.of_record(record)]
        journal.append(self._files, self._log_path, entries, flush=True)

    def _parsed(self) -> list[dict[str, Any]]:
        return storage.parse(self._files.read(self.path, "log"), self._files.root)

    def problem(self, read: journal.Journal) -> str:
        """What is wrong with it, given the log; nothing where it is sound."""
        try:
            shown = {r["task_run_id"] for r in self._parsed()}
        except (ExecutionLogError, ValueError) as problem:
            return f"is damaged: {problem}"
        unknown = shown - {entry.get("run_id") for entry in read.entries}
        return f"has runs that the log does not have, such as {min(unknown)}" if unknown else ""


def document(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Records as other tools get them: newest first, and the last run of each task."""
    tasks: dict[str, dict[str, Any]] = {}
    for record in found:
        if record["status"] in ("running", "unknown"):
            continue
        when = events.moment(record["timestamp"])
        tasks.setdefault(
            record["task_id"],
            {
                "task_type": record["task_type"],
                "last_execution": int(when.timestamp()) if when else None,
                "last_status": "success" if record["success"] else "failed",
                "last_report_path": record["report_path"],
                "last_task_run_id": record["task_run_id"],
            },
        )
    written = rfc3339(now())
    return {
        "schema": events.SCHEMA,
        "version": VERSION,
        "timestamp": written,
        "last_modified": written,
        "tasks": tasks,
        "executions": found,
    }
