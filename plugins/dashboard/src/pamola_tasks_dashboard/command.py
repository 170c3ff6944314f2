"""The command `dashboard`: serves the page until it is interrupted."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import UsageError
from pamola_tasks_dashboard.access import ADDRESS, Access

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port (default: that of the last time, if it is free; 0: any free port).",
)
@click.option("--open/--no-open", "open_", default=None, help="Open the page in the browser (default: on a terminal).")
@click.option("--show-data", is_flag=True, help="Show what may quote values of tables, and encrypted reports.")
@click.pass_obj
def dashboard(cli: CommandLine, port: int | None, open_: bool | None, show_data: bool) -> None:
    """Show running tasks, history, comparisons and reports on a local page, until Ctrl-C.

    The page is served at 127.0.0.1 only, to browsers that were given the printed address, which has a secret token.
    It reads what runs leave in the project and changes nothing, so that it can be started and ended at any time.
    """
    root = cli.kernel.project.root
    for warning in cli.kernel.project.warnings:
        cli.out.warn(warning)
    access = Access.of(root)
    listening = _listen(access.port if port is None else port, wanted=port is not None)
    access = access.at(listening.getsockname()[1])
    if problem := access.keep():
        cli.out.warn(f"the token is a new one whenever the dashboard starts: {problem}")
    from pamola_tasks_dashboard.server import serve

    click.echo(access.address)
    cli.out.note(f"the dashboard of {root}; anyone with this address can read it; Ctrl-C ends it")
    with contextlib.ExitStack() as stack:
        if open_ or (open_ is None and sys.stdout.isatty() and not os.environ.get("CI")):
            try:
                click.launch(stack.enter_context(access.page_to_open()).as_uri())
            except OSError as error:
                cli.out.note(f"the page could not be opened: {error}")
        serve(cli, access, listening, show_data=show_data)


def _listen(port: int, *, wanted: bool) -> socket.socket:
    """A socket that listens on this machine only: at the port, or at another one where it is taken and not wanted."""
    for each in dict.fromkeys([port] if wanted else [port, 0]):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name != "nt":  # where it would let two programs listen at the same port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((ADDRESS, each))
            listening.listen(128)
            return listening
        except OSError as error:
            listening.close()
            reason = error.strerror
    raise UsageError(f"port {port} of {ADDRESS} cannot be used: {reason}; name another with --port, or 0 for any")
