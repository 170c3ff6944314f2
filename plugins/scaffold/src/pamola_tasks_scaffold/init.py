"""`pamola-task init`."""

from __future__ import annotations

import random
import shlex
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import ProjectError

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine


MARKER = """\
# This file marks the root of a pamola-tasks project, and says which plugins it uses. Nothing else belongs here;
# settings are in configs/prj_config.yaml.
[plugins]
# disable = ["some-plugin"]
# require = ["some-plugin"]
# prefer.checkpoints = "some-plugin"
"""

PROJECT_CONFIG = """\
# Configuration of all tasks of this project; a task's own file overrules it.
# `pamola-task config show TASK --origin` tells where each value comes from.
data_repository: DATA
log_level: INFO
"""

GITIGNORE = """\
# Data, results and logs do not belong into version control.
/DATA/
/logs/
/configs/execution_log.*
"""

EXAMPLE_TASK = """\
# Profile a table, make it 3-anonymous, profile the result:
#     pamola-task run example
task_id: example
task_type: anonymization
description: Three-anonymous example table
input_datasets:
  people: DATA/raw/example.csv
operations:
  - ProfileOperation:
      dataset_name: people
      output_prefix: before
  - AnonymizeOperation:
      input_dataset: people
      output_dataset: safe
      method: k-anonymity
      k: 3
      quasi_identifiers: [age, zipcode, gender]
      sensitive_attributes: [diagnosis]
      direct_identifiers: [person_id]
  - ProfileOperation:
      dataset_name: safe
      output_prefix: after
"""


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.pass_obj
def command(cli: CommandLine, folder: Path) -> None:
    """Make a project in DIR (here unless given): marker, configs/, DATA/raw/, an example task, .gitignore.

    Files that are there already are left as they are.
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
    """Make what is missing of a project; names of what was made."""
    made = []
    for name, text in {
        ".pamola.toml": MARKER,
        ".pamola/id": f"{uuid.uuid4()}\n",
        ".gitignore": GITIGNORE,
        "configs/prj_config.yaml": PROJECT_CONFIG,
        "configs/example.yaml": EXAMPLE_TASK,
        "DATA/raw/example.csv": example_table(),
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
        made.append(name)
    return made


def example_table(rows: int = 120) -> str:
    """A small synthetic table of people, the same every time."""
    draw = random.Random(7)
    lines = ["person_id,age,zipcode,gender,income,diagnosis"]
    for number in range(rows):
        age = min(90, max(18, round(draw.gauss(47, 16))))
        income = round(draw.lognormvariate(10.4, 0.35) + 150 * (60 - abs(age - 50)), -2)
        diagnosis = draw.choices(
            ["healthy", "hypertension", "diabetes", "asthma"], [60, 5 + age / 2, 2 + age / 4, 12], k=1
        )[0]
        lines.append(
            f"P{number + 1:05d},{age},{draw.choice([10115, 10117, 10119, 10178, 12043, 12045]):05d},"
            f"{draw.choice(['f', 'm'])},{income:.0f},{diagnosis}"
        )
    return "\n".join(lines) + "\n"
