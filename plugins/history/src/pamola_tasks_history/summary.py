"""The last 100 runs in a file for other tools: made from the log, and never read back while the log is there."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ExecutionLogError
from pamola_tasks.record import rfc3339
from pamola_tasks.storage import journal
from pamola_tasks_history import events
from pamola_tasks_history.segments import Reader

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pamola_tasks.protocols import Files
    from pamola_tasks.storage.journal import Damage
    from pamola_tasks_history.segments import Segments

SHOWN = 100
VERSION = "1.0.0"


class Summary:
    """The file for other tools, beside the log; `damaged` is called for damaged lines of the log."""

    def __init__(
        self, files: Files, segments: Segments, *, logger: logging.Logger, damaged: Callable[[Damage], None]
    ) -> None:
        self.path = str(PurePosixPath(segments.log_path).with_suffix(".json"))
        self._files = files
        self._segments = segments
        self._log_path = segments.log_path
        self._logger = logger
        self._damaged = damaged

    def refresh(self, *, rewritten: bool = False) -> None:
        """Rewrite it, and record runs that were found to be aborted. Of several runs that end at once, one does it.

        A log that was `rewritten` may be shorter than the file says.
        """
        dead: list[tuple[str, str]] = []
        wanted = self._segments.size()
        with journal.locked(self._files, self._log_path):
            # Read under the lock: two runs that end at once must not overwrite the newer view by the older. A view
            # that says more than there is, is of before a pruning that was killed.
            size = self._segments.size()
            if not rewritten and wanted <= _shown_bytes(self._files, self.path) <= size:
                return
            entries = journal.decoded(Reader(self._segments).backwards(), but=events.STEP)
            found = list(islice(events.records(entries, self._damaged, lambda *run: dead.append(run)), SHOWN))
            for record in found:
                record.pop("authentic", None)  # that is for whoever reads the log to find out
            self._files.write(self.path, to_json({**document(found), "log_bytes": size}), "log")
        if dead:
            aborted = [events.event("run_aborted", run_id, task_id) for run_id, task_id in dead]
            self._append(aborted, flush=False)

    def adopt(self) -> None:
        """Where it is there and no log, as the framework's forerunner leaves it: begin the log with it."""
        if self._segments.exist() or not self._files.exists(self.path):
            return
        try:
            records = self._parsed()
        except (ExecutionLogError, ValueError) as problem:
            aside = f"{self.path}.damaged"
            self._files.replace(self.path, aside)
            said = "%s cannot be read (%s): it is kept as %s, and a new history starts"
            self._logger.warning(said, self.path, problem, aside)
            return
        entries = [entry for record in records for entry in events.of_record(record)]
        self._append(entries, flush=True)

    def _append(self, entries: list[dict[str, Any]], *, flush: bool) -> None:
        before = self._segments.last_closed_line
        journal.append(self._files, self._log_path, entries, flush=flush, before=before)

    def _parsed(self) -> list[dict[str, Any]]:
        return parse(self._files.read(self.path, "log"), self._files.root)

    def shown(self) -> dict[str, Any]:
        """What is in it; an error where it is damaged."""
        data = self._files.read(self.path, "log")
        parse(data, self._files.root)
        document: dict[str, Any] = json.loads(data.decode("utf-8-sig"))
        return document

    def problem(self, told: Mapping[str, Any], unknown: set[str]) -> str:
        """What is wrong with what is in it, given the ids of its runs that are `unknown` to the log; else nothing."""
        if unknown:
            return f"has runs that the log does not have, such as {min(unknown)} (added, or pruned by a killed `prune`)"
        shown = {str(record["task_run_id"]): {"report_files": [], **record} for record in told["executions"]}
        entries = journal.decoded(Reader(self._segments).backwards(), but=events.STEP)
        known = list(islice(events.records(entries, self._damaged), SHOWN))
        for record in (record for record in known if record["finished"] or record["task_run_id"] in shown):
            said = shown.get(run_id := record["task_run_id"], {})
            alive = {} if record["finished"] else {"status": said.get("status")}  # which may have changed since
            if said != json.loads(json.dumps({**record, **alive})):
                return f"says something else than the log of run {run_id}"
        again = to_json({**document(told["executions"]), "log_bytes": told.get("log_bytes")})
        order = [record["task_run_id"] for record in known if record["task_run_id"] in shown]
        shown_order = [record["task_run_id"] for record in told["executions"]]
        as_written = again.encode() == self._files.read(self.path, "log")
        if order != shown_order or not as_written or not self._segments.ends_line(told.get("log_bytes")):
            return "is not as it was written: its records are those of the log, and what is around them is not"
        return ""


