"""`pamola-task new`: what the templates of plugins create."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import PluginError
from pamola_tasks.parameters import unknown_name
from pamola_tasks.plugins.discovery import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks import Command
    from pamola_tasks.protocols import CommandLine


class Templates(click.Group):
    """A subcommand for each template that plugins add, imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_templates(ctx))

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        known = _templates(ctx)
        if name not in known:
            raise click.UsageError(unknown_name(name, sorted(known), "template"), ctx)
        target = known[name].target
        command = resolve(target)
        if not isinstance(command, click.Command):
            raise PluginError(f"the template {name!r} names {target}, which is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, found.help) for name, found in sorted(_templates(ctx).items())])


def _templates(ctx: click.Context) -> Mapping[str, Command]:
    cli: CommandLine = ctx.obj
    found: Mapping[str, Command] = cli.kernel.contributions("pamola_add_templates", "template")
    return found


@click.group("new", cls=Templates)
def command() -> None:
    """Create something new that runs, with a test that passes."""
