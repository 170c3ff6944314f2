"""`pamola-task budget`: what has been spent of the privacy budgets of a project, and what is left."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import UsageError

from .accounting import Limit, Spending, epsilon_of
from .anchored import LOST
from .privacy_budget import Account, PrivacyLedger, ledger_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, KernelView


@click.command("budget")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--repair", is_flag=True, help="Restore a ledger that was deleted, altered or replaced by an older one.")
@click.option("--accept-loss", is_flag=True, help="With --repair: continue without entries that nothing can restore.")
@click.pass_obj
def command(cli: CommandLine, name: str | None, as_json: bool, repair: bool, accept_loss: bool) -> None:
    """Show the privacy budgets of the project and what is left of them.

    With NAME only that budget, with every entry. Budgets of tables that come from the same file are one.

    With --repair missing entries are restored from the execution history; the ledger as it was is kept beside it.
    """
    if accept_loss and not repair:
        raise UsageError("--accept-loss belongs to --repair")
    ledger, stated = _ledger(cli.kernel)
    if repair:
        if name is not None or as_json:
            raise UsageError("--repair concerns the whole ledger: give neither a budget nor --json")
        cli.kernel.plugins.refuse_if_broken()
        click.echo(_repaired(ledger, accept_loss))
        return
    accounts = ledger.accounts()
    known = {each for account in accounts for each in account.names}
    accounts += [Account(Spending(), limit, (each,)) for each, limit in stated.items() if each not in known]
    accounts = [account for account in accounts if name is None or name in account.names]
    if name is not None and not accounts:
        raise UsageError(f"nothing has been spent of a budget {name!r}, and the project file states none")
    found = [_told(account, stated, entries=name is not None) for account in accounts]
    lost = sum(int(entry["entries"]) for entry in ledger.lost())
    if as_json:
        cli.out.print_json({"schema": 1, "budgets": found, "lost_entries": lost})
        return
    _print(cli, found)
    if lost:
        click.secho(f"warning: {lost} entries were lost, and their loss was accepted: more was spent", fg="yellow")


def _ledger(kernel: KernelView) -> tuple[PrivacyLedger, dict[str, Limit]]:
    run = kernel.services(None, upto="encryption")
    configs = run.files.root / run.places.folders["configs"]
    ledger = ledger_of(run, Path(configs))
    return ledger, dict(ledger.limits)


def _repaired(ledger: PrivacyLedger, accept_loss: bool) -> str:
    done = ledger.repair(accept_loss=accept_loss)
    if not (done.restored or done.lost or done.aside):
        return "nothing to repair: the ledger is as it was written"
    back = sum(entry.get("event") != LOST for entry in done.restored)
    words = [f"{back} {'entry' if back == 1 else 'entries'} restored from the execution history"]
    words += [f"{done.lost} lost"] if done.lost else []
    words += [f"the ledger as it was is {done.aside}"] if done.aside else []
    return "; ".join(words)


def _told(account: Account, stated: dict[str, Limit], *, entries: bool) -> dict[str, Any]:
    limits = [stated[name] for name in account.names if name in stated]
    limit = functools.reduce(Limit.least, limits) if limits else account.limit
    delta = (0.0 if limit is None else limit.delta) or account.spent.delta
    zcdp = None
    if account.spent.rho is not None:
        epsilon = epsilon_of(account.spent.rho, delta) if delta else None
        zcdp = {"rho": account.spent.rho, "epsilon": epsilon, "delta": delta if delta else None}
    told: dict[str, Any] = {
        "names": list(account.names),
        "spent": account.spent.told(),
        "zcdp": zcdp,
        "limit": None if limit is None else limit.told(),
        "limit_from": None if limit is None else "project file" if limits else "steps",
        "left": None if limit is None else limit.left(account.parts),
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
            "zCDP only" if told["spent"]["epsilon"] is None else _words(told["spent"]),
            _words(told["zcdp"]),
            _words(told["limit"]) + (f" ({told['limit_from']})" if told["limit"] else ""),
            _words(told["left"]),
            str(told["steps"]),
        )
        for told in found
    ]
    cli.out.print_table(rows, ("budget", "spent by addition", "by zCDP", "limit", "left", "steps"))
    for told in found:
        if told.get("entries"):
            entries = [
                (str(each.get("time", "")), str(each.get("task_id", "")), str(each.get("step", "")), _words(each))
                for each in told["entries"]
            ]
            cli.out.print_table(entries, ("time (UTC)", "task", "step", "spent"))


def _words(spending: dict[str, Any] | None) -> str:
    said = (
        []
        if spending is None
        else [
            f"{name} {spending[name]:.6g}"
            for name in ("epsilon", "delta", "rho")
            if spending.get(name) or (name == "epsilon" and spending.get(name) is not None)
        ]
    )
    return ", ".join(said) or "none"
