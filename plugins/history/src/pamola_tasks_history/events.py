"""The events of the log, made from runs, and the records of runs, made from events."""

from __future__ import annotations

import contextlib
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.record import is_address, now, rfc3339
from pamola_tasks.storage.journal import Damage
from pamola_tasks.storage.system import user_name
from pamola_tasks_history.process import Process, this_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pamola_tasks.protocols import Files, RunServices
    from pamola_tasks.record import Artifact, DatasetRecord, RunRecord

SCHEMA = 1
STEP = b'"event":"step_finished"'  # in a line as `event` makes it: there are many, and no record needs them
ENDED = ("run_finished", "run_failed")
NOTED = "run_noted"  # what a plugin has the history vouch for; no record of a run needs it
EVENTS = ("run_started", "step_finished", *ENDED, "run_aborted", "run_updated", NOTED)
PRUNED = "history_pruned"  # says of no run, but of the log, that lines were taken away


# ---------------------------------------------------------------- events


def event(kind: str, run_id: str | None, task_id: str | None, **facts: Any) -> dict[str, Any]:
    """An event of this process, now."""
    here = this_process()
    about = {} if run_id is None else {"run_id": run_id, "task_id": task_id}
    return {
        "schema": SCHEMA,
        "event": kind,
        **about,
        "time": rfc3339(now()),
        "host": here.host,
        "pid": here.pid,
        **facts,
    }


def started(run: RunServices) -> dict[str, Any]:
    """The event of a run that begins."""
    here = this_process()
    return event(
        "run_started",
        run.id,
        run.record.task_id,
        task_type=run.config.task_type,
        started=rfc3339(run.record.started),
        resumed_from=run.record.resumed_from,
        process_started=here.started,
        boot=here.boot,
        **_may_quote(run),
    )


def finished(run: RunServices) -> dict[str, Any]:
    """The event of a run that has ended, well or not."""
    record = run.record
    return event(
        "run_finished" if record.success else "run_failed",
        run.id,
        record.task_id,
        task_type=run.config.task_type,
        status=record.status,
        success=record.success,
        verdict=record.verdict["verdict"],
        verdict_sentence=record.verdict["sentence"],
        started=rfc3339(record.started),
        finished=rfc3339(record.finished or now()),
        execution_time=round(record.seconds, 6),
        resumed_from=record.resumed_from,
        report_path=_report_path(run),
        report_files=[{"path": path, **facts} for path, facts in record.report_files.items()],
        input_files=[_input(dataset) for dataset in record.inputs],
        output_files=[_output(dataset) for dataset in record.outputs]
        + [_artifact(artifact, run.files) for artifact in record.artifacts],
        figures=figures(record),
        step_times=step_times(record),
        error=None if record.error is None else {k: record.error.get(k, "") for k in ("type", "message", "operation")},
        **_may_quote(run),
    )


def _may_quote(run: RunServices) -> dict[str, bool]:
    """Whether messages may quote cells, where they may."""
    return {"show_data": True} if run.options.show_data else {}


def figures(record: RunRecord) -> dict[str, dict[str, Any]]:
    """The main numbers of each step that has some, by step: what was claimed and measured, the loss and its measure,
    and rows; `columns`, the quasi-identifiers that they are about; and `knowable`, what was measured on these and all
    else that looks knowable, with its columns."""
    stated = {step.step: _names(step.settings.get("quasi_identifiers")) for step in record.steps}
    found = {}
    for step, metrics in record.metrics.items():
        facts = metrics if isinstance(metrics, dict) else {}  # a figure of the task's own
        if numbers := {key: item for key, item in facts.items() if _is_main(key) and _is_number(item)}:
            measure, roles = facts.get("information_loss_measure"), facts.get("roles")
            roles = [role for role in roles if isinstance(role, dict)] if isinstance(roles, list) else []
            covered = _names([role.get("column") for role in roles if role.get("loss") is not None])
            others = {
                "information_loss_measure": measure if isinstance(measure, str) and measure.isidentifier() else "",
                "knowable": _knowable(facts.get("knowable")),
                "columns": list(dict.fromkeys([*stated.get(step, ()), *covered])),
            }
            found[step] = {**numbers, **{key: item for key, item in others.items() if item}}
    return found


def step_times(record: RunRecord) -> dict[str, dict[str, Any]]:
    """How long each step that succeeded took, and how many rows and bytes it read where all of its datasets say."""
    known = {found.name: found for found in (*record.inputs, *record.intermediates, *record.outputs)}
    found: dict[str, dict[str, Any]] = {}
    for step in record.steps:
        if step.attempts and step.status in ("success", "warning", "partial_success"):
            read = [known.get(name) for name in step.reads]
            found[step.step] = {"seconds": round(step.seconds, 3)}
            for key in ("rows", "bytes"):
                sizes: list[Any] = [getattr(each, key, None) for each in read]
                if sizes and None not in sizes:
                    found[step.step][key] = sum(sizes)
    return found


