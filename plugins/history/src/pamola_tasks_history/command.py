"""The command `history`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import UsageError
from pamola_tasks_history.events import moment

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine


HEADERS = ("when (UTC)", "task", "outcome", "took", "run", "inputs", "outputs")
_AGO = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


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


@click.command()
@click.argument("task", required=False)
@click.option("--since", "begin", metavar="WHEN", help="Only runs since WHEN (UTC): 12h, 7d, 2026-03-01 …")
@click.option("--failed", is_flag=True, help="Only runs that did not succeed.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="List at most this many runs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def history(cli: CommandLine, task: str | None, begin: str | None, failed: bool, limit: int, as_json: bool) -> None:
    """List the runs of TASK or of all tasks, newest first: when, how long, outcome, inputs and outputs."""
    oldest = since(begin) if begin else None
    run = cli.kernel.services(None, upto="history")
    log = run.history
    records = getattr(log, "records", None)
    if records is None:
        provider = cli.plugins.provider("history")
        if provider is None:
            raise UsageError(str(cli.plugins.missing("history")))
        raise UsageError(f"the history is kept by {provider.label}, which does not list its runs")
    found = list(islice((record for record in records() if _wanted(record, task, oldest, failed)), limit))
    if task and not found and log.find_latest_execution(task, success_only=False) is None:
        cli.kernel.inspect(task, upto="places")  # where there is no such task: an error that says which was meant
    if as_json:
        cli.out.print_json(found)
    elif found:
        cli.out.print_table([_row(record, cli.out.duration) for record in found], HEADERS)
    else:
        click.echo("No runs of this kind are in the history." if task or begin or failed else "Nothing was run yet.")


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
    names = [PurePath(item["path"]).name or item.get("name", "") for item in files]
    return ", ".join(names[:2]) + (f" + {len(names) - 2}" if len(names) > 2 else "")
