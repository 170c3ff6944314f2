"""What the demo says when it is done: facts for machines, and a short page for people."""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks_demo.project import AFTER, ANONYMIZE, BEFORE, RELEASED, TASK_ID, Demo, table_of

if TYPE_CHECKING:
    from pathlib import Path

    from pamola_tasks.outcome import Outcome
    from pamola_tasks.protocols import KernelView

_INDENT = 20


def facts(kernel: KernelView, outcome: Outcome, demo: Demo) -> dict[str, Any]:
    """What came of it, as JSON values."""
    metrics = outcome.results[ANONYMIZE].metrics
    released = next(dataset for dataset in outcome.record.outputs if dataset.name == RELEASED)
    return {
        "status": outcome.status,
        "run_id": outcome.run_id,
        "project": str(kernel.project.root),
        "synthetic": demo.synthetic,
        "seconds": round(outcome.record.seconds, 3),
        "k": {"asked": demo.k, "before": metrics["k_before"], "after": metrics["k_measured"]},
        "rows": {"in": metrics["rows_in"], "out": metrics["rows_out"], "suppressed": metrics["rows_suppressed"]},
        "quasi_identifiers": list(demo.quasi_identifiers),
        "sensitive_attributes": list(demo.sensitive_attributes),
        "dropped_columns": list(metrics["dropped_columns"]),
        "unlisted_columns": list(metrics["unlisted_columns"]),
        "information_loss": metrics["information_loss"],
        "information_loss_by_column": dict(metrics["information_loss_by_column"]),
        "l_diversity": {name: found["l"] for name, found in metrics["l_diversity"].items()},
        "warnings": list(outcome.record.warnings),
        "task_file": f"configs/{TASK_ID}.yaml",
        "released": released.path,
        "report": kernel.project.files.name(outcome.report) if outcome.report is not None else None,
        "steps": {step: outcome.results[step].status.value for step in (BEFORE, ANONYMIZE, AFTER)},
    }


def example(kernel: KernelView, outcome: Outcome, demo: Demo) -> tuple[str, str] | None:
    """One synthetic record before and after. Of a real table none is shown: its cells must not appear on a terminal."""
    columns = list(demo.quasi_identifiers)
    after = outcome.datasets[RELEASED]
    if not demo.synthetic or after.empty:
        return None
    before = table_of(kernel, demo).frame(demo.dataset, columns)
    # Released records keep the input's order, and none was suppressed where any is released.
    first, released = (", ".join(f"{name} {t[name].iloc[0]}" for name in columns) for t in (before, after))
    return first, released


def show(
    found: Mapping[str, Any], demo: Demo, root: Path, *, program: str, record: tuple[str, str] | None, temporary: bool
) -> None:
    """Print the page for people: `facts`, an `example`, and what to type next; a folder chosen by us is temporary."""
    rows, k = found["rows"], found["k"]
    click.secho(demo.description, bold=True)
    click.echo(demo.comment)
    click.echo()
    line("Done", f"profile → {demo.k}-anonymity → profile, in {found['seconds']:.1f} s")
    suppressed = f", {rows['suppressed']:,} suppressed" if rows["suppressed"] else ", none suppressed"
    line("Rows", f"{rows['in']:,} in, {rows['out']:,} released{suppressed}")
    line("k-anonymity", _of_k(k["before"], k["after"], demo.quasi_identifiers), bold=True)
    parts = ", ".join(f"{name} {loss:.1%}" for name, loss in found["information_loss_by_column"].items())
    line("Information loss", f"{found['information_loss']:.1%} of the quasi-identifiers' precision ({parts})")
    line("Dropped", ", ".join(found["dropped_columns"]) or "no column: none looks like a direct identifier")
    kept = [*(f"{name} (sensitive)" for name in demo.sensitive_attributes), *found["unlisted_columns"]]
    line("Kept as it was", ", ".join(kept) or "nothing but the quasi-identifiers, generalized")
    if record is not None:
        line("A record", record[0])
        line("becomes", record[1])
    for warning in found["warnings"]:
        line("Mind", warning, fg="yellow")
    click.echo()
    line("Released table", str(root / found["released"]))
    if found["report"]:
        report = root / found["report"]
        page = report.with_suffix(".html")
        line("Report", str(page if page.exists() else report))
    line("Task", f"{root / found['task_file']}: read it, change it, run it again")
    click.echo()
    click.secho("Next", bold=True)
    command = f"{program} --project {shlex.quote(str(root))}"
    for arguments, meaning in (
        (f"report {TASK_ID}", "the whole report, here"),
        (f"show {TASK_ID}", "the plan: steps, datasets, parameters"),
        (f"run {TASK_ID}", "run it again; unchanged steps are skipped"),
    ):
        click.echo(f"  {command} {arguments}")
        click.secho(f"      {meaning}", dim=True)
    if temporary:
        click.echo()
        what = "synthetic data only" if demo.synthetic else "a copy of your table"
        click.echo(f"The folder {root} stays until you delete it; it holds {what}.")


def _of_k(before: int, after: int | None, quasi_identifiers: Sequence[str]) -> str:
    if after is None:
        return f"k = {before} before; fewer records than k, so nothing was released"
    *others, last = quasi_identifiers
    columns = f"{', '.join(others)} and {last}" if others else last
    alike = f"each released record shares its {columns} with {after - 1} others or more"
    return f"k = {before} before, k = {after} after: {alike}"


def line(label: str, text: str, *, bold: bool = False, fg: str | None = None) -> None:
    """A label and what it means, wrapped under itself; a path is never broken."""
    width = max(60, min(shutil.get_terminal_size().columns, 110)) - _INDENT
    first, *rest = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    click.echo(f"  {label:<{_INDENT - 2}}" + click.style(first, bold=bold, fg=fg))
    for further in rest:
        click.echo(" " * _INDENT + click.style(further, bold=bold, fg=fg))
