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
@click.argument("shell", type=click.Choice([*_ADVICE]))
def command(shell: str) -> None:
    """Print the script with which this shell completes commands, options, tasks, steps and runs of `pamola-task`."""
    made = get_completion_class(shell)
    assert made is not None
    completion = made(cli, {}, "pamola-task", "_PAMOLA_TASK_COMPLETE")
    click.echo(_ADVICE[shell])
    # Not `source()`, which checks the version of bash by running it.
    click.echo(completion.source_template % completion.source_vars())
