"""`pamola-task completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pamola_tasks_cli.app import cli

_ADVICE = {
    "bash": '# add to ~/.bashrc:  eval "$(pamola-task completion bash)"',
    "zsh": '# add to ~/.zshrc:  eval "$(pamola-task completion zsh)"',
    "fish": "# save as ~/.config/fish/completions/pamola-task.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes `pamola-task` in this shell."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(_ADVICE[shell])
    click.echo(_source(made(cli, {}, "pamola-task", "_PAMOLA_TASK_COMPLETE")))


def _source(completion: object) -> str:
    """The script, without the check of bash's version that click makes by running bash."""
    from click.shell_completion import ShellComplete

    assert isinstance(completion, ShellComplete)
    return completion.source_template % completion.source_vars()
