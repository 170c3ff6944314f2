"""How the outcome of a run is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks_cli.output import duration, facts, from_here, size

if TYPE_CHECKING:
    from pamola_tasks.outcome import Outcome


_STEP = ("step", "operation", "status", "seconds", "reason", "made_by", "metrics")
_OUTPUT = ("name", "path", "rows", "sha256", "bytes", "encrypted")


def as_document(outcome: Outcome) -> dict[str, Any]:
    """A run's outcome for machines."""
    record = outcome.record
    return {
        "task": outcome.task_id,
        "run": outcome.run_id,
        "status": outcome.status,
        "success": outcome.success,
        "seconds": round(record.seconds, 3),
        "seed": record.seed,
        "resumed_from": record.resumed_from,
        "steps": [
            {name: getattr(step, name) for name in _STEP} | {"seconds": round(step.seconds, 6)} for step in record.steps
        ],
        "outputs": [{name: getattr(output, name) for name in _OUTPUT} for output in record.outputs],
        "warnings": record.warnings,
        "error": record.error,
        "report": str(outcome.report) if outcome.report else None,
    }


def print_outcome(outcome: Outcome, again: str) -> None:
    """A run's outcome for people.

    Args:
        outcome: How the run ended.
        again: The command that runs it again.
    """
    record = outcome.record
    word, colour = ("succeeded", "green") if outcome.success else ("failed", "red")
    if outcome.status == "interrupted":
        word, colour = "interrupted", "yellow"
    click.echo(
        f"{click.style(outcome.task_id, bold=True)} {click.style(word, fg=colour)} in {duration(record.seconds)}"
    )
    rows = [("steps", _steps(outcome))]
    if not outcome.success and record.error:
        where = f" in step {record.error['step']}" if record.error.get("step") else ""
        rows.append(("error", f"{record.error['message']}{where and f' ({where.strip()})'}"))
    for index, warning in enumerate(record.warnings):
        rows.append(("warnings" if index == 0 else "", warning))
    for index, failure in enumerate(record.observer_failures):
        rows.append(("observers" if index == 0 else "", f"{failure['plugin']} failed in {failure['hook']}"))
    for index, output in enumerate(record.outputs):
        many = f"{output.rows:,} rows, " if output.rows is not None else ""
        lock = ", encrypted" if output.encrypted else ""
        place = from_here(outcome.project_root / output.path) if output.path else output.name
        rows.append(("outputs" if index == 0 else "", f"{place}  ({many}{size(output.bytes)}{lock})"))
    if outcome.report:
        page = outcome.report.with_suffix(".html")
        rows.append(("report", from_here(page if page.exists() else outcome.report)))
    if not outcome.success:
        rows.append(("go on", again))
    facts(rows)


def _steps(outcome: Outcome) -> str:
    record = outcome.record
    total = len(record.steps)
    skipped = sum(1 for s in record.steps if s.status == "skipped" and s.reason.startswith("nothing changed"))
    failed = [s.step for s in record.steps if s.status == "error"]
    done = sum(1 for s in record.steps if s.status in ("success", "warning", "partial_success"))
    parts = [f"{done} done"]
    if skipped:
        parts.append(f"{skipped} unchanged since an earlier run")
    if failed:
        parts.append(f"failed: {', '.join(failed)}")
    left = len(record.steps) - done - skipped - len(failed)
    if left:
        parts.append(f"{left} not run")
    return ", ".join(parts) if total or failed else "none"
