"""`pamola-task explore`: which settings lose least, and for which risk?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import click

from pamola_tasks.errors import DataRefused, UsageError
from pamola_tasks.parameters import unknown_name
from pamola_tasks.protocols import RunOptions

from .explore_grid import COLLECT, ExploreTask, Grid, Setting, step_to_explore
from .identifiers import DIRECT, INSENSITIVE, QUASI, SENSITIVE
from .release_settings import Strategy

if TYPE_CHECKING:
    from pamola_tasks.outcome import Outcome
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import CommandLine, KernelView, RunServices

_ROLES = dict(
    zip(("direct", "quasi", "sensitive", "insensitive"), (DIRECT, QUASI, SENSITIVE, INSENSITIVE), strict=True)
)


@click.command("explore")
@click.argument("task", metavar="TASK")
@click.option("--step", "step_id", metavar="STEP", help="The step that anonymizes, where there are several.")
@click.option("--k", "ks", default="2,5,10,25,50", show_default=True, metavar="K,…", help="Which k to try.")
@click.option(
    "--strategy",
    "strategies",
    default="mondrian,hierarchy",
    show_default=True,
    metavar="NAME,…",
    help=f"Which strategies to try: {', '.join(get_args(Strategy))}.",
)
@click.option(
    "--suppression",
    default="0,0.01,0.05",
    show_default=True,
    metavar="PART,…",
    help="With the strategy hierarchy, which parts of the records may be suppressed.",
)
@click.option(
    "--role",
    "stated",
    metavar="COLUMN=ROLE|ROLE",
    multiple=True,
    help=f"Try several roles of a column: {', '.join(_ROLES)}; repeatable.",
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Measure up to N settings at the same time.")
@click.option("--restart", is_flag=True, help="Measure all settings again.")
@click.option("--pick", type=click.IntRange(1), metavar="N", help="Write setting N of the table into a configuration.")
@click.option("--name", metavar="NAME", help="With --pick: write configs/NAME.yaml (default: TASK-pick-N).")
@click.option("--force", is_flag=True, help="With --pick: replace configs/NAME.yaml if it is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(
    cli: CommandLine,
    /,
    task: str,
    step_id: str | None,
    ks: str,
    strategies: str,
    suppression: str,
    stated: tuple[str, ...],
    jobs: int | None,
    restart: bool,
    pick: int | None,
    name: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Explore settings of TASK: measure each of a grid by risk and loss, without releasing anything.

    Setting 1 is that of the task. Runs as a task of its own, explore-TASK: after a crash the same command continues,
    and what was measured is not measured again. Settings marked with * are best: no other with the same
    quasi-identifiers has less risk without more loss.

    To take one, repeat the command with --pick N: it writes a configuration, with the comments of the task's own.
    """
    if pick is None and (name is not None or force):
        raise UsageError("--name and --force belong to --pick")
    kernel = cli.kernel
    kernel.plugins.refuse_if_broken()
    run = kernel.plan(task)
    step = step_to_explore(run.plan, step_id, run.config.task_id)
    operation: Any = step.operation
    grid = Grid(
        ks=_list("--k", ks, _whole),
        strategies=_list("--strategy", strategies, _strategy),
        suppression=_list("--suppression", suppression, _part),
        roles=_roles(run, step, stated),
    )
    settings = grid.settings(operation)
    if pick is not None and pick > len(settings):
        raise UsageError(f"--pick: there are {len(settings)} settings, and no {pick}")
    overrides = {} if jobs is None else {"parallel_processes": jobs}
    options = RunOptions(
        overrides=overrides,
        restart=restart,
        console=cli.verbosity > 0,
        quiet=cli.verbosity < 0,
        owns_process=True,
    )
    outcome: Outcome = kernel.run(ExploreTask(run, step, settings), options=options)
    if not outcome.success:
        message = (outcome.record.error or {}).get("message", outcome.status)
        click.secho(f"the exploration failed: {cli.out.visible(str(message))}", fg="red", err=True)
        return outcome.exit_code
    told = dict(outcome.results[COLLECT].metrics)
    page = outcome.report and outcome.report.with_suffix(".html")
    report = page if page and page.exists() else outcome.report
    found: dict[str, Any] = {
        "task": run.config.task_id,
        "step": step.id,
        "run_id": outcome.run_id,
        "report": kernel.project.files.name(report) if report else None,
    }
    if not as_json:
        _print(cli, told, found)
    if not told["reached"]:
        raise DataRefused(f"no setting can be had: 1: {told['settings'][0]['problem']}")
    if pick is not None:
        found["picked"] = _picked(kernel, run, step, settings[pick - 1], told["settings"][pick - 1], name, force)
    if as_json:
        cli.out.print_json({"schema": 1, **found, **told})
    elif pick is not None:
        _print_picked(cli, found["picked"])
    return 0


# ---------------------------------------------------------------- what is asked for


def _list(option: str, text: str, read: Callable[[str, str], Any]) -> list[Any]:
    found = list(dict.fromkeys(read(option, each.strip()) for each in text.split(",") if each.strip()))
    if not found:
        raise UsageError(f"{option} is empty: name at least one")
    return found


def _whole(option: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) >= 2):
        raise UsageError(f"{option}: {text!r} is not a whole number of 2 or more")
    return int(text)


