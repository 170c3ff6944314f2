"""The command `history`, with `history prune` and `history accept`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import EncryptionError, UsageError
from pamola_tasks.protocols import RunOptions
from pamola_tasks.record import is_address
from pamola_tasks_history.events import moment
from pamola_tasks_history.figures import blocks, fits, table_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, RunServices


HEADERS = ("when (UTC)", "task", "outcome", "took", "run", "inputs", "outputs")
_AGO = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_OPTIONS = RunOptions(overrides={"use_encryption": False, "encryption_mode": "none"}, console=False, quiet=True)


def since(text: str) -> datetime:
    """A moment given as `7d`, `12h`, `2026-03-01` or `2026-03-01T09:30`; one without zone is UTC, as it is shown."""
    ago = re.fullmatch(r"(\d{1,5})([mhdw])", text)
    if ago:
        return datetime.now(UTC) - timedelta(**{_AGO[ago[2]]: int(ago[1])})
    found = next(filter(None, (moment(text + zone) for zone in ("T00:00Z", "Z", ""))), None)
    if found is None:
        raise click.BadParameter(
            f"{text!r} is not a point in time: write 30m, 12h, 7d, 2w, 2026-03-01 or 2026-03-01T09:30"
        )
    return found


class _Listing(click.Group):
    """A command that lists, unless the first word is that of a subcommand."""

    allow_interspersed_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[__name__] = args if args and args[0] in self.commands else None
        return click.Command.parse_args(self, ctx, [] if ctx.meta[__name__] else args)

    def invoke(self, ctx: click.Context) -> Any:
        if not (args := ctx.meta[__name__]):
            return click.Command.invoke(self, ctx)
        with self.commands[args[0]].make_context(f"{ctx.info_name} {args[0]}", args[1:], parent=ctx.parent) as inner:
            return inner.command.invoke(inner)


@click.group(cls=_Listing, invoke_without_command=True, subcommand_metavar="| prune … | accept …")
@click.argument("task", required=False)
@click.option("--since", "begin", metavar="WHEN", help="Only runs since WHEN (UTC): 12h, 7d, 2026-03-01 …")
@click.option("--failed", is_flag=True, help="Only runs that did not succeed.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="List at most this many runs.")
@click.option("--metrics", is_flag=True, help="Show verdict, claims, risk, loss and rows out instead of files.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def history(
    cli: CommandLine, task: str | None, begin: str | None, failed: bool, limit: int, metrics: bool, as_json: bool
) -> None:
    """List the runs of TASK or of all tasks, newest first: when, how long, outcome, inputs and outputs.

    With --metrics, the main figures of each step that releases a table instead, as `measured (claimed)`; `pamola-task
    compare` shows all of two runs.

    `history prune` removes old runs, and `history accept` takes a history that was put back. Tasks of these names are
    listed by `history -- prune` and `history -- accept`.
    """
    oldest = since(begin) if begin else None
    log = _kept(cli, cli.kernel.services(None, upto="history").history, "records", "list its runs")
    records = log.candidates(task, oldest, failed=failed) if hasattr(log, "candidates") else log.records()
    found = list(islice((record for record in records if _wanted(record, task, oldest, failed)), limit))
    if task and not found and log.find_latest_execution(task, success_only=False) is None:
        cli.kernel.inspect(task, upto="places")  # where there is no such task: an error that says which was meant
    if damage := getattr(log, "damage", ""):
        cli.out.warn(damage)
    if as_json:
        cli.out.print_json(found)
    elif found and metrics:
        headers, rows = table_of(found)
        if fits(headers, rows, shutil.get_terminal_size((100, 24)).columns):
            cli.out.print_table(rows, headers)
        else:
            cli.out.facts(blocks(headers, rows), indent=0)
    elif found:
        cli.out.print_table([_row(record, cli.out.duration) for record in found], HEADERS)
    else:
        click.echo("No runs of this kind are in the history." if task or begin or failed else "Nothing was run yet.")


def _kept(cli: CommandLine, log: Any, method: str, what: str) -> Any:
    """The history, if it has this method."""
    if not hasattr(log, method):
        provider = cli.plugins.provider("history")
        if provider is None:
            raise UsageError(str(cli.plugins.missing("history")))
        raise UsageError(f"the history is kept by {provider.label}, which does not {what}")
    return log


def _age(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """The moment that was so long ago."""
    if text is not None and not re.fullmatch(r"\d{1,5}[hdw]", text):
        raise click.BadParameter(f"{text!r} is not an age: write 12h, 90d or 8w")
    return since(text) if text else None


@history.command()
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep each task's newest N runs.")
@click.option("--older-than", "before", metavar="AGE", callback=_age, help="Keep those younger than AGE: 12h, 90d, 8w.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--accept-damage", is_flag=True, help="Prune a damaged history too, and record how much was damaged.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def prune(
    cli: CommandLine,
    tasks: tuple[str, ...],
    keep: int | None,
    before: datetime | None,
    dry_run: bool,
    accept_damage: bool,
    as_json: bool,
) -> None:
    """Remove old runs of TASK or of all tasks from the history.

    With both options, a run is removed if neither keeps it. Always kept: the newest run and the newest success of each
    task, runs that are under way, and those that a file in the project or a kept older table is from. The history says
    what was removed, when and by whom, and proves the rest as before. Reports stay: `reports prune` removes them.
    """
    if keep is None and before is None:
        raise UsageError("say what is to be kept: --keep N, --older-than AGE, or both")
    if not dry_run:
        cli.refuse_if_broken()
    run = _with_key(cli)
    log = _kept(cli, run.history, "prune", "remove runs")
    for task in tasks:
        cli.kernel.inspect(task, upto="places")
    removed = log.prune(tasks=tasks, keep=keep, before=before, dry_run=dry_run, accept_damage=accept_damage)
    if as_json:
        rows = [{"task": r["task_id"], "run": r["task_run_id"], "when": r["timestamp"]} for r in removed]
        cli.out.print_json({"dry_run": dry_run, "removed": rows})
        return
    if dry_run and removed:
        cli.out.print_table([_row(record, cli.out.duration)[:5] for record in removed], HEADERS[:5])
    click.echo(f"{len(removed)} {'run' if len(removed) == 1 else 'runs'} {'would be ' if dry_run else ''}removed")


@history.command()
@click.option("--reason", required=True, metavar="WHY", help="Why the history is another one: recorded in it.")
@click.pass_obj
def accept(cli: CommandLine, reason: str) -> None:
    """Accept a history that lacks the run that was noted last on this machine, as after restoring a backup.

    The history records why, by whom and what was found, and its present state is what `verify`, `doctor` and the next
    run compare from now on.
    """
    if not reason.strip():
        raise UsageError("--reason is empty: say why the history is another one")
    cli.refuse_if_broken()
    run = _with_key(cli)
    found = _kept(cli, run.history, "accept", "compare itself with what was noted of it").accept(run, reason.strip())
    click.echo(cli.out.visible(found.finding))


def _with_key(cli: CommandLine) -> RunServices:
    """Services with the key that authenticates what is kept, where it is available."""
    try:
        return cli.kernel.services(None, upto="encryption", options=_OPTIONS)
    except EncryptionError:
        return cli.kernel.services(None, upto="history")


def _wanted(record: Mapping[str, Any], task: str | None, begin: datetime | None, failed: bool) -> bool:
    when = moment(record["timestamp"])
    if failed and (record["success"] or record["status"] == "running"):
        return False
    return task in (None, record["task_id"]) and (begin is None or (when is not None and when >= begin))


def _row(record: Mapping[str, Any], duration: Callable[[float], str]) -> list[str]:
    when, seconds = moment(record.get("started") or record["timestamp"]), record.get("execution_time")
    return [
        f"{when:%Y-%m-%d %H:%M:%S}" if when else "",
        record["task_id"],
        record["status"].replace("_", " "),
        "" if seconds is None else duration(seconds),
        record["task_run_id"],
        _names(record.get("input_files") or []),
        _names(record.get("output_files") or []),
    ]


def _names(files: list[Mapping[str, Any]]) -> str:
    """The first names, and how many there are more."""
    names = [
        item["path"] if is_address(item["path"]) else PurePath(item["path"]).name or item.get("name", "")
        for item in files
    ]
    return ", ".join(names[:2]) + (f" + {len(names) - 2}" if len(names) > 2 else "")
