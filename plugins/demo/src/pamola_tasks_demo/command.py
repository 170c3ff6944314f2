"""The command `demo`."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import UsageError
from pamola_tasks.protocols import RunOptions
from pamola_tasks_demo import project
from pamola_tasks_demo.project import AFTER, ANONYMIZE, BEFORE, RELEASED, TASK_ID, Demo, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pamola_tasks.outcome import Outcome
    from pamola_tasks.protocols import CommandLine, KernelView

ROWS = 20_000
SEED = 1
_INDENT = 20


@click.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[FILE.csv]"
)
@click.option(
    "--quasi-identifiers",
    metavar="A,B,C",
    multiple=True,
    help="Columns that together could identify a person; required with a file.",
)
@click.option(
    "--k", type=click.IntRange(min=2), default=5, show_default=True, help="Smallest size of an equivalence class."
)
@click.option(
    "--sensitive", metavar="A,B", multiple=True, help="Sensitive columns: kept, and their diversity measured."
)
@click.option("--keep", metavar="DIR", help="Create the project in DIR, a new or empty folder.")
@click.option("--rows", type=click.IntRange(min=1), help=f"Number of synthetic patients (default: {ROWS}).")
@click.option("--seed", type=click.IntRange(min=0), default=SEED, show_default=True, help="Seed for everything random.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def demo(
    cli: CommandLine,
    file: Path | None,
    quasi_identifiers: tuple[str, ...],
    k: int,
    sensitive: tuple[str, ...],
    keep: str | None,
    rows: int | None,
    seed: int,
    as_json: bool,
) -> int:
    """Anonymize a table and show the result: 20,000 synthetic patients, or your own FILE.csv.

    Makes a project in a fresh folder, profiles the table, makes it k-anonymous, and profiles the result. Your file is
    only read; what looks like a direct identifier in it is dropped.
    """
    if file is not None and rows is not None:
        raise UsageError("--rows is for the synthetic table; a file has the rows that it has")
    with contextlib.ExitStack() as undo:
        root = _folder(keep, undo)
        kernel = cli.kernel_for(root)
        project.mark(root)
        if file is None:
            made = project.with_patients(kernel, rows=ROWS if rows is None else rows, seed=seed)
        else:
            made = project.with_table(kernel, file, seed=seed)
        table = project.table_of(kernel, made)
        columns = list(table.schema(made.dataset))
        likely = [] if quasi_identifiers or file is None else project.looks_knowable(kernel, made)
        made = project.with_roles(
            made, columns, quasi_identifiers=quasi_identifiers, sensitive=sensitive, k=k, likely=likely
        )
        made = project.with_dates(made, table)
        kernel.project.files.write(f"configs/{project.TASK_ID}.yaml", project.task_file(made), "config")
        undo.pop_all()
    options = RunOptions(console=cli.verbosity > 0, quiet=cli.verbosity < 0, owns_process=True)
    outcome: Outcome = kernel.run(project.TASK_ID, options=options)
    if not outcome.success:
        message = (outcome.record.error or {}).get("message", outcome.status)
        click.secho(f"the run failed: {message}", fg="red", err=True)
        click.echo(f"project: {root}\nreport: {outcome.report or 'none'}", err=True)
        return outcome.exit_code
    found = facts(kernel, outcome, made)
    if as_json:
        cli.out.print_json(found)
    else:
        record = example(kernel, outcome, made)
        show(found, made, root, program=cli.out.program(), record=record, temporary=keep is None)
    return outcome.exit_code


def _folder(keep: str | None, undo: contextlib.ExitStack) -> Path:
    """A new or empty folder for the project; made empty, or taken away, again when what follows fails."""
    if keep is None:
        root = Path(tempfile.mkdtemp(prefix="pamola-demo-")).resolve()
        undo.callback(shutil.rmtree, root)
        return root
    root = Path(keep).absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(
            f"--keep: {root} is not empty, and a demo overwrites nothing: name a new or an empty folder{_left_in(root)}"
        )
    existed = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    undo.callback(_empty if existed else shutil.rmtree, root)
    return root.resolve()


def _left_in(folder: Path) -> str:
    """What to do about a demo that was ended there before it was complete."""
    if (folder / f"configs/{project.TASK_ID}.yaml").is_file():
        return f". The demo in it can be run again: `pamola-task --project {folder} run {project.TASK_ID}`"
    if (folder / ".pamola.toml").is_file() and not (folder / "configs").is_dir():
        return ". It was left by a demo that was ended while it was made: remove it, if nothing else is in it"
    return ""


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


# ---------------------------------------------------------------- what it says when it is done


def facts(kernel: KernelView, outcome: Outcome, demo: Demo) -> dict[str, Any]:
    """What came of it, as JSON values."""
    metrics = outcome.results[ANONYMIZE].metrics
    released = next(dataset for dataset in outcome.record.outputs if dataset.name == RELEASED)
    return {
        "status": outcome.status,
        "run_id": outcome.run_id,
        "exposure": (outcome.results[BEFORE].metrics.get("exposure") or {}).get("sentence"),
        "verdict": {key: said for key, said in outcome.record.verdict.items() if key != "datasets"},
        "project": str(kernel.project.root),
        "synthetic": demo.synthetic,
        "seconds": round(outcome.record.seconds, 3),
        "k": {"asked": demo.k, "before": metrics["k_before"], "after": metrics["k_measured"]},
        "isolated_records": metrics["isolated_records"],
        "rows": {"in": metrics["rows_in"], "out": metrics["rows_out"], "suppressed": metrics["rows_suppressed"]},
        "quasi_identifiers": list(demo.quasi_identifiers),
        "sensitive_attributes": list(demo.sensitive_attributes),
        "insensitive_attributes": list(demo.insensitive_attributes),
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
    before = table_of(kernel, demo).frame(demo.dataset)
    # Released records are sorted: one is found again by the columns that stay as they were, if no other has its values.
    kept = [name for name in after.columns if name not in columns]
    there, here = (table[kept].astype(str).agg("\0".join, axis=1) for table in (before, after))
    found = there[~there.duplicated(keep=False) & there.isin(here[~here.duplicated(keep=False)])]
    if not kept or found.empty:
        return None
    rows = before.loc[found.index[0]], after[here == found.iloc[0]].iloc[0]
    first, released = (", ".join(f"{name} {row[name]}" for name in columns) for row in rows)
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
    verdict = found["verdict"]
    if found["exposure"]:
        line("Before", found["exposure"])
    line("Verdict", f"{verdict['verdict']}: {verdict['sentence']}", bold=True)
    for text in (*verdict["reasons"], *verdict["open_questions"]):
        line("Open", text, fg="yellow")
    line("k-anonymity", _of_k(k["before"], k["after"], demo.quasi_identifiers), bold=True)
    isolated = found["isolated_records"]
    line("Isolated records", f"{isolated:,} have a value at the end of a range, or in a set, alone in their class")
    parts = ", ".join(f"{name} {loss:.1%}" for name, loss in found["information_loss_by_column"].items())
    line("Information loss", f"{found['information_loss']:.1%} of the quasi-identifiers' precision ({parts})")
    line("Dropped", ", ".join(found["dropped_columns"]) or "no column: none looks like a direct identifier")
    kept = [f"{name} (sensitive)" for name in demo.sensitive_attributes]
    kept += [*demo.insensitive_attributes, *found["unlisted_columns"]]
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
