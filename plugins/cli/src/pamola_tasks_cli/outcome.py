"""How the outcome of a run is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pamola_tasks_cli.output import duration, facts, from_here, listed, program, size

if TYPE_CHECKING:
    from pamola_tasks.outcome import Outcome


def print_outcome(outcome: Outcome, asked: str) -> None:
    """A run's outcome for people, who named the task as `asked`."""
    record = outcome.record
    word, colour = ("succeeded", "green") if outcome.success else ("failed", "red")
    if outcome.status == "interrupted":
        word, colour = "interrupted", "yellow"
    click.echo(
        f"{click.style(outcome.task_id, bold=True)} {click.style(word, fg=colour)} in {duration(record.seconds)}"
    )
    rows = [("steps", _steps(outcome)), *_verdict(outcome)]
    if not outcome.success and record.error:
        where = f" in step {record.error['step']}" if record.error.get("step") else ""
        rows.append(("error", f"{record.error['message']}{where and f' ({where.strip()})'}"))
    outputs = []
    for output in record.outputs:
        many = f"{output.rows:,} rows, " if output.rows is not None else ""
        lock = ", encrypted" if output.encrypted else ""
        place = from_here(outcome.project_root / output.path) if output.path else output.name
        outputs.append(f"{place}  ({many}{size(output.bytes)}{lock})")
    rows += listed("warnings", record.warnings)
    rows += listed("observers", [f"{one['plugin']} failed in {one['hook']}" for one in record.observer_failures])
    rows += listed("outputs", outputs)
    made = {output.path for output in record.outputs} | {a.path for step in record.steps for a in step.artifacts}
    if kept := len({path for path in made if outcome.internal and path.startswith(f"{outcome.internal}/")}):
        many = "1 file" if kept == 1 else f"{kept} files"
        rows.append(("internal", f"{from_here(outcome.project_root / outcome.internal)}  ({many} not to be released)"))
    if outcome.report:
        page = outcome.report.with_suffix(".html")
        rows.append(("report", from_here(page if page.exists() else outcome.report)))
    if not outcome.success:
        rows.append(("go on", f"{program()} run {asked}"))
    facts(rows)


def _verdict(outcome: Outcome) -> list[tuple[str, str]]:
    """The verdict on the outputs, where there are any, and why it is not a plain one."""
    verdict = outcome.record.verdict
    if not verdict["datasets"] and all(output.internal for output in outcome.record.outputs):
        return []
    said = [f"{verdict['verdict']}: {verdict['sentence']}", *verdict["reasons"], *verdict["open_questions"]]
    return listed("verdict", said)


def _steps(outcome: Outcome) -> str:
    record = outcome.record
    skipped = sum(1 for s in record.steps if s.status == "skipped" and s.reason.startswith("nothing changed"))
    failed = [s.step for s in record.steps if s.status == "error"]
    done = sum(1 for s in record.steps if s.status in ("success", "warning", "partial_success"))
    left = len(record.steps) - done - skipped - len(failed)
    parts = {
        f"{done} done": True,
        f"{skipped} unchanged since an earlier run": skipped,
        f"failed: {', '.join(failed)}": failed,
        f"{left} not run": left,
    }
    return ", ".join(text for text, holds in parts.items() if holds) if record.steps else "none"