def _part(option: str, text: str) -> float:
    try:
        part = float(text)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        raise UsageError(f"{option}: {text!r} is not a number from 0 to 1")
    return part


def _strategy(option: str, text: str) -> str:
    if text not in get_args(Strategy):
        raise UsageError(f"{option}: {unknown_name(text, get_args(Strategy), 'strategy')}")
    return text


def _roles(run: RunServices, step: Step, stated: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    dataset = step.operation.input_dataset  # type: ignore[attr-defined]
    known = run.data_source.columns(dataset) if stated and dataset in run.plan.inputs else None
    for text in stated:
        column, equals, roles = text.rpartition("=")
        if not equals:
            raise UsageError(f"--role: {text!r} is not of the form COLUMN=ROLE|ROLE")
        if known is not None and column not in known:
            raise UsageError(f"--role: {unknown_name(column, known, 'column')}")
        if column in found:
            raise UsageError(f"--role: {column} is named twice: put | between its roles")
        for role in roles.split("|"):
            if role not in _ROLES:
                raise UsageError(f"--role: {unknown_name(role, _ROLES, 'role')}; roles are {', '.join(_ROLES)}")
        found[column] = list(dict.fromkeys(_ROLES[role] for role in roles.split("|")))
    return found


# ---------------------------------------------------------------- what is said


def _print(cli: CommandLine, told: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    reached = [each for each in told["settings"] if "problem" not in each]
    cli.out.heading(f"{found['task']}: {len(told['settings'])} settings of {found['step']}, {told['reached']} reached")
    if reached:
        rows = [_row(each) for each in reached]
        heads = ("", "", "setting", "k", "highest risk", "average", "knowable: k", "unique", "loss", "suppressed")
        cli.out.print_table(rows, heads)
        if any(each["on_front"] for each in reached):
            click.echo("* Pareto front: no other setting, on the same columns, has less risk without more loss.")
        for said, columns in _columns_of(reached):
            click.echo(f"{said} on {', '.join(columns)}.")
    for each in told["settings"]:
        if "problem" in each:
            click.echo(f"{each['number']}: {each['label']}: cannot be had: {cli.out.visible(each['problem'])}")
    if found["report"]:
        click.echo(f"report: {found['report']}")


def _columns_of(reached: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Sequence[str]]]:
    """Which columns the figures are about, and of which settings where not all are about the same."""
    about: dict[str, Callable[[Mapping[str, Any]], Sequence[str]]] = {
        "risk, loss and k are": lambda each: each["quasi_identifiers"],
        "knowable (what was listed, and all else that looks as if others know it) is": lambda each: each["knowable"][
            "columns"
        ],
    }
    for words, columns_of in about.items():
        sets: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for each in reached:
            sets.setdefault(tuple(sorted(columns_of(each))), []).append(each)
        for columns, settings in sets.items():
            numbers = _ranges([each["number"] for each in settings])
            yield (f"Settings {numbers}: {words}" if len(sets) > 1 else words[0].upper() + words[1:]), columns


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers in ascending order, those that follow each other together: `1–4, 7`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in found)


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "*" if each["on_front"] else "",
        str(each["number"]),
        each["label"],
        str(each["k"] if each["k"] is not None else "none"),
        f"{100 * each['prosecutor']:.2f} %",
        f"{100 * each['marketer']:.2f} %",
        str(each["knowable"]["k"]),
        f"{100 * each['knowable']['unique_share']:.1f} %",
        f"{100 * each['loss']:.2f} %",
        f"{each['rows_suppressed']:,}",
    )


def _print_picked(cli: CommandLine, picked: Mapping[str, Any]) -> None:
    if picked["file"]:
        click.echo(
            f"setting {picked['number']} is in {picked['file']}; run it: {cli.out.program()} run {picked['task']}"
        )
        return
    click.echo(f"{picked['reason']}. Set these parameters of AnonymizeOperation there:")
    for parameter, value in picked["parameters"].items():
        click.echo(f"  {parameter}: {json.dumps(value, ensure_ascii=False)}")


# ---------------------------------------------------------------- what is picked


def _picked(
    kernel: KernelView,
    run: RunServices,
    step: Step,
    setting: Setting,
    told: Mapping[str, Any],
    name: str | None,
    force: bool,
) -> dict[str, Any]:
    """Write a setting into a configuration; what was written where, or why a person has to."""
    if "problem" in told:
        raise UsageError(f"--pick: setting {setting.number} cannot be had: {told['problem']}")
    task_id = run.config.task_id
    name = name or f"{task_id}-pick-{setting.number}"
    run.places.of(name)  # refuses what is no name
    folder = run.places.folders["configs"]
    picked: dict[str, Any] = {"number": setting.number, "parameters": setting.parameters, "file": None, "task": None}
    copy = getattr(run.config, "copy_with", None)
    steps = [each for each in run.plan if each.name == step.name]
    file = f"{folder}/{name}"
    if name != task_id and name in kernel.tasks.known() and not force:
        raise UsageError(
            f"--pick: there is a task {name!r} already: name another with --name, or replace it with --force"
        )
    written = copy and copy(file, (step.name, steps.index(step)), setting.parameters, overwrite=force)
    if not written:
        return picked | {"reason": f"{task_id} lists no operations in a file that could be written"}
    return picked | {"file": written, "task": name}