def _knowable(given: Any) -> dict[str, Any]:
    """Names of columns and numbers, and nothing else that an operation may call so: the history is not encrypted."""
    columns = _names(given.get("columns")) if isinstance(given, dict) else []
    return {"columns": columns, **{key: item for key, item in given.items() if _is_number(item)}} if columns else {}


def _names(given: Any) -> list[str]:
    return [name for name in given if isinstance(name, str)] if isinstance(given, list) else []


def _is_main(key: str) -> bool:
    return key.endswith(("_claimed", "_measured")) or key in ("information_loss", "rows_in", "rows_out")


def _is_number(item: Any) -> bool:
    return isinstance(item, (int, float)) and not isinstance(item, bool) and math.isfinite(item)


def _report_path(run: RunServices) -> str:
    """The task's report where one was written."""
    path = run.places.of(run.record.task_id).report()
    return path if run.files.exists(path) else ""


def _input(dataset: DatasetRecord) -> dict[str, Any]:
    facts = {"name": dataset.name, "path": dataset.path, "sha256": dataset.sha256, "bytes": dataset.bytes}
    return facts | ({"rows": dataset.rows, "version": dataset.version} if dataset.is_elsewhere else {})


def _output(dataset: DatasetRecord) -> dict[str, Any]:
    facts = {"sha256": dataset.sha256, "bytes": dataset.bytes, "rows": dataset.rows}
    return {"path": dataset.path, "type": dataset.format, "description": dataset.name, **facts}


def _artifact(artifact: Artifact, files: Files) -> dict[str, Any]:
    facts = {"sha256": artifact.sha256, "bytes": artifact.bytes}
    described = artifact.description or artifact.name
    return {"path": files.name(artifact.path), "type": artifact.artifact_type, "description": described, **facts}


def is_of_end(entry: Mapping[str, Any]) -> bool:
    """Whether an event says how a run or a step ended, and with what: that is believed only when authenticated.

    A run that failed for want of the key says no more than that.
    """
    if entry.get("event") == "run_failed" and not (entry.get("input_files") or entry.get("output_files")):
        return False
    return entry.get("event") in (*ENDED, "run_updated", "step_finished", NOTED)


# ---------------------------------------------------------------- records


def records(
    entries: Iterable[dict[str, Any] | Damage],
    damaged: Callable[[Damage], None],
    dead: Callable[[str, str], None] = lambda run_id, task_id: None,
) -> Iterator[dict[str, Any]]:
    """The records of runs from the events of a log that is read from its end: newest first.

    A run is placed where it ended or, if it did not, where it started. A caller that needs only a few records lets
    the rest of the log unread. `dead` is called for each run (id, task) that is found to be aborted and has no event
    that says so.
    """
    updates: dict[str, list[dict[str, Any]]] = {}
    aborted: set[str] = set()
    seen: set[str] = set()
    for entry in entries:
        if isinstance(entry, Damage):
            damaged(entry)
            continue
        kind, run_id = entry.get("event"), entry.get("run_id")
        if not isinstance(run_id, str) or run_id in seen:
            continue
        if kind == "run_updated":
            proof = {"authentic": False} if entry.get("authentic") is False else {}
            updates.setdefault(run_id, []).append({**(entry.get("updates") or {}), **proof})
        elif kind == "run_aborted":
            aborted.add(run_id)
        elif kind in ENDED or kind == "run_started":
            seen.add(run_id)
            record = _ended(entry) if kind in ENDED else _unended(entry, aborted=run_id in aborted)
            if record["status"] == "aborted" and run_id not in aborted:
                dead(run_id, record["task_id"])
            for update in reversed(updates.pop(run_id, [])):
                record.update(update)
            yield record


def _ended(entry: Mapping[str, Any]) -> dict[str, Any]:
    known = entry.get("finished") or entry.get("time", "")
    return {**_facts(entry), "timestamp": known, "finished": known}


def _unended(entry: Mapping[str, Any], *, aborted: bool) -> dict[str, Any]:
    """The record of a run that began and did not end: it runs, was aborted, or nobody here can know."""
    usual = {"host": "", "pid": 0, "process_started": "", "boot": ""}
    process = Process(*(entry.get(key, value) for key, value in usual.items()))
    alive = False if aborted else process.is_alive()
    status = "unknown" if alive is None else "running" if alive else "aborted"
    return {**_facts(entry), "timestamp": entry.get("started") or entry.get("time", ""), "status": status}


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "task_id": entry.get("task_id", ""),
        "task_type": entry.get("task_type", ""),
        "task_run_id": entry["run_id"],
        "timestamp": "",
        "success": entry.get("event") == "run_finished",
        "status": entry.get("status") or ("success" if entry.get("event") == "run_finished" else "failed"),
        "started": entry.get("started"),
        "finished": None,
        "verdict": entry.get("verdict"),
        "verdict_sentence": entry.get("verdict_sentence"),
        "execution_time": entry.get("execution_time"),
        "report_path": entry.get("report_path", ""),
        "input_files": list(entry.get("input_files") or ()),
        "output_files": list(entry.get("output_files") or ()),
        "report_files": list(entry.get("report_files") or ()),
        "hostname": entry.get("host", ""),
        "pid": entry.get("pid"),
        "resumed_from": entry.get("resumed_from"),
        "error": entry.get("error"),
        **{key: entry[key] for key in ("figures", "step_times", "show_data") if entry.get(key)},
        **(entry.get("more") or {}),
        **({"authentic": entry["authentic"]} if "authentic" in entry else {}),
    }


