"""`pamola-task plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import PluginError
from pamola_tasks_cli.output import heading, print_json, print_table

if TYPE_CHECKING:
    from pamola_tasks_cli.app import Invocation


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, as_json: bool) -> None:
    """What is installed: name, distribution, version, status, services, hooks; and who answers which service."""
    plugins = cli.plugins
    rows = plugins.report()
    services = {}
    for service in plugins.service_order():
        try:
            chosen = plugins.provider(service)
            others = [record.name for record in plugins.alternatives(service)]
            services[service] = {"provider": chosen.name if chosen else None, "not_chosen": others, "problem": ""}
        except PluginError as error:
            services[service] = {"provider": None, "not_chosen": [], "problem": str(error)}
    if as_json:
        print_json({"plugins": rows, "services": services})
        return
    print_table(
        [
            [
                row["name"],
                f"{row['distribution']} {row['version']}".strip() or "by hand",
                row["status"],
                row["reason"] or ", ".join(row["services"]) or _more(row["hooks"]),
            ]
            for row in rows
        ],
        ["plugin", "distribution", "status", "answers"],
    )
    click.echo()
    heading("services")
    for service, found in services.items():
        shadowed = f"  (not chosen: {', '.join(found['not_chosen'])})" if found["not_chosen"] else ""
        text = found["problem"] or f"{found['provider'] or 'nobody'}{shadowed}"
        click.secho(f"  {service:<14}{text}", fg="red" if found["problem"] else None)


def _more(hooks: list[str]) -> str:
    return ", ".join(hook.removeprefix("pamola_") for hook in hooks)
