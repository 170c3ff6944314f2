"""The command `demo`."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import UsageError
from pamola_tasks.protocols import RunOptions
from pamola_tasks_demo import project
from pamola_tasks_demo.summary import example, facts, show

if TYPE_CHECKING:
    from pamola_tasks.outcome import Outcome
    from pamola_tasks.protocols import CommandLine


ROWS = 20_000
SEED = 1


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
        made = project.with_roles(made, columns, quasi_identifiers=quasi_identifiers, sensitive=sensitive, k=k)
        made = project.with_dates(made, table)
        kernel.project.files.write(f"configs/{project.TASK_ID}.yaml", project.task_file(made), "config")
        undo.pop_all()
    options = RunOptions(console=cli.verbosity > 0, quiet=cli.verbosity < 0)
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
        raise UsageError(f"--keep: {root} is not empty, and a demo overwrites nothing: name a new or an empty folder")
    existed = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    undo.callback(_empty if existed else shutil.rmtree, root)
    return root.resolve()


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
