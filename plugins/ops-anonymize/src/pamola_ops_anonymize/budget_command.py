"""`pamola-task budget`: what has been spent of the privacy budgets of a project, and what is left."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import PamolaTaskError, UsageError
from pamola_tasks.protocols import Diagnosis

from .privacy_budget import FILE, Account, PrivacyLedger, Spending, ledger_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, KernelView


@click.command("budget")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(cli: CommandLine, name: str | None, as_json: bool) -> None:
    """Show the privacy budgets of the project and what is left of them.

    With NAME only that budget, with every entry. Budgets of tables that come from the same file are one.
    """
    ledger, stated = _ledger(cli.kernel)
    accounts = ledger.accounts()
    known = {each for account in accounts for each in account.names}
    accounts += [Account(Spending(), limit, (each,)) for each, limit in stated.items() if each not in known]
    accounts = [account for account in accounts if name is None or name in account.names]
    if name is not None and not accounts:
        raise UsageError(f"nothing has been spent of a budget {name!r}, and the project file states none")
    found = [_told(account, stated, entries=name is not None) for account in accounts]
    if as_json:
        cli.out.print_json({"schema": 1, "budgets": found})
    else:
        _print(cli, found)


def _ledger(kernel: KernelView) -> tuple[PrivacyLedger, dict[str, Spending]]:
    run = kernel.services(None, upto="encryption")
    configs = run.files.root / run.places.folders["configs"]
    ledger = ledger_of(run, Path(configs))
    return ledger, dict(ledger.limits)


def _told(account: Account, stated: dict[str, Spending], *, entries: bool) -> dict[str, Any]:
    limits = [stated[name] for name in account.names if name in stated]
    limit = functools.reduce(Spending.least, limits) if limits else account.limit
    left = None
    if limit is not None:
        left = Spending(max(0.0, limit.epsilon - account.spent.epsilon), max(0.0, limit.delta - account.spent.delta))
    told: dict[str, Any] = {
        "names": list(account.names),
        "spent": attrs.asdict(account.spent),
        "limit": None if limit is None else attrs.asdict(limit),
        "limit_from": None if limit is None else "project file" if limits else "steps",
        "left": None if left is None else attrs.asdict(left),
        "steps": len(account.entries),
    }
    return told | ({"entries": [dict(entry) for entry in account.entries]} if entries else {})


def _print(cli: CommandLine, found: list[dict[str, Any]]) -> None:
    if not found:
        cli.out.note("no privacy budget has been spent or stated")
        return
    rows = [
        (
            ", ".join(told["names"]),
            _words(told["spent"]),
            _words(told["limit"]) + (f" ({told['limit_from']})" if told["limit"] else ""),
            _words(told["left"]),
            str(told["steps"]),
        )
        for told in found
    ]
    cli.out.print_table(rows, ("budget", "spent", "limit", "left", "steps"))
    for told in found:
        if told.get("entries"):
            entries = [
                (str(each.get("time", "")), str(each.get("task_id", "")), str(each.get("step", "")), _words(each))
                for each in told["entries"]
            ]
            cli.out.print_table(entries, ("time (UTC)", "task", "step", "spent"))


def _words(spending: Any) -> str:
    if spending is None:
        return "none"
    delta = f", delta {spending['delta']:.6g}" if spending["delta"] else ""
    return f"epsilon {spending['epsilon']:.6g}{delta}"


def diagnoses(kernel: KernelView) -> Iterator[Diagnosis]:
    """What `doctor` says of the ledger; nothing where there is none and should be none."""
    try:
        ledger, _ = _ledger(kernel)
        if accounts := ledger.accounts():
            spent = sum(len(account.entries) for account in accounts)
            yield Diagnosis(level="ok", subject=FILE, finding=f"{spent} entries, as they were written")
    except PamolaTaskError as problem:
        yield Diagnosis(level="error", subject=FILE, finding=str(problem))
