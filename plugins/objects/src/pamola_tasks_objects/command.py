"""`pamola-task upload`: a file, such as the bundle of a release, to an address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from pamola_tasks.errors import EXIT_OK, ConfigurationError, DataError, UsageError
from pamola_tasks_objects.address import Address
from pamola_tasks_objects.settings import root_of, written_out
from pamola_tasks_objects.uploading import upload

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine


@click.command("upload")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("address")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: CommandLine, file: Path, address: str, force: bool, as_json: bool) -> int:
    """Upload FILE, such as a bundle of `release`, to ADDRESS: whole or not at all, and read back.

    ADDRESS is s3://BUCKET/FOLDER/FILE, or gs://, az://, sftp://HOST:PORT/FOLDER/FILE, in a folder under objects.roots
    of the project file that says write: true. With a slash at its end, FILE's name is appended. A file that is there
    is refused unless --force is given.
    """
    run = cli.kernel.services(None, upto="config")
    if found := list(written_out(run)):
        raise ConfigurationError(problems=tuple(found))
    try:
        to = Address.of(f"{address}{file.name}" if address.endswith("/") else address)
        where = root_of(run.config, to, write=True)
    except DataError as problem:
        raise UsageError(str(problem)) from None
    with file.open("rb") as opened:
        made = upload(opened, to, where, replace=force)
    if as_json:
        cli.out.print_json({"address": str(to), "sha256": made.sha256, **attrs.asdict(made.state)})
        return EXIT_OK
    cli.out.heading(f"{file.name} is at {to}")
    facts = {"bytes": f"{made.state.size:,}", "version": made.state.version, "ETag": made.state.etag}
    cli.out.facts([*((name, value) for name, value in facts.items() if value), ("SHA-256", made.sha256)])
    return EXIT_OK
