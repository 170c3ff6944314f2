"""`pamola-task status` and `pamola-task list`: the tasks of a project, and how each ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.nulls import NoHistory
from pamola_tasks.storage.leftovers import outdated
from pamola_tasks_cli.output import duration, facts, heading, listed, note, print_json, print_table, program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import RunServices
    from pamola_tasks_cli.app import Invocation

_COLOURS = {"running": "cyan", "done": "green", "failed": "red", "interrupted": "yellow", "aborted": "yellow"}
_LABELS = {"failed": "error", "aborted": "stopped", "unknown": "process"}  # of what is said about a state
_NEXT = {
    "interrupted": "resumes where it was interrupted",
    "aborted": "resumes where its process ended",
    "failed": "resumes after the finished steps",
    "never run": "runs it",
}


@click.command("status")
@click.argument("task", required=False)
@click.option("--watch", is_flag=True, help="Follow what runs until it ends or Ctrl-C; with --json a line per change.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, task: str | None, watch: bool, as_json: bool) -> None:
    """Show what is running and how each task, or TASK, ended: done, failed, interrupted, aborted or never run."""
    kernel = cli.kernel
    if task:
        seen = kernel.inspect(task)  # an error that says which was meant, where there is no such task
        tasks = [seen.record.task_id]
    else:
        seen = kernel.services(None, upto="lock")
        tasks = kernel.task_ids()
    rows = [status_of(seen, task_id) for task_id in tasks]
    if watch:
        from pamola_tasks_cli.watching import follow

        rows = follow(seen, rows, lambda: [status_of(seen, task_id) for task_id in tasks], as_json=as_json)
    if watch and as_json:
        return
    if as_json:
        print_json(rows[0] if task else rows)
    elif task:
        _print_one(rows[0], task)
    elif rows:
        said = ["; ".join(filter(None, (_outdated(row), _detail(row)))) for row in rows]
        cells = [[row["task"], row["state"], _when(row), more] for row, more in zip(rows, said, strict=True)]
        print_table(cells, ["task", "state", "since (UTC)", ""])
    else:
        note(f"no tasks in {kernel.project.root}/configs: `pamola-task new task NAME` creates one")


def status_of(run: RunServices, task_id: str) -> dict[str, Any]:
    """The status of a task: what the lock says of now, and the history of before."""
    latest = run.history.find_latest_execution(task_id, success_only=False)
    holder = run.lock.holder(task_id)
    said = latest or {}
    row: dict[str, Any] = {
        "task": task_id,
        "state": _ended(run, latest),
        "run": said.get("task_run_id"),
        "since": said.get("timestamp"),
        "pid": said.get("pid"),
        "host": said.get("hostname"),
        "steps": [],
        "seconds": said.get("execution_time"),
        "error": said.get("error"),
        "outdated": outdated(run.files, run.places.of(task_id), latest),
    }
    find = getattr(run.history, "find_task_by_output", lambda path: None)
    row["foreign"] = [path for path in row["outdated"] if (find(path) or {}).get("task_id") != task_id]
    # The lock is tried only where it can be held: who tries it at the wrong moment keeps another from starting.
    known = latest is not None and latest.get("status") not in ("running", "unknown")
    if holder is not None and not (known and holder.run_id == row["run"]) and run.lock.is_running(task_id):
        return {**row, "run": holder.run_id, "since": holder.since, "pid": holder.pid, "host": holder.host,
                "state": "running", "steps": list(holder.steps), "seconds": None, "error": None}  # fmt: skip
    if holder is not None and row["state"] == "aborted":
        row["steps"] = list(holder.steps)
    return row


def _ended(run: RunServices, latest: Mapping[str, Any] | None) -> str:
    if latest is None:
        return "unknown" if isinstance(run.history, NoHistory) else "never run"
    status = str(latest.get("status") or "")
    if latest.get("success"):
        return "done"
    if status in ("interrupted", "aborted", "unknown"):
        return status
    return "aborted" if status == "running" else "failed"  # its lock is free: it does not run any more


def _when(row: Mapping[str, Any]) -> str:
    text = str(row["since"] or "")
    return f"{text[:10]} {text[11:19]}".strip()


def _detail(row: Mapping[str, Any]) -> str:
    if row["state"] == "running":
        return f"process {row['pid']} on {row['host']}" + (f", in {', '.join(row['steps'])}" if row["steps"] else "")
    if row["state"] == "unknown" and row["run"]:
        return f"started on {row['host']}; whether it still runs is not known here"
    if row["state"] == "aborted" and row["steps"]:
        return f"in {', '.join(row['steps'])}"
    return str((row["error"] or {}).get("message") or "").partition("\n")[0] if row["state"] == "failed" else ""


def _outdated(row: Mapping[str, Any]) -> str:
    said = {"that the newest run did not make (`clean --outputs`)": len(row["outdated"]) - len(row["foreign"])}
    said["that no run made"] = len(row["foreign"])
    return "; ".join(f"{n} {'file' if n == 1 else 'files'} {why}" for why, n in said.items() if n)


def _print_one(row: Mapping[str, Any], asked: str) -> None:
    heading(row["task"])
    state = row["state"]
    rows = [("state", click.style(state, fg=colour) if (colour := _COLOURS.get(state)) else state)]
    if row["since"]:
        rows.append(("since", f"{_when(row)} UTC"))
    if row["run"]:
        rows.append(("run", row["run"]))
    if state == "running":
        rows += [("process", f"{row['pid']} on {row['host']}"), ("step", ", ".join(row["steps"]) or "between steps")]
    elif row["seconds"] is not None:
        rows.append(("took", duration(row["seconds"])))
    if _detail(row) and state != "running":
        rows.append((_LABELS.get(state, ""), _detail(row)))
    rows += listed("no longer made", [path for path in row["outdated"] if path not in row["foreign"]])
    rows += listed("made by no run", row["foreign"])
    if state in _NEXT:
        rows.append(("go on", f"{program()} run {asked}  ({_NEXT[state]})"))
    facts(rows)


# ---------------------------------------------------------------- list


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def list_command(cli: Invocation, as_json: bool) -> None:
    """List the project's tasks: id, type, last run, whether it would run, and description."""
    kernel = cli.kernel
    run = kernel.services(None, upto="history")
    rows = [_listed(run, task_id, target) for task_id, target in sorted(kernel.tasks.known().items())]
    if as_json:
        print_json(rows)
        return
    if not rows:
        note(f"no tasks in {kernel.project.root}/configs: `pamola-task new task NAME` creates one")
        return
    print_table(
        [[r["task"], r["type"], r["last_run"] or "never", r["would_run"], r["description"]] for r in rows],
        ["task", "type", "last run (UTC)", "would run", "description"],
    )


def _listed(run: RunServices, task_id: str, target: Any) -> dict[str, Any]:
    last = run.history.find_latest_execution(task_id, success_only=False)
    ended, would = "", "yes, never run"
    if last is not None:
        when = str(last.get("timestamp", ""))[:19].replace("T", " ")
        ended = f"{when} {last.get('status') or ('success' if last.get('success') else 'failed')}".strip()
        would = "what changed" if last.get("success") else "yes, resumes"
    return {
        "task": task_id,
        "type": getattr(target, "task_type", ""),
        "description": run.redact(getattr(target, "description", "") or _first_line(target)),
        "last_run": ended,
        "would_run": would,
        "source": getattr(target, "path", "") or str(target),
    }


def _first_line(target: Any) -> str:
    return (target.__doc__ or "").strip().partition("\n")[0] if isinstance(target, type) else ""
