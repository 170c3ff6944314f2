"""`pamola-task plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import PluginError
from pamola_tasks_cli.output import heading, print_json, print_table, visible

if TYPE_CHECKING:
    from pamola_tasks.plugins.manager import Plugins
    from pamola_tasks_cli.app import Invocation


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, as_json: bool) -> None:
    """List plugins with distribution, version, status, services and hooks; and who provides which service."""
    rows = cli.plugins.report()
    services = {name: _service(cli.plugins, name) for name in cli.plugins.services}
    if as_json:
        print_json({"plugins": rows, "services": services})
        return
    cells = []
    for row in rows:
        hooks = ", ".join(hook.removeprefix("pamola_") for hook in row["hooks"])
        answers = row["reason"] or ", ".join(row["services"]) or hooks
        cells.append(
            [row["name"], f"{row['distribution']} {row['version']}".strip() or "by hand", row["status"], answers]
        )
    print_table(cells, ["plugin", "distribution", "status", "answers"])
    click.echo()
    heading("services")
    width = max(map(len, services)) + 2
    for name, found in services.items():
        more = [f"not chosen: {', '.join(found['not_chosen'])}"] if found["not_chosen"] else []
        more += [f"added by {found['added_by']}"] if "added_by" in found else []
        text = found["problem"] or (found["provider"] or "no plugin") + (f"  ({'; '.join(more)})" if more else "")
        click.secho(f"  {name:<{width}}{visible(text)}", fg="red" if found["problem"] else None)


def _service(plugins: Plugins, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"provider": None, "not_chosen": [], "problem": ""}
    if name in plugins.added_services:
        row["added_by"] = plugins.added_services[name].name
    try:
        chosen = plugins.provider(name)
        others = [record.name for record in plugins.offering(name) if record is not chosen]
    except PluginError as error:
        return {**row, "problem": str(error)}
    return {**row, "provider": chosen.name if chosen else None, "not_chosen": others}
