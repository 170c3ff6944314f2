"""`pamola-task init`."""

from __future__ import annotations

import shlex
import uuid
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import ProjectError
from pamola_tasks_scaffold.templates import example_in, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import CommandLine


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.pass_obj
def command(cli: CommandLine, folder: Path) -> None:
    """Create a project in DIR (here unless given): marker, configs/, an example task and its table, .gitignore.

    Existing files are left unchanged.
    """
    root = folder.absolute()
    if root.exists() and not root.is_dir():
        raise ProjectError(f"{root} is not a folder")
    made = make_project(cli, root)
    click.echo(f"{click.style(str(root), bold=True)} is a project")
    cli.out.facts([("" if i else "made", name) for i, name in enumerate(made or ["nothing: all was there"])])
    here = root == Path.cwd()
    go = "" if here else f"cd {shlex.quote(str(folder))} && "
    cli.out.facts([("try", f"{go}{cli.out.program(None if here else root)} run example")])


def make_project(cli: CommandLine, root: Path) -> list[str]:
    """Create what a project lacks; names of what was created."""
    begun = {
        ".pamola.toml": text_of("pamola.toml"),
        ".pamola/id": f"{uuid.uuid4()}\n",
        "configs/prj_config.yaml": text_of("prj_config.yaml"),
    }
    created = _create(root, begun)
    places = cli.kernel_for(root).services(None, upto="places").places  # of the project that is there now
    kinds = ("raw", "processed", "reports", "project_logs", "releases")
    kept = [places.folders[kind] for kind in kinds if kind in places.folders]
    folders = dict.fromkeys(f"/{PurePath(name).parts[0]}/" for name in kept if not PurePath(name).is_absolute())
    example = example_in(places)
    more = {
        ".gitignore": text_of("gitignore", folders="\n".join(folders)),
        "configs/example.yaml": text_of("example.yaml", data=example),
        example: text_of("example.csv"),
    }
    return created + _create(root, more)


def _create(root: Path, files: Mapping[str, str]) -> list[str]:
    created = []
    for name, text in files.items():
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