_FROM_EVENT = {"task_run_id", "task_id", "hostname", "pid", "timestamp", "status", "success"}
_KNOWN = "task_type started finished execution_time report_path input_files output_files resumed_from error".split()
_KNOWN += ["report_files", "verdict", "verdict_sentence"]


def of_record(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events that give this record again: for imports, and for runs timed elsewhere."""
    status, run_id = record["status"], record["task_run_id"]
    where = {"host": record.get("hostname", ""), "pid": record.get("pid")}
    head = {"schema": SCHEMA, "run_id": run_id, "task_id": record["task_id"], **where}
    facts = {key: value for key, value in record.items() if key not in _FROM_EVENT}
    known = {key: facts.pop(key) for key in _KNOWN if key in facts}
    if facts:
        known["more"] = facts
    if status in ("running", "aborted", "unknown"):
        begun = {"event": "run_started", "time": record["timestamp"], **head, **known}
        return [begun, {"event": "run_aborted", "time": rfc3339(now()), **head}] if status == "aborted" else [begun]
    kind = "run_finished" if record["success"] else "run_failed"
    return [{"event": kind, "time": record["timestamp"], **head, "status": status, **known}]


# ---------------------------------------------------------------- what a record must be


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys("task_id task_type task_run_id timestamp status report_path hostname".split(), (str,)),
    **dict.fromkeys(("input_files", "output_files"), (list,)),
    "success": (bool,),
    "execution_time": (int, float, type(None)),
}
REQUIRED = ("task_id", "task_run_id", "timestamp", "success")


def problems_of(record: Any, *, required: Iterable[str] = REQUIRED) -> list[str]:
    """What is wrong with a record or with updates of one, in words."""
    if not isinstance(record, dict):
        return [f"a record must be an object with keys, not {type(record).__name__}"]
    found = [f"{key!r} is missing" for key in required if not record.get(key) and record.get(key) is not False]
    for key, types in _TYPES.items():
        value = record.get(key)
        if key in record and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            found.append(f"{key!r} must not be {type(value).__name__}")
    for key in ("input_files", "output_files"):
        items = record.get(key)
        if isinstance(items, list) and not all(isinstance(i, dict) and isinstance(i.get("path"), str) for i in items):
            found.append(f"{key!r} must be a list of objects, each with a `path`")
    if isinstance(record.get("timestamp"), str) and record["timestamp"] and moment(record["timestamp"]) is None:
        found.append("'timestamp' is not a time of the form 2026-03-01T09:30:00Z")
    return found


def moment(text: str) -> datetime | None:
    """A time as the log has it; one without zone is meant as local time. None when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC)


def stored_path(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """A path as records have it: relative to the project's root where it is inside, else absolute; or an address."""
    text = os.fspath(path)
    if not isinstance(text, str) or not text.strip() or any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in text):
        raise ValueError("is not a valid path: it is empty, or has control characters or bytes that are not text")
    if is_address(text):
        return text
    absolute = os.path.realpath(os.path.join(root, text))
    with contextlib.suppress(ValueError):
        return Path(absolute).relative_to(os.path.realpath(root)).as_posix()
    return absolute


def pruned(runs: int, lines: int, oldest: str, latest: str, **more: Any) -> dict[str, Any]:
    """The event that says how many runs were taken out of the log, with how many lines, and when the first of them was
    and the last; `more` says how many were damaged, and where the lines were."""
    about = {"runs": runs, "lines": lines, "oldest": oldest, "latest": latest, "user": user_name(), **more}
    return event(PRUNED, None, None, **about)


def pruning(entry: Mapping[str, Any]) -> str:
    """What such an event says, for people."""
    by = f"{entry.get('user') or 'somebody'} on {entry.get('host') or 'another host'}"
    damaged = f"; damaged lines: {entry['damaged']}" if entry.get("damaged") else ""
    return (
        f"runs from {str(entry.get('oldest'))[:10]} to {str(entry.get('latest'))[:10]} ({entry.get('runs')}, with"
        f" {entry.get('lines')} lines) were pruned on {str(entry.get('time'))[:10]} by {by}{damaged}"
    )
