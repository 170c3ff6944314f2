"""`pamola-task list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks_cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_cli.app import Invocation


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, as_json: bool) -> None:
    """List the project's tasks: id, type, last run, whether it would run, and description."""
    kernel = cli.kernel
    run = kernel.services(None, upto="history")
    rows = [_row(run, task_id, target) for task_id, target in sorted(kernel.tasks.known().items())]
    if as_json:
        print_json(rows)
        return
    if not rows:
        note(f"no tasks in {kernel.project.root}/configs: `pamola-task new task NAME` creates one")
        return
    print_table(
        [[r["task"], r["type"], r["last_run"] or "never", r["would_run"], r["description"]] for r in rows],
        ["task", "type", "last run", "would run", "description"],
    )


def _row(run: RunServices, task_id: str, target: Any) -> dict[str, Any]:
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