def document(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Records as other tools get them: newest first, and the last run of each task."""
    tasks: dict[str, dict[str, Any]] = {}
    for record in found:
        if record["status"] not in ("running", "unknown") and record["task_id"] not in tasks:
            when = events.moment(record["timestamp"])
            tasks[record["task_id"]] = {
                "task_type": record["task_type"],
                "last_execution": int(when.timestamp()) if when else None,
                "last_status": "success" if record["success"] else "failed",
                "last_report_path": record["report_path"],
                "last_task_run_id": record["task_run_id"],
            }
    written = found[0]["timestamp"] if found else ""
    return {
        "schema": events.SCHEMA,
        "version": VERSION,
        "timestamp": written,
        "last_modified": written,
        "tasks": tasks,
        "executions": found,
    }


def to_json(document: Mapping[str, Any]) -> str:
    """A document with records, each on a line of its own; what is not a record comes first."""
    head = {key: value for key, value in document.items() if key not in ("executions", "log_bytes")}
    lines = ",\n".join(map(json.dumps, document["executions"]))
    shown = f'"log_bytes": {document["log_bytes"]}, ' if "log_bytes" in document else ""
    return f'{{{shown}{json.dumps(head)[1:-1]}, "executions": [\n{lines}\n]}}\n'


def _shown_bytes(files: Files, path: str) -> int:
    """How much of the log the file for other tools shows, as it says itself at its beginning; -1 where it does not."""
    try:
        with files.open_raw(path) as file:
            found = re.match(rb'\{"log_bytes": (\d+),', file.read(64))
    except FileNotFoundError:
        return -1
    return int(found[1]) if found else -1


def parse(data: bytes, root: Path) -> list[dict[str, Any]]:
    """The records in the file for other tools, or in one of the same form; see `complete`."""
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as problem:
        raise ExecutionLogError(f"not an exported execution log: {problem}") from problem
    executions = document.get("executions") if isinstance(document, dict) else None
    if not isinstance(executions, list):
        found = type(executions if isinstance(document, dict) else document).__name__
        raise ExecutionLogError(
            f"not an exported execution log: it has to be an object with a list `executions`, and this has {found}"
        )
    return complete(executions, root)


def complete(records: list[Any], root: Path) -> list[dict[str, Any]]:
    """Foreign records in the form of ours, oldest first, each with all its keys, paths and time as we store them."""
    found = [f"record {n}: {p}" for n, record in enumerate(records, 1) for p in events.problems_of(record)]
    if found:
        more = f"; and {len(found) - 10} more" if len(found) > 10 else ""
        raise ExecutionLogError(f"not an exported execution log: {'; '.join(found[:10])}{more}")
    whole: dict[str, dict[str, Any]] = {}
    for record in sorted(records, key=_when):
        status = "success" if record["success"] else "failed"
        known = {
            **dict.fromkeys(("task_type", "report_path", "hostname"), ""),
            "status": status,
            "execution_time": None,
        }
        whole[record["task_run_id"]] = {**known, "input_files": [], "output_files": [], **record}
    for record in whole.values():
        try:
            for item in (*record["input_files"], *record["output_files"]):
                item["path"] = events.stored_path(item["path"], root)
            if record["report_path"]:
                record["report_path"] = events.stored_path(record["report_path"], root)
        except ValueError as problem:
            raise ExecutionLogError(f"run {record['task_run_id']}: a path of it {problem}") from problem
        when = events.moment(record["timestamp"])
        record["timestamp"] = rfc3339(when) if when else record["timestamp"]
    return list(whole.values())


def _when(record: Mapping[str, Any]) -> float:
    found = events.moment(record["timestamp"])
    return found.timestamp() if found else 0.0
