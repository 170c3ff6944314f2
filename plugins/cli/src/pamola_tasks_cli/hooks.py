"""`pamola-task hooks`."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks import hookspecs
from pamola_tasks.errors import UsageError
from pamola_tasks_cli.output import facts, heading, print_json, print_table

if TYPE_CHECKING:
    from pamola_tasks_cli.app import Invocation


@click.command("hooks")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: Invocation, name: str | None, as_json: bool) -> None:
    """Every hook in the order of a run, or one: its contract, and who implements it, in call order."""
    every = [_facts(cli, hook) for hook in vars(hookspecs) if hook.startswith("pamola_")]
    if name is not None:
        full = name if name.startswith("pamola_") else f"pamola_{name}"
        found = [hook for hook in every if hook["hook"] == full]
        if not found:
            from pamola_tasks.parameters import unknown_name

            raise UsageError(unknown_name(full, [hook["hook"] for hook in every], "hook"))
        if as_json:
            print_json(found[0])
            return
        heading(f"{found[0]['hook']}({', '.join(found[0]['parameters'])})")
        facts([("kind", found[0]["kind"]), ("who", ", ".join(found[0]["implemented_by"]) or "nobody")])
        click.echo(f"\n{found[0]['contract']}")
        return
    if as_json:
        print_json(every)
        return
    print_table(
        [[h["hook"], h["kind"], ", ".join(h["implemented_by"]), h["contract"].partition("\n")[0]] for h in every],
        ["hook", "kind", "implemented by", "contract"],
        narrow="implemented by",
    )


def _facts(cli: Invocation, hook: str) -> dict[str, Any]:
    function = getattr(hookspecs, hook)
    implementations = getattr(cli.plugins.manager.hook, hook).get_hookimpls()
    return {
        "hook": hook,
        "kind": hookspecs.kind_of(hook),
        "parameters": list(inspect.signature(function).parameters),
        "implemented_by": [
            impl.plugin_name + (" (wrapper)" if impl.wrapper or impl.hookwrapper else "")
            for impl in reversed(implementations)
        ],
        "contract": inspect.getdoc(function) or "",
    }
