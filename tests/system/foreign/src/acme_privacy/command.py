import click


@click.command()
@click.pass_obj
def acme(cli):
    """Say hello."""
    click.echo(f"hello from Acme, {len(cli.plugins.loaded)} plugins")
