"""What the page shows, looked at again and again while a page is open: tasks, their newest runs, their logs."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks_dashboard.following import Following
from pamola_tasks_dashboard.processes import is_alive, memory_of
from pamola_tasks_dashboard.runs import Log, Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import CommandLine, KernelView, LockHolder, RunServices

EVERY = 0.2  # seconds between two looks at what runs
_ANEW = 1.0  # seconds between two looks at all tasks, the history and processes
_WITHHELD = "Withheld: the run was started with --show-data, and the dashboard was not."
_MOST_LOG = 256 << 10  # bytes of a log that are read of what is there already


@attrs.define
class _Watched:
    """A task that is watched."""

    live: Following
    log: Following
    run: Run = attrs.Factory(Run)
    lines: Log = attrs.Factory(Log)
    state: dict[str, Any] = attrs.Factory(dict)
    memory: dict[str, Any] | None = None
    peak: int = 0
    shown: dict[str, Any] | None = None  # the document of its run; made again after something has changed


@attrs.frozen
class Board:
    """What there is to show at one moment; it never changes.

    `documents` are by name, `tasks` or `run <task>`; `logs` by task: the run, and numbered lines.
    """

    documents: Mapping[str, Any] = attrs.Factory(dict)
    logs: Mapping[str, tuple[str, tuple[tuple[int, Any], ...]]] = attrs.Factory(dict)


class Watcher:
    """Looks at a project. `look` is called on one thread at a time."""

    def __init__(self, cli: CommandLine, *, show_data: bool) -> None:
        self._cli = cli
        self._show_data = show_data
        self._root = cli.kernel.project.root
        self._watched: dict[str, _Watched] = {}
        self._services: RunServices | None = None
        self._looked = 0.0
        self._at_work = threading.Lock()
        self.board = Board()

    def kernel(self) -> KernelView:
        """One that reads everything again, with the plugins that are loaded."""
        return self._cli.kernel_for(self._root)

    def look(self) -> Board:
        """What there is now."""
        with self._at_work:
            if self._services is None or time.monotonic() - self._looked >= _ANEW:
                self._look_at_tasks()
                self._looked = time.monotonic()
            ended = [task_id for task_id, watched in self._watched.items() if self._follow(task_id, watched)]
            if ended:
                self._look_at_tasks()
            self.board = self._board()
            return self.board

    def _look_at_tasks(self) -> None:
        kernel = self.kernel()
        run = self._services = kernel.services(None, upto="lock")
        names = kernel.task_ids()
        for task_id in [*self._watched.keys() - set(names)]:
            del self._watched[task_id]
        for task_id in names:
            if task_id not in self._watched:
                self._watched[task_id] = _watched(run, task_id)
            watched = self._watched[task_id]
            watched.state = {**state_of(run, task_id, show_data=self._show_data), "report": _reported(run, task_id)}
            running = watched.state["state"] == "running"
            found = memory_of(watched.state["pid"]) if running and watched.state["local"] else None
            if found is not None:
                watched.peak = max(watched.peak, found.bytes)
            before = watched.memory
            watched.memory = attrs.asdict(found) | {"peak": watched.peak} if found is not None else None
            watched.shown = watched.shown if before == watched.memory else None

    def _follow(self, task_id: str, watched: _Watched) -> bool:
        """Read what came; whether a run of the task began or ended."""
        files = self._services.files if self._services is not None else self.kernel().project.files
        before = watched.run.run, watched.run.status
        anew, lines = watched.live.read(files)
        if anew:
            watched.run, watched.peak = Run(), 0
        watched.run.take(lines)
        watched.shown = None if anew or lines else watched.shown
        run_id = watched.run.run or str(watched.state.get("run") or "")
        if before[0] != watched.run.run:
            watched.lines = Log()
            watched.log = Following(watched.log.name, _MOST_LOG)
        watched.lines.take(watched.log.read(files)[1], run_id)
        return before != (watched.run.run, watched.run.status)

    def _board(self) -> Board:
        documents: dict[str, Any] = {"tasks": [watched.state for watched in self._watched.values()]}
        for task_id, watched in self._watched.items():
            if watched.run.run:
                facts = {"task": task_id, "memory": watched.memory, "withheld": self._withheld(watched)}
                watched.shown = watched.shown or {**watched.run.to_dict(), **facts}
                documents[f"run {task_id}"] = watched.shown
        logs = {
            task_id: (watched.run.run, tuple(watched.lines.lines))
            for task_id, watched in self._watched.items()
            if watched.lines.lines and not self._withheld(watched)
        }
        return Board(documents, logs)

    def _withheld(self, watched: _Watched) -> bool:
        """Whether the log may quote cells, and the page may not."""
        return not self._show_data and (watched.run.show_data or bool(watched.state.get("show_data")))


def _reported(run: RunServices, task_id: str) -> bool:
    return run.files.exists(run.places.of(task_id).report())


def _watched(run: RunServices, task_id: str) -> _Watched:
    place = run.places.of(task_id)
    log = Following(f"{run.places.folders['project_logs']}/{task_id}.log", _MOST_LOG)
    return _Watched(Following(place.live), log)


def state_of(run: RunServices, task_id: str, *, show_data: bool) -> dict[str, Any]:
    """How a task is: what its lock says of now, and the history of before.

    The lock itself is never tried: a try at the wrong moment keeps a run from starting.
    """
    latest = run.history.find_latest_execution(task_id, success_only=False) or {}
    holder = run.lock.holder(task_id)
    alive = is_alive(holder) if holder is not None else False
    ended = latest.get("status") not in (None, "running", "unknown")
    if holder is not None and not (ended and holder.run_id == latest.get("task_run_id")) and alive is not False:
        return _state(task_id, "running" if alive else "unknown", {"show_data": latest.get("show_data")}, holder)
    status = str(latest.get("status") or "")
    state = "never run" if not latest else "done" if latest.get("success") else "failed"
    if not latest.get("success") and status in ("interrupted", "aborted", "unknown"):
        state = status
    return _state(task_id, "aborted" if status == "running" else state, latest, show_data=show_data)


def _state(
    task_id: str, state: str, told: Mapping[str, Any], holder: LockHolder | None = None, *, show_data: bool = False
) -> dict[str, Any]:
    error = str((told.get("error") or {}).get("message") or "")
    facts = {
        "task": task_id,
        "state": state,
        "run": told.get("task_run_id"),
        "since": told.get("started") or told.get("timestamp"),
        "seconds": told.get("execution_time"),
        "verdict": told.get("verdict"),
        "error": _WITHHELD if error and told.get("show_data") and not show_data else error,
        "show_data": bool(told.get("show_data")),
        "pid": None,
        "host": told.get("hostname"),
        "local": False,
    }
    if holder is not None:
        facts |= {"run": holder.run_id, "since": holder.since, "pid": holder.pid, "host": holder.host}
        facts["local"] = state == "running"
    return facts


def history_of(kernel: KernelView, task: str, limit: int, *, show_data: bool) -> dict[str, Any]:
    """The runs of a task or of all, newest first, and which of them have a report."""
    run = kernel.services(None, upto="history")
    reports: dict[str, set[str]] = {}
    rows: list[dict[str, Any]] = []
    for record in getattr(run.history, "records", list)():
        task_id = str(record["task_id"])
        if task and task_id != task:
            continue
        if len(rows) == limit:
            return {"runs": rows, "more": True}
        if task_id not in reports:
            reports[task_id] = set()
            with contextlib.suppress(PamolaTaskError):  # of a record that no task can have made
                reports[task_id] = set(run.places.runs(task_id))
        rows.append(
            {
                **_state(task_id, str(record.get("status") or ""), record, show_data=show_data),
                "success": bool(record.get("success")),
                "verdict_sentence": record.get("verdict_sentence"),
                "report": record.get("task_run_id") in reports[task_id],
                "outputs": [_file(each) for each in record.get("output_files") or () if each.get("rows") is not None],
                "resumed": bool(record.get("resumed_from")),
            }
        )
    return {"runs": rows, "more": False}


def _file(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": str(entry.get("path") or "").rpartition("/")[2], "rows": entry.get("rows")}
