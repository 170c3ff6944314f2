"""`pamola-task plugins` and `pamola-task hooks`: who provides which service, and who implements which hook."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks import hookspecs
from pamola_tasks.errors import PluginError, UsageError
from pamola_tasks.plugins.calling import kind_of
from pamola_tasks_cli.docstrings import documentation
from pamola_tasks_cli.output import facts, heading, print_json, print_table, visible, warn

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
        print_json({"plugins": rows, "services": services, "warnings": cli.plugins.passed_over()})
        return
    cells = []
    for row in rows:
        hooks = ", ".join(hook.removeprefix("pamola_") for hook in row["hooks"])
        answers = row["reason"] or ", ".join(row["services"]) or hooks
        origin = f"{row['distribution']} {row['version']}".strip() or os.path.relpath(row["file"] or "by hand")
        cells.append([row["name"], origin, row["status"], answers])
    print_table(cells, ["plugin", "distribution", "status", "answers"])
    click.echo()
    heading("services")
    width = max(map(len, services)) + 2
    for name, found in services.items():
        more = [f"not chosen: {', '.join(found['not_chosen'])}"] if found["not_chosen"] else []
        more += [f"added by {found['added_by']}"] if "added_by" in found else []
        text = found["problem"] or (found["provider"] or "no plugin") + (f"  ({'; '.join(more)})" if more else "")
        click.secho(f"  {name:<{width}}{visible(text)}", fg="red" if found["problem"] else None)
    for text in cli.plugins.passed_over():
        warn(text)


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


# ---------------------------------------------------------------- hooks


@click.command("hooks")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def hooks_command(cli: Invocation, name: str | None, as_json: bool) -> None:
    """List every hook in the order of a run, then those that plugins add; of NAME show its contract and who
    implements it, in call order."""
    own = [hook for hook in vars(hookspecs) if hook.startswith("pamola_")]
    names = [*own, *(hook for hook in cli.plugins.hook_names() if hook not in own)]
    if name is not None:
        _show(cli.plugins, name, names, as_json=as_json)
        return
    every = [_facts(cli.plugins, hook) for hook in names]
    if as_json:
        print_json(every)
        return
    print_table(
        [[h["hook"], h["kind"], ", ".join(h["implemented_by"]), h["contract"].partition("\n")[0]] for h in every],
        ["hook", "kind", "implemented by", "contract"],
        narrow="implemented by",
    )


def _show(plugins: Plugins, name: str, names: list[str], *, as_json: bool) -> None:
    hook = name if name in names or name.startswith("pamola_") else f"pamola_{name}"
    if hook not in names:
        from pamola_tasks.parameters import unknown_name

        raise UsageError(unknown_name(hook, names, "hook"))
    found = _facts(plugins, hook)
    if as_json:
        print_json(found)
        return
    heading(f"{hook}({', '.join(found['parameters'])})")
    rows = [("kind", found["kind"]), ("who", ", ".join(found["implemented_by"]) or "no plugin")]
    facts([*rows, ("added by", found["added_by"])] if found["added_by"] else rows)
    click.echo(f"\n{found['contract']}")


def _facts(plugins: Plugins, hook: str) -> dict[str, Any]:
    function = getattr(plugins.manager.hook, hook).spec.function
    return {
        "hook": hook,
        "kind": kind_of(hook),
        "added_by": _added_by(plugins, hook, function.__module__),
        "parameters": [name for name in inspect.signature(function).parameters if name != "self"],
        "implemented_by": [
            impl.plugin_name + (" (wrapper)" if impl.wrapper or impl.hookwrapper else "")
            for impl in plugins.implementations(hook)
        ],
        "contract": documentation(function),
    }


def _added_by(plugins: Plugins, hook: str, module: str) -> str:
    """The plugin that adds a hook, or the module that specifies it; empty for hooks of the kernel."""
    if module == hookspecs.__name__:
        return ""
    service = plugins.added_services.get(hook.removeprefix("pamola_provide_"))
    if service is not None:
        return service.name
    package = module.partition(".")[0]
    return next((r.name for r in plugins.loaded if r.object.__name__.partition(".")[0] == package), module)
