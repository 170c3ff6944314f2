"""`pamola-task assess`: may this table go out, and what would it cost?"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import DataError, UsageError
from pamola_tasks.parameters import unknown_name
from pamola_tasks.protocols import RunOptions

from .assess import AssessOperation
from .assess_screen import show, show_suggested
from .assess_suggested import Merged, SuggestTask, frames_of, hierarchy_files, merged, refuse_without_model
from .assess_task import STEP, AssessTask, Table
from .drafting import draft

if TYPE_CHECKING:
    from pamola_tasks.outcome import Outcome
    from pamola_tasks.protocols import CommandLine, KernelView

_ROLES = {
    "direct": "direct_identifiers",
    "quasi": "quasi_identifiers",
    "sensitive": "sensitive_attributes",
    "insensitive": "insensitive_attributes",
    "person": "person",
}
_ROWS = 50_000


@click.command("assess")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--role",
    "stated",
    metavar="COLUMN=ROLE",
    multiple=True,
    help=f"State the role of a column: {', '.join(_ROLES)}; repeatable.",
)
@click.option("--k", type=click.IntRange(2), default=5, show_default=True, help="The k to propose settings for.")
@click.option(
    "--sampling-fraction",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="PART",
    help="The part of a population that FILE is a random sample of: estimate who is unique there.",
)
@click.option("--llm", is_flag=True, help="Have a language model suggest roles and hierarchies, and measure these too.")
@click.option(
    "--codebook",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --llm: a table that describes the columns: column, description, value, meaning.",
)
@click.option("--draft", "name", metavar="NAME", help="Draft configs/NAME.yaml (default: the name of FILE).")
@click.option("--no-draft", is_flag=True, help="Draft no configuration.")
@click.option("--delimiter", metavar="CHAR", help="The column separator of a CSV file.")
@click.option("--quotechar", metavar="CHAR", help="The quote character of a CSV file.")
@click.option("--encoding", metavar="NAME", help="The encoding of a CSV file.")
@click.option("--sheet", metavar="NAME", help="The sheet of a workbook.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(
    cli: CommandLine,
    /,
    file: Path,
    stated: tuple[str, ...],
    k: int,
    sampling_fraction: float | None,
    llm: bool,
    codebook: Path | None,
    name: str | None,
    no_draft: bool,
    as_json: bool,
    **reading: str | None,
) -> int:
    """Assess FILE: who is unique in it and on what, what k-anonymity would cost; and draft a configuration.

    Columns get roles by what they look like; --role states them. Runs as a task of the project, so that the page stays:
    `pamola-task report assess-NAME`. Outside of a project nothing is written. Existing configurations are never
    replaced.

    With --llm, a language model is sent names and types of the columns, and the codebook. What it suggests never
    protects a column less than the roles above; it is measured in the same way, and drafted as NAME-llm.
    """
    if name is not None and no_draft:
        raise UsageError("--draft and --no-draft contradict each other")
    if codebook is not None and not llm:
        raise UsageError("--codebook belongs to --llm")
    path = Path(os.path.abspath(file))
    path = path.parent.resolve() / path.name
    alone = not (cli.project or cli.kernel.project.marker or os.environ.get("PAMOLA_PROJECT_ROOT"))
    if alone and name is not None:
        raise UsageError("there is no project here to draft a configuration in: make one with `pamola-task init`")
    kernel = cli.kernel_for(path.parent) if alone else cli.kernel
    if llm:
        refuse_without_model(kernel, alone=alone)
    drafted = None if alone or no_draft else _place(kernel, name, path)
    table = _table(kernel, path, {key: value for key, value in reading.items() if value})
    parameters = {"k": k, **_roles(kernel, table, stated)}
    if sampling_fraction is not None:
        parameters["sampling_fraction"] = sampling_fraction
    if alone:
        told = _alone(kernel, table, parameters)
        found: dict[str, Any] = {"project": None, "run_id": None, "report": None}
    else:
        outcome = _run(cli, kernel, AssessTask(table, parameters))
        if not outcome.success:
            return _failed(cli, outcome, "the assessment")
        told = dict(outcome.results[STEP].metrics)
        found = {"project": str(kernel.project.root), **_left(kernel, outcome)}
    found["draft"], why_not = _drafted(kernel, drafted, told, table, path.name) if drafted else (None, "")
    if not as_json:
        show(cli, told, found, file.name, alone=alone, why_not=why_not)
    code = 0
    if llm:
        found["suggested"], code = _suggested(cli, kernel, table, parameters, told, codebook, drafted)
        if found["suggested"] is not None and not as_json:
            show_suggested(cli, told, found["suggested"])
    if as_json:
        cli.out.print_json({"schema": 1, "file": str(file), **told, **found})
    return code


def _run(cli: CommandLine, kernel: KernelView, task: Any, datasets: Mapping[str, Any] | None = None) -> Outcome:
    options = RunOptions(
        console=cli.verbosity > 0, quiet=cli.verbosity < 0, owns_process=True, datasets=dict(datasets or {})
    )
    outcome: Outcome = kernel.run(task, options=options)
    return outcome


def _failed(cli: CommandLine, outcome: Outcome, what: str) -> int:
    message = (outcome.record.error or {}).get("message", outcome.status)
    click.secho(f"{what} failed: {cli.out.visible(str(message))}", fg="red", err=True)
    return outcome.exit_code


def _left(kernel: KernelView, outcome: Outcome) -> dict[str, Any]:
    page = outcome.report and outcome.report.with_suffix(".html")
    report = page if page and page.exists() else outcome.report
    return {"run_id": outcome.run_id, "report": kernel.project.files.name(report) if report else None}


def _suggested(
    cli: CommandLine,
    kernel: KernelView,
    table: Table,
    parameters: Mapping[str, Any],
    told: Mapping[str, Any],
    codebook: Path | None,
    drafted: tuple[str, str, bool] | None,
) -> tuple[dict[str, Any] | None, int]:
    """What a language model suggests, measured as the roles of the rule are, and drafted; and the exit code."""
    book = os.path.abspath(codebook) if codebook is not None else None
    outcome = _run(cli, kernel, SuggestTask(table, book))
    if not outcome.success:
        return None, _failed(cli, outcome, "the suggestion")
    suggestion = dict(outcome.results["suggest"].metrics)
    taken = merged(told["columns"], suggestion)
    asked = {**{key: parameters[key] for key in parameters if key in ("k", "sampling_fraction")}, **taken.parameters()}
    again = _run(cli, kernel, AssessTask(table, asked, "-llm"), frames_of(taken.groups))
    if not again.success:
        return None, _failed(cli, again, "the assessment of what was suggested")
    assessed = dict(again.results[STEP].metrics)
    facts = {"model": taken.model, "roles": taken.differences, "not_taken": suggestion["not_taken"]}
    found = {**facts, "suggestion_run_id": outcome.run_id, **_left(kernel, again), "assessment": assessed}
    found["draft"], found["no_draft"] = None, ""
    if drafted is not None:
        name = f"{drafted[0]}-llm"
        file = Path(table.path)
        place = _place(kernel, None, file, otherwise=name)
        found["draft"], found["no_draft"] = _drafted(kernel, place, assessed, table, file.name, taken)
    return found, 0


def _place(kernel: KernelView, name: str | None, path: Path, otherwise: str = "") -> tuple[str, str, bool]:
    """The id and the file of the task that is drafted, and whether there is one of that id already."""
    task_id = (otherwise or _plain(path)) if name is None else name
    run = kernel.services(None, upto="places")
    run.places.of(task_id)  # refuses what is no name
    file = f"{run.places.folders['configs']}/{task_id}.yaml"
    taken = task_id in kernel.tasks.known() or kernel.project.files.exists(file)
    if taken and name is not None:
        raise UsageError(
            f"--draft: there is a task {task_id!r} already, and no configuration is replaced: name another"
        )
    return task_id, file, taken


def _plain(path: Path) -> str:
    return re.sub(r"[^\w-]+", "_", path.name.partition(".")[0]).strip("_-") or "table"


def _table(kernel: KernelView, path: Path, reading: Mapping[str, str]) -> Table:
    """The table, with the types of columns that are read as text though all of their values fit one type."""
    root = kernel.project.root
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    table = Table(dataset=_plain(path), path=name, reading=dict(reading))
    source = kernel.services(AssessTask(table, {}), upto="data_source").data_source
    describe = getattr(source, "describe_columns", None)  # of another plugin's source nothing is known
    if describe is None:
        return table
    columns = describe(table.dataset)
    found: dict[str, Any] = {each.name: dict(each.type) for each in columns if each.type and _fits(each)}
    kinds = {name: type_["type"] for name, type_ in found.items()}
    # More digits than a number holds: codes rather than amounts, and no operation of the draft computes with decimals.
    found |= dict.fromkeys((name for name, kind in kinds.items() if kind == "decimal"), "text")
    numbers = {name: found[name] for name, kind in kinds.items() if kind in ("integer", "number")}
    if numbers and not _readable(kernel, attrs.evolve(table, types=numbers)):
        for name, type_ in numbers.items():
            if not _readable(kernel, attrs.evolve(table, types={name: type_})):
                found[name] = "text"  # more digits than a number holds
    blanks = any(
        each.setting and not each.type and not each.misfits for each in columns
    )  # `data: {trim: true}` mends it
    trimmed = {"trim": True} if blanks else {}
    return attrs.evolve(table, types=found, reading={**reading, **trimmed})


def _readable(kernel: KernelView, table: Table) -> bool:
    """Whether the columns whose types are stated can be read as these."""
    source = kernel.services(AssessTask(table, {}), upto="data_source").data_source
    try:
        for _ in source.chunks(table.dataset, _ROWS, list(table.types)):
            pass
    except DataError:
        return False
    return True


def _fits(column: Any) -> bool:
    """Whether all values are of the type that most look like, but for usual words for missing ones, without a doubt."""
    asked = any(column.setting in question.settings for question in column.questions)
    return not asked and all(each.count == sum(word.count for word in each.words) for each in column.misfits)


def _roles(kernel: KernelView, table: Table, stated: Sequence[str]) -> dict[str, list[str]]:
    """The roles that the command states, as parameters of the operation."""
    found: dict[str, list[str]] = {}
    if not stated:
        return found
    columns = kernel.services(AssessTask(table, {}), upto="data_source").data_source.columns(table.dataset)
    for text in stated:
        column, equals, role = text.rpartition("=")
        if not equals:
            raise UsageError(f"--role: {text!r} is not of the form COLUMN=ROLE")
        if column not in columns:
            raise UsageError(f"--role: {unknown_name(column, columns, 'column')}")
        if role not in _ROLES:
            raise UsageError(f"--role: {unknown_name(role, _ROLES, 'role')}; roles are {', '.join(_ROLES)}")
        if any(column in named for named in found.values()):
            raise UsageError(f"--role: {column} is named twice: a column has one role")
        found.setdefault(_ROLES[role], []).append(column)
    return found


def _alone(kernel: KernelView, table: Table, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Assess outside of a project: nothing stays but what is printed."""
    source = kernel.services(AssessTask(table, parameters), upto="data_source").data_source
    operation = AssessOperation(input_dataset=table.dataset, **parameters)
    with tempfile.TemporaryDirectory(prefix="pamola-assess-") as folder:
        result = operation.run(data_source=source, task_dir=folder)
    if result.failed:
        raise result.exception or UsageError(str(result.error_message))
    return dict(result.metrics)


