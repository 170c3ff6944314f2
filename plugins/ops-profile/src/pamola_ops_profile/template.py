"""`pamola-task new task` where this pack is installed: a task that profiles a table, as a declaration or a class."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import UsageError
from pamola_tasks.storage.files import check_name

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine

_TEMPLATES = Path(__file__).with_name("templates")


@click.command("task")
@click.argument("name")
@click.option("--data", metavar="FILE", help="The table to read, relative to the project (default: an example).")
@click.option("--class", "as_class", is_flag=True, help="Write a Python class in tasks/ instead of a declaration.")
@click.option("--description", default="", help="What the task is for.")
@click.pass_obj
def new_task(cli: CommandLine, name: str, data: str | None, as_class: bool, description: str) -> None:
    """Create a task: a declaration or a class.

    Writes configs/NAME.yaml (and tasks/NAME.py with --class) and tests/test_NAME.py.
    """
    words = name.replace("-", "_").split("_")
    if not check_name(name, "the task id").isascii() or not all(word.isalnum() for word in words if word):
        raise UsageError(f"invalid name {name!r} for a task: use letters, digits, `_` and `-`")
    kernel = cli.kernel
    if name in kernel.tasks.known():
        raise UsageError(f"there is a task {name!r} already")
    example = f"{kernel.services(None, upto='places').places.folders['raw']}/example.csv"
    function = "_".join(words).lower()
    values = {
        "name": name,
        "cls": "".join(word[:1].upper() + word[1:] for word in words) + "Task",
        "function": function,
        "description": description.replace("\n", " ").replace('"', "'") or f"Profile of the data of {name}",
        "data": data or example,
    }
    wanted = {f"tests/test_{function}.py": "test_task.py"}
    wanted |= {f"configs/{name}.yaml": "task_of_class.yaml" if as_class else "task.yaml"}
    wanted |= {f"tasks/{name}.py": "task.py"} if as_class else {}
    wanted |= {} if data or (kernel.project.root / example).exists() else {example: "example.csv"}
    files = {
        path: Template((_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(values)
        for path, template in wanted.items()
    }
    then = [("run it", f"{cli.out.program()} run {name}"), ("test it", f"pytest tests/test_{function}.py")]
    cli.create_files(f"task {name}", files, then)
