"""What is on the disk: writing to a log that may be replaced meanwhile, replacing it, and its exported forms."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ExecutionLogError
from pamola_tasks.record import rfc3339
from pamola_tasks.storage import journal
from pamola_tasks_history import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pamola_tasks.protocols import Files
    from pamola_tasks.storage.journal import Journal


def rewrite(files: Files, path: str, keep: Callable[[str], bool], added: Iterable[Mapping[str, Any]]) -> None:
    """Replace the log by one without the events of some runs, in one step that a crash cannot halve.

    Lines that are damaged stay: they are evidence.

    Args:
        keep: Whether to keep the events of a run.
        added: Events to put among them, each before the first that is newer: the order of the log is that of time.
    """
    with journal.locked(files, path):
        with files.open_raw(path) as file:
            lines = file.read().split(b"\n")
        lines.pop()  # nothing, or what a crash left of a line
        journal.replace(files, path, _merged(lines, keep, added))


def _merged(lines: Iterable[bytes], keep: Callable[[str], bool], added: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
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


# ---------------------------------------------------------------- soundness


def problems(read: Journal) -> list[str]:
    """What is wrong with a log, in words."""
    found = [f"line {damage.line} is damaged: {damage.reason}" for damage in read.damaged]
    if read.torn:
        found.append("the last line is incomplete; the next run removes it")
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


# ---------------------------------------------------------------- exported forms


def to_json(document: Mapping[str, Any]) -> str:
    """A document with records, each on a line of its own; what is not a record comes first."""
    head = {key: value for key, value in document.items() if key not in ("executions", "log_bytes")}
    lines = ",\n".join(map(json.dumps, document["executions"]))
    shown = f'"log_bytes": {document["log_bytes"]}, ' if "log_bytes" in document else ""
    return f'{{{shown}{json.dumps(head)[1:-1]}, "executions": [\n{lines}\n]}}\n'


def shown_bytes(files: Files, path: str) -> int:
    """How much of the log the file for other tools shows, as it says itself at its beginning; -1 where it does not."""
    try:
        with files.open_raw(path) as file:
            found = re.match(rb'\{"log_bytes": (\d+),', file.read(64))
    except FileNotFoundError:
        return -1
    return int(found[1]) if found else -1


def parse(data: bytes, root: Path) -> list[dict[str, Any]]:
    """The records in the file for other tools, or in one of the same form; see `complete`.

    Raises:
        ExecutionLogError: It is not of this form; the message lists what is wrong.
    """
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
    """Foreign records in the form of ours, oldest first, each with all its keys, its paths and time as we store them.

    Raises:
        ExecutionLogError: They are not records; the message lists what is wrong.
    """
    found = [f"record {n}: {p}" for n, record in enumerate(records, 1) for p in events.problems_of(record)]
    if found:
        more = f"; and {len(found) - 10} more" if len(found) > 10 else ""
        raise ExecutionLogError(f"not an exported execution log: {'; '.join(found[:10])}{more}")
    whole: dict[str, dict[str, Any]] = {
        record["task_run_id"]: {
            "task_type": "",
            "status": "success" if record["success"] else "failed",
            "execution_time": None,
            "report_path": "",
            "input_files": [],
            "output_files": [],
            "hostname": "",
            **record,
        }
        for record in sorted(records, key=_when)
    }
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