def _drafted(
    kernel: KernelView,
    drafted: tuple[str, str, bool],
    told: Mapping[str, Any],
    table: Table,
    file: str,
    suggested: Merged | None = None,
) -> tuple[str | None, str]:
    """The file that was drafted, with those of suggested hierarchies beside it, or why none was."""
    task_id, name, taken = drafted
    if taken:
        return None, f"there is a task {task_id} already: --draft NAME drafts another"
    if not told.get("choice"):
        if told.get("quasi_identifiers"):
            return None, "no settings could be measured at this k: --k takes another"
        return None, "no column was taken for a quasi-identifier: --role COLUMN=quasi states one"
    heading = [
        f"Drafted by `pamola-task assess` for {file}. Read what is marked as proposed, move a column where that is"
        f" wrong, and take it out of `unconfirmed`.",
        told["sentence"],
        f"Run it with: pamola-task run {task_id}",
    ]
    files: dict[str, tuple[str, bytes]] = {}
    if suggested is not None:
        heading.insert(
            1, f"Roles and hierarchies with a model's name beside them are suggestions of {suggested.model}."
        )
        files = hierarchy_files(suggested.groups, name.removesuffix(".yaml"))
    try:
        generalized = {column: path for column, (path, _) in files.items()}
        ranges = suggested.ranges if suggested is not None else {}
        text = draft(task_id, told, table.path, table.types, table.reading, heading, generalized, ranges)
        for path, content in files.values():
            with kernel.project.files.create(path, "config", exclusive=True) as target:
                target.write(content)
        with kernel.project.files.create(name, "config", exclusive=True) as target:
            target.write(text.encode())
    except UsageError as error:
        return None, str(error)
    except FileExistsError:
        return None, f"{name} was written by something else in the meantime: --draft NAME drafts another"
    return name, ""
