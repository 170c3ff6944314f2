"""`pamola-task init`."""

from __future__ import annotations

import shlex
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import ProjectError
from pamola_tasks_scaffold.texts import EXAMPLE, text_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.pass_obj
def command(cli: CommandLine, folder: Path) -> None:
    """Create a project in DIR (here unless given): marker, configs/, DATA/raw/, an example task, .gitignore.

    Existing files are left unchanged.
    """
    root = folder.absolute()
    if root.exists() and not root.is_dir():
        raise ProjectError(f"{root} is no folder")
    made = make_project(root)
    click.echo(f"{click.style(str(root), bold=True)} is a project")
    cli.out.facts(
        [("made" if i == 0 else "", name) for i, name in enumerate(made)] or [("made", "nothing: all was there")]
    )
    if root == Path.cwd():
        cli.out.facts([("try", f"{cli.out.program()} run example")])
    else:
        cli.out.facts([("try", f"cd {shlex.quote(str(folder))} && {cli.out.program(root)} run example")])


def make_project(root: Path) -> list[str]:
    """Create what a project lacks; names of what was created."""
    created = []
    for name, text in {
        ".pamola.toml": text_of("pamola.toml"),
        ".pamola/id": f"{uuid.uuid4()}\n",
        ".gitignore": text_of("gitignore"),
        "configs/prj_config.yaml": text_of("prj_config.yaml"),
        "configs/example.yaml": text_of("example.yaml"),
        EXAMPLE: text_of("example.csv"),
    }.items():
        path = root / name
        if name == "configs/prj_config.yaml" and any((root / "configs").glob("prj_config.*")):
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise ProjectError(f"{path} cannot be made: {error.strerror}") from error
        created.append(name)
    return created
