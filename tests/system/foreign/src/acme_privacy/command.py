import click

from pamola_tasks_cli.app import pass_state


@click.command()
@pass_state
def acme(state):
    """Say hello."""
    click.echo(f"hello from Acme, {len(state.plugins.loaded)} plugins")
