"""Pages that commands of other plugins print: `report` and `compare`, from any provider.

They are called as the command line calls them, and what they print is kept. So the dashboard shows what they show,
decrypted as they decrypt, and with their warnings.
"""

from __future__ import annotations

import contextlib
from html import escape
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import UsageError
from pamola_tasks.protocols import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pamola_tasks.protocols import CommandLine

_STYLE = "margin:0 auto 1rem;max-width:66rem;padding:.6rem 1rem;border-radius:8px;background:#fdf0d3;color:#5c3c00"


class _Kept:
    """Keeps what a command prints; everything else of `Output` is that of the command line."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self.text = ""
        self.warnings: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)

    def print_text(self, text: str) -> None:
        self.text += text

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    note = warn

    @contextlib.contextmanager
    def stdout_for_the_document(self) -> Iterator[None]:
        yield


class _Call:
    """The command line as such a command sees it, with a kernel that reads everything anew."""

    def __init__(self, cli: CommandLine) -> None:
        self._cli = cli
        self.out = _Kept(cli.out)
        self.kernel = cli.kernel_for(cli.kernel.project.root)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cli, name)


def page_of(cli: CommandLine, name: str, options: Sequence[str], *words: str) -> bytes:
    """The page that a command prints with `--format html` and these options, with what it warns of above it.

    Raises:
        PamolaTaskError: There is nothing to show, or no plugin that shows it; with the reason.
    """
    command, call = _command(cli, name), _Call(cli)
    asked = [*options, "--format", "html", "--", *words]
    try:
        command.main(asked, f"pamola-task {name}", standalone_mode=False, obj=call)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error
    notes = "".join(f'<p style="{_STYLE}">{escape(cli.plugins.redactor(text))}</p>' for text in call.out.warnings)
    return call.out.text.replace("<body>", f"<body>\n{notes}", 1).encode("utf-8", "backslashreplace")


def _command(cli: CommandLine, name: str) -> click.Command:
    from pamola_tasks.plugins.contributions import imported

    for record, answer in cli.plugins.each("pamola_add_commands"):
        found = answer.get(name) if isinstance(answer, dict) else None
        if isinstance(found, Command):
            command = imported(record, found.target, f"command {name!r}")
            if isinstance(command, click.Command):
                return command
    raise UsageError(f"no installed plugin has the command `{name}`, which makes this page")
